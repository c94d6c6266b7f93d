"""What a process is started with, and what happens around it."""
import os
import re
import resource
import signal
import subprocess
import sys
import time
import unittest

import harness

CLOSED = [sys.executable, "-c", """
import os, sys
for fd in (0, 1, 2):
    os.close(fd)
os.execv(sys.argv[1], sys.argv[1:])
"""]

# As process 1 of a container: orphans become its children.
ADOPTER = [sys.executable, "-c", """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if os.fork() == 0:
    for _ in range(3):
        if os.fork() == 0:
            time.sleep(1.5)
            os._exit(0)
    os._exit(0)
os.wait()
os.execv(sys.argv[1], sys.argv[1:])
"""]


def ignored(pid):
    mask = re.search(r"^SigIgn:\s*(\w+)", harness.read_proc(pid, "status"),
                     re.M).group(1)
    return {s for s in signal.Signals if int(mask, 16) >> (s - 1) & 1}


def blocked(pid):
    return int(re.search(r"^SigBlk:\s*(\w+)",
                         harness.read_proc(pid, "status"), re.M).group(1), 16)


class Surroundings(unittest.TestCase):
    def test_standard_descriptors_are_open(self):
        with harness.Daemon(wrapper=CLOSED) as daemon:
            for pid in [daemon.pid, *daemon.front_pids()]:
                found = harness.descriptors(pid)
                for fd in (0, 1, 2):
                    self.assertEqual(found[fd], "/dev/null", found)

    def test_standard_descriptors_of_jwksctl(self):
        with harness.Daemon() as daemon:
            # Its first descriptor is the connection: were that number 1, the
            # table would go to the daemon, which ends such a connection.
            done = subprocess.run(
                [*CLOSED, os.path.join(harness.BUILD, "jwksctl"), "--socket",
                 daemon.control, "list"], timeout=20 * harness.SLOW)
            self.assertEqual(done.returncode, 0)
            self.assertNotIn("not a call", daemon.log())

    def test_a_limit_of_file_sizes_ends_nobody(self):
        with harness.Daemon(policy=harness.FAST) as daemon:
            for pid in [daemon.pid, *daemon.front_pids()]:
                self.assertLessEqual({signal.SIGPIPE, signal.SIGXFSZ},
                                     ignored(pid), harness.command_line(pid))
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (4096, -1))
            with self.assertRaises(harness.VarlinkError):
                for i in range(50):
                    daemon.call("AddKeySet", {"name": f"set{i}"})
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (-1, -1))
            harness.wait_until(lambda: daemon.call("Status"), 10)
            self.assertIsNone(daemon.process.poll())

    def test_what_the_parent_had_is_put_right(self):
        """A parent that ignores SIGCHLD, and blocks everything."""
        odd = [sys.executable, "-c", """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 65))
os.execv(sys.argv[1], sys.argv[1:])
"""]
        with harness.Daemon(wrapper=odd) as daemon:
            self.assertEqual(blocked(daemon.pid), 0)
            front = next(p for p in daemon.front_pids()
                         if harness.status_of(p)[1] == daemon.pid)
            os.kill(front, signal.SIGKILL)
            harness.wait_until(lambda: any(
                p != front and harness.status_of(p)[1] == daemon.pid
                for p in daemon.front_pids()), 10, "no other front")

    def test_orphans_are_reaped(self):
        with harness.Daemon(wrapper=ADOPTER) as daemon:
            def children(state):
                return [p for p in harness.all_pids()
                        if harness.status_of(p)[1] == daemon.pid
                        and state(harness.status_of(p)[0])]
            time.sleep(2 * harness.SLOW)
            harness.wait_until(lambda: not children(lambda s: s == "Z"), 3,
                               "children that have ended stay")
            self.assertEqual(daemon.get().status, 200)
            self.assertEqual(len(children(lambda s: s != "Z")), 1)


if __name__ == "__main__":
    unittest.main()
