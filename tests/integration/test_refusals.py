"""What jwksd refuses to start with: each time clear lines that say what would
be right, an exit status of its own, and nothing changed."""
import contextlib
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import unittest

import harness

JWKSD = os.path.join(harness.BUILD, "jwksd")


def run(*arguments, timeout=20):
    return subprocess.run(
        [*harness.WRAPPER, JWKSD, *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout * harness.SLOW)


class Configuration(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="c")
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = harness.free_port()

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text.format(d=self.directory, port=self.port))
        return path

    def good(self):
        return self.write("c", "[daemon]\nstate_directory = {d}/state\n"
                          "runtime_directory = {d}/run\n"
                          "[http]\nlisten = 127.0.0.1:{port}\n")

    def assert_untouched(self):
        names = {n for n in os.listdir(self.directory)} - {"c", "c.d"}
        self.assertEqual(names, set())
        self.assertEqual(harness.listening_inodes(self.port), set())

    def test_several_mistakes_in_several_files(self):
        main = self.write(
            "c", "[daemon]\nstate_directory = {d}/state\n"
            "runtime_directory = {d}/run\nlog_level = loud\n"
            "[http]\nlisten = 127.0.0.1:{port}\nlisten = nowhere\n"
            "prosesses = 2\n[polizy]\nmode = auto\n")
        first = self.write("c.d/10-a.conf",
                           "[policy]\nrotation_period = 3 fortnights\n"
                           "cache_max_age = 0\nalgorithm = HS256\n")
        second = self.write("c.d/20-b.conf", "garbage\n[policy]\n"
                            "rsa_bits = 1024\n" + "x" * 5000 + " = 1\n")
        self.write("c.d/ignored.txt", "not = read\n")
        for arguments in (["--config", main], ["--config", main, "--check"]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 78, result.stderr)
            lines = result.stderr.splitlines()
            for path, number in ((main, 4), (main, 7), (main, 8), (main, 9),
                                 (first, 2), (first, 3), (first, 4),
                                 (second, 1), (second, 3), (second, 4)):
                self.assertTrue(
                    any(line.startswith(f"{path}:{number}: ")
                        for line in lines),
                    f"nothing about {path}:{number}:\n{result.stderr}")
            for line in lines:
                self.assertRegex(line, r"^\S+:\d+: \S.{9,}")
            self.assertIn("processes", result.stderr)
            self.assertEqual(result.stdout, "")
            self.assert_untouched()

    def test_a_policy_that_breaks_the_promise(self):
        path = self.write("c", "[policy]\nrotation_period = 1d\n")
        result = run("--config", path)
        self.assertEqual(result.returncode, 78)
        self.assertRegex(result.stderr, r"^\S+:\d+: rotation_period is 1d but "
                         "must be longer than 1d 1h 1min")

    def test_check_says_nothing_about_a_good_one(self):
        result = run("--config", self.good(), "--check")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assert_untouched()

    def test_a_file_that_is_not_there(self):
        result = run("--config", f"{self.directory}/absent")
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn(f"{self.directory}/absent", result.stderr)

    def test_usage(self):
        for arguments in (["--frob"], ["extra"], ["--config"]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 64)
            self.assertIn("usage: jwksd", result.stderr)

    def test_group_that_does_not_exist(self):
        path = self.good()
        with open(path, "a") as f:
            f.write("[access]\nadmin_group = nobody-has-this-group\n")
        result = run("--config", path)
        self.assertEqual(result.returncode, 78)
        self.assertIn("nobody-has-this-group", result.stderr)
        self.assert_untouched()

    def test_a_directory_that_cannot_be_made(self):
        path = self.write("c", "[daemon]\nstate_directory = {d}/no/state\n"
                          "runtime_directory = {d}/no/run\n"
                          "[http]\nlisten = 127.0.0.1:{port}\n")
        result = run("--config", path)
        self.assertEqual(result.returncode, 74, result.stderr)
        self.assertIn(f"{self.directory}/no/run", result.stderr)
        self.assert_untouched()

    def test_a_busy_port(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.port = other.getsockname()[1]
            result = run("--config", self.good())
        self.assertEqual(result.returncode, 74, result.stderr)
        self.assertIn(f"127.0.0.1:{self.port}", result.stderr)
        self.assertIn("in use", result.stderr)
        self.assertNotIn("jwksd.db", os.listdir(f"{self.directory}/state"))


class Store(unittest.TestCase):
    """A database that is not to be opened stays as it is."""

    def setUp(self):
        self.daemon = harness.Daemon(wrapper=harness.WRAPPER)
        self.enterContext(self.daemon)
        self.path = os.path.join(self.daemon.state, "jwksd.db")
        self.kek = os.path.join(self.daemon.state, "jwksd.kek")

    def snapshot(self):
        found = {}
        for name in os.listdir(self.daemon.state):
            path = os.path.join(self.daemon.state, name)
            info = os.lstat(path)
            found[name] = (info.st_mode, info.st_ino, None
                           if stat.S_ISLNK(info.st_mode)
                           else harness.read_bytes(path))
        return found

    def assert_refused(self, status, *words):
        before = self.snapshot()
        result = run("--config", self.daemon.config_file)
        self.assertEqual(result.returncode, status, result.stderr)
        lines = [line for line in result.stderr.splitlines()
                 if "cannot be locked" not in line]
        self.assertEqual(len(lines), 2, result.stderr)
        self.assertTrue(lines[0].startswith("jwksd: "), lines)
        self.assertTrue(lines[1].startswith("jwksd: hint: "), lines)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertEqual(self.snapshot(), before)
        return result

    def recover(self, body):
        """With what was wrong put right, everything is there again."""
        self.daemon.start()
        self.assertEqual(self.daemon.get().body, body)

    @contextlib.contextmanager
    def stopped(self):
        body = self.daemon.get().body
        self.daemon.stop()
        shutil.copytree(self.daemon.state, self.daemon.directory + "/good")
        yield
        self.assertEqual(
            harness.listening_inodes(self.daemon.port), set())
        shutil.rmtree(self.daemon.state)
        os.rename(self.daemon.directory + "/good", self.daemon.state)
        self.recover(body)

    def test_a_newer_schema(self):
        with self.stopped():
            with contextlib.closing(sqlite3.connect(self.path)) as db:
                db.execute("PRAGMA user_version = 9999")
            self.assert_refused(78, self.path, "newer")

    def test_the_database_of_another_program(self):
        with self.stopped():
            os.unlink(self.path)
            with contextlib.closing(sqlite3.connect(self.path)) as db:
                db.execute("CREATE TABLE bookmarks (url TEXT)")
                db.execute("PRAGMA application_id = 1234")
            self.assert_refused(65, self.path)

    def test_no_database_at_all(self):
        with self.stopped():
            with open(self.path, "w") as f:
                f.write("Dear diary,\n" * 100)
            self.assert_refused(65, self.path)

    def test_a_symbolic_link(self):
        with self.stopped():
            os.rename(self.path, self.path + ".real")
            os.symlink(self.path + ".real", self.path)
            self.assert_refused(77, self.path, "symbolic link")

    def test_a_damaged_database(self):
        with self.stopped():
            size = os.path.getsize(self.path)
            with open(self.path, "r+b") as f:
                f.seek(4096)
                f.write(os.urandom(size - 4096))
            self.assert_refused(76, self.path)

    def test_files_that_others_may_write(self):
        with self.stopped():
            for suffix in ("", "-wal", ".lock"):
                for mode in (0o620, 0o602):
                    path = self.path + suffix
                    new = not os.path.exists(path)
                    if new:
                        open(path, "w").close()
                    os.chmod(path, mode)
                    self.assert_refused(77, f"{path}: others", "chmod go-w")
                    os.chmod(path, 0o600)
                    if new:
                        os.unlink(path)

    @unittest.skipIf(os.getuid() != 0, "only root can give files away")
    def test_a_file_of_another_user(self):
        with self.stopped():
            os.chown(self.path, 65534, -1)
            self.assert_refused(77, f"{self.path}: others", "chown")

    def test_a_directory_of_the_database_that_others_may_write(self):
        for mode in (0o770, 0o707, 0o1777):
            directory = f"{self.daemon.directory}/shared"
            os.makedirs(directory, exist_ok=True)
            os.chmod(directory, mode)
            self.daemon.write_config(store={"path": f"{directory}/x.db"})
            result = run("--config", self.daemon.config_file)
            self.assertEqual(result.returncode, 77, result.stderr)
            self.assertIn(f"{directory}: others than the daemon may write",
                          result.stderr)
            self.assertEqual(os.listdir(directory), [])
        self.daemon.write_config(store={"path": self.path})

    def test_no_key_encryption_key(self):
        with self.stopped():
            os.unlink(self.kek)
            self.assert_refused(72, self.kek)

    def test_a_readable_one(self):
        with self.stopped():
            os.chmod(self.kek, 0o640)
            self.assert_refused(72, self.kek)

    def test_one_of_another_size(self):
        with self.stopped():
            for size in (0, 31, 33):
                with open(self.kek, "wb") as f:
                    f.write(b"x" * size)
                self.assert_refused(72, self.kek)

    def test_a_wrong_one(self):
        with self.stopped():
            with open(self.kek, "wb") as f:
                f.write(os.urandom(32))
            self.assert_refused(72, "key-encryption key is not the one")

    def test_a_symbolic_link_to_one(self):
        with self.stopped():
            os.rename(self.kek, self.kek + ".real")
            os.symlink(self.kek + ".real", self.kek)
            self.assert_refused(72, self.kek)


class SecondDaemon(Store):
    def setUp(self):
        super().setUp()
        self.before = self.daemon.keys()
        self.fronts = set(self.daemon.front_pids())

    def assert_undisturbed(self):
        self.assertIsNone(self.daemon.process.poll())
        self.assertEqual(self.daemon.keys(), self.before)
        self.assertEqual(set(self.daemon.front_pids()), self.fronts)
        self.assertEqual(self.daemon.get().status, 200)
        self.daemon.call("Rotate")
        harness.wait_until(
            lambda: self.daemon.get().json()["keys"][0]["kid"]
            == self.before[1]["kid"])

    def second(self, **sections):
        """The exit of one with a configuration of its own."""
        first = self.daemon.config_file
        self.daemon.config_file = first + ".second"
        port = self.daemon.port
        try:
            self.daemon.write_config(**sections)
            return run("--config", self.daemon.config_file)
        finally:
            self.daemon.config_file, self.daemon.port = first, port

    def test_the_very_same_configuration(self):
        for _ in range(3):
            self.assert_refused(75, self.path)
        self.assert_undisturbed()

    def test_only_the_database_is_the_same(self):
        os.mkdir(self.daemon.directory + "/run2", 0o750)
        result = self.second(
            daemon={"runtime_directory": self.daemon.directory + "/run2"},
            http={"listen": f"127.0.0.1:{harness.free_port()}"})
        self.assertEqual(result.returncode, 75, result.stderr)
        self.assertEqual(os.listdir(self.daemon.directory + "/run2"), [])
        self.assert_undisturbed()

    def test_only_the_port_is_the_same(self):
        for name in ("run2", "state2"):
            os.mkdir(f"{self.daemon.directory}/{name}", 0o700)
        result = self.second(daemon={
            "runtime_directory": self.daemon.directory + "/run2",
            "state_directory": self.daemon.directory + "/state2"})
        self.assertEqual(result.returncode, 74, result.stderr)
        self.assertIn("in use", result.stderr)
        self.assertEqual(os.listdir(self.daemon.directory + "/state2"), [])
        self.assert_undisturbed()

    def test_only_the_sockets_are_the_same(self):
        os.mkdir(self.daemon.directory + "/state2", 0o700)
        result = self.second(
            daemon={"state_directory": self.daemon.directory + "/state2"},
            http={"listen": f"127.0.0.1:{harness.free_port()}"})
        self.assertEqual(result.returncode, 75, result.stderr)
        self.assertIn("control.sock: another daemon answers", result.stderr)
        self.assert_undisturbed()


# Its tests are those of Store once; not again with a daemon running.
for name in [n for n in dir(Store) if n.startswith("test_")]:
    setattr(SecondDaemon, name, None)


class Modes(unittest.TestCase):
    def test_directories_and_files_that_it_makes(self):
        with harness.Daemon(start=False) as daemon:
            os.rmdir(daemon.state)
            os.rmdir(daemon.runtime)
            old = os.umask(0)
            try:
                daemon.start()
            finally:
                os.umask(old)
            modes = {}
            for root, names, files in os.walk(daemon.directory):
                for name in names + files:
                    path = os.path.join(root, name)
                    modes[os.path.relpath(path, daemon.directory)] = \
                        stat.S_IMODE(os.lstat(path).st_mode)
            self.assertEqual(modes["state"], 0o700)
            self.assertEqual(modes["run"], 0o750)
            self.assertEqual(modes["state/jwksd.kek"], 0o600)
            for name in modes:
                if name.startswith("state/"):
                    self.assertEqual(modes[name] & 0o177, 0, name)
                if name.startswith("run/"):
                    self.assertIn(modes[name], (0o600, 0o660), name)

    @unittest.skipIf(os.getuid() != 0, "only root can give files away")
    def test_the_group_of_the_control_socket(self):
        with harness.Daemon(config={"access": {"admin_group": "users"}}) as d:
            info = os.stat(d.control)
            self.assertEqual(stat.S_IMODE(info.st_mode), 0o660)
            self.assertEqual(info.st_gid, 100)
            self.assertEqual(info.st_uid, os.getuid())


if __name__ == "__main__":
    unittest.main()
