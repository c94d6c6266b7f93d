"""What clients may send to the sockets and to the URL of a running pair:
whatever it is, it costs them their connection at most, and the next client
is served by the very same processes."""
import contextlib
import itertools
import json
import os
import socket
import time
import unittest

import harness
from harness import VarlinkError

STATUS = b'{"method":"org.jwksd.keys.Status","parameters":{}}\0'
KEYS = "org.jwksd.keys."


def call(method=KEYS + "Status", **members):
    return json.dumps({"method": method, **members}).encode() + b"\0"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon()
        cls.enterClassContext(cls.daemon)
        cls.pid, cls.fronts = cls.daemon.pid, cls.daemon.front_pids()

    def tearDown(self):
        self.assertEqual(self.daemon.pid, self.pid)
        self.assertIsNone(self.daemon.process.poll())
        self.assert_next_is_served()
        self.assertEqual(self.daemon.front_pids(), self.fronts)

    def assert_next_is_served(self):
        # A uid that has just left sixteen connections may have to wait.
        harness.wait_until(self.answers, 5)
        self.assertEqual(self.daemon.get().status, 200)

    def answers(self):
        with contextlib.suppress(OSError, EOFError):
            return self.daemon.call("Status")["ready"]
        return False


class Control(Case):
    def after(self, data, end=False):
        """Every reply to these octets, to the end of the connection."""
        replies = []
        with self.daemon.connect() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send_bytes(data)
                if end:
                    client.socket.shutdown(socket.SHUT_WR)
                while (message := client.receive()) is not None:
                    replies.append(message)
        return replies

    def assert_dropped(self, data, end=False):
        self.assertEqual(self.after(data, end), [], data[:60])
        self.assertTrue(self.daemon.call("Status")["ready"])

    def error(self, method, parameters):
        with self.assertRaises(VarlinkError) as caught:
            self.daemon.call(method, parameters)
        return caught.exception

    def test_what_is_no_call(self):
        for junk in (b"\0", b"garbage\0", b"\0\0\0\0", b"\xff\xfe\x00",
                     b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\0", b"{}\0",
                     b"[]\0", b"null\0", b"1e999\0", b'"x"\0', b"{\0",
                     b'{"method":1}\0', b'{"method":null}\0',
                     b'{"parameters":{}}\0', b'{"method":"a"\0',
                     b'{"method":"a.b.C","parameters":[]}\0',
                     b'{"method":"a.b.C","parameters":"x"}\0',
                     b'{"method":"a.b.C","more":1}\0',
                     b'{"method":"a.b.C","more":"true"}\0',
                     b'{"method":"a.b.C","oneway":true,"more":true}\0',
                     b'{"method":"a.b.C","frob":true}\0',
                     b'{"error":"a.b.C"}\0', b'\xef\xbb\xbf{}\0'):
            self.assert_dropped(junk)

    def test_duplicate_members_of_the_message(self):
        self.assert_dropped(b'{"method":"org.jwksd.keys.Status",'
                            b'"method":"org.jwksd.keys.Status"}\0')

    def assert_answered(self, method, parameters, parameter):
        """With the parameter that cannot be taken; the stream goes on."""
        message = (b'{"method":"%s%s","parameters":%s}\0'
                   % (KEYS.encode(), method, parameters))
        bad, good = self.after(message + STATUS, end=True)
        self.assertEqual(bad, {
            "error": "org.varlink.service.InvalidParameter",
            "parameters": {"parameter": parameter}}, parameters[:60])
        self.assertTrue(good["parameters"]["ready"])

    def test_duplicate_members_of_the_parameters(self):
        self.assert_answered(b"Rotate", b'{"dryRun":true,"dryRun":false}',
                             "dryRun")
        self.assert_answered(b"SetPolicy", b'{"name":"default","policy":'
                             b'{"mode":"auto","mode":"auto"}}', "policy.mode")

    def test_strings_that_are_none(self):
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\\ud800",
                     b"\\u0000", b"\x01", b"\n"):
            self.assert_answered(b"ShowKey", b'{"key":"' + text + b'"}',
                                 "key")

    def test_deep_nesting(self):
        for depth in (100, 3000, 100000):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                nested = opening * depth + b"1" + closing * depth
                self.assert_dropped(nested[:200000] + b"\0")
                if len(nested) < 200000:
                    self.assert_answered(
                        b"ListKeys", b'{"keySet":' + nested + b"}",
                        "keySet.a" if opening != b"[" else "keySet")

    def test_null_is_absent(self):
        """Of the message, and of parameters that may be absent."""
        for message in (b'"Status","parameters":null',
                        b'"Status","more":null,"oneway":null,"upgrade":null',
                        b'"ListKeys","parameters":{"keySet":null,"all":null}',
                        b'"Plan","parameters":{"keySet":null,"until":null}',
                        b'"GetJwks","parameters":{"keySet":null,"at":null}',
                        b'"Rotate","parameters":{"keySet":null,"now":null,'
                        b'"at":null,"cancel":null,"requestId":null,'
                        b'"expectGeneration":null,"reason":null,'
                        b'"dryRun":true}',
                        b'"SetPolicy","parameters":{"name":"default","policy":'
                        b'{"rsaBits":null},"dryRun":true}'):
            (reply,) = self.after(
                b'{"method":"org.jwksd.keys.' + message[1:] + b"}\0", end=True)
            self.assertNotIn("error", reply, message)

    def test_an_error_without_fields_has_no_parameters(self):
        (reply,) = self.after(call(KEYS + "Monitor"), end=True)
        self.assertEqual(reply, {"error": "org.varlink.service.ExpectedMore"})

    def test_the_log_says_why(self):
        for junk, why in (
                (b"garbage\0", "not a JSON object"),
                (b'{"method":"a.b.C"\0', "not one whole JSON object"),
                (b'{"method":"a.b.C","frob":1}\0', "none of Varlink's"),
                (b'{"method":"a.b.C","more":7}\0',
                 '"more" is not true or false'),
                (b"x" * (256 * 1024 + 1), "longer than 256 KiB")):
            start = len(self.daemon.log())
            self.assert_dropped(junk)
            harness.wait_until(lambda start=start, why=why: why in
                               self.daemon.log()[start:], 5, why)

    def test_numbers_beyond_measure(self):
        for number in (2 ** 63, -2 ** 63 - 1, 10 ** 30):
            self.assertEqual(self.error("Rotate", {"at": number}).parameters,
                             {"parameter": "at"})
        for number in (b"%d" % (10 ** 400), b"1e400", b"-1e400", b"NaN"):
            self.assert_answered(b"Rotate", b'{"at":' + number + b"}", "at")

    def test_oversized(self):
        self.assert_dropped(b"x" * (256 * 1024 + 1))
        self.assert_dropped(b"x" * 3000000)
        self.assert_dropped(
            b'{"method":"org.jwksd.keys.ShowKey","parameters":{"key":"'
            + b"k" * 300000 + b'"}}\0')

    def test_as_large_as_may_be(self):
        """A message of the largest size is answered."""
        name = "k" * 200000
        error = self.error("ShowKey", {"key": name})
        self.assertEqual(error.short, "NoSuchKey")
        self.assertEqual(error.parameters, {"key": name})

    def test_half_a_message_and_the_end(self):
        for half in (b"{", STATUS[:-1], STATUS[:20], b'{"method":"'):
            self.assert_dropped(half, end=True)

    def test_an_answer_to_whoever_says_no_more(self):
        (reply,) = self.after(STATUS, end=True)
        self.assertTrue(reply["parameters"]["ready"])

    def test_half_a_message_and_silence(self):
        """It holds up nobody, and ends after ten seconds."""
        with self.daemon.connect(timeout=30) as slow:
            started = time.monotonic()
            slow.send_bytes(b'{"method":"org')
            self.assert_next_is_served()
            self.assertIsNone(slow.receive())
            self.assertGreaterEqual(time.monotonic() - started, 9)

    def test_octet_by_octet(self):
        with self.daemon.connect() as client:
            for octet in STATUS:
                client.send_bytes(bytes([octet]))
            self.assertTrue(client.reply()[0]["ready"])

    def test_many_calls_in_one_write(self):
        with self.daemon.connect() as client:
            client.send_bytes(STATUS * 500)
            for _ in range(500):
                self.assertTrue(client.reply()[0]["ready"])

    def test_good_ones_before_a_bad_one(self):
        replies = self.after(STATUS * 3 + b"garbage\0" + STATUS)
        self.assertLessEqual(len(replies), 3)
        for reply in replies:
            self.assertTrue(reply["parameters"]["ready"])

    def test_unknown_names(self):
        for method, error in (
                ("", "org.varlink.service.InterfaceNotFound"),
                ("Status", "org.varlink.service.InterfaceNotFound"),
                (".", "org.varlink.service.InterfaceNotFound"),
                (KEYS + "Frob", "org.varlink.service.MethodNotFound"),
                (KEYS + "status", "org.varlink.service.MethodNotFound"),
                ("org.example.X", "org.varlink.service.InterfaceNotFound"),
                ("org.jwksd.publish.Documents",
                 "org.varlink.service.InterfaceNotFound"),
                ("org.varlink.service.Frob",
                 "org.varlink.service.MethodNotFound")):
            (reply, *_) = self.after(call(method), end=True)
            self.assertEqual(reply["error"], error, method)

    def test_a_connection_survives_typed_errors(self):
        with self.daemon.connect() as client:
            for _ in range(3):
                with self.assertRaises(VarlinkError):
                    client.call("Frob")
                with self.assertRaises(VarlinkError):
                    client.call("Rotate", {"nwo": True})
                self.assertTrue(client.call("Status")["ready"])

    def test_parameters_that_do_not_fit(self):
        for method, parameters, wrong in (
                ("Status", {"x": 1}, "x"),
                ("Rotate", {"now": 1}, "now"),
                ("Rotate", {"now": "true"}, "now"),
                ("Rotate", {"at": "now"}, "at"),
                ("Rotate", {"at": 1.5}, "at"),
                ("Rotate", {"expectGeneration": True}, "expectGeneration"),
                ("Rotate", {"requestId": 5}, "requestId"),
                ("Rotate", {"reason": {}}, "reason"),
                ("ListKeys", {"keySet": ["default"]}, "keySet"),
                ("ListKeys", {"all": "yes"}, "all"),
                ("ShowKey", {}, "key"),
                ("ShowKey", {"key": None}, "key"),
                ("Plan", {"until": -1}, "until"),
                ("Plan", {"until": 2 ** 62}, "until"),
                ("GetJwks", {"at": 1}, "at")):
            error = self.error(method, parameters)
            self.assertEqual(error.name,
                             "org.varlink.service.InvalidParameter",
                             (method, parameters))
            self.assertEqual(error.parameters, {"parameter": wrong})

    def test_names_of_keys_that_are_none(self):
        for key in ("", "#", "#1", "default#", "default#0", "default#-1",
                    "default#9", "default#1x", "default#" + "9" * 40,
                    "nope#1", "x" * 44, "%", "_%", "*", "' OR 1=1 --",
                    "\x7f", "é", "default#1#1"):
            self.assertIn(self.error("ShowKey", {"key": key}).short,
                          ("NoSuchKey", "AmbiguousKey"), key)

    def test_oneway_and_more(self):
        with self.daemon.connect() as client:
            client.send("Status", oneway=True)
            client.send("Rotate", {"nwo": 1}, oneway=True)
            client.send("ListKeys")
            self.assertIn("keys", client.reply()[0])
        self.assertEqual(self.error("Monitor", {}).short, "ExpectedMore")
        with self.daemon.connect() as client:
            client.send("Status", more=True)
            parameters, continues = client.reply()
            self.assertTrue(parameters["ready"])
            self.assertFalse(continues)

    def test_a_monitor_that_never_reads(self):
        with self.daemon.connect() as deaf:
            deaf.send("Monitor", more=True)
            self.assert_next_is_served()

    def test_gone_before_the_answer(self):
        for _ in range(200):
            with self.daemon.connect() as client:
                client.send("Monitor", more=True)
            # 16 a uid: those who have left may not be noticed yet.
            with self.daemon.connect() as client, \
                    contextlib.suppress(BrokenPipeError, ConnectionError):
                client.send_bytes(STATUS * 20)

    def test_thousands_one_after_the_other(self):
        for number in range(2000):
            # The daemon may hang up on garbage before all has been said.
            with self.daemon.connect() as client, \
                    contextlib.suppress(BrokenPipeError, ConnectionError):
                if number % 3 == 0:
                    client.send_bytes(STATUS)
                elif number % 3 == 1:
                    client.send_bytes(b"{]\0")
                if number % 50 == 0:
                    client.send("Status")
        harness.wait_until(
            lambda: len(harness.descriptors(self.pid)) < 40)


class Places(Case):
    """64 connections, and 16 of one uid."""

    def test_replies_that_wait_for_their_reader_keep_the_place(self):
        calls, reader = 40, self.daemon.connect()
        self.addCleanup(reader.close)
        for _ in range(calls):
            reader.send("org.varlink.service.GetInterfaceDescription",
                        {"interface": "org.jwksd.keys"})
        reader.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.3)  # As much is answered as the kernel takes.
        _, clients = self.fill(17)
        for client in clients:
            client.send("Status")
        time.sleep(1.5)  # The last of them has waited for a second.
        for _ in range(calls):
            reader.reply()
        self.assertIsNone(reader.receive())

    def fill(self, count):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return stack, [stack.enter_context(self.daemon.connect())
                       for _ in range(count)]

    def keeps(self, client):
        try:
            return client.call("Status")["ready"]
        except (EOFError, OSError):
            return False

    def test_sixteen_of_one_uid(self):
        """Four more wait for a second, and are told so."""
        stack, clients = self.fill(20)
        self.assertTrue(all(self.keeps(c) for c in clients[:16]))
        for client in clients[16:]:
            with self.assertRaises(VarlinkError) as caught:
                client.call("Status")
            self.assertEqual(caught.exception.name,
                             "org.jwksd.keys.Overloaded")
            self.assertIsNone(client.receive())
        # Those that have a place keep it.
        self.assertTrue(all(self.keeps(c) for c in clients[:16]))
        stack.close()
        harness.wait_until(self.answers)

    def test_a_place_is_free_again(self):
        for _ in range(5):
            stack, clients = self.fill(16)
            self.assertTrue(all(self.keeps(c) for c in clients))
            stack.close()
            harness.wait_until(self.answers)

    @unittest.skipIf(os.getuid() != 0, "needs other users")
    def test_sixty_four_in_all(self):
        """Clients of several uids, through the group of the socket."""
        os.chmod(self.daemon.directory, 0o711)
        os.chmod(os.path.dirname(self.daemon.directory), 0o711)
        os.chmod(self.daemon.runtime, 0o711)
        os.chmod(self.daemon.control, 0o666)
        children = []
        try:
            counts = []
            for uid in range(60001, 60006):
                children.append(self.client_of(uid))
                counts.append(int(os.read(children[-1][1], 8)))
        finally:
            for pid, fd in children:
                os.close(fd)
                os.kill(pid, 9)
                os.waitpid(pid, 0)
            os.chmod(self.daemon.control, 0o600)
        self.assertEqual(counts, [16, 16, 16, 16, 0])
        harness.wait_until(self.answers)

    def client_of(self, uid):
        """A process that wants 16 places: its pid, and how many it got.
        Beyond 64 connections wait unaccepted."""
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(theirs)
            os.set_blocking(ours, True)
            return pid, ours
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setuid(uid)
            held = [self.daemon.connect(timeout=2) for _ in range(16)]
            served = list(itertools.takewhile(self.has_place, held))
            os.write(theirs, b"%d" % len(served))
            time.sleep(60)
        os._exit(0)

    def has_place(self, client):
        """Refused by name is a place as well."""
        try:
            return self.keeps(client)
        except VarlinkError:
            return True


class Publish(Case):
    """The front's socket takes no more on trust than the other one."""

    def test_junk(self):
        for junk in (b"garbage\0", b"[" * 90000, b"x" * 300000,
                     b'{"method":"org.jwksd.keys.Rotate","more":1}\0'):
            with harness.Varlink(self.daemon.publish,
                                 "org.jwksd.publish") as client:
                with contextlib.suppress(BrokenPipeError,
                                         ConnectionResetError):
                    client.send_bytes(junk)
                    client.socket.shutdown(socket.SHUT_WR)
                    self.assertIsNone(client.receive())

    def test_no_order_is_taken_there(self):
        with harness.Varlink(self.daemon.publish) as client:
            for method in ("Rotate", "Status", "ListKeys"):
                with self.assertRaises(VarlinkError) as caught:
                    client.call(method)
                self.assertEqual(caught.exception.short, "InterfaceNotFound")

    def test_documents(self):
        with harness.Varlink(self.daemon.publish,
                             "org.jwksd.publish") as client:
            reply = next(client.stream("Documents"))
        (document,) = reply["documents"]
        self.assertTrue(reply["complete"])
        self.assertEqual(document["body"].encode(), self.daemon.get().body)
        self.assertEqual(document["path"], harness.JWKS_PATH)
        self.assertEqual(document["app"], "default")


class Http(Case):
    """With the real pair; the front's own tests have the long lists."""

    def test_unknown_paths(self):
        for path in ("/", "/.well-known/jwks.json/", "/.well-known/",
                     "/.well-known//jwks.json", "/.well-known/jwks.jsonx",
                     "/.well-known/jwks.json%00", "/.well-known/%6awks.json",
                     "/.WELL-KNOWN/jwks.json", "/default-jwks.json",
                     "/.well-known/x-jwks.json", "/../.well-known/jwks.json"):
            answer = self.daemon.get(path)
            self.assertEqual(answer.status, 404, path)
            self.assertEqual(answer.json(), {"code": "not_found",
                                             "type": "not_found"})
            self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_a_query_is_ignored(self):
        self.assertEqual(self.daemon.get("/.well-known/jwks.json?x=%00"
                                         ).body, self.daemon.get().body)

    def test_unknown_methods(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
            answer = self.daemon.get(method=method)
            self.assertEqual(answer.status, 405, method)
            self.assertEqual(answer.json()["code"], "method_not_allowed")
            self.assertEqual(answer.headers["Allow"], "GET, HEAD, OPTIONS")

    def test_every_host_without_a_domain(self):
        for host in ("example.com", "LOCALHOST", "a.b.c:80", "[::1]:7"):
            self.assertEqual(self.daemon.get(host=host).status, 200, host)

    def test_hosts_that_are_no_names(self):
        for host in ("a b", "a/b", "user@host", "a:b", "-", "a..b", "x" * 300):
            answer = self.daemon.get(host=host)
            self.assertEqual(answer.status, 400, host)
            self.assertEqual(answer.json()["code"], "bad_request")

    def test_framing(self):
        for request in (b"GET / HTTP/1.1\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5"
                        b"\r\n\r\nhello", b"\x16\x03\x01\x02\x00\x01" * 10,
                        b"\0" * 100, b"GET / HTTP/1.1\r\nHost: a\r\nX: "
                        + b"y" * 20000 + b"\r\n\r\n"):
            self.assertNotIn(b" 200 ", self.daemon.raw_http(request)[:20])


class Domain(unittest.TestCase):
    def test_labels(self):
        config = {"http": {"domain": "session.example.com"}}
        with harness.Daemon(config=config) as daemon:
            daemon_get = daemon.get
            for host, status in (
                    ("default.session.example.com", 200),
                    ("DEFAULT.Session.Example.COM.:80", 200),
                    ("acme.session.example.com", 404),
                    ("session.example.com", 200),
                    ("a.default.session.example.com", 404),
                    ("default.session.example.com.evil.test", 200),
                    ("127.0.0.1", 200), ("localhost", 200), ("a b", 400)):
                self.assertEqual(daemon_get(host=host).status, status, host)


if __name__ == "__main__":
    unittest.main()
