"""A keeper that cannot start behind sockets that were handed over: the first
such start exits, a later one stays up and answers everything with why."""
import os
import socket
import threading
import time
import unittest

import handed
import harness
from harness import VarlinkError

EVERY = [("control", "org.jwksd.keys.Status", {}),
         ("control", "org.jwksd.keys.ListKeys", {}),
         ("control", "org.jwksd.keys.Rotate", {}),
         ("control", "org.jwksd.keys.Monitor", {}),
         ("publish", "org.jwksd.publish.Documents", {}),
         ("sign", "org.jwksd.sign.Sign", {"claims": {"exp": 1}}),
         ("sign", "org.jwksd.sign.GetJwks", {})]


class Case(handed.Case):
    """Something starts the keeper again whenever a client waits, as systemd
    does with a socket unit."""

    def setUp(self):
        super().setUp()
        self.sockets = self.three()
        self.starts = []
        self.ended = threading.Event()

    def spoil(self, *lines):
        """Mistakes behind a sound configuration, from this line on."""
        self.daemon.write_config()
        with open(self.daemon.config_file, "a+") as f:
            f.seek(0)
            line = f.read().count("\n") + 1
            f.write("".join(f"{text}\n" for text in lines))
        return line

    def activate(self):
        """Start it; its process."""
        self.starts.append(time.monotonic())
        return self.begin("jwksd", self.sockets)

    def connect(self, name="control"):
        path = {"control": self.daemon.control, "sign": self.sign,
                "publish": self.daemon.publish}[name]
        return harness.Varlink(path)

    def error(self, method="org.jwksd.keys.Status", parameters=None,
              name="control"):
        with self.connect(name) as client:
            client.send(method, parameters,
                        **({"more": True} if "Monitor" in method or
                           "Documents" in method else {}))
            with self.assertRaises(VarlinkError) as caught:
                client.reply()
        return caught.exception

    def refused_then_degraded(self, status):
        """The process that stays up, after one that did not."""
        known = self.daemon.log().count("every call is answered")
        self.ends(self.activate(), status)
        # Without a client another start says so again, and exits.
        if status not in (73, 74, 75):
            self.ends(self.activate(), status)
        waits = harness.connect_unix(self.sign)
        self.addCleanup(waits.close)
        process = self.activate()
        harness.wait_until(lambda: self.daemon.log().count(
            "every call is answered") > known, 20)
        self.assertIsNone(process.poll(), self.daemon.log())
        return process


class BadConfig(Case):
    def test_first_exits_then_stays(self):
        line = self.spoil("[policy]", "standby_count = fortnights",
                          "nonsense = 1")
        process = self.refused_then_degraded(78)
        log = len(self.daemon.log())
        for name, method, parameters in EVERY:
            with self.subTest(method):
                error = self.error(method, parameters, name)
                self.assertEqual(error.name, "org.jwksd.keys.BadConfig")
                self.assertEqual(error.parameters["file"],
                                 self.daemon.config_file)
                self.assertEqual(error.parameters["line"], line + 1)
                self.assertIn("fortnights", error.parameters["message"])
                self.assertEqual([other["line"] for other in
                                  error.parameters["others"]], [line + 2])
        for name in ("control", "publish", "sign"):
            with self.connect(name) as client:
                info = client.call("org.varlink.service.GetInfo")
                self.assertEqual(info["product"], "jwksd")
                text = client.call(
                    "org.varlink.service.GetInterfaceDescription",
                    {"interface": info["interfaces"][1]})["description"]
                self.assertIn("method ", text)
                with self.assertRaises(VarlinkError) as caught:
                    client.call("org.jwksd.keys.Nothing")
                self.assertIn(caught.exception.short,
                              ("MethodNotFound", "InterfaceNotFound"))
        self.assertEqual(self.daemon.log()[log:], "",
                         "a client is worth a line of the log")
        done = self.daemon.ctl("status")
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{self.daemon.config_file}:{line + 1}: ", done.stderr)
        self.end(process)

    def test_clients_at_full_speed_start_it_twice(self):
        self.spoil("[policy]", "nonsense = 1")
        self.answers = 0

        def hammer():
            while not self.ended.is_set():
                try:
                    self.error()
                    self.answers += 1
                except (OSError, EOFError):
                    pass
        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            end = time.monotonic() + 3
            process = None
            while time.monotonic() < end:
                if process is None or process.poll() is not None:
                    process = self.activate()
                time.sleep(0.01)
        finally:
            self.ended.set()
            for thread in threads:
                thread.join()
        self.assertEqual(len(self.starts), 2)
        self.assertGreater(self.answers, 50)
        self.assertEqual(self.daemon.log().count("nonsense"), 2,
                         self.daemon.log())
        self.end(process)

    def test_a_restart_fails_aloud_each_time(self):
        self.spoil("[policy]", "nonsense = 1")
        for _ in range(2):
            self.end(self.refused_then_degraded(78))
            self.assertEqual(os.listdir(self.marks), [])

    def test_a_mended_file_and_reload(self):
        line = self.spoil("[policy]", "nonsense = 1", "folly = 2")
        process = self.refused_then_degraded(78)
        self.assertEqual(self.error("org.jwksd.keys.Reload").parameters["line"],
                         line + 1)
        # Another mistake is another answer, from then on everywhere.
        self.assertEqual(self.spoil("[policy]", "", "folly = 2"), line)
        reload = self.daemon.ctl("reload")
        self.assertEqual(reload.returncode, 78)
        self.assertIn(f":{line + 2}: ", reload.stderr)
        error = self.error("org.jwksd.sign.GetJwks", name="sign")
        self.assertEqual(error.parameters["line"], line + 2)
        self.assertNotIn("others", error.parameters)
        self.daemon.write_config()
        done = self.daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        harness.wait_until(self.is_ready, 10)
        self.assertEqual(os.listdir(self.marks), [])
        with self.connect("sign") as client:
            self.assertTrue(client.call("org.jwksd.sign.Sign", {"claims": {
                "exp": int(time.time()) + 1}})["token"])
        self.end(process)

    def test_no_client_is_refused_meanwhile(self):
        self.spoil("[policy]", "nonsense = 1")
        process = self.refused_then_degraded(78)
        self.daemon.write_config()
        refused = []

        def ask():
            while not self.ended.is_set():
                try:
                    harness.connect_unix(self.daemon.control).close()
                except OSError as error:
                    refused.append(error)
                time.sleep(0.005)
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            self.assertEqual(self.daemon.ctl("reload").returncode, 0)
            harness.wait_until(self.is_ready, 10)
        finally:
            self.ended.set()
            thread.join()
        self.assertEqual(refused, [])
        self.end(process)

    def test_by_hand_it_exits(self):
        self.spoil("[policy]", "nonsense = 1")
        for arguments in ((), ("--check",)):
            self.ends(self.begin("jwksd", [], arguments=arguments), 78)
        self.ends(self.begin("jwksd", self.sockets, arguments=("--check",)),
                  78)
        self.assertEqual(os.listdir(self.marks), [])

    def test_without_a_place_for_the_mark_it_stays_at_once(self):
        self.spoil("[policy]", "nonsense = 1")
        self.starts.append(0)
        process = self.begin("jwksd", self.sockets, env={
            "RUNTIME_DIRECTORY": "/proc/nowhere"})
        harness.wait_until(lambda: "every call is answered" in
                           self.daemon.log(), 20)
        self.assertEqual(self.error().short, "BadConfig")
        self.end(process)

    def test_the_watchdog_is_fed(self):
        self.spoil("[policy]", "nonsense = 1")
        path = os.path.join(self.daemon.directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(10)
            env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
            self.ends(self.begin("jwksd", self.sockets, env=env), 78)
            waits = harness.connect_unix(self.sign)
            self.addCleanup(waits.close)
            process = self.begin("jwksd", self.sockets, env=env)
            said = b""
            while said.count(b"WATCHDOG=1") < 3:
                said += manager.recv(4096) + b"\n"
            self.assertIn(b"READY=1\nSTATUS=degraded: ", said)
            self.assertIn(b"nonsense", said)
            self.end(process)


class Front(Case):
    """jwksd-http with a mistake in its configuration."""

    def status(self, address):
        with socket.create_connection(address, 10) as client:
            client.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\n"
                           b"Host: a\r\nConnection: close\r\n\r\n")
            client.settimeout(10)
            return client.recv(4096).split()[1]

    def test_first_exits_then_answers_500(self):
        self.spoil("[policy]", "nonsense = 1")
        listener = self.listen(("127.0.0.1", 0), socket.AF_INET)
        sockets = [("http", listener)]
        self.ends(self.begin("jwksd-http", sockets), 78)
        self.assertEqual(os.listdir(self.marks), ["jwksd-http.refused"])
        process = self.begin("jwksd-http", sockets)
        self.assertEqual(self.status(listener.getsockname()), b"500")
        self.assertIsNone(process.poll(), self.daemon.log())
        self.end(process)
        self.assertEqual(os.listdir(self.marks), [])


class StoreFailed(Case):
    def setUp(self):
        super().setUp()
        self.database = os.path.join(self.daemon.state, "jwksd.db")

    def foreign(self):
        with open(self.database, "wb") as f:
            f.write(b"no database" * 100)
        with open(os.path.join(self.daemon.state, "jwksd.kek"), "wb") as f:
            os.chmod(f.fileno(), 0o600)
            f.write(bytes(32))

    def test_each_refusal_of_the_database(self):
        def others_may_write():
            os.chmod(self.daemon.state, 0o770)
            self.addCleanup(os.chmod, self.daemon.state, 0o700)

        def kek_is_short():
            with open(os.path.join(self.daemon.state, "jwksd.kek"), "wb") as f:
                os.chmod(f.fileno(), 0o600)
                f.write(b"short")

        for make, status in ((self.foreign, 65), (kek_is_short, 72),
                             (others_may_write, 77)):
            with self.subTest(status):
                make()
                process = self.refused_then_degraded(status)
                for name, method, parameters in EVERY:
                    error = self.error(method, parameters, name)
                    self.assertEqual(error.short, "StoreFailed")
                    self.assertIn(self.daemon.state,
                                  error.parameters["message"])
                # It did not get better: the start that Reload makes says so.
                self.assertEqual(self.error("org.jwksd.keys.Reload").short,
                                 "StoreFailed")
                self.assertEqual(self.daemon.log().count(
                    "every call is answered"), 1)
                self.end(process)
                os.chmod(self.daemon.state, 0o700)
                for name in os.listdir(self.daemon.state):
                    os.unlink(os.path.join(self.daemon.state, name))
                open(self.daemon.log_file, "w").close()

    def test_a_mistake_that_comes_to_it(self):
        self.foreign()
        process = self.refused_then_degraded(65)
        with open(self.daemon.config_file) as f:
            good = f.read()
        with open(self.daemon.config_file, "a") as f:
            f.write("\n[policy]\nnonsense = 1\n")
        for method in "org.jwksd.keys.Reload", "org.jwksd.keys.Status":
            error = self.error(method)
            self.assertEqual(error.short, "BadConfig")
            self.assertIn("nonsense", error.parameters["message"])
        with open(self.daemon.config_file, "w") as f:
            f.write(good)
        error = self.error("org.jwksd.keys.Reload")
        self.assertEqual(error.short, "StoreFailed")
        self.assertEqual(set(error.parameters), {"message"})
        self.end(process)

    def test_mended_and_reloaded(self):
        self.foreign()
        process = self.refused_then_degraded(65)
        os.unlink(self.database)
        self.assertEqual(self.daemon.ctl("reload").returncode, 0)
        harness.wait_until(self.is_ready, 10)
        self.end(process)

    def test_another_daemon_that_goes(self):
        """What may pass by itself is tried again, and logged once."""
        with harness.Daemon(start=False) as other:
            other.config = {"daemon": {"state_directory": self.daemon.state}}
            other.write_config()
            other.start()
            self.ends(self.activate(), 75)
            process = self.activate()
            harness.wait_until(lambda: "every call is answered" in
                               self.daemon.log(), 20)
            self.assertEqual(self.error().short, "StoreFailed")
        harness.wait_until(self.is_ready, 15)
        self.assertEqual(self.daemon.log().count("every call is answered"), 1)
        self.end(process)


if __name__ == "__main__":
    unittest.main()
