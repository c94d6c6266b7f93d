"""How the keeper starts, replaces and ends its front."""
import contextlib
import multiprocessing
import os
import signal
import socket
import sqlite3
import time
import unittest

import harness

NOBODY = 65534


def children(pid):
    return [p for p in harness.all_pids() if harness.status_of(p)[1] == pid]


class Ending(unittest.TestCase):
    def test_between_fork_and_exec(self):
        """A SIGTERM then is not lost: nobody waits for a SIGKILL."""
        shim = os.path.join(harness.BUILD, "tools/exec_shim.so")
        with harness.Daemon(start=False, wrapper=[]) as daemon:
            daemon.env = {"LD_PRELOAD": shim, "JWKSD_TEST_EXEC_MS": "1000"}
            daemon.spawn()
            harness.wait_until(lambda: children(daemon.pid))
            began = time.monotonic()
            daemon.stop()
            self.assertLess(time.monotonic() - began, 2.5)
            self.assertEqual(harness.listening_inodes(daemon.port), set())


class Replacing(unittest.TestCase):
    def masters(self, daemon):
        fronts = daemon.front_pids()
        return [p for p in fronts
                if harness.status_of(p)[1] not in fronts]

    def test_by_many_processes(self):
        with harness.Daemon(config={"http": {"processes": "8"}}) as daemon:
            harness.wait_until(
                lambda: daemon.call("Status").get("fronts") == 8)
            (old,) = self.masters(daemon)
            daemon.kill9()
            daemon.start()
            harness.wait_until(lambda: not harness.alive(old), 10,
                               "the earlier front is not let go")
            self.assertEqual(len(self.masters(daemon)), 1)
            self.assertEqual(daemon.call("Status")["fronts"], 8)
            self.assertNotIn("were not servable", daemon.log())

    def environment(self, pid):
        return dict(entry.partition("=")[::2] for entry in
                    harness.read_proc(pid, "environ").split("\0") if entry)

    def test_what_the_next_front_is_told(self):
        with harness.Daemon() as daemon:
            numbers = []
            for replaces, since in ((None, False), ("1", True), ("1", False)):
                (master,) = self.masters(daemon)
                told = self.environment(master)
                numbers.append(told["JWKSD_FRONT"])
                self.assertEqual(told.get("JWKSD_REPLACES"), replaces)
                self.assertEqual("JWKSD_SERVING_SINCE" in told, since)
                if replaces is None:
                    daemon.kill9()
                    daemon.start()
                else:
                    os.kill(master, signal.SIGKILL)
                harness.wait_until(lambda: not harness.alive(master), 10)
                harness.wait_until(
                    lambda: daemon.call("Status").get("fronts") == 1)
            self.assertEqual(len(set(numbers)), 3)


def offer_as_nobody(path, port, ready):
    """What a stranger would do to have his socket listened on."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    http = socket.create_server(("127.0.0.1", port))
    with contextlib.suppress(OSError):
        os.unlink(path)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen()
    ready.set()
    while True:
        keeper, _ = door.accept()
        packet = (0x6a776866).to_bytes(4, "little") + \
            (1).to_bytes(4, "little") + bytes(8) + \
            os.getpid().to_bytes(8, "little")
        with contextlib.suppress(OSError):
            socket.send_fds(keeper, [packet], [http.fileno()])


@unittest.skipUnless(os.geteuid() == 0, "only root can become a stranger")
class Strangers(unittest.TestCase):
    def test_a_socket_of_another_user_is_not_taken(self):
        with harness.Daemon(start=False) as daemon:
            for path in (daemon.directory, daemon.runtime):
                os.chmod(path, 0o777)
            ready = multiprocessing.Event()
            stranger = multiprocessing.Process(
                target=offer_as_nobody, daemon=True,
                args=(os.path.join(daemon.runtime, "front.sock"),
                      daemon.port, ready))
            stranger.start()
            try:
                self.assertTrue(ready.wait(10))
                for path in (daemon.directory, daemon.runtime):
                    os.chmod(path, 0o755)
                daemon.spawn()
                self.assertNotEqual(daemon.process.wait(20), 0)
                daemon.process = None
            finally:
                stranger.kill()
                stranger.join()
            self.assertIn(f"a front of uid {NOBODY} offers", daemon.log())
            self.assertIn("in use", daemon.log())


class Publish(unittest.TestCase):
    """What any reader of publish.sock is told."""

    def first(self, daemon, **parameters):
        with harness.Varlink(daemon.publish, "org.jwksd.publish") as client:
            return next(client.stream("Documents", parameters))

    def fronts(self, daemon):
        return daemon.call("Status").get("fronts", 0)

    def test_a_time_that_cannot_be(self):
        with harness.Daemon() as daemon:
            for since in (-1, -2 ** 62, int(time.time()) + 60, 2 ** 62):
                with self.assertRaises(harness.VarlinkError) as caught:
                    self.first(daemon, servingSince=since, front=1)
                self.assertEqual(caught.exception.short, "InvalidParameter")
                self.assertEqual(caught.exception.parameters,
                                 {"parameter": "servingSince"})
            reply = self.first(daemon, servingSince=int(time.time()), front=1)
            self.assertTrue(reply["complete"])

    def test_a_reader_is_no_front(self):
        with harness.Daemon() as daemon:
            for front, count in (-1, 1), (None, 2), (7, 2):
                parameters = {} if front is None else {"front": front}
                with harness.Varlink(daemon.publish,
                                     "org.jwksd.publish") as client:
                    self.assertTrue(next(client.stream(
                        "Documents", parameters))["complete"])
                    # It counts once it has read all that.
                    harness.wait_until(
                        lambda count=count: self.fronts(daemon) == count)
                    time.sleep(0.1)
                    self.assertEqual(self.fronts(daemon), count)
                harness.wait_until(lambda: self.fronts(daemon) == 1)

    def test_a_front_that_hangs(self):
        """It counts no longer, and what it missed was an outage."""
        with harness.Daemon() as daemon:
            stopped = daemon.front_pids()
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            try:
                harness.wait_until(lambda: self.fronts(daemon) == 0, 25)
            finally:
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)
            harness.wait_until(lambda: self.fronts(daemon) == 1)
            self.assertIn("were not servable", daemon.log())

    def test_a_front_that_reads_stays(self):
        with harness.Daemon() as daemon:
            with harness.Varlink(daemon.publish, "org.jwksd.publish",
                                 timeout=15) as client:
                replies = client.stream("Documents", {"front": 7})
                next(replies)
                self.assertEqual(next(replies), {
                    "documents": [], "withdrawn": [], "complete": True})
            self.assertNotIn("does not read", daemon.log())

    def test_a_key_set_without_a_document_is_named(self):
        with harness.Daemon() as daemon:
            for name in ("bad", "good"):
                daemon.call("AddKeySet", {"name": name})
            self.assertNotIn("kept", self.first(daemon))
            daemon.stop()
            with contextlib.closing(sqlite3.connect(
                    os.path.join(daemon.state, "jwksd.db"))) as db, db:
                db.execute("UPDATE generation SET jwk = '{}' WHERE key_set_id"
                           " = (SELECT id FROM key_set WHERE name = 'bad')")
            # Otherwise a new key is made, and the key set has a document.
            gate = os.path.join(daemon.directory, "gate")
            with open(gate, "w"):
                daemon.env["JWKSD_TEST_KEYGEN_GATE"] = gate
            daemon.env["LD_PRELOAD"] = os.path.join(harness.BUILD,
                                                    "tools/keygen_shim.so")
            daemon.start(ready=False)
            harness.wait_until(lambda: os.path.exists(daemon.publish))
            reply = self.first(daemon)
            self.assertEqual(reply["kept"], ["bad"])
            self.assertEqual(
                sorted(d["keySet"] for d in reply["documents"]),
                ["default", "good"])
            self.assertTrue(reply["complete"])
            os.unlink(gate)


if __name__ == "__main__":
    unittest.main()
