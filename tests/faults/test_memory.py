"""Allocations that fail, one at a time: the short form of make prove."""
import os
import random
import time
import unittest

import http_fake
import memory

SEED = int(os.environ.get("JWKSD_SEED", time.time_ns() % 1000000))


@unittest.skipIf(http_fake.SANITIZED, "a sanitizer has allocators of its own")
class Short(unittest.TestCase):
    def some(self, most):
        """A choice among them, another one for each call."""
        chance = random.Random(SEED)
        return lambda count: sorted(
            chance.sample(range(1, count + 1), min(most, count)))

    def check(self, done, found, least):
        self.assertEqual(found, [], f"JWKSD_SEED={SEED}")
        self.assertGreaterEqual(done, least, "too few allocations failed")

    def test_calls(self):
        self.check(*memory.allocations(self.some(3)), 55)

    def test_front(self):
        self.check(*memory.front(self.some(3)), 3)


if __name__ == "__main__":
    unittest.main()
