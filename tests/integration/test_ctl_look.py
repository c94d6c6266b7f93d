"""The commands that look: status, list, show, plan, jwks; help, version."""
import json
import os
import re
import subprocess
import time
import unittest

import ctl_fake
from ctl_fake import (ACTIVE, CHANGES, JWK, KEY_SET, NOW, POLICY, READY,
                      RETIRED, Case, Drop, Error, Raw, compact, key,
                      run_on_terminal)

COMMANDS = ["status", "list", "show", "rotate", "rollback", "revoke",
            "freeze", "thaw", "plan", "jwks", "sign", "verify", "watch",
            "keyset",
            "keyset list", "keyset show", "keyset set",
            "keyset add", "keyset remove", "clock", "clock accept", "reload", "call",
            "introspect", "help", "version"]
VERBS = {"status": ["status"], "list": ["list"], "show": ["show", "x"],
         "rotate": ["rotate"], "plan": ["plan"], "jwks": ["jwks"],
         "watch": ["watch"], "keyset": ["keyset"],
         "keyset show": ["keyset", "show", "default"],
         "keyset set": ["keyset", "set", "default", "mode=auto",
                        "--if-gen", "1", "--reason", "r"],
         "keyset add": ["keyset", "add", "acme", "mode=auto", "--reason",
                        "r"],
         "keyset remove": ["keyset", "remove", "acme", "--yes", "--force",
                           "--if-gen", "1", "--reason", "r"],
         "rollback": ["rollback", "default", "--yes", "--if-gen", "1",
                      "--reason", "r"],
         "revoke": ["revoke", "x", "--yes", "--force", "--reason", "r"],
         "freeze": ["freeze", "default", "--reason", "r"],
         "thaw": ["thaw"], "clock": ["clock"], "reload": ["reload"],
         "clock accept": ["clock", "accept", "--reason", "r"]}


class Help(Case):
    def test_overview_names_every_command(self):
        out, _ = self.run_ctl("help")
        listed = re.search(r"commands:\n(.*?)\n\n", out, re.S).group(1)
        self.assertEqual([re.split("  +", line.strip())[0]
                          for line in listed.splitlines()], COMMANDS)

    def test_every_page_fits_80_columns_and_has_an_example(self):
        for name in COMMANDS:
            out, _ = self.run_ctl("help", *name.split())
            self.assertIn(f"jwksctl {name}", out.split("examples:")[1])
            self.assertEqual([line for line in out.splitlines()
                              if len(line) > 79], [])
            self.assertEqual(self.run_ctl(*name.split(), "--help")[0],
                             out)
        for line in self.run_ctl("--help")[0].splitlines():
            self.assertLess(len(line), 80)

    def test_options_are_aligned_with_and_without_a_letter(self):
        out, _ = self.run_ctl("help", "rotate")
        options = out.split("options:\n")[1].split("\n\n")[0].splitlines()
        self.assertIn("      --now             promote at once, whatever "
                      "verifiers have seen", options)
        self.assertIn("  -n, --dry-run         say what would happen and "
                      "change nothing", options)
        for line in options:
            self.assertRegex(line, r"^(      |  -\w, )--[a-z-]+( [A-Z]+)? +\w")

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
        self.assertEqual(len(set(self.daemon.methods())), 16)

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
        for name, method in [
                ("status", "Status"), ("list", "ListKeys"),
                ("show", "ShowKey"), ("rotate", "Rotate"),
                ("plan", "Plan"), ("jwks", "GetJwks"),
                ("keyset", "ListKeySets"), ("clock", "Status"),
                ("keyset set", "SetPolicy"), ("freeze", "Freeze"),
                ("thaw", "Freeze"), ("clock accept", "AcceptClock"),
                ("reload", "Reload")]:
            arguments = VERBS[name]
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
        self.assertIn("until `jwksctl thaw`", out)
        self.assertIn("`jwksctl clock` says", out)

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

    def test_what_happened_while_the_daemon_answered_is_not_to_come(self):
        def after_the_next_second(_):
            began = int(time.time())
            while int(time.time()) == began:
                time.sleep(0.01)
            return {"keys": [key(1, "pending", createdAt=int(time.time()))]}

        self.daemon.set("ListKeys", after_the_next_second)
        self.assertRegex(self.run_ctl("list")[0], r"pending +(now|1s ago) ")

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
        self.assertEqual(self.daemon.parameters("ShowKey"),
                         {"key": "default#1"})
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
        self.assertEqual(self.daemon.parameters("Plan"),
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


class Streams(Case):
    """Lists come in as many replies as it takes."""

    def test_keys(self):
        self.daemon.set("ListKeys", [{"keys": [ACTIVE]}, {"keys": []},
                                     {"keys": [READY, RETIRED]}])
        self.assertEqual(len(self.run_ctl("list")[0].splitlines()), 4)
        self.assertIs(self.daemon.calls[0]["more"], True)
        self.assertEqual(self.run_ctl("list", "-q")[0].split(),
                         [key["kid"] for key in (ACTIVE, READY, RETIRED)])
        self.assertEqual(json.loads(self.run_ctl("list", "--json")[0]),
                         {"keys": [ACTIVE, READY, RETIRED]})

    def test_key_sets(self):
        sets = [dict(KEY_SET, name=f"s{i}") for i in range(5)]
        self.daemon.set("ListKeySets", [{"keySets": sets[:2]},
                                        {"keySets": sets[2:]}])
        self.assertEqual(self.run_ctl("keyset", "-q")[0].split(),
                         ["s0", "s1", "s2", "s3", "s4"])
        self.assertIs(self.daemon.calls[0]["more"], True)
        self.assertEqual(json.loads(self.run_ctl("keyset", "--json")[0]),
                         {"keySets": sets})
        self.assertIn("key set    s4\n",
                      self.run_ctl("keyset", "show", "s4")[0])

    def test_an_error_in_the_middle_prints_nothing_else(self):
        def broken(call):
            del call
            first = compact({"parameters": {"keys": [ACTIVE]},
                             "continues": True}).encode()
            error = compact({"error": ctl_fake.KEYS + "NoSpace",
                             "parameters": {}}).encode()
            return Raw(first + b"\0" + error + b"\0")

        self.daemon.set("ListKeys", broken)
        self.assertEqual(self.run_ctl("list", status=75)[0], "")
        out, _ = self.run_ctl("list", "--json", status=75)
        self.assertEqual(json.loads(out)["error"], ctl_fake.KEYS + "NoSpace")

    def test_the_end_is_missing(self):
        self.daemon.set("ListKeys", Raw(compact(
            {"parameters": {"keys": [ACTIVE]},
             "continues": True}).encode() + b"\0"))
        out, err = self.run_ctl("list", status=69)
        self.assertEqual(out, "")
        self.assertIn("hung up", err)

    def test_parts_that_do_not_fit(self):
        for replies in [[{"keys": [ACTIVE]}, {}],
                        [{"keys": [ACTIVE]}, {"keys": 1}],
                        [{}, {"keys": [ACTIVE]}],
                        [{"keys": {}}, {"keys": [ACTIVE]}]]:
            self.daemon.set("ListKeys", replies)
            self.run_ctl("list", status=76)
            self.assertEqual(self.run_ctl("list", "--json", status=76)[0],
                             "")


class Notes(Case):
    """What stops or waits is said beside what was asked for."""

    def notes(self, *arguments):
        return self.run_ctl(*arguments)[1]

    def sets(self, *changes):
        self.daemon.set("ListKeySets", {"keySets": [
            dict(KEY_SET, **change) for change in changes]})

    def test_nothing_to_say(self):
        for command in (["list"], ["plan"], ["show", "x"]):
            self.assertEqual(self.notes(*command), "")

    def test_frozen(self):
        self.sets({"frozen": True}, {"name": "web"})
        for command in (["list"], ["list", "default"], ["plan", "default"],
                        ["show", "x"]):
            self.assertEqual(
                self.notes(*command), "note: default is frozen; "
                "`jwksctl thaw default` takes it back\n")
        self.assertEqual(self.notes("list", "web"), "")

    def test_modes(self):
        self.sets({"policy": dict(POLICY, mode="manual")},
                  {"name": "web", "policy": dict(POLICY, mode="frozen")})
        lines = self.notes("plan").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("default has mode manual: what is due waits for "
                      "`jwksctl rotate default`", lines[0])
        self.assertIn("web has mode frozen; `jwksctl keyset set web "
                      "mode=auto`", lines[1])

    def test_everything(self):
        self.daemon.set("Status", dict(
            ctl_fake.STATUS, mode="frozen", clockTrusted=False,
            warnings=["default: a rotation is due and waits: \033[2J",
                      "web: a rotation is due and waits: the mode",
                      "defaults: a rotation is due and waits: no",
                      "another thing"]))
        lines = self.notes("list", "default").splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("every key set is frozen; `jwksctl thaw`", lines[0])
        self.assertIn("the clock is not trusted; `jwksctl clock`", lines[1])
        self.assertEqual(lines[2], "note: default: a rotation is due and "
                         "waits: \\x1b[2J")
        self.assertEqual(len(self.notes("list").splitlines()), 5)

    def test_many(self):
        self.sets(*[{"name": f"s{i}", "frozen": True} for i in range(50)])
        lines = self.notes("list").splitlines()
        self.assertEqual(len(lines), 9)
        self.assertIn("and more: `jwksctl keyset list`", lines[-1])

    def test_programs_get_none(self):
        self.sets({"frozen": True})
        for option in ("--json", "-q"):
            self.daemon.calls.clear()
            self.assertEqual(self.notes("list", option), "")
            self.assertEqual(len(self.daemon.calls), 1)

    def test_a_key_that_is_gone_waits_for_nothing(self):
        self.sets({"frozen": True})
        self.daemon.set("ShowKey", {"key": key(state="revoked",
                                               revokedAt=NOW)})
        self.assertEqual(self.notes("show", "x"), "")

    def test_a_daemon_that_does_not_tell(self):
        for answer in (Error("NoSpace"), Drop(), {}, {"keySets": 1},
                       {"keySets": [{}, 3]}, Raw(b"{}x\0")):
            self.daemon.set("ListKeySets", answer)
            self.daemon.set("Status", answer)
            for command in (["list"], ["plan"], ["show", "x"]):
                self.assertEqual(self.notes(*command), "")


if __name__ == "__main__":
    unittest.main()
