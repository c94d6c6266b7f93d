"""Freeze and thaw, end to end: nothing that the schedule would do happens,
what an operator must be able to do does."""
import time
import unittest

import case
import harness


class Freezing(case.Case):
    policy = {**harness.FAST, "rollback_window": "1s"}
    LIFE = 4.5      # longer than a rotation, a wait and a retention

    def freeze(self, frozen, **parameters):
        return self.call("Freeze", frozen=frozen, **parameters)["mode"]

    def in_the_middle(self):
        """Some of everything: retired with a private key, and waiting."""
        self.call("Rotate")
        self.wait_state(3, "published")

    def check_still(self):
        """Nothing happens in the time of a whole life."""
        before = self.rows("generation", "key_set")
        kids = self.kids()
        time.sleep(self.LIFE)
        self.assertEqual(self.rows("generation", "key_set"), before)
        self.assertEqual(self.kids(), kids)

    def check_thaw(self, **parameters):
        """What was due happens, and one rotation at most."""
        active = self.active()
        self.assertEqual(self.freeze(False, **parameters), "auto")
        self.wait_state(1, "removed", 3)
        self.wait_state(3, "active", 3)
        self.assertLessEqual(self.active(), active + 1)
        harness.wait_until(lambda: self.active() == active + 2, 10)

    def whole_story(self, **parameters):
        self.in_the_middle()
        self.assertEqual(self.freeze(True, reason="an audit", **parameters),
                         "frozen")
        self.assertEqual(self.states(), {2: "active", 3: "published",
                                         1: "retired"})
        self.check_still()
        self.assertIsNotNone(self.sealed(1))
        cause = self.refused("Frozen", "Rotate")["cause"]
        self.refused("Frozen", "Rotate", now=True)
        self.daemon.restart()
        self.assertEqual(self.refused("Frozen", "Rotate")["cause"], cause)
        self.check_still()
        self.check_thaw(**parameters)
        return cause

    def test_all(self):
        self.assertIn("every key set", self.whole_story())
        self.assertEqual(self.call("Status")["mode"], "auto")

    def test_one(self):
        self.assertNotIn("every", self.whole_story(keySet="default"))
        self.assertNotIn("frozen", self.key_set())


class WhileFrozen(case.Case):
    policy = case.CALM

    def setUp(self):
        super().setUp()
        self.call("Rotate")
        self.wait_state(3, "ready")

    def test_it_shows(self):
        self.call("Freeze", frozen=True)
        self.assertEqual(self.call("Status")["mode"], "frozen")
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.call("Status")["mode"], "frozen")
        self.call("Freeze", frozen=True, keySet="default")
        self.assertTrue(self.key_set()["frozen"])
        self.call("Freeze", frozen=False)
        self.assertTrue(self.key_set()["frozen"])
        self.refused("Frozen", "Rotate")
        self.call("Freeze", frozen=False, keySet="default")
        self.assertNotIn("frozen", self.key_set())

    def test_the_trail_has_it(self):
        seq = self.last_audit()
        self.call("Freeze", frozen=True, reason="incident 7")
        self.call("Freeze", frozen=False, keySet="default")
        self.assertEqual([(r["event"], r["key_set"], r["reason"])
                          for r in self.audit(seq)],
                         [("frozen", None, "incident 7"),
                          ("thawed", "default", None)])

    def test_revoke_and_rollback_work(self):
        self.call("Freeze", frozen=True)
        self.assertEqual(
            self.call("Rollback")["activated"]["generation"], 1)
        reply = self.call("Revoke", key="default#1", reason="leaked")
        self.assertEqual(reply["activated"]["generation"], 3)
        self.assertEqual(self.active(), 3)
        self.wait_kids([self.key(n)["kid"]
                        for n in self.ordered((3, 4, 2))])

    def ordered(self, numbers):
        """A new standby is made and published, frozen or not."""
        self.wait_state(4, "published")
        return numbers

    def test_a_policy_can_be_set(self):
        self.call("Freeze", frozen=True)
        self.call("SetPolicy", name="default", policy={"cacheMaxAge": 60,
                                                       "verifierMaxAge": 120})
        harness.wait_until(lambda: "max-age=60" in
                           self.daemon.get().headers["Cache-Control"], 1)

    def test_no_such_key_set(self):
        self.assertEqual(self.refused("NoSuchKeySet", "Freeze", frozen=True,
                                      keySet="nope"), {"keySet": "nope"})

    def test_a_schedule_waits_for_the_thaw(self):
        self.call("Rotate")
        fourth = self.wait_state(4, "published")
        when = self.call("Rotate")["scheduledFor"]
        self.assertEqual(when, fourth["readyAt"])
        self.call("Freeze", frozen=True)
        time.sleep(2.5)
        self.assertEqual((self.active(), self.states()[4]), (3, "published"))
        self.call("Freeze", frozen=False)
        self.wait_state(4, "active", 2)


if __name__ == "__main__":
    unittest.main()
