"""A daemon whose clocks a test sets."""
import os
import struct
import time

import case
import harness


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
            "JWKSD_TEST_CLOCK": self.clock_file}, common_check=False)
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
