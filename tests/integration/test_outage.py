"""The outage rule on the real programs: whatever keeps verifiers from reading
the set again makes the waits of published keys start anew; nothing else does."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

import case
import harness
from case import IPUB

GRACE = 10

# Takes the place of systemd: descriptors from 3 on, then the program.
AS_SYSTEMD = """
import os, sys
count = int(sys.argv[1])
high = [os.dup(int(fd)) for fd in sys.argv[3:3 + count]]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()),
                  LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3 + count], sys.argv[3 + count:])
"""


class Case(case.Case):
    def setUp(self):
        super().setUp()
        self.waiting()

    def waiting(self):
        """A key that has waited for two seconds, and whose wait counts."""
        self.call("Rotate")
        self.third = self.wait_state(3, "published")
        time.sleep(2)

    def outages(self):
        return [r for r in self.audit() if r["event"] == "outage"]

    def check_no_outage(self):
        time.sleep(0.3)
        self.assertEqual(self.key(3)["readyAt"], self.third["readyAt"])
        self.assertEqual(self.outages(), [])

    def check_outage(self, resumed):
        """`resumed` seconds since the epoch, as closely as a test knows."""
        harness.wait_until(
            lambda: self.key(3)["readyAt"] != self.third["readyAt"], 5,
            "the wait did not start anew")
        again = self.key(3)["readyAt"] - IPUB
        self.assertLessEqual(abs(again - resumed), 2 * harness.SLOW)
        self.assertEqual(len(self.outages()), 1)
        self.assertEqual(self.key(3)["publishedAt"],
                         self.third["publishedAt"])

    def kill_fronts(self):
        fronts = self.daemon.front_pids()
        for pid in fronts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        harness.wait_until(lambda: not [p for p in fronts
                                        if harness.alive(p)])


class Keeper(Case):
    def test_the_front_serves_on_while_the_keeper_is_away(self):
        self.daemon.kill9()
        body = self.daemon.get().json()
        time.sleep(GRACE + 2)
        self.assertEqual(self.daemon.get().json(), body)
        self.daemon.start()
        self.check_no_outage()

    def test_again_and_again(self):
        for _ in range(3):
            self.daemon.kill9()
            self.daemon.start()
        self.check_no_outage()

    def test_both_die(self):
        self.daemon.kill9()
        self.kill_fronts()
        self.daemon.start()
        self.check_outage(time.time())

    def test_stop_and_start(self):
        self.daemon.stop()
        self.daemon.start()
        self.check_outage(time.time())

    def test_an_outage_is_recorded_once(self):
        self.daemon.restart()
        self.check_outage(time.time())
        after = self.key(3)["readyAt"]
        time.sleep(1.5)
        self.daemon.kill9()
        self.daemon.start()
        time.sleep(0.3)
        self.assertEqual(self.key(3)["readyAt"], after)
        self.assertEqual(len(self.outages()), 1)

    def test_only_keys_that_wait_are_touched(self):
        before = {n: self.key(n) for n in (1, 2)}
        self.daemon.restart()
        self.check_outage(time.time())
        self.assertEqual({n: self.key(n) for n in (1, 2)}, before)


class Front(Case):
    def test_it_dies_and_comes_back(self):
        self.kill_fronts()
        harness.wait_until(self.daemon.is_ready, 5)
        self.check_no_outage()

    def test_one_that_is_away_for_long(self):
        self.away(GRACE + 3)

    def test_one_that_is_away_for_long_after_a_hand_over(self):
        """The start that the earlier front told is not this one's."""
        self.daemon.kill9()
        self.daemon.start()
        self.check_no_outage()
        self.away(GRACE + 3)

    def away(self, seconds):
        """The program is another one for a while: it cannot start."""
        with self.without_front():
            self.kill_fronts()
            time.sleep(seconds)
        harness.wait_until(self.daemon.is_ready, 15)
        self.check_outage(time.time())

    @contextlib.contextmanager
    def without_front(self):
        path = os.path.join(os.path.dirname(os.readlink(
            f"/proc/{self.daemon.pid}/exe")), "jwksd-http")
        os.rename(path, path + ".away")
        try:
            yield
        finally:
            os.rename(path + ".away", path)

    def setUp(self):
        """Programs of our own: others run the same ones."""
        build = harness.tempfile.mkdtemp(prefix="b")
        self.addCleanup(shutil.rmtree, build)
        for name in ("jwksd", "jwksd-http"):
            shutil.copy(os.path.join(harness.BUILD, name), build)
        outer, harness.BUILD = harness.BUILD, build
        self.addCleanup(setattr, harness, "BUILD", outer)
        super().setUp()


class Managed(Case):
    """As systemd runs them: two services, and sockets that outlive both."""

    def setUp(self):
        self.daemon = harness.Daemon(start=False)
        self.enterContext(self.daemon)
        self.services = {}
        self.addCleanup(self.end_all)
        self.sockets = {
            "control": self.listen(socket.AF_UNIX, self.daemon.control),
            "publish": self.listen(socket.AF_UNIX, self.daemon.publish),
            "http": self.listen(socket.AF_INET,
                                ("127.0.0.1", self.daemon.port))}
        self.begin("jwksd", "control", "publish")
        self.begin("jwksd-http", "http")
        harness.wait_until(self.ready, 20)
        self.waiting()

    def listen(self, family, address):
        sock = socket.socket(family)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)
        return sock

    def begin(self, program, *names):
        fds = [str(self.sockets[n].fileno()) for n in names]
        with open(self.daemon.log_file, "ab") as log:
            self.services[program] = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, str(len(fds)),
                 ":".join(names), *fds,
                 os.path.join(harness.BUILD, program), "--config",
                 self.daemon.config_file], pass_fds=[int(fd) for fd in fds],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, program):
        service = self.services.pop(program)
        service.terminate()
        self.assertEqual(service.wait(10 * harness.SLOW), 0)

    def crash(self, program):
        service = self.services.pop(program)
        service.kill()
        service.wait()

    def end_all(self):
        for service in self.services.values():
            service.terminate()
            try:
                service.wait(10 * harness.SLOW)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait()

    def ready(self):
        for service in self.services.values():
            self.assertIsNone(service.poll(), self.daemon.log())
        status = self.call("Status")
        return status["ready"] and status["fronts"] and \
            self.daemon.get().status == 200

    def back(self, *programs):
        for program in programs:
            self.begin(program, *(["http"] if program == "jwksd-http"
                                  else ["control", "publish"]))
        harness.wait_until(self.ready, 15)

    def test_the_keeper_restarts(self):
        self.end("jwksd")
        self.assertEqual(self.daemon.get().status, 200)
        self.back("jwksd")
        self.check_no_outage()

    def test_the_keeper_crashes(self):
        self.crash("jwksd")
        self.back("jwksd")
        self.check_no_outage()

    def test_the_front_restarts(self):
        self.end("jwksd-http")
        time.sleep(1)
        self.back("jwksd-http")
        self.check_no_outage()

    def test_both_restart(self):
        for order in ("jwksd", "jwksd-http"), ("jwksd-http", "jwksd"):
            for program in order:
                self.end(program)
            self.back(*order)
            self.check_no_outage()

    def test_a_request_waits_meanwhile(self):
        """The backlog of the socket that stays open: nobody is refused."""
        self.end("jwksd-http")
        self.end("jwksd")
        client = socket.create_connection(("127.0.0.1", self.daemon.port), 10)
        with client:
            client.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\n"
                           b"Host: x\r\nConnection: close\r\n\r\n")
            self.back("jwksd", "jwksd-http")
            self.assertIn(client.recv(64)[:12],
                          (b"HTTP/1.1 200", b"HTTP/1.1 500"))
        self.check_no_outage()

    def test_the_front_is_away_for_long(self):
        self.end("jwksd-http")
        time.sleep(GRACE + 2)
        self.back("jwksd-http")
        self.check_outage(time.time())

    def test_both_are_away_for_long(self):
        self.end("jwksd-http")
        self.end("jwksd")
        time.sleep(GRACE + 2)
        self.back("jwksd", "jwksd-http")
        self.check_outage(time.time())

    def test_both_crash(self):
        """Nobody saw when the front went: it counts as an outage."""
        self.crash("jwksd")
        self.crash("jwksd-http")
        self.back("jwksd", "jwksd-http")
        self.check_outage(time.time())


if __name__ == "__main__":
    unittest.main()
