#!/usr/bin/env python3
"""Does a test notice each small mistake in daemon, common and ctl?

tests/mutation/tree.py [-j N] [--seed S] [--minutes M] [--all] [FILE...]

Mutants are made as mutate.py makes them, of every source file or of those
named; a seeded sample of them is judged until the minutes are over, all with
--all.  A mutant is built in a copy of the tree in build/mutation and meets the
unit programs first, then the integration files that the table below names for
its source.  Every mutant is printed.  Fails below 85 % killed of a sample, with
--all below 95 % in the files that STRICT names, and on a survivor that
survivors.txt does not explain there.
"""
import argparse
import concurrent.futures
import fnmatch
import glob
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import mutate   # noqa: E402

ROOT = mutate.ROOT
COPIES = os.path.join(ROOT, "build/mutation")
BUILD_LIMIT, UNIT_LIMIT, FILE_LIMIT = 300, 120, 240
SAMPLE_AIM, STRICT_AIM = 0.85, 0.95
STRICT = [*mutate.FILES,
          "daemon/store/*.c", "daemon/crypto/envelope.c", "common/wire/varlink*.c",
          "common/serve/*.c", "daemon/verbs/rights.c"]

# Source, by pattern: the integration files that cover it.  All rows that
# match count; the quickest files come first.
TABLE = [
    ("daemon/http/*.c", "http_rows http_abuse http_life front proxies"),
    ("daemon/http/publish_client.c", "outage kill"),
    ("daemon/http/supervisor.c", "processes"),
    ("daemon/front*.c", "front outage kill processes"),
    ("daemon/publish/publish.c", "front outage keysets reading"),
    ("daemon/publish/strays.c", "reading"),
    ("daemon/lifecycle/reading.c", "reading keysets"),
    ("daemon/lifecycle/outage.c", "outage life"),
    ("daemon/keeper/*.c", "kinds rotate revoke keysets freeze life"),
    ("daemon/keeper/room.c", "full_disk"),
    ("daemon/keeper/sign.c", "full_disk sign"),
    ("daemon/keeper/refusals.c", "refused full_disk disk_errors"),
    ("daemon/store/ballast.c", "full_disk"),
    ("daemon/keeper/disk.c", "full_disk"),
    ("daemon/*/refus*.c", "refused"),
    ("daemon/lifecycle/clock_guard.c", "clock"),
    ("daemon/store/*.c", "kinds keysets disk_errors bad_input"),
    ("daemon/crypto/envelope.c", "refusals"),
    ("daemon/crypto/*.c", "kinds sign"),
    ("common/serve/*.c", "bad_input kinds"),
    ("daemon/verbs/rights.c", "sign kinds"),
    ("daemon/*/sign*.c", "sign"),
    ("daemon/verbs/claims.c", "sign"),
    ("daemon/verbs/*.c", "kinds rotate revoke rollback policy keysets freeze"),
    ("daemon/verbs/monitor.c", "ctl_watch"),
    ("daemon/verbs/verify.c", "sign"),
    ("daemon/verbs/reload.c", "reload"),
    ("daemon/settings/settings.c", "reload"),
    ("daemon/verbs/rows_json.c", "ctl_look policy"),
    ("daemon/main.c", "processes refusals run"),
    ("daemon/arguments.c", "refusals"),
    ("daemon/report.c", "refusals"),
    ("daemon/degraded.c", "degraded"),
    ("daemon/reexec.c", "degraded"),
    ("daemon/servers.c", "tour kill"),
    ("daemon/signals.c", "tour"),
    ("daemon/process.c", "processes refusals"),
    ("daemon/sockets.c", "refusals processes"),
    ("daemon/lifecycle/operator_order.c", "rotate rollback revoke"),
    ("daemon/lifecycle/state.c", "rotate life"),
    ("daemon/lifecycle/rules.c", "rotate life"),
    ("daemon/lifecycle/changes.c", "rotate life"),
    ("common/config/*.c", "refusals reload"),
    ("common/wire/*.c", "bad_input"),
    ("common/wire/json_slice.c", "sign"),
    ("common/system/listen.c", "front refusals"),
    ("common/system/notify.c", "processes"),
    ("common/base/log.c", "refusals"),
    ("ctl/*.c", "ctl_look ctl_change ctl_rotate ctl_errors"),
    ("ctl/commands/keyset*.c", "ctl_keysets"),
    ("ctl/commands/watch.c", "ctl_watch"),
    ("ctl/complete.c", "complete"),
    ("ctl/commands/sign.c", "sign"),
]


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, p) for p in patterns)


def integration_files(path):
    """In the order of the table, each once, and only those that exist."""
    found = []
    for pattern, names in TABLE:
        if fnmatch.fnmatchcase(path, pattern):
            found += [f"tests/integration/test_{n}.py" for n in names.split()]
    return [f for f in dict.fromkeys(found)
            if os.path.exists(os.path.join(ROOT, f))]


def unit_programs(path):
    """Those named after the source come first; then what links it."""
    stem = os.path.splitext(os.path.basename(path))[0]
    names = sorted(os.path.basename(p)[:-2] for p in glob.glob(
        os.path.join(ROOT, "tests/unit/test_*.c")))
    area = {"daemon/http": "test_http"}.get(os.path.dirname(path))
    if path.startswith("ctl/"):
        area = "test_ctl"
    near = [n for n in names if n.endswith("_" + stem)
            or n == f"test_{stem.split('_')[0]}"
            or (area and n.startswith(area))]
    rest = [] if area else [n for n in names if n not in near
                            and not n.startswith(("test_http", "test_ctl"))]
    return near + rest


class Copy:
    """One copy of the tree, for one mutant at a time."""

    def __init__(self, number, compiler):
        self.root = os.path.join(COPIES, str(number))
        self.compiler = compiler
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        for name in ("Makefile", "common", "daemon", "ctl", "sql", "tests",
                     "packaging"):
            source = os.path.join(ROOT, name)
            if os.path.isdir(source):
                shutil.copytree(source, os.path.join(self.root, name))
            else:
                shutil.copy2(source, self.root)

    def run(self, command, limit):
        """Its status; None after too long.  Nothing of it stays."""
        environment = dict(mutate.ENVIRONMENT, JWKSD_ROUNDS="20",
                           TMPDIR="/tmp")
        process = subprocess.Popen(
            command, cwd=self.root, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment, start_new_session=True)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def make(self):
        return self.run(["make", "-s", "-j2", "WERROR=", "CFLAGS=-O1 -g",
                         f"CC={self.compiler}", "programs"], BUILD_LIMIT)

    def test(self, path, limit):
        return self.run([sys.executable, "-B", "tests/run", "-j", "1",
                         "--build", "build", path], limit)

    def judge(self, mutant):
        """Who killed it; "compiler"; None: it survived."""
        target = os.path.join(self.root, mutant.path)
        with open(target) as f:
            sound = f.read()
        try:
            with open(target, "w") as f:
                f.write(mutant.text)
            if self.make() != 0:
                return "compiler"
            for name in unit_programs(mutant.path):
                if self.test(f"tests/unit/{name}.c", UNIT_LIMIT) != 0:
                    return name
            for path in integration_files(mutant.path):
                if self.test(path, FILE_LIMIT) != 0:
                    return path
            return None
        finally:
            with open(target, "w") as f:
                f.write(sound)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-j", "--jobs", type=int, default=max(
        1, len(os.sched_getaffinity(0)) // 2))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=55)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("files", nargs="*")
    return parser.parse_args()


def choose(options):
    files = options.files or sorted(
        p for pattern in ("common/*/*.c", "daemon/*.c", "daemon/*/*.c",
                          "ctl/*.c", "ctl/*/*.c")
        for p in glob.glob(pattern, root_dir=ROOT))
    mutants = [m for path in files for m in mutate.mutants_of(path)]
    mutate.number_twins(mutants)
    if not options.all:
        random.Random(options.seed).shuffle(mutants)
    return mutants


def share(verdicts, wanted=lambda path: True):
    real = [killer for mutant, killer in verdicts
            if killer != "compiler" and wanted(mutant.path)]
    killed = sum(killer is not None for killer in real)
    return killed, len(real), killed / len(real) if real else 1.0


def judge_all(mutants, options):
    until = None if options.all else (
        time.monotonic() + 60 * options.minutes)
    copies = queue.Queue()
    for number in range(options.jobs):
        copy = Copy(number, os.environ.get("CC", "cc"))
        if copy.make() != 0:
            sys.exit(f"mutation: {copy.root} as it is does not build")
        copies.put(copy)

    def judge(mutant):
        if until is not None and time.monotonic() > until:
            return "not judged"
        copy = copies.get()
        try:
            return copy.judge(mutant)
        finally:
            copies.put(copy)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutant, killer in zip(mutants, pool.map(judge, mutants)):
            if killer == "not judged":
                continue
            word = f"killed by {killer}" if killer else "SURVIVED"
            print(f"{mutant.path}:{mutant.line}: {word}: "
                  f"{mutant.name.split(': ', 1)[1]}", flush=True)
            yield mutant, killer


def main():
    options = parse_options()
    mutants = choose(options)
    print(f"{len(mutants)} mutants, seed {options.seed}", flush=True)
    verdicts = list(judge_all(mutants, options))
    shutil.rmtree(COPIES, ignore_errors=True)
    killed, total, part = share(verdicts)
    print(f"{killed} of {total} killed ({part:.1%})")
    if not options.all:
        return 0 if part >= SAMPLE_AIM else 1
    killed, total, part = share(verdicts, lambda p: matches(p, STRICT))
    print(f"{killed} of {total} killed ({part:.1%}) where it is strict")
    unexplained = {m.name for m, killer in verdicts if killer is None
                   and matches(m.path, STRICT)} - mutate.explanations()
    for name in sorted(unexplained):
        print(f"unexplained: {name}")
    return 1 if unexplained or part < STRICT_AIM else 0


if __name__ == "__main__":
    sys.exit(main())
