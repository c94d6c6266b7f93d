"""A clock that jumps, under the real daemon: whatever it says, there is a key
at the URL, none leaves early, and nothing rotates twice."""
import os
import struct
import time
import unittest

import case
import harness
from case import DAY, HOUR, IPUB, IRET, MINUTE

JUMP = 400 * DAY
Y2038 = 2 ** 31


class Case(case.Case):
    """The daemon under clock_shim.so; the front has the real clock."""

    wall = 0        # what the daemon starts with
    boot = 0
    monotonic = 0

    def setUp(self):
        self.clock_file = os.path.join(
            harness.tempfile.mkdtemp(prefix="k"), "clock")
        self.addCleanup(harness.shutil.rmtree,
                        os.path.dirname(self.clock_file))
        self.set_clock(self.wall)
        self.daemon = harness.Daemon(policy=self.policy, env={
            "LD_PRELOAD": os.path.join(harness.BUILD, "tools/clock_shim.so"),
            "JWKSD_TEST_CLOCK": self.clock_file})
        self.enterContext(self.daemon)

    def set_clock(self, wall):
        self.wall = wall
        fd = os.open(self.clock_file, os.O_RDWR | os.O_CREAT)
        os.pwrite(fd, struct.pack("=qqq", self.wall, self.boot,
                                  self.monotonic), 0)
        os.close(fd)

    def suspend(self, seconds):
        self.boot += seconds
        self.set_clock(self.wall + seconds)

    def advance(self, seconds):
        """Time passes; timers see it at their next look."""
        self.monotonic += seconds
        self.suspend(seconds)
        self.status()

    def now(self):
        """What the daemon takes for the time."""
        return int(time.time()) + self.wall

    def status(self):
        return self.call("Status")

    def wait_trust(self, trusted):
        harness.wait_until(lambda: self.status()["clockTrusted"] is trusted,
                           3)

    def check_usable(self):
        """A signer, and it is in the set at the URL."""
        signer = self.key(self.active())["kid"]
        self.assertIn(signer, self.kids())
        harness.wait_until(
            lambda: {k["kid"] for k in self.daemon.keys()
                     if k["state"] != "pending"} == set(self.kids()), 1,
            "the URL has not what the list has")

    def check_still(self, seconds=2.5):
        """Nothing happens, while it is served all along."""
        before = self.states(all=True)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check_usable()
            self.assertEqual(self.states(all=True), before)

    def near(self, is_, should, slack=3):
        self.assertLessEqual(abs(is_ - should), slack * harness.SLOW)


class Jumps(Case):
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
        self.assertEqual(reply["activated"]["generation"], 3)
        self.wait_kids([self.key(n)["kid"]
                        for n in (3, self.wait_state(4, "published")
                                  ["generation"], 1)])
        self.check_usable()


class Suspend(Case):
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


class Passing(Case):
    def test_time_that_just_passes_is_no_jump(self):
        self.call("Rotate")
        third = self.wait_state(3, "published")
        self.advance(IPUB - 10)
        self.assertEqual(self.key(3)["readyAt"], third["readyAt"])
        self.assertEqual(self.states()[3], "published")
        self.advance(15)
        self.wait_state(3, "ready", 3)
        self.assertTrue(self.status()["clockTrusted"])


class Fast(Case):
    """A life of seconds: a jump past many periods at once."""

    policy = harness.FAST

    def test_never_a_storm(self):
        self.wait_state(2, "active")
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


class Start(Case):
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


class StartLate(Case):
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


class OtherBoot(Case):
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
