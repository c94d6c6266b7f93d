#!/usr/bin/python3
"""Debian's `jose`: it verifies one signature by one file of keys."""
import json
import os
import subprocess
import tempfile

import lines

with tempfile.TemporaryDirectory(prefix="jose") as directory:
    token_path, keys_path = (os.path.join(directory, n) for n in "tk")

    def refresh():
        with open(keys_path, "w") as f:
            f.write(lines.fetch())
        return "another fetch into the file"

    def verify(token):
        if not os.path.exists(keys_path):
            refresh()
        with open(token_path, "w") as f:
            f.write(token)
        result = subprocess.run(
            ["jose", "jws", "ver", "-i", token_path, "-k", keys_path, "-O",
             "-"], capture_output=True, text=True)
        if result.returncode != 0:
            raise ValueError(result.stderr.strip() or "no key verifies it")
        return json.loads(result.stdout)

    lines.serve(verify, refresh, ValueError)
