#!/usr/bin/python3
"""Signatures a second through the socket, beside `openssl speed` on the same
cores in the same run: alternating runs, medians.  Numbers, and the aims."""
import contextlib
import http.client
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time

import _figures
import harness

LOAD = os.path.join(harness.BUILD, "tools/sign-load")
RUNS, SECONDS = 5, 2
CORES = sorted(os.sched_getaffinity(0))
POLICY = {"rotation_period": "90d"}
ALGORITHMS = {  # name: (openssl speed's name, aim of one core, policy)
    "RS256": ("rsa2048", 0.95, {"algorithm": "RS256"}),
    "EdDSA": ("ed25519", 0.90, {"algorithm": "EdDSA"}),
    "ES256": ("ecdsap256", 0.80, {"algorithm": "ES256"}),
}


def pinned(cores):
    return ["taskset", "-c", ",".join(str(core) for core in cores)]


def openssl_speed(name):
    """Signatures a second on the first core, by the clock on the wall."""
    text = subprocess.run(
        [*pinned(CORES[:1]), "openssl", "speed", "-elapsed", "-seconds",
         str(SECONDS), name], capture_output=True, text=True,
        check=True).stdout
    line = text.strip().splitlines()[-1].split()
    numbers = [float(word) for word in line
               if re.fullmatch(r"[\d.]+", word)]
    return numbers[-2]


def load(daemon, cores, connections, depth, rate=None, seconds=SECONDS):
    """(signatures a second, ms in the median, 99 %, largest)."""
    words = [*pinned(cores), LOAD, f"{daemon.runtime}/sign.sock",
             str(connections), str(depth), str(seconds)]
    if rate:
        words.append(str(rate))
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return [float(word) for word in result.stdout.split()]


def verdict(name, value, aim, good, unit=""):
    print(f"{'ok  ' if good else 'MISS'} {name}: {value:.2f}{unit}; "
          f"the aim is {aim:g}{unit}", flush=True)
    return 0 if good else 1


def processor_seconds(pid):
    words = harness.read_proc(pid, "stat").rpartition(")")[2].split()
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")


def ratio(daemon, cores, connections, depth, name):
    """Median of the pairs, each measured one after the other."""
    pairs, own = [], []
    for _ in range(RUNS):
        bare = openssl_speed(name)
        before = processor_seconds(daemon.pid)
        through = load(daemon, CORES[-1:], connections, depth)[0]
        spent = processor_seconds(daemon.pid) - before
        own.append(through * SECONDS / spent)
        pairs.append((through, bare))
    print(f"     {name}: {statistics.median(own):.0f} a second of jwksd's "
          "own processor time")
    shown = ", ".join(f"{a:.0f}/{b:.0f}" for a, b in pairs)
    print(f"     {name}, {connections} connections {depth} deep, "
          f"{len(cores)} cores, jwksd/openssl: {shown}")
    return statistics.median(a / b for a, b in pairs)


def one_core(name):
    speed, aim, policy = ALGORITHMS[name]
    with harness.Daemon(policy={**POLICY, **policy},
                        wrapper=pinned(CORES[:1])) as daemon:
        value = ratio(daemon, CORES[:1], 1, 32, speed)
        missed = verdict(f"one core, one connection, {name}", value, aim,
                         value >= aim, " of openssl speed")
    return missed


def half_load(daemon, name):
    most = load(daemon, CORES[-1:], 4, 16)[0]
    late = [load(daemon, CORES[-1:], 16, 1, rate=most / 2)[2]
            for _ in range(RUNS)]
    value = statistics.median(late)
    return verdict(f"99 % at half load ({most / 2:.0f}/s), {name}", value, 2,
                   value <= 2, " ms")


def others(daemon, name):
    """GET and Status while signing is saturated."""
    with subprocess.Popen(
            [LOAD, f"{daemon.runtime}/sign.sock", "16", "32", "6"],
            stdout=subprocess.DEVNULL) as busy:
        time.sleep(1)
        gets, states = [], []
        with daemon.connect() as control, contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", daemon.port)) as url:
            while busy.poll() is None and len(gets) < 400:
                begun = time.perf_counter()
                control.call("Status")
                between = time.perf_counter()
                url.request("GET", harness.JWKS_PATH)
                url.getresponse().read()
                states.append(between - begun)
                gets.append(time.perf_counter() - between)
                time.sleep(0.005)
        busy.terminate()
    _figures.table(f"while {name} is saturated", {
        "Status": states, "GET": gets})
    return (_figures.judge("Status", states, 0.010)
            + _figures.judge("GET", gets, 0.010))


def all_cores(name):
    speed, _, policy = ALGORITHMS[name]
    with harness.Daemon(policy={**POLICY, **policy},
                        wrapper=pinned(CORES)) as daemon:
        missed = 0
        if name == "RS256" and len(CORES) > 1:
            value = ratio(daemon, CORES, 16, 4, speed)
            missed += verdict("all cores, 16 connections, RS256", value, 1.6,
                              value >= 1.6, " of one core's openssl speed")
        return missed + half_load(daemon, name) + others(daemon, name)


def memory(pid):
    text = harness.read_proc(pid, "status")
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024


def idle():
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with harness.Daemon(policy=POLICY) as daemon:
        before = memory(daemon.pid)
        clients = []
        for _ in range(10000):
            client = socket.socket(socket.AF_UNIX)
            client.connect(f"{daemon.runtime}/sign.sock")
            clients.append(client)
        load(daemon, CORES, 1, 1, seconds=3)
        value = memory(daemon.pid) - before
        for client in clients:
            client.close()
    return verdict("10,000 idle connections", value, 40, value <= 40, " MB")


def main():
    missed = 0
    for name in ALGORITHMS:
        missed += one_core(name)
    for name in ALGORITHMS:
        missed += all_cores(name)
    missed += idle()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
