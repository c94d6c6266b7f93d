"""What signatures cost, counted by callgrind in the real daemon.

Instructions, not time: the same on every run and on a loaded machine.
"""
import json
import os
import re
import shutil
import subprocess
import time

import harness

# The bare signature, as `openssl speed` makes it.
BARE = ("EVP_PKEY_sign", "EVP_DigestSign")
DEPTH = 32


def obstacle():
    """Why it cannot be counted here; None: it can."""
    for tool in ("valgrind", "vgdb", "callgrind_annotate"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (package valgrind)"
    with open(os.path.join(harness.BUILD, "jwksd"), "rb") as f:
        program = f.read()
    if re.search(rb"__[at]san_init", program):
        return "a sanitizer's build does not run under valgrind"
    if b"clang version" in program:
        return "Debian 12's valgrind cannot read what clang says of its code"
    return None


def claims():
    """Those of tests/tools/sign-load.c: some 430 octets of a call."""
    return {
        "iss": "https://session.example.com", "sub": "user-0123456789abcdef",
        "aud": ["https://api.example.com", "https://files.example.com"],
        "client_id": "web", "jti": "4f1c2c5e-6f0d-4a44-9a35-0d1c4b7f8e11",
        "auth_time": 1796083200, "scope": "openid profile email",
        "sid": "b1946ac92492d2347c6235b4d2611184",
        "roles": ["reader", "writer"], "exp": int(time.time()) + 1200}


def call():
    return json.dumps({
        "method": "org.jwksd.sign.Sign", "parameters": {
            "type": "at+jwt", "claims": claims()}},
        separators=(",", ":")).encode() + b"\0"


def sign(client, batches):
    for _ in range(batches):
        client.send_bytes(call() * DEPTH)
        for _ in range(DEPTH):
            client.reply()


def tell(daemon, command):
    subprocess.run(["vgdb", f"--pid={daemon.pid}", command], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


def inclusive(path):
    """{function: instructions with all that it called}, and of them all."""
    text = subprocess.run(
        ["callgrind_annotate", "--inclusive=yes", "--threshold=100", path],
        capture_output=True, text=True, check=True).stdout
    found, total = {}, 0
    for line in text.splitlines():
        match = re.match(r"\s*([\d,]+) \([ \d.]+%\)\s+(.*)", line)
        if not match:
            continue
        number = int(match.group(1).replace(",", ""))
        if "PROGRAM TOTALS" in line:
            total = number
            continue
        name = re.match(r"\S+?:(\w+)", match.group(2))
        if name:
            found[name.group(1)] = max(number, found.get(name.group(1), 0))
    return found, total


def measure(algorithm, batches=8):
    """(instructions beside the bare signature, that one's) of a call."""
    with harness.Daemon(
            policy={"rotation_period": "90d", "algorithm": algorithm},
            wrapper=["valgrind", "--tool=callgrind", "-q",
                     "--callgrind-out-file=callgrind.out"]) as daemon:
        client = harness.Varlink(
            f"{daemon.runtime}/sign.sock", "org.jwksd.sign", 60)
        sign(client, 2)
        tell(daemon, "zero")
        sign(client, batches)
        tell(daemon, "dump")
        client.close()
        path = os.path.join(daemon.directory, "callgrind.out.1")
        found, total = inclusive(path)
    count = batches * DEPTH
    bare = max(found.get(name, 0) for name in BARE)
    assert bare > 0, "no signature was seen"
    return (total - bare) / count, bare / count
