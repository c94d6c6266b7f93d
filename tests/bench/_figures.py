"""What the benchmarks share: numbers, a table, and a verdict."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "integration"))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(name, seconds):
    numbers = [1000 * percentile(seconds, share)
               for share in (0, 0.5, 0.9, 0.99, 1)]
    print("%-44s" % name + "".join("%7.1f" % n for n in numbers))


def table(title, rows):
    """rows: {name: seconds}; prints milliseconds."""
    count = len(next(iter(rows.values())))
    print("%-44s" % f"{title}, {count} runs, ms"
          + "".join("%7s" % w for w in ("min", "50 %", "90 %", "99 %", "max")))
    for name, seconds in rows.items():
        row(name, seconds)


def judge(name, seconds, aim):
    """The exit status: the aim holds for nine of ten, so that one hiccup of
    the machine does not count and a habit does."""
    value = percentile(seconds, 0.9)
    good = value < aim
    print(f"{'ok  ' if good else 'FAIL'} {name}: 90 % within "
          f"{1000 * value:.1f} ms; the aim is {1000 * aim:.0f} ms", flush=True)
    return 0 if good else 1
