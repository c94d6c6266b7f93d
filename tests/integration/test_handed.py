"""Sockets that are handed over are what they are to be, or it is said."""
import os
import socket
import subprocess
import unittest

import handed
import harness


class Keeper(handed.Case):
    def test_right_ones_are_served(self):
        process = self.begin("jwksd", self.three())
        harness.wait_until(self.is_ready, 20)
        self.assertNotIn("handed over", self.daemon.log())
        self.end(process)
        self.assertTrue(os.path.exists(self.daemon.control),
                        "the file of a socket of the service manager is gone")

    def test_a_wrong_one_is_refused_with_its_name(self):
        directory = self.daemon.directory
        wrong = {
            "datagram": self.listen(f"{directory}/1", kind=socket.SOCK_DGRAM,
                                    listens=False),
            "silent": self.listen(f"{directory}/2", listens=False),
            "packets": self.listen(f"{directory}/3",
                                   kind=socket.SOCK_SEQPACKET),
            "inet": self.listen(("127.0.0.1", 0), family=socket.AF_INET),
            "file": open(self.daemon.config_file),
        }
        self.addCleanup(wrong["file"].close)
        three = self.three()
        for name in ("control", "sign"):
            for kind, sock in wrong.items():
                with self.subTest(name=name, kind=kind):
                    start = len(self.daemon.log())
                    process = self.begin("jwksd", [
                        (n, sock if n == name else s) for n, s in three])
                    self.ends(process, 78)
                    log = self.daemon.log(start)
                    self.assertIn(f'"{name}" is not a listening', log)
                    self.assertIn(f"FileDescriptorName={name}", log)
                    for mark in os.listdir(self.marks):
                        os.unlink(os.path.join(self.marks, mark))

    def test_unknown_and_missing_names_are_logged(self):
        three = self.three()
        other = self.listen(f"{self.daemon.directory}/other")
        process = self.begin("jwksd", three[:2] + [("singing", other)])
        harness.wait_until(lambda: "handed over, though" in self.daemon.log(),
                           20)
        log = self.daemon.log()
        self.assertIn('"singing" was handed over and is not used', log)
        self.assertIn('no socket named "sign" was handed over', log)
        process.kill()

    def test_what_failed_is_named(self):
        """LISTEN_FDS that says more than there is."""
        done = subprocess.run(
            ["sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=2 '
             'LISTEN_FDNAMES=a:lost; exec "$0" --config "$1" 3>&- 4>&-',
             os.path.join(harness.BUILD, "jwksd"), self.daemon.config_file],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=20)
        self.assertEqual(done.returncode, 74, done.stderr)
        self.assertIn("LISTEN_FDS", done.stderr)
        self.assertNotIn("input or output failed", done.stderr)


class Front(handed.Case):
    def test_a_wrong_one_is_refused_with_its_name(self):
        udp = self.listen(("127.0.0.1", 0), family=socket.AF_INET,
                          kind=socket.SOCK_DGRAM, listens=False)
        silent = self.listen(("127.0.0.1", 0), family=socket.AF_INET,
                             listens=False)
        for sock in (udp, silent):
            start = len(self.daemon.log())
            self.ends(self.begin("jwksd-http", [("http", sock)]), 78)
            self.assertIn('"http" is not a listening', self.daemon.log(start))

    def test_unknown_names_are_logged(self):
        http = self.listen(("127.0.0.1", self.daemon.port),
                           family=socket.AF_INET)
        other = self.listen(f"{self.daemon.directory}/other")
        process = self.begin("jwksd-http", [("http", http), ("web", other)])
        harness.wait_until(lambda: '"web" was handed over' in
                           self.daemon.log(), 10)
        self.end(process)


class NoRoom(unittest.TestCase):
    def test_a_full_disk_at_start_has_a_status_of_its_own(self):
        """Each of what a first start makes."""
        for what in ("state", "run"):
            with self.subTest(what), harness.Daemon(start=False) as daemon:
                self.full(daemon, os.path.join(daemon.directory, what))

    def full(self, daemon, directory):
        script = ('mount -t tmpfs -o size=4k,nr_inodes=%d none "$1" && '
                  'chmod 700 "$1" && exec "$2" --config "$3"')
        for inodes in (1, 2):
            done = subprocess.run(
                ["unshare", "-m", "--propagation", "private", "sh", "-c",
                 script % inodes, "sh", directory,
                 os.path.join(harness.BUILD, "jwksd"), daemon.config_file],
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=20 * harness.SLOW)
            if "ermi" in done.stderr.partition("\n")[0]:
                self.skipTest("it takes the right to mount")
            self.assertEqual(done.returncode, 73, (inodes, done.stderr))
            self.assertIn(directory, done.stderr)


if __name__ == "__main__":
    unittest.main()
