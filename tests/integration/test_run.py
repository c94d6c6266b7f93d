"""make run, as a person on a terminal meets it."""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.request

import harness

SCRIPT = os.path.join(harness.ROOT, "packaging/dev/run")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, command, env):
        self.text = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(harness.ROOT)
            os.execve(command[0], command, {**os.environ, **env})

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.text += os.read(self.master, 65536).decode()
            except OSError:     # the other side is closed
                time.sleep(0.01)
        return self.text

    def expect(self, pattern, timeout=20):
        deadline = time.monotonic() + timeout * harness.SLOW
        while not (match := re.search(pattern, self.read(0.05))):
            if not harness.alive(self.pid) or time.monotonic() > deadline:
                raise AssertionError(
                    f"no {pattern!r} on the terminal:\n{self.text}")
        return match

    def press(self, key):
        os.write(self.master, key)

    def end(self, timeout=20):
        """The exit status."""
        try:
            status = None
            deadline = time.monotonic() + timeout * harness.SLOW
            while status is None and time.monotonic() < deadline:
                self.read(0.02)
                pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    status = os.waitstatus_to_exitcode(wait_status)
            return status
        finally:
            os.close(self.master)


class MakeRun(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="r")
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = harness.free_port()

    def environment(self, run):
        return {"JWKSD_RUN": run, "LISTEN": f"127.0.0.1:{self.port}",
                "XDG_RUNTIME_DIR": self.directory}

    def ours(self):
        return [pid for pid in harness.all_pids() if harness.alive(pid)
                and self.directory in harness.command_line(pid)]

    def start(self, run):
        terminal = Terminal([SCRIPT, harness.BUILD], self.environment(run))
        self.addCleanup(self.kill, terminal)
        url = terminal.expect(r"ready: (http://\S+)").group(1)
        return terminal, url

    def kill(self, terminal):
        for pid in self.ours():
            os.kill(pid, 9)
        try:
            os.kill(terminal.pid, 9)
            os.waitpid(terminal.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def assert_ends(self, terminal):
        self.assertEqual(terminal.end(), 0, terminal.text)
        harness.wait_until(lambda: not self.ours(), 5, "something is left")
        self.assertEqual(harness.listening_inodes(self.port), set())

    def test_prints_what_to_try_and_it_works(self):
        run = os.path.join(self.directory, "run")
        terminal, url = self.start(run)
        terminal.expect("Ctrl-C")
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.status, 200)
        commands = re.findall(r"^  (\S.*?)\r?$", terminal.text, re.M)
        self.assertEqual(len(commands), 3, terminal.text)
        for command in commands:
            result = subprocess.run(["sh", "-c", command], cwd=harness.ROOT,
                                    capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, (command, result.stderr))
        self.assertIn("keys", subprocess.run(
            ["sh", "-c", commands[0]], capture_output=True, text=True).stdout)
        terminal.press(b"\x03")
        self.assert_ends(terminal)

    def test_ctrl_c_at_once(self):
        terminal = Terminal([SCRIPT, harness.BUILD],
                            self.environment(self.directory + "/run"))
        self.addCleanup(self.kill, terminal)
        harness.wait_until(self.ours, 10)
        terminal.press(b"\x03")
        terminal.end()
        harness.wait_until(lambda: not self.ours(), 5, "something is left")

    def test_keys_survive_the_next_run(self):
        run = os.path.join(self.directory, "run")
        bodies = []
        for _ in range(2):
            terminal, url = self.start(run)
            with urllib.request.urlopen(url) as answer:
                bodies.append(answer.read())
            terminal.press(b"\x03")
            self.assert_ends(terminal)
        self.assertEqual(*bodies)

    def test_a_deep_tree(self):
        run = os.path.join(self.directory, "deep" * 20)
        terminal, _ = self.start(run)
        terminal.press(b"\x03")
        self.assert_ends(terminal)
        self.assertEqual(os.listdir(self.directory), ["deep" * 20])

    def test_a_busy_port(self):
        with harness.Daemon() as daemon:
            self.port = daemon.port
            result = subprocess.run(
                [SCRIPT, harness.BUILD], capture_output=True, text=True,
                env={**os.environ,
                     **self.environment(self.directory + "/run")})
        self.assertEqual(result.returncode, 69, result.stderr)
        self.assertIn(f"port {self.port} is busy", result.stderr)
        self.assertIn("make run LISTEN=", result.stderr)

    def test_again_after_its_keeper_was_killed(self):
        run = os.path.join(self.directory, "run")
        terminal, url = self.start(run)
        keeper, = (pid for pid in self.ours() if "jwksd" ==
                   harness.read_proc(pid, "comm").strip())
        os.kill(keeper, 9)
        self.assertNotEqual(terminal.end(), 0)
        harness.wait_until(lambda: not harness.listening_inodes(self.port))
        terminal, again = self.start(run)
        self.assertEqual(again, url)
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.status, 200)
        terminal.press(b"\x03")
        self.assert_ends(terminal)

    def test_without_a_terminal(self):
        """As a script starts it: a signal to the group ends all of it."""
        log = os.path.join(self.directory, "log")
        run = os.path.join(self.directory, "run")
        with open(log, "w+") as out:
            process = subprocess.Popen(
                [SCRIPT, harness.BUILD], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env={**os.environ, **self.environment(run)})
            try:
                harness.wait_until(
                    lambda: process.poll() is not None
                    or "ready: " in harness.read_file(log), 20)
            finally:
                process.terminate()
                self.assertEqual(process.wait(20), 0)
        harness.wait_until(lambda: not self.ours(), 5, "something is left")


if __name__ == "__main__":
    unittest.main()
