"""A disk that fails: nothing is acknowledged that it has not confirmed, and a
commit that failed and is there after all is told to the front, the signer
and those who watch."""
import contextlib
import os
import struct
import threading
import time
import unittest

import case
import harness
from harness import Varlink, VarlinkError

FOR_EVER = 1 << 40
# Keys wait for three seconds, and go late: what is told late can be seen.
POLICY = {**harness.FAST, "rotation_period": "1h", "verifier_max_age": "2s",
          "publish_safety": "1s", "token_max_ttl": "10min",
          "rollback_window": "10min"}


class Case(case.Case):
    policy = POLICY

    def setUp(self):
        directory = harness.tempfile.mkdtemp(prefix="k")
        self.addCleanup(harness.shutil.rmtree, directory)
        self.faults = os.path.join(directory, "faults")
        self.fail()
        self.daemon = harness.Daemon(policy=self.policy, env={
            "LD_PRELOAD": os.path.join(harness.BUILD, "tools/disk_shim.so"),
            "JWKSD_TEST_DISK": self.faults}, common_check=False)
        self.enterContext(self.daemon)
        self.sign_socket = os.path.join(self.daemon.runtime, "sign.sock")
        self.wait_state(2, "ready")

    def fail(self, syncs=0, after=0, writes=0):
        fd = os.open(self.faults, os.O_RDWR | os.O_CREAT)
        os.pwrite(fd, struct.pack("=qqqq", after, syncs, 0, writes), 0)
        os.close(fd)

    def left(self):
        """How many syncs are still to fail."""
        with open(self.faults, "rb") as f:
            return struct.unpack("=qqqq", f.read())[1]

    def sign(self, key_set="default", life=60):
        with Varlink(self.sign_socket) as client:
            return client.call("org.jwksd.sign.Sign", {
                "keySet": key_set, "claims": {"exp": int(time.time()) + life}})

    def ask(self, method, **parameters):
        """The answer, or the name of the error."""
        try:
            return self.call(method, **parameters)
        except VarlinkError as error:
            return error.short

    def in_doubt(self):
        return any("cannot be written" in warning
                   for warning in self.call("Status")["warnings"])

    def wait_known(self):
        harness.wait_until(lambda: not self.in_doubt(), 20,
                           "the disk does not confirm anything")

    def published(self, key_set="default"):
        return {k["kid"] for k in self.daemon.keys(keySet=key_set)
                if k["state"] != "pending"}

    def check_agree(self):
        """The front, the keeper and the signer mean the same keys."""
        harness.wait_until(lambda: set(self.kids()) == self.published(), 3,
                           "the URL has not what the list has")
        active = self.key(self.active())["kid"]
        self.assertEqual(self.sign()["kid"], active)
        self.assertIn(active, self.kids())


class Persistent(Case):
    def test_nothing_is_acknowledged_until_the_disk_confirms(self):
        self.sign()
        before = self.kids()
        self.fail(syncs=FOR_EVER)
        self.assertEqual(self.ask("Rotate", requestId="X"), "OutcomeUnknown")
        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.assertEqual(self.ask("Rotate", requestId="X"), "StoreFailed")
            self.assertEqual(self.ask("Rotate", requestId="Y"), "StoreFailed")
            self.assertEqual(
                self.ask("Freeze", frozen=True, requestId="Z"), "StoreFailed")
            self.assertEqual(self.ask("ShowKey", key="default#1"),
                             "StoreFailed")
            self.assertTrue(self.in_doubt())
            self.assertEqual(self.active(), 1)
            self.assertEqual(self.sign()["kid"], self.key_of(1))
            self.assertEqual(self.kids(), before)
            time.sleep(0.1)
        self.fail()
        self.wait_known()
        self.assertEqual(
            self.call("Rotate", requestId="X")["activated"]["generation"], 2)
        self.assertEqual(self.states(all=True)[1], "retired")
        self.check_agree()
        with self.daemon.database() as db:
            self.assertEqual(db.execute(
                "SELECT count(*) FROM audit WHERE event = 'rotate'"
                ).fetchone()[0], 1)

    def test_refused_calls_are_audited_once_it_does(self):
        self.fail(syncs=FOR_EVER)
        self.assertEqual(self.ask("Rotate"), "OutcomeUnknown")
        self.assertEqual(self.ask("Rotate", now=True), "StoreFailed")
        time.sleep(1.2)
        self.fail()
        self.wait_known()
        harness.wait_until(
            lambda: {row["outcome"].rpartition(".")[2]: row["count"]
                     for row in self.refusals()} ==
            {"OutcomeUnknown": 1, "StoreFailed": 1}, 5,
            "the refused calls are not audited")

    def key_of(self, generation):
        return next(k["kid"] for k in self.daemon.keys()
                    if k["generation"] == generation)

    def test_killed_in_doubt(self):
        """The next start confirms it, or refuses; nothing is half."""
        self.fail(syncs=FOR_EVER)
        self.assertEqual(self.ask("Rotate", requestId="X"), "OutcomeUnknown")
        self.daemon.kill9()
        self.daemon.spawn()
        self.assertNotEqual(self.daemon.process.wait(20), 0)
        self.assertIn("write-ahead log", self.daemon.log())
        self.fail()
        self.daemon.start()
        self.assertEqual(
            self.call("Rotate", requestId="X")["activated"]["generation"], 2)
        self.check_agree()

    def test_writes_that_fail(self):
        self.sign()
        self.fail(writes=FOR_EVER)
        self.assertEqual(self.ask("Rotate", requestId="X"), "OutcomeUnknown")
        for _ in range(5):
            self.assertIn(self.ask("Rotate", requestId="X"),
                          ("StoreFailed", "OutcomeUnknown"))
            time.sleep(0.3)
        self.sign()
        self.fail()
        self.wait_known()
        harness.wait_until(
            lambda: self.ask("Rotate", requestId="X") not in
            ("StoreFailed", "OutcomeUnknown"), 10)
        self.assertEqual(self.active(), 2)
        self.check_agree()


class ThereAfterAll(Case):
    """Two syncs fail: the commit's, and the first of looking it up."""

    def watch(self):
        events = []

        def run():
            with contextlib.suppress(OSError, EOFError):
                with self.daemon.connect(30) as client:
                    for reply in client.stream("Monitor"):
                        events.append((reply["event"], [
                            k["generation"] for k in reply["keys"]]))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        harness.wait_until(lambda: events, 5)
        return events

    def test_each_commit_of_a_rotation(self):
        """Promotion, new standby, its publication; and the next of each."""
        for number in range(3):
            with self.subTest(commit=number):
                standby = max(self.states()) + 1
                self.fail(syncs=2, after=number)
                begun = time.time()
                self.ask("Rotate", requestId=f"R{number}")
                harness.wait_until(lambda: self.left() == 0, 10)
                self.wait_known()
                self.assertIn("activated",
                              self.call("Rotate", requestId=f"R{number}"))
                key = self.wait_state(standby, "published")
                harness.wait_until(lambda: key["kid"] in self.kids(), 3)
                seen = time.time()
                self.check_agree()
                ready = self.wait_state(standby, "ready", 10)
                self.assertGreaterEqual(time.time(), begun + 3)
                # No earlier than if it had been published when it was sent.
                self.assertGreaterEqual(
                    ready["readyAt"],
                    min(int(seen), int(begun) + 1) + 3)
                self.check_agree()

    def test_revocation_of_a_retired_key(self):
        kid = self.key(1)["kid"]
        self.call("Rotate")
        self.wait_state(3, "ready", 20)
        events = self.watch()
        self.fail(syncs=2)
        self.assertEqual(self.ask("Revoke", key=kid, reason="leaked",
                                  requestId="V"), "OutcomeUnknown")
        self.assertIn(kid, self.kids())
        harness.wait_until(lambda: kid not in self.kids(), 10,
                           "the front serves a revoked key")
        self.assertEqual(self.key(1)["state"], "revoked")
        self.assertEqual(self.key(1)["reason"], "leaked")
        reply = self.call("Revoke", key=kid, reason="leaked", requestId="V")
        self.assertEqual(reply["revoked"]["kid"], kid)
        harness.wait_until(lambda: ("revoked", [1]) in events, 5)
        self.check_agree()

    def test_revocation_of_the_active_key(self):
        kid = self.sign()["kid"]
        self.fail(syncs=2)
        self.assertEqual(self.ask("Revoke", key=kid, reason="leaked",
                                  requestId="V"), "OutcomeUnknown")
        harness.wait_until(lambda: kid not in self.kids(), 10)
        self.assertNotEqual(self.sign()["kid"], kid)
        self.check_agree()

    def test_key_set_that_came_and_key_set_that_went(self):
        path = "/.well-known/other-jwks.json"
        events = self.watch()
        for number, (method, status) in enumerate(
                (("AddKeySet", 200), ("RemoveKeySet", 404))):
            with self.subTest(method=method):
                parameters = {"name": "default/other", "requestId": method,
                              "force": True}
                if method == "AddKeySet":
                    del parameters["force"]
                self.fail(syncs=2)
                self.assertEqual(self.ask(method, **parameters),
                                 "OutcomeUnknown")
                harness.wait_until(
                    lambda: self.daemon.get(path).status == status, 10)
                self.wait_known()
                self.call(method, **parameters)
                self.assertEqual(
                    len(self.call("ListKeySets")["keySets"]), 2 - number)
                if number == 0:
                    self.sign("default/other")
        harness.wait_until(
            lambda: len([e for e in events if e[0] == "revoked"
                         or e[0] == "removed"]) >= 1, 5)

    def test_key_set_that_waited_for_an_earlier_one(self):
        for method in "AddKeySet", "RemoveKeySet", "AddKeySet":
            self.call(method, name="other", **(
                {"force": True} if method == "RemoveKeySet" else {}))
        self.assertTrue(self.call("Status")["ready"])
        self.fail(syncs=2)
        self.assertEqual(self.ask("RemoveKeySet", name="other", force=True),
                         "OutcomeUnknown")
        harness.wait_until(
            lambda: len(self.call("ListKeySets")["keySets"]) == 1, 10)
        self.assertTrue(self.call("Status")["ready"])

    def test_freezing_everything(self):
        self.fail(syncs=2)
        self.assertEqual(self.ask("Freeze", frozen=True, requestId="F"),
                         "OutcomeUnknown")
        harness.wait_until(
            lambda: self.call("Status")["mode"] == "frozen", 10)

    def test_one_failed_sync_is_looked_up_at_once(self):
        self.fail(syncs=1)
        self.assertEqual(self.ask("Rotate", requestId="X"), "OutcomeUnknown")
        self.assertEqual(
            self.call("Rotate", requestId="X")["activated"]["generation"], 2)
        self.check_agree()


if __name__ == "__main__":
    unittest.main()
