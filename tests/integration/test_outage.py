"""The outage rule on the real programs: whatever keeps verifiers from reading
the set again makes the waits of published keys start anew; nothing else does."""
import contextlib
import os
import shutil
import time
import unittest

import harness
import outage
from outage import GRACE


class Keeper(outage.Case):
    """It started its front, which ends with it."""

    def test_killed_and_started_at_once(self):
        self.daemon.kill9()
        self.daemon.start()
        self.check_outage(time.time())

    def test_again_and_again(self):
        for number in range(3):
            self.daemon.kill9()
            self.daemon.start()
            harness.wait_until(lambda: len(self.outages()) == number + 1)
        self.assertLessEqual(
            abs(self.key(3)["readyAt"] - outage.IPUB - time.time()),
            2 * harness.SLOW)

    def test_stop_and_start(self):
        self.daemon.stop()
        self.daemon.start()
        self.check_outage(time.time())

    def test_only_keys_that_wait_are_touched(self):
        before = {n: self.key(n) for n in (1, 2)}
        self.daemon.restart()
        self.check_outage(time.time())
        self.assertEqual({n: self.key(n) for n in (1, 2)}, before)


class Beside(outage.Case):
    """The front was started by itself, with [http] processes = 0."""
    own_front = True

    def test_it_serves_on_while_the_keeper_is_away(self):
        self.daemon.kill9()
        body = self.daemon.get().json()
        time.sleep(GRACE + 2)
        self.assertEqual(self.daemon.get().json(), body)
        self.daemon.start()
        self.check_no_outage()

    def test_again_and_again(self):
        for _ in range(3):
            self.daemon.kill9()
            self.daemon.start()
        self.check_no_outage()

    def test_the_keeper_stops_and_starts(self):
        keeper, self.daemon.process = self.daemon.process, None
        keeper.terminate()
        self.assertEqual(keeper.wait(20 * harness.SLOW), 0)
        self.daemon.start()
        self.check_no_outage()

    def test_the_front_stops_and_starts(self):
        """Its listener went with it: clients were refused."""
        self.daemon.stop_front()
        self.daemon.front = self.daemon.begin("jwksd-http")
        harness.wait_until(self.daemon.is_ready)
        self.check_outage(time.time())

    def test_the_front_stops_while_the_keeper_is_away(self):
        self.daemon.kill9()
        self.daemon.stop_front()
        self.daemon.start()
        self.check_outage(time.time())

    def test_both_die(self):
        self.daemon.kill9()
        self.kill_fronts()
        self.daemon.front.wait()
        self.daemon.front = None
        self.daemon.start()
        self.check_outage(time.time())

    def test_an_outage_is_recorded_once(self):
        self.daemon.restart()
        self.check_outage(time.time())
        after = self.key(3)["readyAt"]
        time.sleep(1.5)
        self.daemon.kill9()
        self.daemon.start()
        time.sleep(0.3)
        self.assertEqual(self.key(3)["readyAt"], after)
        self.assertEqual(len(self.outages()), 1)


class Front(outage.Case):
    def test_it_dies_and_comes_back(self):
        self.kill_fronts()
        harness.wait_until(self.daemon.is_ready, 5)
        self.check_no_outage()

    def test_one_that_is_away_for_long(self):
        """The program is not there for a while: it cannot start."""
        with self.without_front():
            self.kill_fronts()
            time.sleep(GRACE + 3)
        harness.wait_until(self.daemon.is_ready, 15)
        self.check_outage(time.time())


    @contextlib.contextmanager
    def without_front(self):
        path = os.path.join(os.path.dirname(os.readlink(
            f"/proc/{self.daemon.pid}/exe")), "jwksd-http")
        os.rename(path, path + ".away")
        try:
            yield
        finally:
            os.rename(path + ".away", path)

    def setUp(self):
        """Programs of our own: others run the same ones."""
        build = harness.tempfile.mkdtemp(prefix="b")
        self.addCleanup(shutil.rmtree, build)
        for name in ("jwksd", "jwksd-http"):
            shutil.copy(os.path.join(harness.BUILD, name), build)
        outer, harness.BUILD = harness.BUILD, build
        self.addCleanup(setattr, harness, "BUILD", outer)
        super().setUp()

if __name__ == "__main__":
    unittest.main()
