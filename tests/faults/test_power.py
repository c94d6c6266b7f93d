"""Kills and cuts of the power under orders: the short form of make prove."""
import os
import random
import time
import unittest

import faults
import oracle
import recorded

SEED = int(os.environ.get("JWKSD_SEED", time.time_ns() % 1000000))


class Short(unittest.TestCase):
    def test_kills(self):
        done, found = faults.kills(20, SEED)
        self.assertEqual((done, found), (20, []), f"JWKSD_SEED={SEED}")

    def test_cuts_of_the_power(self):
        done, found = faults.recorded_cuts(8, SEED)
        self.assertEqual((done, found), (8, []), f"JWKSD_SEED={SEED}")


class OfTheDisk(unittest.TestCase):
    """A disk that keeps what was not synced would find nothing."""

    def entries(self, *rows):
        entries = []
        for op, path, inode, offset, data in rows:
            packed = recorded.ENTRY.pack(len(entries), inode, offset, op,
                                         len(path), len(data), 0)
            entries.append(recorded.Entry(
                packed + path.encode() + data, 0))
        return entries

    def left(self, entries, mode="nothing"):
        disk = recorded.disk_after(entries, len(entries), "/s")
        chance = random.Random(1)
        return {name: bytes(file.left(mode, chance)) for name, file in
                disk.directories["/s"].left(mode, chance).items()}

    def test_what_was_not_synced_is_gone(self):
        rows = [(recorded.CREATE, "/s/a", 7, 0, b""),
                (recorded.WRITE, "/s/a", 7, 0, b"one"),
                (recorded.SYNC, "/s/a", 7, 0, b"")]
        # A file without a synced name is none.
        self.assertEqual(self.left(self.entries(*rows)), {})
        rows += [(recorded.SYNC, "/s", 3, 0, b""),
                 (recorded.WRITE, "/s/a", 7, 3, b"two")]
        self.assertEqual(self.left(self.entries(*rows)), {"a": b"one"})
        self.assertEqual(self.left(self.entries(*rows), "everything"),
                         {"a": b"onetwo"})
        rows += [(recorded.RENAME, "/s/a", 0, 0, b"/s/b")]
        self.assertEqual(self.left(self.entries(*rows)), {"a": b"one"})
        self.assertEqual(self.left(self.entries(*rows), "everything"),
                         {"b": b"onetwo"})


class OfTheOracle(unittest.TestCase):
    def test_a_disk_that_lies_is_found_out(self):
        _, found = faults.recorded_cuts(1, SEED, 0.5, lies=True)
        self.assertTrue(any("not remembered" in f for f in found), found)

    def test_a_missing_key_is_seen(self):
        class Fleet:
            tokens = [(10.0, 0, "b", 1.0)]
            copies = [(9.5, 9_600_000_000, {"a": ""})]

        self.assertTrue(list(oracle.rejected(Fleet)))
        Fleet.copies = [(9.5, 9_600_000_000, {"a": "", "b": ""})]
        self.assertFalse(list(oracle.rejected(Fleet)))
        Fleet.copies = [(7.0, 7_000_000_000, {"a": ""})]
        self.assertFalse(list(oracle.rejected(Fleet)))


if __name__ == "__main__":
    unittest.main()
