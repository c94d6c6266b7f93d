"""The outage rule where a service manager holds the sockets: restarts behind
them are no outage, as long as somebody saw the end of the one before."""
import os
import socket
import subprocess
import sys
import time
import unittest

import harness
import outage
from handed import AS_SYSTEMD
from http_fake import Load


class Managed(outage.Case):
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

    def test_none_is_refused(self):
        """Under load, while each of the two is away and comes back."""
        load = Load(("127.0.0.1", self.daemon.port))
        load.start()
        try:
            harness.wait_until(lambda: load.ok > 10)
            for leave in self.crash, self.end:
                leave("jwksd")
                time.sleep(0.3)
                self.back("jwksd")
            self.end("jwksd-http")
            time.sleep(0.3)
            self.back("jwksd-http")
            self.assertEqual((load.refused, load.cut), (0, 0))
            self.crash("jwksd-http")
            time.sleep(0.3)
            self.back("jwksd-http")
            seen = load.ok
            harness.wait_until(lambda: load.ok > seen + 10)
        finally:
            load.stop()
        self.assertEqual(load.refused, 0)
        self.assertLessEqual(load.cut, 2)

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
        time.sleep(outage.GRACE + 2)
        self.back("jwksd-http")
        self.check_outage(time.time())

    def test_both_are_away_for_long(self):
        self.end("jwksd-http")
        self.end("jwksd")
        time.sleep(outage.GRACE + 2)
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
