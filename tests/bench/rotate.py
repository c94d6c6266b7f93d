#!/usr/bin/python3
"""From a committed rotation to the new JWKSet at the URL: under 100 ms."""
import contextlib
import http.client
import json
import sys
import time

import _figures
import harness

AIM, RUNS = 0.100, 60
# Retired keys leave after a second, so that the set never fills up.
POLICY = {**harness.FAST, "rotation_period": "30d"}


def standby(daemon):
    """A rotation needs one that is published."""
    return any(k["state"] in ("published", "ready") for k in daemon.keys())


def first_kid(url):
    url.request("GET", harness.JWKS_PATH)
    return json.loads(url.getresponse().read())["keys"][0]["kid"]


def measure(daemon, control, url):
    """Seconds from the call, and from its reply, to the new first key."""
    harness.wait_until(lambda: standby(daemon), 20)
    asked = time.perf_counter()
    kid = control.call("Rotate", {"now": True})["activated"]["kid"]
    answered = time.perf_counter()
    while first_kid(url) != kid:
        pass
    seen = time.perf_counter()
    return seen - asked, seen - answered


def main():
    with harness.Daemon(policy=POLICY) as daemon, \
            daemon.connect() as control, contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", daemon.port)) as url:
        pairs = [measure(daemon, control, url) for _ in range(RUNS)]
    whole, after = zip(*pairs)
    _figures.table("Rotate to the new JWKSet", {
        "from before the call (commit included)": whole,
        "from its reply": after})
    return _figures.judge("a rotation at the URL", whole, AIM)


if __name__ == "__main__":
    sys.exit(main())
