#!/usr/bin/env python3
"""The long form of tests/faults: kills, cuts of the power and allocations that
fail, as a table.

prove.py BUILD     KILLS (1000), CUTS (300), ALLOCATIONS (of each call; all)
                   and SEED from the environment
"""
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
os.environ["JWKSD_BUILD"] = os.path.abspath(sys.argv[1])

import faults   # noqa: E402
import memory   # noqa: E402

KILLS = int(os.environ.get("KILLS") or 1000)
CUTS = int(os.environ.get("CUTS") or 300)
ALLOCATIONS = int(os.environ.get("ALLOCATIONS") or 0)
SEED = int(os.environ.get("SEED") or time.time_ns() % 1000000)
PART = 50       # so many in the life of one daemon


def rows():
    yield "kill -9 of the keeper under orders", KILLS, faults.kills
    yield ("cut of the power, from a record of writes and syncs", CUTS,
           faults.recorded_cuts)
    for kind in "ext4", "xfs":
        yield (f"cut of the power, {kind} on a loop mount", CUTS,
               lambda count, seed, kind=kind:
                   faults.mount_cuts(kind, count, seed))
    yield ("an allocation fails in a call", 1,
           lambda _, seed: memory.allocations(some(seed)))
    yield ("an allocation fails in the front", 1,
           lambda _, seed: memory.front(some(seed)))
    yield ("I/O errors of ext4 under orders, then a cut", CUTS,
           lambda count, seed: faults.mount_cuts("ext4", count, seed, True))


def some(seed):
    """Each allocation once, or as many as asked for."""
    chance = random.Random(seed)
    return lambda count: (
        sorted(chance.sample(range(1, count + 1), min(ALLOCATIONS, count)))
        if ALLOCATIONS else range(1, count + 1))


def run(count, what):
    """(how many, faults) in parts, or why there are none."""
    done, found, part = 0, [], 0
    while done < count:
        part += 1
        try:
            did, bad = what(min(PART, count - done), SEED + 1000 * part)
        except faults.CannotMount as error:
            return f"CANNOT: {error}"
        done += did
        found += bad
    return done, found


def main():
    failures, skipped = 0, 0
    print(f"seed {SEED}", flush=True)
    print("| what | how many | failures |\n| --- | --- | --- |", flush=True)
    for name, count, what in rows():
        result = run(count, what)
        if isinstance(result, str):
            skipped += 1
            print(f"| {name} | 0 | {result} |", flush=True)
            continue
        done, found = result
        failures += len(found)
        print(f"| {name} | {done} | {len(found)} |", flush=True)
        for fault in found[:20]:
            print(f"    {fault}", file=sys.stderr)
    if skipped:
        print(f"prove: {skipped} rows could not be measured here",
              file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
