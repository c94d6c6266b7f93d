"""Once through everything, with the real programs.

Short and without a race against a clock, so that it also runs under valgrind
(make check-valgrind), where every step takes thirty times as long.
"""
import json
import signal
import socket
import time
import unittest

import harness
from harness import VarlinkError


class Tour(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon()
        cls.enterClassContext(cls.daemon)

    def error(self, method, parameters=None):
        with self.assertRaises(VarlinkError) as caught:
            self.daemon.call(method, parameters)
        return caught.exception

    def still_well(self):
        self.assertTrue(self.daemon.call("Status")["ready"])
        self.assertEqual(self.daemon.get().status, 200)

    def test_1_first_start(self):
        status = self.daemon.call("Status")
        self.assertEqual((status["keySets"], status["generations"]), (1, 2))
        self.assertTrue(status["clockTrusted"])
        keys = self.daemon.keys()
        self.assertEqual([k["state"] for k in keys], ["active", "ready"])
        self.assertEqual([k["generation"] for k in keys], [1, 2])
        published = self.daemon.get().json()["keys"]
        self.assertEqual([k["kid"] for k in published],
                         [k["kid"] for k in keys])
        self.assertEqual(self.daemon.call("GetJwks")["jwks"]["keys"],
                         published)

    def test_2_http(self):
        get = self.daemon.get
        answer = get()
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        head = get(method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["ETag"], answer.headers["ETag"])
        same = get(headers={"If-None-Match": answer.headers["ETag"]})
        self.assertEqual((same.status, same.body), (304, b""))
        self.assertEqual(get(method="OPTIONS").status, 204)
        self.assertEqual(get("/").status, 404)
        self.assertEqual(get(method="POST").status, 405)
        self.assertEqual(get(host="a b").status, 400)
        self.still_well()

    def test_3_rotate(self):
        first, second = self.daemon.keys()
        dry = self.daemon.call("Rotate", {"dryRun": True})
        self.assertEqual(dry["activated"]["kid"], second["kid"])
        self.assertEqual(self.daemon.keys()[0]["kid"], first["kid"])
        done = self.daemon.call("Rotate", {"requestId": "tour-1",
                                           "expectGeneration": 1})
        self.assertEqual(done["activated"]["kid"], second["kid"])
        self.assertEqual(done["retired"]["kid"], first["kid"])
        again = self.daemon.call("Rotate", {"requestId": "tour-1",
                                            "expectGeneration": 1})
        self.assertEqual(again["activated"]["kid"], second["kid"])
        harness.wait_until(
            lambda: self.daemon.get().json()["keys"][0]["kid"]
            == second["kid"])
        harness.wait_until(lambda: len(self.daemon.keys()) == 3)
        later = self.daemon.call("Rotate")
        self.assertNotIn("activated", later)
        self.assertGreater(later["scheduledFor"], second["createdAt"])
        self.daemon.call("Rotate", {"cancel": True})
        self.assertEqual(
            self.error("Rotate", {"expectGeneration": 1}).short, "Conflict")

    def test_4_looking(self):
        kid = self.daemon.keys()[0]["kid"]
        shown = self.daemon.call("ShowKey", {"key": kid[:20]})["key"]
        self.assertEqual(shown["kid"], kid)
        self.assertEqual(shown["jwk"]["kid"], kid)
        self.assertEqual(
            self.daemon.call("ShowKey", {"key": "default#1"})["key"]["state"],
            "retired")
        self.assertTrue(self.daemon.call("Plan")["changes"])
        self.assertEqual(
            [s["name"] for s in self.daemon.call("ListKeySets")["keySets"]],
            ["default"])
        snapshot = next(self.daemon.call("Monitor", more=True))
        self.assertEqual(snapshot["event"], "snapshot")

    def test_5_jwksctl(self):
        for words in (["status"], ["list"], ["list", "--json"],
                      ["show", "default#2"], ["plan"], ["jwks"],
                      ["rotate", "--dry-run"], ["call", "Status"],
                      ["introspect"]):
            result = self.daemon.ctl(*words)
            self.assertEqual(result.returncode, 0, (words, result.stderr))
            self.assertTrue(result.stdout, words)
        listed = json.loads(self.daemon.ctl("list", "--json").stdout)
        self.assertEqual(listed["keys"], self.daemon.keys())
        self.assertEqual(self.daemon.ctl("frobnicate").returncode, 64)

    def test_6_nonsense(self):
        self.assertEqual(self.error("Frob").short, "MethodNotFound")
        self.assertEqual(
            self.error("Rotate", {"nwo": True}).short, "InvalidParameter")
        self.assertEqual(
            self.error("ShowKey", {"key": "nothing"}).short, "NoSuchKey")
        for junk in (b"garbage\0", b"\0", b"[]\0", b'{"method":1}\0',
                     b'{"method":"a","method":"b"}\0',
                     b"[" * 100000 + b"\0", b"x" * 300000,
                     b'{"method":"org.jwksd.keys.Status","more":1}\0'):
            with self.daemon.connect() as client:
                try:
                    client.send_bytes(junk)
                    self.assertIsNone(client.receive(), junk[:40])
                except (BrokenPipeError, ConnectionResetError):
                    pass
        with self.daemon.connect() as client:
            client.send_bytes(b'{"method":"org.jwksd')
            client.socket.shutdown(socket.SHUT_WR)
            self.assertIsNone(client.receive())
        for junk in (b"\0\0\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                     b"GET /%00 HTTP/9.9\r\nHost: a\r\nHost: b\r\n\r\n"):
            self.assertNotIn(b" 200 ", self.daemon.raw_http(junk)[:20])
        self.still_well()

    def test_7_restart(self):
        def keys():
            # A stop is an outage: who is not ready yet waits anew.
            return [{name: value for name, value in key.items()
                     if name != "readyAt" or key["state"] != "published"}
                    for key in self.daemon.keys()]
        before = keys()
        self.daemon.restart()
        self.assertEqual(keys(), before)
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(keys(), before)

    @unittest.skipIf(harness.WRAPPER, "valgrind catches every signal itself")
    def test_8_stop_while_it_starts_again(self):
        self.daemon.kill9()
        self.daemon.start(ready=False)
        deadline = time.monotonic() + 10 * harness.SLOW
        while not harness.catches(self.daemon.pid, signal.SIGTERM):
            self.assertLess(time.monotonic(), deadline)  # no pause: a race
        self.daemon.process.terminate()
        self.daemon.stop()
        self.assertEqual(self.daemon.front_pids(), [])
        self.daemon.start()

    def test_9_told_to_stop_again_and_again(self):
        status = None
        while status is None:
            for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
                self.daemon.process.send_signal(number)
            status = self.daemon.process.poll()
        self.daemon.stop()      # asserts that it ended with 0
        self.daemon.start()


if __name__ == "__main__":
    unittest.main()
