"""The hidden command behind the completions of the shells."""
import glob
import os
import shutil
import subprocess
import unittest

import harness

CTL = os.path.join(harness.BUILD, "jwksctl")
COMPLETIONS = os.path.join(harness.ROOT, "packaging/completions")


def complete(*words, socket="/nonexistent"):
    """{candidate: what it is}"""
    done = subprocess.run([CTL, "__complete", *words], capture_output=True,
                          text=True, timeout=30,
                          env={**os.environ, "JWKSCTL_SOCKET": socket})
    assert done.returncode == 0 and done.stderr == "", done
    return dict(line.split("\t") for line in done.stdout.splitlines())


class Words(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(set(complete("ro")), {"rotate", "rollback"})
        everything = complete("")
        self.assertIn("keyset", everything)
        self.assertNotIn("keyset list", everything)
        self.assertNotIn("__complete", everything)
        self.assertTrue(all(everything[c] for c in everything
                            if c != "help"), everything)

    def test_groups(self):
        self.assertLessEqual({"list", "show", "set"},
                             set(complete("keyset", "")))
        self.assertEqual(set(complete("clock", "")), {"accept"})

    def test_options(self):
        self.assertLessEqual({"--now", "--at", "--json"},
                             set(complete("rotate", "--")))
        self.assertNotIn("--now", complete("list", "--"))
        self.assertEqual(set(complete("--time", "")),
                         {"relative", "iso", "unix"})
        self.assertEqual(complete("rotate", "--at", ""), {})

    def test_parameters(self):
        self.assertIn("rotation_period=",
                      complete("keyset", "set", "default", "rota"))
        self.assertIn("mode=",
                      complete("keyset", "set", "default", "x=1", "mo"))

    def test_nothing_where_nothing_is_known(self):
        for words in ([], ["nonsense", ""], ["status", ""],
                      ["show", ""]):
            self.assertEqual(complete(*words), {} if words else complete(""))


class Names(unittest.TestCase):
    def test_names_of_the_daemon(self):
        with harness.Daemon() as daemon:
            keys = complete("show", "default#", socket=daemon.control)
            self.assertEqual(keys["default#1"], "active")
            self.assertEqual(complete("rotate", "d", socket=daemon.control),
                             {"default": "ES256"})
            self.assertEqual(
                complete("--socket", daemon.control, "rotate", "d"),
                {"default": "ES256"})
            # One that begins with - stands behind "--" only.
            kid = next(key["kid"] for key in daemon.call("ListKeys")["keys"]
                       if key["kid"][0] != "-")
            self.assertIn(kid, complete("show", kid[:6],
                                        socket=daemon.control))


class Shells(unittest.TestCase):
    """Each shell reads its file, and bash and fish come to candidates."""

    def environment(self):
        return {**os.environ, "JWKSCTL_SOCKET": "/nonexistent",
                "PATH": harness.BUILD + ":" + os.environ["PATH"]}

    def run_shell(self, *words, **more):
        return subprocess.run(words, capture_output=True, text=True,
                              timeout=30, env=self.environment(), **more)

    def test_bash(self):
        script = ("source {}/jwksctl.bash; COMP_WORDS=(jwksctl rotate --n);"
                  "COMP_CWORD=2; _jwksctl; printf '%s\\n' \"${{COMPREPLY[@]}}\""
                  ).format(COMPLETIONS)
        done = self.run_shell("bash", "-c", script)
        self.assertEqual(done.stderr, "")
        self.assertEqual(set(done.stdout.split()), {"--now", "--no-color"})

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh(self):
        path, = glob.glob(COMPLETIONS + "/_jwksctl")
        self.assertEqual(self.run_shell("zsh", "-n", path).stderr, "")

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish(self):
        done = self.run_shell(
            "fish", "--no-config", "-c",
            f"source {COMPLETIONS}/jwksctl.fish; "
            "complete -C 'jwksctl rotate --n'")
        words = {line.split("\t")[0] for line in done.stdout.splitlines()}
        self.assertEqual(words, {"--now", "--no-color"}, done)


if __name__ == "__main__":
    unittest.main()
