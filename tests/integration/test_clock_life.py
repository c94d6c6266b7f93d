"""Time that is suspended, passes, ends or begins oddly, under the real daemon:
at most one rotation at once, and life goes on."""
import time
import unittest

import clock
import harness
from case import DAY, HOUR, IPUB, IRET, MINUTE

JUMP = 400 * DAY
Y2038 = 2 ** 31


class Suspend(clock.Case):
    def test_for_a_day(self):
        """Both clocks go on: the time is right, but nobody could read."""
        self.call("Rotate")
        self.wait_state(3, "published")
        self.suspend(DAY + 2 * HOUR)
        self.assertTrue(self.status()["clockTrusted"])
        self.advance(MINUTE)
        harness.wait_until(
            lambda: self.key(3)["readyAt"] > self.now() + IPUB - 5, 3,
            "the wait does not start anew")
        self.assertEqual(self.active(), 2)
        self.check_usable()
        self.assertEqual([r["event"] for r in self.audit()
                          if r["event"] in ("outage", "clock")], ["outage"])

    def test_longer_than_a_period(self):
        """One rotation is due, to a standby that was ready before."""
        self.suspend(100 * DAY)
        self.advance(MINUTE)
        harness.wait_until(lambda: self.active() == 2, 3)
        self.wait_state(3, "published")
        self.check_still(2)
        self.assertEqual(self.states(), {1: "retired", 2: "active",
                                         3: "published"})
        self.assertTrue(self.status()["clockTrusted"])


class Passing(clock.Case):
    def test_time_that_just_passes_is_no_jump(self):
        self.call("Rotate")
        third = self.wait_state(3, "published")
        self.advance(IPUB - 10)
        self.assertEqual(self.key(3)["readyAt"], third["readyAt"])
        self.assertEqual(self.states()[3], "published")
        self.advance(15)
        self.wait_state(3, "ready", 3)
        self.assertTrue(self.status()["clockTrusted"])


class Fast(clock.Case):
    """A life of seconds: a jump past many periods at once."""

    policy = harness.FAST

    def test_never_a_storm(self):
        self.wait_state(2, "active")
        harness.wait_until(lambda: self.states().get(3, "pending") !=
                           "pending", 10, "there is no standby")
        self.set_clock(JUMP)
        self.wait_trust(False)
        before = self.active()
        self.check_still(3)
        self.call("AcceptClock")
        time.sleep(0.5)
        self.assertLessEqual(self.active(), before + 1)
        self.check_usable()
        harness.wait_until(lambda: self.active() >= before + 3, 20)
        self.check_usable()

    def test_it_lives_on_after_going_back(self):
        for wall in (JUMP, -JUMP, 0):
            self.set_clock(wall)
            self.call("AcceptClock")
            before = self.active()
            harness.wait_until(lambda: self.active() >= before + 2, 20)
            self.check_usable()
            states = list(self.states().values())
            self.assertLessEqual(len(states), 5, states)


class Start(clock.Case):
    """The first start, at a time that is none."""

    def test_in_1970(self):
        self.near(self.key(1)["createdAt"], 1)
        self.assertEqual(self.states(), {1: "active", 2: "ready"})
        self.call("Rotate")
        third = self.wait_state(3, "published")
        self.near(third["readyAt"], IPUB)
        # The time comes from the network, later.
        self.set_clock(0)
        self.wait_trust(False)
        self.check_still(1)
        self.advance(11 * MINUTE)
        self.wait_trust(True)
        harness.wait_until(
            lambda: abs(self.key(3)["readyAt"] - self.now() - IPUB) < 5, 3)
        self.near(self.key(1)["removeAt"], self.now() + IRET)
        self.check_usable()

    def setUp(self):
        self.wall = -int(time.time())
        super().setUp()


class StartLate(clock.Case):
    policy = harness.FAST

    def setUp(self):
        self.wall = Y2038 - int(time.time()) - 4
        super().setUp()

    def test_over_the_end_of_32_bits(self):
        """Whole lives on both sides of 2038-01-19."""
        harness.wait_until(lambda: self.active() >= 3 and
                           self.now() > Y2038 + 5, 30)
        self.check_usable()
        self.wait_state(2, "removed")
        self.assertTrue(self.status()["clockTrusted"])
        self.assertGreater(self.key(self.active())["activatedAt"], Y2038 - 1)
        self.daemon.restart()
        self.check_usable()
        self.assertIn("max-age=1", self.daemon.get()
                      .headers["Cache-Control"])


class OtherBoot(clock.Case):
    """After a reboot only the facts can tell a wrong clock."""

    def forget_boot(self):
        self.daemon.stop()
        with harness.contextlib.closing(harness.sqlite3.connect(
                f"{self.daemon.state}/jwksd.db")) as db:
            db.execute("UPDATE meta SET value = '00000000-0000-0000-0000-"
                       "000000000000 1 1 0 1' WHERE name = 'clock'")
            db.commit()

    def test_a_clock_behind_the_facts(self):
        self.call("Rotate")
        self.wait_state(3, "published")
        self.forget_boot()
        self.set_clock(-JUMP)
        self.daemon.start()
        self.assertFalse(self.status()["clockTrusted"])
        self.check_usable()

    def test_one_that_makes_sense(self):
        self.forget_boot()
        self.set_clock(10 * DAY)
        self.daemon.start()
        self.assertTrue(self.status()["clockTrusted"])


if __name__ == "__main__":
    unittest.main()
