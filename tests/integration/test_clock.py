"""A clock that jumps, under the real daemon: whatever it says, there is a key
at the URL, none leaves early, and every wait has its full length."""
import os
import time
import unittest

import clock
from case import DAY, IPUB, IRET, MINUTE
import harness

JUMP = 400 * DAY
Y2038 = 2 ** 31


class Jumps(clock.Case):
    """Under the usual policy, with a key in each state."""

    def setUp(self):
        super().setUp()
        self.call("Rotate")
        self.wait_state(3, "published")
        self.were = self.states()

    def jump_and_stay(self, wall):
        self.set_clock(wall)
        self.wait_trust(False)
        self.assertIn("not trusted", " ".join(self.warnings()))
        self.check_still()
        self.assertEqual(self.states(), self.were)

    def check_after(self):
        """Believed again: all waits anew, nothing too early."""
        self.wait_trust(True)
        harness.wait_until(
            lambda: abs(self.key(3)["readyAt"] - self.now() - IPUB) < 5, 3,
            "its wait does not start anew")
        self.near(self.key(1)["removeAt"], self.now() + IRET)
        self.assertEqual(self.states(), self.were)
        self.check_usable()

    def test_forward_and_back(self):
        self.jump_and_stay(JUMP)
        self.jump_and_stay(0)
        self.call("AcceptClock")
        self.check_after()
        self.check_still(1)

    def test_forward_and_stable_again(self):
        """The old one was the wrong one: a second rotation is not due."""
        self.jump_and_stay(JUMP)
        self.advance(9 * MINUTE)
        self.check_still(1)
        self.assertFalse(self.status()["clockTrusted"])
        self.advance(2 * MINUTE)
        self.wait_trust(True)
        harness.wait_until(
            lambda: abs(self.key(3)["readyAt"] - self.now() - IPUB) < 5, 3)
        self.near(self.key(1)["removeAt"], self.now() + IRET)
        # Its period is over, but its standby has yet to be seen.
        self.assertEqual(self.active(), 2)
        self.advance(IPUB + MINUTE)
        harness.wait_until(lambda: self.active() == 3, 3)
        self.check_usable()
        time.sleep(2)
        self.assertEqual(self.active(), 3)

    def test_backwards(self):
        self.jump_and_stay(-JUMP)
        self.call("AcceptClock", reason="it was the year that was wrong")
        self.check_after()
        (row,) = [r for r in self.audit() if r["event"] == "clock"
                  and r["reason"]]
        self.assertEqual(row["uid"], os.getuid())
        self.near(row["at"], self.now())

    def test_1970(self):
        self.jump_and_stay(-int(time.time()))
        self.jump_and_stay(-int(time.time()) - JUMP)
        self.set_clock(0)
        self.call("AcceptClock")
        self.check_after()

    def test_2038(self):
        for wall in (Y2038 - 3 - int(time.time()), 2 * Y2038):
            self.jump_and_stay(wall)
        self.call("AcceptClock")
        self.check_after()
        self.assertGreater(self.key(3)["readyAt"], 2 * Y2038)

    def test_what_is_done_meanwhile_counts_from_the_right_time(self):
        """Orders under a wrong clock: retired and published in 1970."""
        self.jump_and_stay(-int(time.time()) + 100)
        self.call("Rotate", now=True)
        fourth = self.wait_state(4, "published")
        self.assertLess(fourth["publishedAt"], DAY)
        self.set_clock(0)
        self.call("AcceptClock")
        harness.wait_until(
            lambda: abs(self.key(4)["readyAt"] - self.now() - IPUB) < 5, 3)
        self.near(self.key(2)["removeAt"], self.now() + IRET)
        self.check_still(1)
        self.assertEqual(self.states(), {1: "retired", 2: "retired",
                                         3: "active", 4: "published"})

    def test_and_what_is_done_in_the_future(self):
        self.jump_and_stay(JUMP)
        self.call("Rotate", now=True)
        self.wait_state(4, "published")
        self.set_clock(0)
        self.call("AcceptClock")
        harness.wait_until(
            lambda: abs(self.key(4)["readyAt"] - self.now() - IPUB) < 5, 3,
            "it waits for a time that never was")
        self.near(self.key(2)["removeAt"], self.now() + IRET)
        self.assertLessEqual(self.key(3)["rotateAt"], self.now() + 30 * DAY)
        self.check_usable()

    def test_small_steps_are_none(self):
        for wall in (60, 0, -60, 40):
            self.set_clock(wall)
            self.assertTrue(self.status()["clockTrusted"])

    def test_request_ids_outlive_a_jump(self):
        """Eight days ahead a week is over; trusted or not, none is lost."""
        asked = {"requestId": "once", "now": True}
        first = self.call("Rotate", **asked)
        self.set_clock(8 * DAY)
        self.wait_trust(False)
        self.advance(9 * MINUTE)
        self.assertEqual(self.call("Rotate", **asked), first)
        self.call("AcceptClock")
        self.wait_trust(True)
        for _ in range(2):
            self.daemon.restart()
            self.assertEqual(self.call("Rotate", **asked), first)
        self.assertEqual(self.active(), 3)

    def test_nothing_is_over_by_a_clock_that_jumped(self):
        """Neither the rollback window nor the life of tokens."""
        self.call("AddKeySet", name="app")
        with harness.Varlink(
                f"{self.daemon.runtime}/sign.sock") as client:
            client.call("org.jwksd.sign.Sign", {
                "keySet": "app", "claims": {"exp": self.now() + 60}})
        self.set_clock(8 * DAY)
        self.wait_trust(False)
        error = self.refused("NotReady", "RemoveKeySet", name="app")
        self.assertGreater(error["readyAt"], self.now() + IRET - MINUTE)
        self.assertEqual(
            self.call("Rollback")["activated"]["generation"], 1)

    def test_many_small_steps_are_a_jump(self):
        """850 steps of 110 s: the wait of 25 h must not end in them."""
        steps = 0
        for sign in (1, -1):
            for _ in range(850):
                steps += sign
                self.set_clock(110 * steps)
                if not self.status()["clockTrusted"]:
                    break
            self.assertLess(abs(steps), 5)
            self.set_clock(110 * 850 * sign)
            self.check_still(0.5)
            self.set_clock(0)
            self.call("AcceptClock")
            self.wait_trust(True)
            steps = 0
        self.assertEqual(self.states(), self.were)

    def test_doubts_outlive_restarts(self):
        self.jump_and_stay(JUMP)
        for _ in range(2):
            self.daemon.kill9()
            self.daemon.start()
            self.assertFalse(self.status()["clockTrusted"])
            self.check_still(0.5)
        self.call("AcceptClock")
        self.check_after()
        self.daemon.kill9()
        self.daemon.start()
        self.assertTrue(self.status()["clockTrusted"])

    def test_a_jump_while_it_is_down(self):
        self.daemon.kill9()
        self.set_clock(JUMP)
        self.daemon.start()
        self.assertFalse(self.status()["clockTrusted"])
        self.check_still()
        self.assertEqual(self.states(), self.were)
        self.daemon.kill9()
        self.set_clock(0)
        self.daemon.start()
        self.wait_trust(False)
        self.call("AcceptClock")
        self.check_after()

    def test_accepting_at_once_forgets_nothing(self):
        """Nobody had noticed the jump before the operator did."""
        self.set_clock(JUMP)
        self.call("AcceptClock")
        self.check_after()

    def test_freezing_and_revoking_meanwhile(self):
        self.jump_and_stay(-JUMP)
        reply = self.call("Revoke", key="default#2", reason="leaked",
                          force=True)
        # Every verifier knows the one before it, and none the standby.
        self.assertEqual(reply["activated"]["generation"], 1)
        self.wait_kids([self.key(n)["kid"] for n in (1, 3)])
        self.check_usable()


if __name__ == "__main__":
    unittest.main()
