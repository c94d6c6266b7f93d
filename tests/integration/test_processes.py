"""What the processes of a running daemon have at hand, and no more."""
import os
import re
import stat
import subprocess
import unittest

import harness

FRONT = os.path.join(harness.BUILD, "jwksd-http")
KEEPER = os.path.join(harness.BUILD, "jwksd")
CTL = os.path.join(harness.BUILD, "jwksctl")


def libraries(program):
    """The names of the libraries that a program needs, with theirs."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True,
                          check=True).stdout
    return {line.split()[0] for line in text.splitlines() if line.split()}


def having(names, *stems):
    return sorted(n for n in names if n.startswith(stems))


class Links(unittest.TestCase):
    def test_front_links_neither_keys_nor_database(self):
        self.assertEqual(
            having(libraries(FRONT), "libsqlite", "libssl", "libcrypto"), [])

    def test_keeper_links_no_http(self):
        self.assertEqual(
            having(libraries(KEEPER), "libevent_extra", "libevent-",
                   "libssl"), [])

    def test_ctl_links_no_key_no_database_no_loop(self):
        self.assertEqual(
            having(libraries(CTL), "libsqlite", "libcrypto", "libssl",
                   "libevent"), [])


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(wrapper=[])
        cls.enterClassContext(cls.daemon)
        cls.fronts = cls.daemon.front_pids()

    def inet(self, pid):
        known = harness.inet_sockets()
        return [known[inode] for inode in harness.socket_inodes(pid)
                if inode in known]

    def test_there_is_a_front(self):
        self.assertTrue(self.fronts)

    def test_front_maps_neither_keys_nor_database(self):
        for pid in self.fronts:
            mapped = harness.mapped_libraries(pid)
            self.assertTrue(having(mapped, "libc."), mapped)
            self.assertEqual(
                having(mapped, "libcrypto", "libssl", "libsqlite"), [])

    def test_keeper_has_no_inet_socket_but_the_listening_one(self):
        self.daemon.get()
        for _, port, state in self.inet(self.daemon.pid):
            self.assertEqual((port, state), (self.daemon.port, "0A"))

    def test_front_has_no_inet_socket_but_the_listening_one(self):
        held = [s for pid in self.fronts for s in self.inet(pid)
                if s[2] == "0A"]
        self.assertTrue(held)
        self.assertEqual({port for _, port, _ in held}, {self.daemon.port})

    def test_front_has_no_file_but_what_it_needs(self):
        harmless = re.compile(
            r"socket:\[|pipe:\[|anon_inode:\[?(eventpoll|eventfd|signalfd"
            r"|timerfd)|/dev/(null|urandom)|" + re.escape(self.daemon.log_file))
        for pid in self.fronts:
            held = harness.descriptors(pid)
            strange = {n: what for n, what in held.items()
                       if not harmless.match(what)}
            self.assertEqual(strange, {})
            self.assertLess(len(held), 24, held)

    def test_front_shares_no_socket_of_operators(self):
        operators = set()
        with open("/proc/net/unix") as f:
            for line in f:
                words = line.split()
                # Bound under another name and then moved: hence "in".
                if len(words) > 7 and words[3] == "00010000" and any(
                        self.daemon.runtime + name in words[7]
                        for name in ("/control.sock", "/sign.sock")):
                    operators.add(words[6])
        self.assertTrue(operators)
        for pid in self.fronts:
            self.assertEqual(operators & harness.socket_inodes(pid), set())

    def test_front_has_a_clean_environment(self):
        for pid in self.fronts:
            names = {entry.partition("=")[0] for entry in
                     harness.read_proc(pid, "environ").split("\0") if entry}
            self.assertEqual(
                names & {"TMPDIR", "PATH", "HOME", "JWKSD_TEST_ID", "USER"},
                set())

    def test_only_its_owner_reads_keys_and_database(self):
        for name in os.listdir(self.daemon.state):
            mode = os.stat(os.path.join(self.daemon.state, name)).st_mode
            self.assertEqual(stat.S_IMODE(mode) & 0o077, 0, name)

    def test_sockets_are_closed_to_others(self):
        for path in (self.daemon.control, self.daemon.publish):
            info = os.stat(path)
            self.assertTrue(stat.S_ISSOCK(info.st_mode), path)
            self.assertEqual(stat.S_IMODE(info.st_mode) & 0o007, 0, path)


if __name__ == "__main__":
    unittest.main()
