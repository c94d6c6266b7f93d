"""Programs that sockets are handed to, without a service manager."""
import os
import signal
import socket
import subprocess
import sys
import unittest

import harness

# Takes the place of systemd: descriptors from 3 on, then the program.
AS_SYSTEMD = """
import os, sys
count = int(sys.argv[1])
high = [os.dup(int(fd)) for fd in sys.argv[3:3 + count]]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.closerange(3 + count, 200)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()),
                  LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3 + count], sys.argv[3 + count:])
"""


class Case(unittest.TestCase):
    """A configuration, the three sockets and the one of the front."""

    def setUp(self):
        self.daemon = harness.Daemon(start=False, policy=harness.FAST)
        self.enterContext(self.daemon)
        self.sign = os.path.join(self.daemon.runtime, "sign.sock")
        self.marks = os.path.join(self.daemon.directory, "marks")
        os.mkdir(self.marks)
        self.processes = []
        self.addCleanup(self.end_all)

    def listen(self, where, family=socket.AF_UNIX, kind=socket.SOCK_STREAM,
               listens=True):
        sock = socket.socket(family, kind)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        if listens:
            sock.listen(128)
        return sock

    def three(self):
        """[(name, socket)] as the socket units have them."""
        return [("control", self.listen(self.daemon.control)),
                ("publish", self.listen(self.daemon.publish)),
                ("sign", self.listen(self.sign))]

    def begin(self, program, sockets, env=None, arguments=()):
        """Start a program with [(name, socket)]."""
        fds = [sock.fileno() for _, sock in sockets]
        manager = [sys.executable, "-c", AS_SYSTEMD, str(len(fds)),
                   ":".join(name for name, _ in sockets), *map(str, fds)]
        with open(self.daemon.log_file, "ab") as log:
            process = subprocess.Popen(
                [*(manager if sockets else []), os.path.join(harness.BUILD, program), "--config",
                 self.daemon.config_file, *arguments],
                pass_fds=fds, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, "RUNTIME_DIRECTORY":
                                 self.marks, **(env or {})})
        self.processes.append(process)
        return process

    def ends(self, process, status, timeout=10):
        self.assertEqual(process.wait(timeout * harness.SLOW), status,
                         self.daemon.log())

    def end(self, process):
        process.terminate()
        self.ends(process, 0)

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()

    def is_ready(self):
        try:
            return self.daemon.call("Status")["ready"]
        except (OSError, EOFError, harness.VarlinkError):
            return False
