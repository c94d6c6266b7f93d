"""A daemon whose state directory is a small disk of its own, to be filled."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import case
import harness
from harness import Varlink, VarlinkError

MIB = 1 << 20
BALLAST = 512 * 1024
# Nothing comes due by itself, and a key may sign for as long as is wanted.
POLICY = {**case.CALM, "token_max_ttl": "1h", "rotation_period": "30d",
          "rollback_window": "10min"}

MOUNT = """
mount -t tmpfs -o size=%d,mode=700 none "$1" && echo mounted && read end
"""


class Case(case.Case):
    policy = POLICY
    size = 2 * MIB

    def setUp(self):
        self.daemon = harness.Daemon(policy=self.policy, start=False,
                                     common_check=False)
        self.enterContext(self.daemon)
        self.hold_disk()
        self.daemon.wrapper = ["nsenter", "-m", "-t", str(self.holder.pid),
                               *harness.WRAPPER]
        self.outside = self.daemon.state
        self.start()
        self.filling = f"{self.daemon.state}/filling"
        harness.wait_until(lambda: self.reserve() == BALLAST, 10,
                           "there is no reserve")

    def start(self):
        self.daemon.state = self.outside
        self.daemon.start()
        # For those who look at its files, not for the configuration.
        self.daemon.state = f"/proc/{self.holder.pid}/root{self.outside}"

    def restart(self):
        """After a crash."""
        self.daemon.kill9()
        self.start()

    def hold_disk(self):
        """A process whose mounts have the disk, for every start."""
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             MOUNT % self.size, "sh", self.daemon.state],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.let_go)
        if self.holder.stdout.readline() != "mounted\n":
            self.skipTest("it takes the right to mount")

    def let_go(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait()

    def reserve(self):
        with contextlib.suppress(FileNotFoundError):
            return os.stat(f"{self.daemon.state}/jwksd.db.ballast").st_size
        return 0

    def fill(self, leave=0):
        """To the last octet, but for `leave`."""
        with open(self.filling, "ab", buffering=0) as f:
            for size in (65536, 4096, 1):
                while self.left() - leave >= size or leave == 0:
                    try:
                        f.write(b"\1" * size)
                    except OSError:
                        break

    def left(self):
        disk = os.statvfs(self.daemon.state)
        return disk.f_bavail * disk.f_frsize

    def make_room(self):
        os.unlink(self.filling)

    def sign(self, life, key_set="default"):
        path = os.path.join(self.daemon.runtime, "sign.sock")
        with Varlink(path) as client:
            return client.call("org.jwksd.sign.Sign", {
                "keySet": key_set, "claims": {"exp": int(time.time()) + life}})

    def error(self, method, **parameters):
        with self.assertRaises(VarlinkError) as caught:
            self.call(method, **parameters)
        return caught.exception.short

    def warns(self, *words):
        return [w for w in self.warnings() if all(x in w for x in words)]
