"""The commands that look: status, list, show, plan, jwks; help, version."""
import json
import os
import pty
import re
import subprocess
import unittest

import ctl_fake
from ctl_fake import ACTIVE, CHANGES, JWK, NOW, Case, Error, compact, key

COMMANDS = ["status", "list", "show", "rotate", "plan", "jwks", "watch",
            "call", "introspect", "help", "version"]
VERBS = {"status": ["status"], "list": ["list"], "show": ["show", "x"],
         "rotate": ["rotate"], "plan": ["plan"], "jwks": ["jwks"],
         "watch": ["watch"]}


def run_on_terminal(case, *arguments, columns=80, answer=None, env=None,
                    status=0):
    """Run jwksctl with all three descriptors on a terminal."""
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(case.command(*arguments), stdin=slave,
                               stdout=slave, stderr=slave,
                               env=case.environment(**(env or {})))
    os.close(slave)
    output, asked = b"", False
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
        if answer is not None and not asked and b"[y/N]" in output:
            asked = True
            os.write(master, answer)
    os.close(master)
    case.assertEqual(process.wait(timeout=30), status, output)
    return output.decode().replace("\r\n", "\n")


class Help(Case):
    def test_overview_names_every_command(self):
        out, _ = self.run_ctl("help")
        listed = re.search(r"commands:\n(.*?)\n\n", out, re.S).group(1)
        self.assertEqual([line.split()[0] for line in listed.splitlines()],
                         COMMANDS)

    def test_every_page_fits_80_columns_and_has_an_example(self):
        for name in COMMANDS:
            out, _ = self.run_ctl("help", name)
            self.assertIn(f"jwksctl {name}", out.split("examples:")[1])
            self.assertEqual([line for line in out.splitlines()
                              if len(line) > 79], [])
            self.assertEqual(self.run_ctl(name, "--help")[0],
                             out)
        for line in self.run_ctl("--help")[0].splitlines():
            self.assertLess(len(line), 80)

    def test_every_verb_and_parameter_is_declared(self):
        declared = ctl_fake.declared_methods()
        for name, arguments in VERBS.items():
            self.run_ctl(*arguments)
        self.run_ctl("list", "default", "--all")
        self.run_ctl("plan", "default", "--until", "+1d")
        self.run_ctl("jwks", "default", "--at", "+1d")
        self.run_ctl("rotate", "default", "--at", "+1d", "--if-gen", "1",
                     "--reason", "r", "--request-id", "i")
        self.run_ctl("rotate", "--cancel", "--dry-run")
        self.run_ctl("rotate", "--now", "--yes")
        for call in self.daemon.calls:
            method = call["method"].removeprefix(ctl_fake.KEYS)
            self.assertIn(method, declared)
            self.assertLessEqual(set(call.get("parameters", {})),
                                 declared[method], method)
        self.assertEqual(len(set(self.daemon.methods())), 7)

    def test_usage(self):
        for arguments, error, hint in [
                ([], "a command is missing", "jwksctl help"),
                (["lst"], 'no command "lst"', '"list"'),
                (["frobnicate"], "no command", "jwksctl help"),
                (["help", "lst"], 'no command "lst"', '"list"'),
                (["list", "--al"], "no option --al for list", "--all"),
                (["--frob", "list"], "no option --frob", "help list"),
                (["list", "-x"], "no option -x", "help list"),
                (["list", "a", "b"], "too many", "list [KEYSET]"),
                (["show"], "argument is missing", "show KEY"),
                (["show", "#2"], "names no key set", "default#2"),
                (["plan", "--until"], "needs a value", None),
                (["plan", "--until", "+1d", "--until=+2d"], "twice", None),
                (["list", "--all=yes"], "takes no value", None),
                (["list", "--time=local"], "relative, iso and unix", None),
                (["plan", "--until", "soon"], "--until: ", None)]:
            with self.subTest(arguments):
                out, err = self.run_ctl(*arguments, status=64)
                self.assertEqual(out, "")
                self.assertIn(error, err.splitlines()[0])
                if hint is not None:
                    self.assertRegex(err.splitlines()[1], "^hint: ")
                    self.assertIn(hint, err.splitlines()[1])
        self.assertEqual(self.daemon.calls, [])

    def test_version(self):
        self.assertRegex(self.run_ctl("version")[0], r"^jwksctl \d+\.\d+\.\d+$")
        self.assertEqual(self.run_ctl("--version")[0],
                         self.run_ctl("version")[0])
        self.assertIn("version", json.loads(self.run_ctl(
            "version", "--json")[0]))


class Look(Case):
    def test_json_passes_everything_through(self):
        odd = {"z": 1, "a": [{"née": "\u202e\\ \"/"}], "big": 2**53,
               "nothing": None}
        for name, arguments in VERBS.items():
            if name == "watch":
                continue
            method = {"status": "Status", "list": "ListKeys",
                      "show": "ShowKey", "rotate": "Rotate", "plan": "Plan",
                      "jwks": "GetJwks"}[name]
            self.daemon.set(method, odd)
            out, err = self.run_ctl("--json", *arguments)
            self.assertEqual(out, compact(odd) + "\n")
            self.assertEqual(err, "")

    def test_status(self):
        out, _ = self.run_ctl("status")
        self.assertIn("0.1.0, ready", out)
        self.assertRegex(out, r"started +\S+Z \(2d ago\)")
        self.assertRegex(out, r"key sets +1\n")
        self.assertRegex(out, r"keys +4\n")
        self.assertRegex(
            out, r"next +default#3 published → ready, \S+Z \(in 1d 1h\)")
        self.assertIn("every copy of the set", out)
        self.assertRegex(out, r"warning +the disk is nearly full\n")

    def test_status_of_an_unready_daemon(self):
        self.daemon.set("Status", {
            "version": "1", "started": NOW, "ready": False, "mode": "frozen",
            "clockTrusted": False, "keySets": 0, "generations": 0,
            "warnings": []})
        out, _ = self.run_ctl("status")
        self.assertIn("not ready", out)
        self.assertIn("frozen; the clock is not trusted", out)
        self.assertIn("nothing is planned", out)

    def test_list(self):
        out, _ = self.run_ctl("list")
        lines = out.splitlines()
        self.assertEqual(lines[0].split(), ["KEYSET", "GEN", "KID", "ALG",
                                            "STATE", "SINCE", "NEXT"])
        self.assertEqual(len(lines), 5)
        self.assertTrue(out.endswith("\n"))
        self.assertIn(ACTIVE["kid"][:12] + " ", lines[1])
        self.assertRegex(lines[1], r"ES256 +active +3d ago +rotates in 27d 1h$")
        self.assertRegex(lines[2], r"ready +2d ago +-$")
        self.assertRegex(lines[3], r"published +1d 1h ago +ready in 1d 1h$")
        self.assertRegex(lines[4], r"retired +1d 1h ago +removed in 2d 1h$")
        for line in lines:
            self.assertLessEqual(len(line), 80)
        self.assertEqual(self.daemon.parameters(), {})

    def test_list_options(self):
        out, _ = self.run_ctl("-q", "list", "default", "--all")
        self.assertEqual(out.splitlines()[0], ACTIVE["kid"])
        self.assertEqual(len(out.splitlines()), 4)
        self.assertEqual(self.daemon.parameters(),
                         {"keySet": "default", "all": True})
        self.assertIn(ACTIVE["kid"], self.run_ctl("list", "-l")[0])
        self.assertIn(str(ACTIVE["rotateAt"]),
                      self.run_ctl("list", "--time=unix")[0])
        self.assertRegex(self.run_ctl("--time", "iso", "list")[0],
                         r"active +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ  20")

    def test_a_deadline_that_has_passed(self):
        self.daemon.set("ListKeys", {"keys": [key(rotateAt=NOW - 5)]})
        self.assertIn("rotates: due", self.run_ctl("list")[0])

    def test_an_empty_list_is_empty(self):
        self.daemon.set("ListKeys", {"keys": []})
        self.assertEqual(self.run_ctl("list"), ("", ""))

    def test_a_terminal_of_80_columns(self):
        for style in ["relative", "iso", "unix"]:
            out = run_on_terminal(self, "list", "--time", style,
                                  env={"NO_COLOR": "1"})
            self.assertEqual([line for line in out.splitlines()
                              if len(line) > 80], [], style)
            self.assertNotIn("\033", out)
            self.assertEqual(len(out.splitlines()), 5)
            out = run_on_terminal(self, "plan", "--time", style,
                                  "--no-color")
            self.assertEqual([line for line in out.splitlines()
                              if len(line) > 80], [], style)
            self.assertIn("published → ready", out)

    def test_colours_on_a_terminal_only(self):
        self.assertIn("\033[1;32m", run_on_terminal(self, "list"))
        self.assertNotIn("\033", run_on_terminal(self, "list",
                                                 env={"TERM": "dumb"}))
        self.assertNotIn("\033", self.run_ctl("list")[0])

    def test_show(self):
        out, _ = self.run_ctl("show", "default#1")
        self.assertEqual(self.daemon.parameters(), {"key": "default#1"})
        for line in [f"kid        {ACTIVE['kid']}", "key set    default",
                     "generation 1", "algorithm  ES256", "state      active",
                     "reason     why not"]:
            self.assertIn(line + "\n", out)
        self.assertRegex(out, r"rotation   \S+Z \(in 27d")
        self.assertEqual(json.loads(out.split("jwk")[1]), JWK)
        self.assertEqual(self.run_ctl("show", "x", "-q")[0],
                         ACTIVE["kid"] + "\n")

    def test_plan(self):
        out, _ = self.run_ctl("plan", "default", "--until", "@2000000000")
        self.assertEqual(self.daemon.parameters(),
                         {"keySet": "default", "until": 2000000000})
        lines = out.splitlines()
        self.assertTrue(out.endswith("\n"))
        self.assertEqual(lines[0].split(),
                         ["TIME", "KEYSET", "GEN", "CHANGE", "CAUSE"])
        self.assertRegex(
            lines[1], r"^in 1d 1h +default +3 +published → ready +every copy")
        self.assertRegex(lines[2], r"default +- +new → pending +a standby")
        self.assertIn(str(CHANGES[0]["time"]),
                      self.run_ctl("plan", "--time=unix")[0])
        self.assertIn("published -> ready", self.run_ctl(
            "plan", env={"LC_ALL": "C"})[0])

    def test_an_empty_plan(self):
        self.daemon.set("Plan", {"changes": []})
        self.assertEqual(self.run_ctl("plan"), ("", "nothing is planned\n"))

    def test_jwks(self):
        out, _ = self.run_ctl("jwks")
        self.assertEqual(out, compact({"keys": [JWK]}) + "\n")
        self.assertEqual(self.daemon.parameters(), {})
        self.run_ctl("jwks", "other", "--at", "@1900000000")
        self.assertEqual(self.daemon.parameters(),
                         {"keySet": "other", "at": 1900000000})
        pretty = run_on_terminal(self, "jwks")
        self.assertGreater(len(pretty.splitlines()), 5)
        self.assertEqual(json.loads(pretty), {"keys": [JWK]})

    def test_nothing_steers_the_terminal(self):
        evil = "\033]0;x\007\u009b\u202e\n"
        shown = r"\x1b]0;x\x07\u009b\u202e\n"
        self.daemon.set("ShowKey", {"key": key(reason=evil, alg=evil)})
        self.daemon.set("ListKeys", {"keys": [key(keySet=evil)]})
        self.daemon.set("Plan", {"changes": [dict(CHANGES[0], cause=evil)]})
        self.daemon.set("Status", dict(ctl_fake.STATUS, warnings=[evil]))
        for arguments in [["show", "x"], ["list"], ["plan"], ["status"]]:
            out, _ = self.run_ctl(*arguments)
            self.assertIn(shown, out)
            for bad in "\033\007\u009b\u202e":
                self.assertNotIn(bad, out)
        self.daemon.set("Status", Error("Frozen", cause=evil))
        _, err = self.run_ctl("status", status=75)
        self.assertIn(shown, err)
        self.daemon.set("Status", {"x": evil})
        out = run_on_terminal(self, "status", "--json")
        self.assertNotIn("\u009b", out)
        self.assertEqual(json.loads(out), {"x": evil})

    def test_only_ascii_where_the_locale_has_no_more(self):
        self.daemon.set("ShowKey", {"key": key(reason="é")})
        self.assertIn(r"\u00e9", self.run_ctl(
            "show", "x", env={"LC_ALL": "C"})[0])
        self.assertIn("é", self.run_ctl("show", "x")[0])

    def test_replies_that_make_no_sense(self):
        for method, arguments, reply in [
                ("Status", ["status"], {"version": 3}),
                ("Status", ["status"], dict(ctl_fake.STATUS, started=-5)),
                ("Status", ["status"], dict(ctl_fake.STATUS, ready="yes")),
                ("Status", ["status"], dict(ctl_fake.STATUS, nextChange={})),
                ("ListKeys", ["list"], {}),
                ("ListKeys", ["list"], {"keys": [{}]}),
                ("ListKeys", ["list"], {"keys": [key(generation="1")]}),
                ("ListKeys", ["list"], {"keys": [key(rotateAt=2**62)]}),
                ("ListKeys", ["list"], {"keys": [17]}),
                ("ShowKey", ["show", "x"], {}),
                ("Plan", ["plan"], {"changes": [{"time": 1}]}),
                ("GetJwks", ["jwks"], {"jwks": []})]:
            with self.subTest(reply):
                self.daemon.set(method, reply)
                _, err = self.run_ctl(*arguments, status=76)
                self.assertNotIn("bug", err)

    def test_unknown_states_and_members_are_shown(self):
        self.daemon.set("ListKeys",
                        {"keys": [key(state="resting", colour="blue")]})
        self.assertRegex(self.run_ctl("list")[0], r"resting +- +-")

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(self.command("list"), stdout=full,
                                  stderr=subprocess.PIPE, timeout=60,
                                  env=self.environment(), check=False)
        self.assertEqual(done.returncode, 74)
        self.assertIn(b"cannot write", done.stderr)

    def test_a_reader_that_goes_is_none(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(self.command("list"), stdout=write,
                              stderr=subprocess.PIPE, timeout=60,
                              env=self.environment(), check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
