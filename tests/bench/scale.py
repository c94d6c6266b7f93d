#!/usr/bin/python3
"""100,000 key sets and 300,000 generations in one keeper, and its front.

    SETS=10000 python3 tests/bench/scale.py

Fills a database with tools/fill (for FILL seconds at most: a busy machine
makes fewer, and the table says how many), starts the real programs on it, and
prints what they need beside what is aimed at, with a verdict.
"""
import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import time

import _figures
import harness

SETS = int(os.environ.get("SETS", "100000"))
FILL = int(os.environ.get("FILL", "120"))
QUIET = float(os.environ.get("QUIET", "60"))
ROTATIONS, STATUSES, MANY = 20, 100, 50000
DOMAIN = "session.example.com"
SPAN = 51840                    # of their rotations: 2 % of 30 days


def cpu(pid):
    """Seconds of all threads of a process, to the microsecond."""
    return sum(int(harness.read_proc(pid, f"task/{task}/schedstat"
                                     ).split()[0])
               for task in os.listdir(f"/proc/{pid}/task")) / 1e9


def resident(pid):
    """Bytes."""
    return int(harness.read_proc(pid, "statm").split()[1]) * os.sysconf(
        "SC_PAGE_SIZE")


def front_of(daemon):
    """The process that serves: of several the largest."""
    return max(daemon.front_pids(), key=resident)


def rss(daemon):
    return resident(daemon.pid), resident(front_of(daemon))


def fill(daemon):
    """How many key sets there are now."""
    started = time.monotonic()
    made = int(subprocess.run(
        [os.path.join(harness.BUILD, "tools/fill"),
         os.path.join(daemon.state, "jwksd.db"),
         os.path.join(daemon.state, "jwksd.kek"), str(SETS),
         str(int(time.time()) + 10 * 86400), str(SPAN), str(FILL)],
        check=True, capture_output=True, text=True).stdout)
    print(f"filled in {time.monotonic() - started:.1f} s", flush=True)
    return made


def ask(daemon):
    """Status, or None while there is no answer."""
    try:
        with daemon.connect(60) as control:
            return control.call("Status")
    except OSError:
        return None


def until(condition):
    """Ask again every millisecond: a poll must not be what is measured."""
    while not condition():
        time.sleep(0.001)


def start(daemon):
    """Seconds from exec to ready, and until the front has everything."""
    began = time.perf_counter()
    daemon.spawn()

    def ready():
        assert daemon.process.poll() is None, daemon.log()
        status = ask(daemon)
        return status is not None and status["ready"]

    until(ready)
    to_ready = time.perf_counter() - began
    until(lambda: ask(daemon).get("fronts"))
    return to_ready, time.perf_counter() - began


def rotate(control, url, name):
    """Seconds from the call until the URL begins with the new key."""
    began = time.perf_counter()
    kid = control.call("Rotate", {"keySet": name})["activated"]["kid"]
    answered = time.perf_counter()
    while True:
        url.request("GET", harness.JWKS_PATH,
                    headers={"Host": f"{name}.{DOMAIN}"})
        if json.loads(url.getresponse().read())["keys"][0]["kid"] == kid:
            return time.perf_counter() - began, answered - began


def rotations(daemon, sets):
    names = random.sample(range(1, sets), ROTATIONS)
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
    with daemon.connect(60) as control, contextlib.closing(connection):
        return zip(*[rotate(control, connection, f"app{n:05}")
                     for n in names])


def statuses(daemon):
    spans = []
    with daemon.connect(60) as control:
        for _ in range(STATUSES):
            began = time.perf_counter()
            control.call("Status")
            spans.append(time.perf_counter() - began)
    return spans


def idle(daemon):
    """Share of a core that keeper and front use while nobody asks."""
    time.sleep(3)               # what the start left to do
    pids = daemon.pid, front_of(daemon)
    before, began = [cpu(pid) for pid in pids], time.monotonic()
    time.sleep(QUIET)
    span = time.monotonic() - began
    return [(cpu(pid) - was) / span for pid, was in zip(pids, before)]


def config():
    return {"http": {"domain": DOMAIN}, "daemon": {"log_level": "notice"}}


def empty():
    """What the programs need without anything to keep."""
    with harness.Daemon(config=config()) as daemon:
        until(lambda: ask(daemon).get("fronts"))
        return rss(daemon)


MISSED = []


def line(what, value, unit, aim=None):
    verdict = ""
    if aim is not None:
        verdict = f"{aim:>9g} {unit:5} {'ok' if value <= aim else 'MISSED'}"
        MISSED.extend([what] * (value > aim))
    print(f"{what:46}{value:>9.3g} {unit:5}{verdict}", flush=True)


def measure(daemon):
    base = empty()
    sets = fill(daemon)
    print(f"\n{sets} key sets, {3 * sets} generations, {os.cpu_count()} "
          f"cores, load {os.getloadavg()[0]:.1f}\n"
          f"{'':46}{'measured':>15}{'aim':>15}")
    ready, served = start(daemon)
    line("start to ready", ready, "s", 5)
    line("start until the front has everything", served, "s")
    keeper, front = [(now - was) / sets / 1024
                     for now, was in zip(rss(daemon), base)]
    # SQLite's page cache, 2 MB, is the same for few as for many.
    many = sets >= MANY
    line("keeper, resident for each key set", keeper, "KiB", 2 * many or None)
    line("front, resident for each key set", front, "KiB", 3 * many or None)
    whole, answered = map(list, rotations(daemon, sets))
    for share, word in (0.5, "median"), (1, "slowest"):
        line(f"rotation at its URL, {word} of {ROTATIONS}",
             1000 * _figures.percentile(whole, share), "ms", 100)
    line("  its commit and answer, median",
         1000 * _figures.percentile(answered, 0.5), "ms")
    line(f"Status, median of {STATUSES}",
         1000 * _figures.percentile(statuses(daemon), 0.5), "ms")
    for name, share in zip(("keeper", "front"), idle(daemon)):
        line(f"idle {name}, of a core", 100 * share, "%", 0.1)
        line(f"idle {name}, CPU an hour", 3600 * share, "s")


def main():
    with harness.Daemon(config=config(), start=False) as daemon:
        measure(daemon)
    if MISSED:
        print(f"\nmissed: {', '.join(MISSED)}")
    return 1 if MISSED else 0


if __name__ == "__main__":
    sys.exit(main())
