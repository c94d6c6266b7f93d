#!/usr/bin/python3
"""Many key sets whose rotations fall into the same minute.

    tests/bench/many_due.py [KEY_SETS] [SPAN]

Fills a database (10,000 key sets by default), starts the real programs on it,
and while the active keys of all fall due within SPAN seconds (60) measures
how many rotate a second, how long Status takes throughout, and whether every
GET is answered.  Ends when all have rotated and have a published standby, or
after three minutes.  Loopback only.  Numbers, and a line for each aim.
"""
import collections
import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time

# In place of this directory, whose http.py would be Python's.
sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "..", "integration")
import harness  # noqa: E402

LEAD = 8            # seconds from the start of the daemon to the first
LIMIT = 160         # seconds that all may take
AIM_MS = 50


class Latencies:
    """One caller in a loop; milliseconds of each call."""

    def __init__(self, call, pause):
        self.call, self.pause = call, pause
        self.took, self.failed = [], 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                self.call()
            except Exception:  # noqa: BLE001
                self.failed += 1
            self.took.append((time.monotonic() - began) * 1000)
            self.stop.wait(self.pause)

    def end(self):
        self.stop.set()
        self.thread.join()

    def report(self, name):
        took = sorted(self.took)
        print("%-24s %6d calls   p50 %6.1f   p99 %6.1f   max %6.1f ms%s"
              % (name, len(took), took[len(took) // 2],
                 took[len(took) * 99 // 100], took[-1],
                 "   %d FAILED" % self.failed if self.failed else ""))
        return took[-1]


def fill(daemon, count, due, span):
    began = time.monotonic()
    subprocess.run([os.path.join(harness.BUILD, "tools/fill"),
                    os.path.join(daemon.state, "jwksd.db"),
                    os.path.join(daemon.state, "jwksd.kek"),
                    str(count), str(due), str(span), str(LIMIT)],
                   check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def shift(daemon, seconds):
    """Filling took as long as it took: everything that much later."""
    with contextlib.closing(sqlite3.connect(
            os.path.join(daemon.state, "jwksd.db"))) as db:
        times = [row[1] for row in db.execute("PRAGMA table_info(generation)")
                 if row[1].endswith(("_at", "_due", "_until"))]
        db.execute("UPDATE generation SET " + ", ".join(
            f"{name} = {name} + {seconds:d}" for name in times))
        db.commit()


def rotated(daemon):
    """(how many rotated, how many have a published standby again)."""
    with daemon.database() as db:
        return db.execute(
            "SELECT (SELECT count(*) FROM generation WHERE number = 3"
            "  AND activations = 1), (SELECT count(*) FROM generation"
            "  WHERE number = 4 AND published_at IS NOT NULL)").fetchone()


def spread(daemon):
    """When rotations were due, and how many were done in each second."""
    with daemon.database() as db:
        due = db.execute("SELECT min(rotate_due), max(rotate_due)"
                         " FROM generation WHERE number = 2").fetchone()
        done = collections.Counter(row[0] for row in db.execute(
            "SELECT activated_at FROM generation WHERE number = 3"
            " AND activations = 1"))
    return tuple(due), done


def follow(daemon, count, due):
    began = time.monotonic()
    while time.monotonic() - began < LIMIT:
        time.sleep(2)
        done, published = rotated(daemon)
        if time.time() >= due and (done, published) == (count, count):
            return
    print("NOT all within %d s: %d rotated, %d standbys"
          % (LIMIT, done, published))


def tell_spread(daemon):
    (first, last), done = spread(daemon)
    total, seconds = sum(done.values()), max(done) - min(done) + 1
    print("due within %d s, done within %d s: %.0f rotations a second, "
          "%d in the busiest one; the end %d s late"
          % (last - first + 1, seconds, total / seconds, max(done.values()),
             max(0, max(done) - last)))
    return total


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    span = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with harness.Daemon(config={"daemon": {"log_level": "warning"}},
                        start=False) as daemon:
        due = int(time.time())
        seconds = fill(daemon, count, due, span)
        later = int(time.time()) + span + LEAD - due
        shift(daemon, later)
        due += later
        print("%d key sets, 3 generations each, made in %.1f s"
              % (count, seconds))
        began = time.monotonic()
        daemon.start(timeout=60)
        print("ready after %.1f s; the first is due in %.0f s"
              % (time.monotonic() - began, due - span - time.time()))
        client = daemon.connect()
        status = Latencies(lambda: client.call("Status"), 0.01)
        get = Latencies(lambda: check(daemon.get().status), 0.01)
        try:
            follow(daemon, count, due)
        finally:
            status.end()
            get.end()
            client.close()
        all_of_them = tell_spread(daemon) == count
        slowest = status.report("Status, ms")
        get.report("GET, ms")
        print("load average of the machine: %.1f on %d processors"
              % (os.getloadavg()[0], os.cpu_count()))
        print("aims: %s all rotated, %s Status within %d ms, %s every GET "
              "answered" % (mark(all_of_them), mark(slowest <= AIM_MS),
                            AIM_MS, mark(not get.failed)))
        return int(slowest > AIM_MS or get.failed > 0 or not all_of_them)


def check(status):
    if status != 200:
        raise ValueError(status)


def mark(good):
    return "ok:" if good else "MISSED:"


if __name__ == "__main__":
    sys.exit(main())
