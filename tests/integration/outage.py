"""What the tests of the outage rule share: a key whose wait counts."""
import contextlib
import os
import time

import case
import harness
from case import IPUB

GRACE = 10


class Case(case.Case):
    def setUp(self):
        super().setUp()
        self.waiting()

    def waiting(self):
        """A key that has waited for two seconds, and whose wait counts."""
        self.call("Rotate")
        self.third = self.wait_state(3, "published")
        time.sleep(2)

    def outages(self):
        return [r for r in self.audit() if r["event"] == "outage"]

    def check_no_outage(self):
        time.sleep(0.3)
        self.assertEqual(self.key(3)["readyAt"], self.third["readyAt"])
        self.assertEqual(self.outages(), [])

    def check_outage(self, resumed):
        """`resumed` seconds since the epoch, as closely as a test knows."""
        harness.wait_until(
            lambda: self.key(3)["readyAt"] != self.third["readyAt"], 5,
            "the wait did not start anew")
        again = self.key(3)["readyAt"] - IPUB
        self.assertLessEqual(abs(again - resumed), 2 * harness.SLOW)
        self.assertEqual(len(self.outages()), 1)
        self.assertEqual(self.key(3)["publishedAt"],
                         self.third["publishedAt"])

    def kill_fronts(self):
        fronts = self.daemon.front_pids()
        for pid in fronts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        harness.wait_until(lambda: not [p for p in fronts
                                        if harness.alive(p)])
