"""A gate for what a signature costs beside itself, in instructions."""
import unittest

import callgrind

MOST = 60000


class Cost(unittest.TestCase):
    def setUp(self):
        if callgrind.obstacle():
            self.skipTest(callgrind.obstacle())

    def test_instructions_beside_the_signature(self):
        """Half of ES256's is the hash without the processor's help for it,
        which valgrind does not know."""
        for algorithm in ("ES256", "EdDSA"):
            with self.subTest(algorithm):
                beside, bare = callgrind.measure(algorithm)
                self.assertGreater(bare, 100000)
                self.assertLessEqual(beside, MOST)


if __name__ == "__main__":
    unittest.main()
