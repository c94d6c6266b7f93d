"""Waits run from when every front has read a version, rounded to the safe
side: with margins of 0 no key signs a fraction of a second early."""
import contextlib
import http.client
import os
import signal
import threading
import time
import unittest

import case
import harness

COPY_LIVES = 2
SLACK = 0.02


def parent(pid):
    return int(harness.read_bytes(f"/proc/{pid}/stat")
               .rpartition(b")")[2].split()[1])


class SlowFront(case.Case):
    policy = {**case.CALM, "token_max_ttl": "1s", "rollback_window": "1s"}

    def setUp(self):
        self.daemon = harness.Daemon(
            policy=self.policy, config={"http": {"processes": 2}})
        self.enterContext(self.daemon)

    def stopped_worker(self):
        fronts = self.daemon.front_pids()
        worker = next(p for p in fronts if parent(p) in fronts)
        os.kill(worker, signal.SIGSTOP)
        self.addCleanup(self.go_on, worker)
        return worker

    @staticmethod
    def go_on(worker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)

    def of(self, key_set):
        return {k["generation"]: k
                for k in self.daemon.keys(keySet=key_set)}

    def wait_served(self, key_set):
        """Its keys wait no longer to be read."""
        harness.wait_until(
            lambda: {k["state"] for k in self.of(key_set).values()}
            <= {"ready", "active", "retired"}, 10)
        return self.of(key_set)

    def test_the_last_one_counts(self):
        """A published key, and the end of a key set, too."""
        self.call("AddKeySet", name="a")
        worker = self.stopped_worker()
        self.call("Rotate")
        self.call("RemoveKeySet", name="a", force=True)
        self.call("AddKeySet", name="a")
        # Twice as long as copies live.
        time.sleep(2 * COPY_LIVES + 1)
        self.assertEqual(self.states()[3], "published")
        self.assertEqual({k["state"] for k in self.of("a").values()},
                         {"published"})
        self.refused("NotReady", "Rotate", keySet="a")
        went_on = time.time()
        os.kill(worker, signal.SIGCONT)
        third = self.wait_state(3, "ready")
        self.assertGreaterEqual(third["readyAt"], went_on + COPY_LIVES)
        for key in self.wait_served("a").values():
            self.assertGreaterEqual(key["readyAt"], went_on + COPY_LIVES)

    def test_one_that_ended_counts_no_longer(self):
        worker = self.stopped_worker()
        self.call("Rotate")
        harness.wait_until(lambda: self.states().get(3) == "published")
        time.sleep(1)
        os.kill(worker, signal.SIGKILL)
        self.wait_state(3, "ready")


class Restart(case.Case):
    policy = {**case.CALM, "token_max_ttl": "1s", "rollback_window": "1s"}
    own_front = True

    def test_what_was_read_is_known_after_it(self):
        self.call("Rotate")
        third = self.wait_state(3, "published")
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.key(3)["readyAt"], third["readyAt"])
        self.wait_state(3, "ready")


class Margins(unittest.TestCase):
    """A strict verifier that keeps each copy for as long as it may."""
    policy = {**harness.FAST, "verifier_max_age": f"{COPY_LIVES}s",
              "rotation_period": "1h", "max_published_keys": 10,
              "token_max_ttl": "2s"}

    def poll(self):
        while not self.over.is_set():
            asked = time.time()
            try:
                kids = {k["kid"] for k in self.daemon.get().json()["keys"]}
                self.copies.append((asked, time.time(), kids))
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.01)

    def sign(self):
        with harness.Varlink(os.path.join(self.daemon.runtime, "sign.sock"),
                             "org.jwksd.sign") as client:
            while not self.over.is_set():
                exp = int(time.time()) + 2
                reply = client.call("Sign", {"claims": {"exp": exp}})
                self.tokens.append((time.time(), reply["kid"], exp))
                time.sleep(0.01)

    def rotate(self):
        """As soon as it is safe, again and again: at any moment of a second
        the daemon looks at what is due."""
        while not self.over.wait(0.03):
            self.daemon.call("Rotate")

    def rejections(self):
        """Tokens that a copy which may still be used lacks the key of."""
        for signed, kid, exp in self.tokens:
            for asked, fetched, kids in self.copies:
                first = max(signed, fetched)
                last = min(exp, asked + COPY_LIVES)
                if last - first > SLACK and kid not in kids:
                    yield last - first, kid

    def test_of_zero(self):
        self.copies, self.tokens = [], []
        self.over = threading.Event()
        self.daemon = self.enterContext(harness.Daemon(policy=self.policy))
        threads = [threading.Thread(target=f)
                   for f in (self.poll, self.sign, self.rotate)]
        for thread in threads:
            thread.start()
        time.sleep(11)
        self.over.set()
        for thread in threads:
            thread.join()
        self.assertGreater(len({kid for _, kid, _ in self.tokens}), 2)
        self.assertEqual(list(self.rejections())[:3], [])


if __name__ == "__main__":
    unittest.main()
