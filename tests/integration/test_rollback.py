"""Rollback, end to end: the generation that signed before signs again, for as
long as its private key is kept."""
import time
import unittest

import case
import harness


class Window(case.Case):
    def test_inside(self):
        first, second = self.key(1), self.key(2)
        self.call("Rotate")
        self.wait_state(3, "published")
        version = self.key_set()["version"]
        seq = self.last_audit()
        reply = self.call("Rollback", reason="it broke the app")
        self.assertEqual(reply["activated"]["generation"], 1)
        self.assertEqual(reply["activated"]["state"], "active")
        self.assertEqual(reply["retired"]["generation"], 2)
        self.assertEqual(reply["retired"]["removeAt"],
                         reply["retired"]["retiredAt"] + 1 + case.IRET)
        self.assertEqual([(r["event"], r["generation"])
                          for r in self.audit(seq)],
                         [("rollback", None), ("active", 1), ("retired", 2)])
        self.assertEqual(self.audit(seq)[0]["reason"], "it broke the app")
        self.wait_kids([first["kid"], self.key(3)["kid"], second["kid"]])
        self.assertEqual(self.key_set()["version"], version + 1)
        now = self.key(1)
        self.assertNotIn("removeAt", now)
        self.assertGreater(now["rotateAt"], time.time() + 20 * case.DAY)

    def test_twice_is_there_and_back(self):
        self.call("Rotate")
        self.call("Rollback")
        reply = self.call("Rollback")
        self.assertEqual((reply["activated"]["generation"],
                          reply["retired"]["generation"]), (2, 1))
        self.assertEqual(self.active(), 2)
        with self.daemon.database() as db:
            self.assertEqual(
                [tuple(r) for r in db.execute(
                    "SELECT number, activations, retirements FROM generation"
                    " WHERE number < 3")], [(1, 2, 2), (2, 2, 1)])

    def test_nothing_to_go_back_to(self):
        first = self.key(1)
        error = self.refused("BadState", "Rollback")
        self.assertEqual(error, {"kid": first["kid"], "state": "active"})

    def test_another_generation_than_expected(self):
        self.call("Rotate")
        self.wait_state(3, "published")
        error = self.refused("Conflict", "Rollback", expectGeneration=1)
        self.assertEqual(error, {"expected": 1, "actual": 2})
        self.call("Rollback", expectGeneration=2)
        self.assertEqual(self.active(), 1)

    def test_after_restarts(self):
        self.call("Rotate")
        self.daemon.restart()
        self.assertEqual(
            self.call("Rollback")["activated"]["generation"], 1)
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.active(), 1)
        self.assertEqual(self.kids()[0], self.key(1)["kid"])

    def test_once_for_each_request(self):
        self.call("Rotate")
        self.wait_state(3, "published")
        first = self.call("Rollback", requestId="b1")
        before = self.rows()
        self.assertEqual(self.call("Rollback", requestId="b1"), first)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.active(), 1)

    def test_dry_run(self):
        self.call("Rotate")
        self.wait_state(3, "published")
        before = self.rows()
        self.assertEqual(self.call("Rollback", dryRun=True)
                         ["activated"]["generation"], 1)
        self.assertEqual(self.rows(), before)

    def test_never_to_a_revoked_one(self):
        self.call("Rotate")
        self.wait_state(3, "published")
        self.call("Revoke", key="default#1", reason="leaked")
        self.refused("BadState", "Rollback")

    def test_unknown_key_set(self):
        self.assertEqual(self.refused("NoSuchKeySet", "Rollback",
                                      keySet="nope"), {"keySet": "nope"})

    def test_it_rotates_on_from_there(self):
        """The next rotation goes to the standby, not to the one before."""
        self.call("Rotate")
        third = self.wait_state(3, "published")
        self.call("Rollback")
        self.assertEqual(self.call("Rotate")["scheduledFor"],
                         third["readyAt"])


class NotReady(case.Case):
    """The key that signed before did so by `rotate --now`."""

    def setUp(self):
        super().setUp()
        self.call("Rotate")
        self.third = self.wait_state(3, "published")
        self.call("Rotate", now=True)
        self.assertNotIn("exposure", self.call("Rollback"))

    def test_it_is_refused_until_it_is_ready(self):
        self.assertEqual(self.refused("NotReady", "Rollback"),
                         {"readyAt": self.third["readyAt"]})
        self.assertEqual(self.active(), 2)
        said = self.daemon.ctl("rollback", "--yes")
        self.assertEqual(said.returncode, 75)
        self.assertIn("was not ready when it signed", said.stderr)

    def test_now_is_exposed_and_audited(self):
        seq = self.last_audit()
        reply = self.call("Rollback", now=True, reason="hurry")
        self.assertEqual(reply["activated"]["generation"], 3)
        served = self.third["readyAt"] - case.IPUB + case.MINUTE
        self.assertEqual(reply["exposure"]["rejectNewTokens"], {
            "honoursCacheControl": served + 300,
            "pollsWithinMaxAge": served + case.DAY})
        self.assertIn("an operator rolled back to a key that was not ready",
                      [row["cause"] for row in self.audit(seq)])

    def test_now_in_words(self):
        said = self.daemon.ctl("rollback", "--now", "--dry-run")
        self.assertIn("may reject tokens of the key that signs", said.stdout)
        asked = self.daemon.ctl("rollback", "--now")
        self.assertEqual(asked.returncode, 64)
        self.assertIn("rollback --now can make", asked.stderr)


class After(case.Case):
    policy = {**case.CALM, "rollback_window": "1s"}

    def test_after_it(self):
        self.assertIsNotNone(self.sealed(1))
        self.call("Rotate")
        harness.wait_until(lambda: self.sealed(1) is None)
        self.wait_state(3, "ready")
        second = self.key(2)
        error = self.refused("BadState", "Rollback")
        self.assertEqual(error, {"kid": second["kid"], "state": "active"})
        self.assertEqual(self.states()[1], "retired")
        self.assertIn(self.key(1)["kid"], self.kids())

    def test_after_it_while_frozen(self):
        """The private key is still there, but the time is over."""
        self.call("Rotate")
        self.wait_state(3, "published")
        self.call("Freeze", frozen=True)
        time.sleep(2.5)
        self.assertIsNotNone(self.sealed(1))
        self.refused("BadState", "Rollback")


if __name__ == "__main__":
    unittest.main()
