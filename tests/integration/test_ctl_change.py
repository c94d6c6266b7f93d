"""rollback, revoke, freeze, thaw, clock and keyset: what is asked, what is
said, who is asked first, and that a broken connection does nothing twice."""
import concurrent.futures
import json
import re
import unittest

import ctl_fake
from ctl_fake import (ACTIVE, DAY, KEY_SET, NOW, POLICY, PROMOTED, PUBLISHED,
                      READY, REVOKED, SLACK, Case, Drop, Error, compact,
                      run_on_terminal)

KID = re.escape(ACTIVE["kid"])
SCHEDULED = {"keySet": "default", "scheduledFor": NOW + DAY + SLACK,
             "cause": "copies of the set without it may live until then"}
NEW = dict(PUBLISHED, publishedAt=NOW + 1)


def shell_words(text):
    """The command of a hint, as a shell cuts it."""
    import shlex
    return shlex.split(text.split("jwksctl ", 1)[1])


class Rollback(Case):
    def test_parameters(self):
        self.run_ctl("rollback", "web", "--yes", "--if-gen", "2",
                     "--reason", "é")
        first, second = (call["parameters"] for call in self.daemon.calls)
        self.assertEqual(first, {"keySet": "web", "expectGeneration": 2,
                                 "reason": "é", "dryRun": True})
        self.assertRegex(second.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(second, {"keySet": "web", "expectGeneration": 2,
                                  "reason": "é"})

    def test_what_was_looked_at_is_pinned(self):
        self.run_ctl("rollback", "--yes")
        self.assertEqual(self.daemon.parameters()["expectGeneration"], 2)

    def test_said(self):
        out, err = self.run_ctl("rollback", "--yes")
        self.assertRegex(
            out, rf"^default: generation 1 \({KID}\) signs again; generation "
            r"2 \(\S+\) is retired and stays published until 20\S+Z "
            r"\(in 1d 1h\)\n$")
        self.assertIn("would sign again", err)
        self.assertIn("if generation 2 leaked: jwksctl revoke default#2 "
                      "--reason TEXT", err)
        self.assertEqual(err.count("hint:"), 1)
        self.assertEqual(self.run_ctl("rollback", "--yes", "-q")[0],
                         ACTIVE["kid"] + "\n")
        self.assertEqual(
            json.loads(self.run_ctl("rollback", "--yes", "--json")[0]),
            ctl_fake.SCRIPT["Rollback"])

    def test_dry_run(self):
        out, _ = self.run_ctl("rollback", "-n")
        self.assertIn("would sign again", out)
        self.assertIn("would be retired and would stay published", out)
        self.assertEqual(self.daemon.parameters(), {"dryRun": True})
        self.assertEqual(len(self.daemon.calls), 1)

    def test_no_terminal(self):
        _, err = self.run_ctl("rollback", status=64, stdin="y\n")
        self.assertIn("rollback can make", err)
        self.assertIn("--yes", err.splitlines()[1])
        self.assertEqual(self.daemon.calls, [])

    def test_terminal(self):
        text = run_on_terminal(self, "rollback", answer=b"n\n", status=1)
        self.assertIn("Roll back? [y/N]", text)
        self.assertIn("nothing was changed", text)
        self.assertEqual(len(self.daemon.calls), 1)
        text = run_on_terminal(self, "rollback", answer=b"y\n")
        self.assertIn("signs again", text)
        self.assertEqual(len(self.daemon.calls), 3)

    def test_nothing_to_go_back_to(self):
        self.daemon.set("Rollback", Error("BadState", kid="x",
                                          state="active"))
        _, err = self.run_ctl("rollback", "--yes", status=65)
        self.assertIn("no generation to go back to", err)
        self.assertIn("its rollback window (1h after retirement) is over",
                      err)
        self.assertIn("jwksctl list default", err)
        for answer in (Error("NoSpace"), Drop(), {"keySets": []},
                       {"keySets": [dict(KEY_SET, policy={})]}):
            self.daemon.set("ListKeySets", answer)
            out, err = self.run_ctl("rollback", "--yes", "--json", status=65)
            self.assertIn("its rollback window is over", err)
            self.assertEqual(len(out.splitlines()), 1)

    def test_other_errors(self):
        for error, status, text in [
                (Error("NoActiveKey", keySet="web"), 75, "no active key yet"),
                (Error("Conflict", expected=1, actual=2), 75, "not 1"),
                (Error("NoSuchKeySet", keySet="web"), 65, "no key set")]:
            self.daemon.set("Rollback", error)
            _, err = self.run_ctl("rollback", "--yes", status=status)
            self.assertIn(text, err)

    def test_replies_that_make_no_sense(self):
        good = ctl_fake.SCRIPT["Rollback"]
        for reply in [{}, {"activated": good["activated"]},
                      {"retired": good["retired"]},
                      dict(good, retired={}), dict(good, activated=[])]:
            self.daemon.set("Rollback", reply)
            self.run_ctl("rollback", "-n", status=76)
            self.daemon.calls.clear()
            self.run_ctl("rollback", "--yes", status=76, first_line=None)
            self.assertEqual(len(self.daemon.calls), 1)

    def test_repetition_goes_straight_to_the_daemon(self):
        self.run_ctl("rollback", "--yes", "--request-id", "abc")
        self.assertEqual([call["parameters"] for call in self.daemon.calls],
                         [{"requestId": "abc"}])


class Revoke(Case):
    def setUp(self):
        super().setUp()
        self.daemon.set("ListKeys", {"keys": [READY, NEW]})
        self.daemon.script[ctl_fake.KEYS + "ListKeys"] = {
            "keys": [dict(PROMOTED["activated"]), NEW]}
        self.daemon.set("Rotate", SCHEDULED)

    def run_it(self, *arguments, **more):
        return self.run_ctl("revoke", "default#1", "--reason", "leaked",
                            *arguments, **more)

    def check_explained(self, text):
        self.assertRegex(text, rf"default: generation 1 \({KID}\), the "
                         "signer, would be revoked")
        self.assertIn("generation 2", text)
        self.assertIn("would sign now", text)
        self.assertIn("may accept tokens of the key that is gone", text)
        self.assertRegex(
            text, r"honour Cache-Control +until 20\S+Z \(in 1d 1h\)")
        self.assertRegex(text, r"poll within \w+ +until 20\S+Z \(in 2d 1h\)")
        self.assertRegex(
            text, "expire +until they see a kid that is new to them")

    def test_the_reason_is_required(self):
        for arguments in ([], ["--reason", ""], ["--reason="],
                          ["--yes", "--force"]):
            _, err = self.run_ctl("revoke", "x", *arguments, status=64)
            self.assertIn("revoke needs --reason TEXT", err)
            self.assertIn("audit trail", err)
        self.assertEqual(self.daemon.calls, [])

    def test_parameters(self):
        self.run_it("--yes", "--force")
        first, second = (
            call["parameters"] for call in self.daemon.calls[:2])
        self.assertEqual(first, {"key": "default#1", "reason": "leaked",
                                 "force": True, "dryRun": True})
        self.assertRegex(second.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(second, {"key": ACTIVE["kid"], "reason": "leaked",
                                  "force": True, "expectGeneration": 1})
        self.run_it("--if-gen", "7", "-n")
        self.assertEqual(self.daemon.parameters()["expectGeneration"], 7)

    def test_another_key_than_the_signer(self):
        self.daemon.set("Revoke", {
            "revoked": dict(READY, state="revoked", revokedAt=NOW),
            "exposure": dict(REVOKED["exposure"], acceptOldTokens={})})
        out, err = self.run_it("--yes")
        self.assertIn("a standby, is revoked", out)
        self.assertNotIn("signs now", out)
        self.assertNotIn("Verifiers", out + err)
        sent = self.daemon.parameters("Revoke")
        self.assertEqual((sent["key"], "expectGeneration" in sent),
                         (READY["kid"], False))
        self.assertEqual(self.daemon.methods(), ["Revoke", "Revoke"])
        for key, role in [
                (dict(ACTIVE, retiredAt=NOW - 5), "retired"),
                (ctl_fake.key(5, "pending"), "never published")]:
            self.daemon.set("Revoke", {
                "revoked": dict(key, state="revoked", revokedAt=NOW)})
            self.assertIn(f", {role}, is revoked", self.run_it("--yes")[0])

    def test_said(self):
        out, err = self.run_it("--yes")
        self.check_explained(err)
        self.assertIn("the signer, is revoked: it leaves the JWKSet", out)
        self.assertIn("signs now", out)
        self.assertEqual(self.run_it("--yes", "-q")[0], ACTIVE["kid"] + "\n")
        self.assertEqual(json.loads(self.run_it("--yes", "--json")[0]),
                         REVOKED)

    def test_rejecting_new_tokens(self):
        self.daemon.set("Revoke", dict(REVOKED, exposure=dict(
            REVOKED["exposure"],
            rejectNewTokens={"pollsWithinMaxAge": NOW + DAY + SLACK})))
        out, _ = self.run_it("--force", "-n")
        part = out.split("may reject tokens of the key that signs")[1]
        self.assertRegex(part, r"honour Cache-Control +not at all")
        self.assertRegex(part, r"poll within \w+ +until 20\S+Z \(in 1d 1h\)")

    def test_dry_run(self):
        out, err = self.run_it("--dry-run")
        self.check_explained(out)
        self.assertEqual(err, "")
        self.assertEqual(self.daemon.methods(), ["Revoke"])

    def test_no_terminal(self):
        _, err = self.run_it(status=64, stdin="y\ny\n")
        self.assertIn("revoke can make", err)
        self.assertEqual(self.daemon.calls, [])

    def test_the_second_rotation_is_shown_to_programs(self):
        for options in (["--yes"], ["--yes", "--json"], ["--yes", "-q"]):
            self.daemon.calls.clear()
            _, err = self.run_it(*options)
            self.assertIn("hint: jwksctl rotate default\n", err)
            self.assertRegex(err, r"from\n20\S+Z \(in 1h \d+min\) on\.")
            self.assertIn("does not reach\nMicrosoft.IdentityModel", err)
            self.assertIn("12 to 24 h", err)
            self.assertNotIn("Rotate", self.daemon.methods())
            self.assertNotIn("[y/N]", err)
            said = err.split("\n\n")[1].splitlines()
            self.assertEqual([line for line in said if len(line) > 80], [])

    def test_terminal_no(self):
        text = run_on_terminal(self, "revoke", "default#1", "--reason", "r",
                               answer=b"n\n", status=1)
        self.check_explained(text)
        self.assertIn("Revoke it? [y/N]", text)
        self.assertIn("nothing was changed", text)
        self.assertEqual(self.daemon.methods(), ["Revoke"])
        self.assertTrue(self.daemon.parameters()["dryRun"])

    def test_terminal_yes_and_no(self):
        text = run_on_terminal(self, "revoke", "default#1", "--reason", "r",
                               answer=[b"y\n", b"n\n"])
        self.assertIn("Schedule it as soon as it is safe? [y/N]", text)
        self.assertIn("hint: jwksctl rotate default", text)
        self.assertNotIn("nothing was changed", text)
        self.assertNotIn("Rotate", self.daemon.methods())

    def test_terminal_yes_and_yes(self):
        text = run_on_terminal(self, "revoke", "default#1", "--reason", "r",
                               "--request-id", "abc",
                               answer=[b"y\n", b"y\n"])
        self.assertIn("default: scheduled for 20", text)
        sent = self.daemon.parameters("Rotate")
        self.assertNotEqual(sent.pop("requestId"), "abc")
        self.assertIn("flush", sent.pop("reason"))
        self.assertEqual(sent, {"keySet": "default"})
        self.assertEqual(self.daemon.parameters("Revoke")["requestId"], "abc")

    def test_yes_answers_one_question_only(self):
        text = run_on_terminal(self, "revoke", "default#1", "--reason", "r",
                               "--yes")
        self.assertNotIn("[y/N]", text)
        self.assertIn("hint: jwksctl rotate default", text)
        self.assertNotIn("Rotate", self.daemon.methods())

    def test_the_second_rotation_is_refused(self):
        self.daemon.set("Rotate", Error("Frozen", cause="an operator"))
        text = run_on_terminal(self, "revoke", "default#1", "--reason", "r",
                               answer=[b"y\n", b"y\n"], status=75)
        self.assertIn("is revoked", text)
        self.assertIn("rotation is frozen", text)

    def test_a_standby_that_verifiers_know_flushes_nothing(self):
        self.daemon.set("ListKeys", [{"keys": [PROMOTED["activated"]]},
                                     {"keys": [PUBLISHED]}])
        text = run_on_terminal(self, "revoke", "default#1", "--reason", "r",
                               answer=[b"y\n"])
        self.assertIn("next key to sign was published before it: that "
                      "takes 2 rotations", text)
        self.assertIn("hint: jwksctl rotate default", text)
        self.assertNotIn("Schedule it", text)
        self.assertEqual(self.daemon.parameters("ListKeys"),
                         {"keySet": "default"})
        self.daemon.set("ListKeys", {"keys": [READY, PUBLISHED, ACTIVE]})
        self.assertIn("next 2 keys to sign were published before it: that "
                      "takes 3 rotations", self.run_it("--yes")[1])

    def test_the_revocation_stands_whatever_the_list_says(self):
        for answer in (Error("NoSpace"), Drop(), {}, {"keys": [{}]}):
            self.daemon.set("ListKeys", answer)
            out, err = self.run_it("--yes", "--json")
            self.assertEqual(json.loads(out), REVOKED)
            self.assertIn("hint: jwksctl rotate default", err)

    def test_not_ready(self):
        self.daemon.set("Revoke", Error("NotReady", readyAt=NOW + SLACK))
        _, err = self.run_it("--yes", status=75)
        self.assertRegex(
            err, r"no standby is ready before 20\S+Z \(in 1h \d+min\)")
        self.assertRegex(err.splitlines()[1], "wait until then, or --force")
        self.daemon.set("Revoke", Error("NotReady", readyAt=NOW))
        _, err = self.run_it("--yes", status=75)
        self.assertIn("no other key could take over", err)

    def test_gone_already(self):
        self.daemon.set("Revoke", Error("BadState", kid="Ab", state="revoked"))
        _, err = self.run_it("--yes", status=65)
        self.assertIn("the key Ab is revoked: it is not trusted any more",
                      err)

    def test_replies_that_make_no_sense(self):
        for reply in [{}, {"revoked": 1}, dict(REVOKED, flushAt="x"),
                      dict(REVOKED, activated={}),
                      dict(REVOKED, exposure={"acceptOldTokens": 1})]:
            self.daemon.set("Revoke", reply)
            self.run_it("-n", status=76)

    def test_a_kid_that_looks_like_an_option(self):
        self.daemon.set("Revoke", lambda call: (
            dict(REVOKED, revoked=dict(REVOKED["revoked"], kid="-abc"))
            if call["parameters"].get("dryRun") else
            Error("OutcomeUnknown", requestId="i")))
        _, err = self.run_ctl("revoke", "--yes", "--reason", "it's so", "--",
                              "-abc", status=75, first_line=None)
        self.assertEqual(self.daemon.parameters()["key"], "-abc")
        words = shell_words(err.splitlines()[-1])
        self.daemon.set("Revoke", REVOKED)
        before = self.daemon.parameters()
        self.run_ctl(*words)
        self.assertEqual(self.daemon.parameters("Revoke"), before)


class Switches(Case):
    def test_freeze(self):
        out, err = self.run_ctl("freeze", "--reason", "r")
        sent = self.daemon.parameters()
        self.assertRegex(sent.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(sent, {"frozen": True, "reason": "r"})
        self.assertRegex(out, "^every key set is frozen: nothing becomes "
                         "ready, rotates, .* go on\n$")
        self.assertEqual(err, "")
        self.assertRegex(self.run_ctl("freeze", "web")[0], "^web is frozen")
        self.assertEqual(self.daemon.parameters()["keySet"], "web")
        self.assertEqual(self.run_ctl("freeze", "-q")[0], "")

    def test_thaw(self):
        for mode, text in [
                ("auto", "what is due happens now"),
                ("manual", "waits for `jwksctl rotate`"),
                ("frozen", "another freeze is still in force")]:
            self.daemon.set("Freeze", {"mode": mode})
            out, _ = self.run_ctl("thaw")
            self.assertIn("freeze of every key set is taken back", out)
            self.assertIn(text, out)
            sent = self.daemon.parameters()
            self.assertIs(sent["frozen"], False)
            self.assertNotIn("keySet", sent)
        self.assertIn("of web is", self.run_ctl("thaw", "web")[0])
        self.daemon.set("Freeze", {"mode": "auto", "changed": False})
        self.assertEqual(self.run_ctl("thaw", "web")[0],
                         "no freeze of web was in force: nothing is changed\n")
        self.daemon.set("Freeze", {"mode": "frozen", "changed": False})
        self.assertEqual(self.run_ctl("freeze")[0], "every key set was frozen "
                         "already: nothing is changed\n")
        self.daemon.set("Freeze", {"mode": "auto"})
        self.run_ctl("thaw", "web")
        self.assertEqual(self.daemon.parameters()["keySet"], "web")

    def test_clock(self):
        self.assertIn("the clock is trusted", self.run_ctl("clock")[0])
        self.daemon.set("Status", dict(ctl_fake.STATUS, clockTrusted=False))
        out, err = self.run_ctl("clock")
        self.assertIn("the clock is not trusted", out)
        self.assertIn("schedule or is removed", out)
        self.assertIn("jwksctl clock accept", err)
        self.assertEqual([line for line in out.splitlines()
                          if len(line) > 80], [])
        self.assertEqual(set(self.daemon.methods()), {"Status"})

    def test_clock_accept(self):
        out, _ = self.run_ctl("clock", "accept", "--reason", "r")
        self.assertIn("the clock is trusted", out)
        sent = self.daemon.parameters()
        self.assertRegex(sent.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(sent, {"reason": "r"})
        self.daemon.set("AcceptClock", {"clockTrusted": False})
        self.assertIn("still not trusted", self.run_ctl("clock", "accept")[0])

    def test_replies_that_make_no_sense(self):
        for method, reply, arguments in [
                ("Freeze", {}, ["freeze"]), ("Freeze", {"mode": 1}, ["thaw"]),
                ("Status", {}, ["clock"]),
                ("Status", {"clockTrusted": "yes"}, ["clock"]),
                ("AcceptClock", {"clockTrusted": 1}, ["clock", "accept"])]:
            self.daemon.set(method, reply)
            self.run_ctl(*arguments, status=76)


class KeySets(Case):
    def test_list(self):
        self.daemon.set("ListKeySets", {"keySets": [
            KEY_SET, dict(KEY_SET, name="web", frozen=True, version=0),
            dict(KEY_SET, name="m", policy=dict(POLICY, mode="manual"))]})
        self.daemon.script[ctl_fake.KEYS + "ListKeySets"]["keySets"][1].pop(
            "activeGeneration")
        for arguments in (["keyset"], ["keyset", "list"]):
            lines = [line.split()
                     for line in self.run_ctl(*arguments)[0].splitlines()]
            self.assertEqual(lines, [
                ["NAME", "ALG", "MODE", "ACTIVE", "VERSION", "PATH"],
                ["default", "ES256", "auto", "1", "7", KEY_SET["path"]],
                ["web", "ES256", "frozen", "-", "0", KEY_SET["path"]],
                ["m", "ES256", "manual", "1", "7", KEY_SET["path"]]])
        self.assertEqual(self.run_ctl("keyset", "-q")[0], "default\nweb\nm\n")

    def test_show(self):
        self.daemon.set("ListKeySets", {"keySets": [
            dict(KEY_SET, name="other"),
            dict(KEY_SET, frozen=True, scheduledFor=NOW + DAY + SLACK)]})
        out, _ = self.run_ctl("keyset", "show", "default")
        for text in ["key set    default\n", "active     generation 1\n",
                     "version    7\n", "frozen     by an operator"]:
            self.assertIn(text, out)
        self.assertRegex(out, r"scheduled  a rotation for 20\S+Z \(in 1d 1h")
        for name, value in [("rotation_period", "30d"), ("mode", "auto"),
                            ("cache_max_age", "5min"),
                            ("verifier_max_age", "1d"), ("rsa_bits", "2048"),
                            ("max_published_keys", "8"),
                            ("algorithm", "ES256")]:
            self.assertRegex(out, rf"(?m)^{name} +{value} +\w.{{10}}")
        self.assertEqual(len(re.findall(r"(?m)^[a-z]+_?[a-z_]* {2,}", out)),
                         17 + 6)
        wide = run_on_terminal(self, "keyset", "show", "default")
        self.assertEqual([line for line in wide.splitlines()
                          if len(line) > 80], [])
        self.assertEqual(json.loads(self.run_ctl(
            "keyset", "show", "other", "--json")[0]),
            {"keySet": dict(KEY_SET, name="other")})
        self.assertEqual(self.run_ctl("keyset", "show", "other", "-q")[0],
                         "other\n")

    def test_show_a_stranger(self):
        out, err = self.run_ctl("keyset", "show", "defaul", status=65)
        self.assertIn('no key set "defaul"', err)
        self.assertEqual(out, "")
        out, _ = self.run_ctl("keyset", "show", "x", "--json", status=65)
        self.assertEqual(json.loads(out), {
            "error": "org.jwksd.keys.NoSuchKeySet",
            "parameters": {"keySet": "x"}})
        self.run_ctl("keyset", "show", b"\xff", status=64)

    def test_nonsense(self):
        for sets in [{}, {"keySets": 1}, {"keySets": [{}]},
                     {"keySets": [dict(KEY_SET, version=-1)]},
                     {"keySets": [dict(KEY_SET, policy=1)]}]:
            self.daemon.set("ListKeySets", sets)
            self.run_ctl("keyset", status=76)
            self.run_ctl("keyset", "show", "default",
                         status=65 if sets.get("keySets") == [{}]
                         else 76)
        self.daemon.set("ListKeySets", {"keySets": [
            dict(KEY_SET, policy={"clockSkew": -1})]})
        self.run_ctl("keyset", "show", "default", status=76)
        self.daemon.set("ListKeySets", {"keySets": [
            dict(KEY_SET, policy={"mode": "x" * 500})]})
        self.run_ctl("keyset", "show", "default")
        self.daemon.set("ListKeySets", {"keySets": [
            dict(KEY_SET, policy={})]})
        self.assertRegex(self.run_ctl("keyset", "show", "default")[0],
                         "clock_skew +-  ")

    def test_set(self):
        self.daemon.set("SetPolicy", lambda call: {"keySet": dict(
            KEY_SET, policy=dict(POLICY, **call["parameters"]["policy"]))})
        out, _ = self.run_ctl(
            "keyset", "set", "default", "rotation_period=1w 2d",
            "algorithm=RS256", "mode=manual", "rsa_bits=3072",
            "standby_count=2", "--if-gen", "4", "--reason", "r")
        sent = self.daemon.parameters()
        self.assertRegex(sent.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(sent, {
            "name": "default", "expectGeneration": 4, "reason": "r",
            "policy": {"rotationPeriod": 9 * DAY, "algorithm": "RS256",
                       "mode": "manual", "rsaBits": 3072,
                       "standbyCount": 2}})
        self.assertEqual(out.splitlines(), [
            "default: rotation_period is 9d",
            "default: algorithm is RS256, of new keys: it takes over through "
            "the standby", "default: mode is manual",
            "default: rsa_bits is 3072", "default: standby_count is 2"])
        out, _ = self.run_ctl("keyset", "set", "default", "clock_skew=0",
                              "-n")
        self.assertEqual(out, "default: clock_skew would be 0s\n")
        self.assertEqual(self.daemon.parameters(), {
            "name": "default", "policy": {"clockSkew": 0}, "dryRun": True})
        self.assertEqual(self.run_ctl("keyset", "set", "default",
                                      "mode=auto", "-q")[0], "default\n")

    def test_set_usage(self):
        for words, text, hint in [
                (["rotation_perod=1d"], 'no parameter "rotation_perod"',
                 "did you mean rotation_period?"),
                (["rotationPeriod=1d"], "no parameter",
                 "did you mean rotation_period?"),
                (["colour=red"], "no parameter", "keyset show"),
                (["rotation_period"], "is not PARAM=VALUE",
                 "rotation_period=14d"),
                (["=1d"], "is not PARAM=VALUE", None),
                ([""], "is not PARAM=VALUE", None),
                (["rotation_period=soon"], "rotation_period: ", None),
                (["rotation_period="], "rotation_period: ", None),
                (["rotation_period=0"], "must be between", None),
                (["cache_max_age=2h"], "between 1s and 1h", None),
                (["mode=Auto"], "one of auto, manual, frozen",
                 "did you mean auto?"),
                (["rsa_bits=1024"], "2048, 3072 or 4096", None),
                (["mode=auto", "mode=manual"], "mode is given twice", None),
                (["mode=auto", "--if-gen", "x"], "not a generation", None),
                (["x" * 300 + "=1"], "no parameter", None)]:
            with self.subTest(words):
                _, err = self.run_ctl("keyset", "set", "default", *words,
                                      status=64)
                self.assertIn(text, err.splitlines()[0])
                if hint is not None:
                    self.assertIn(hint, err.splitlines()[1])
        self.run_ctl("keyset", "set", b"\xff", "mode=auto", status=64)
        self.assertEqual(self.daemon.calls, [])

    def test_every_parameter_at_once(self):
        words = [f"{re.sub('([A-Z])', lambda m: '_' + m[1].lower(), name)}"
                 f"={value}" for name, value in POLICY.items()]
        self.assertEqual(len(words), 17)
        self.run_ctl("keyset", "set", "default", *words)
        self.assertEqual(self.daemon.parameters()["policy"], POLICY)

    def test_a_policy_that_breaks_the_arithmetic(self):
        self.daemon.set("SetPolicy", Error(
            "BadPolicy", parameter="rotationPeriod", minimum=90061,
            message="rotation_period is 1h but must be longer than 1d 1h"))
        _, err = self.run_ctl("keyset", "set", "default",
                              "rotation_period=1h", status=65)
        self.assertIn("rotation_period is 1h but", err.splitlines()[0])
        self.assertEqual(err.splitlines()[1], "hint: rotation_period would "
                         "be right with at least 1d 1h 1min 1s")

    def test_replies_that_make_no_sense(self):
        for reply in [{}, {"keySet": 1}, {"keySet": {}},
                      {"keySet": dict(KEY_SET, policy={"rsaBits": -1})}]:
            self.daemon.set("SetPolicy", reply)
            self.run_ctl("keyset", "set", "default", "rsa_bits=2048",
                         status=76)


CHANGING = [["rotate", "web"], ["rollback", "web", "--yes"],
            ["rollback", "--yes", "--if-gen", "2", "--reason", "it's a b"],
            ["revoke", "default#1", "--yes", "--reason", "a $b"],
            ["revoke", "x", "--yes", "--force", "--reason", "#"],
            ["freeze", "web", "--reason", "x y"], ["thaw"],
            ["clock", "accept", "--reason", "x"],
            ["keyset", "set", "web", "rotation_period=1d 2h", "mode=auto"]]


class Repeated(Case):
    """What holds for every command that changes something."""

    def test_each_takes_yes_and_has_its_own_id(self):
        for arguments in CHANGING + CHANGING:
            self.run_ctl(*arguments, *(["--yes"] if "--yes" not in arguments
                                       else []))
        self.assertEqual(len(set(self.daemon.ids())), 2 * len(CHANGING))

    def test_a_broken_connection_does_nothing_twice(self):
        methods = {"Rotate", "Rollback", "Revoke", "Freeze", "AcceptClock",
                   "SetPolicy"}
        for arguments in CHANGING:
            seen = []

            def once(call, seen=seen):
                method = call["method"].removeprefix(ctl_fake.KEYS)
                if call["parameters"].get("dryRun"):
                    return ctl_fake.SCRIPT[method]
                seen.append(call)
                if len(seen) < 3:
                    return Drop()
                return ctl_fake.SCRIPT[method]

            for method in methods:
                self.daemon.set(method, once)
            self.run_ctl(*arguments)
            self.assertEqual(len(seen), 3)
            self.assertEqual(seen[0], seen[2])

    def test_the_hint_repeats_the_very_same_request(self):
        def never_sure(call):
            if call["parameters"].get("dryRun"):
                return ctl_fake.SCRIPT[
                    call["method"].removeprefix(ctl_fake.KEYS)]
            return Error("OutcomeUnknown",
                         requestId=call["parameters"]["requestId"])

        def hint_of(arguments):
            _, err = self.run_ctl(*arguments, status=75, first_line=None)
            return shell_words(err.splitlines()[-1])

        for name in ("Rotate", "Rollback", "Revoke", "Freeze", "AcceptClock",
                     "SetPolicy"):
            self.daemon.set(name, never_sure)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            hints = list(pool.map(hint_of, CHANGING))
        sent = {call["parameters"]["requestId"]: call
                for call in self.daemon.calls
                if "requestId" in call["parameters"]}
        self.assertEqual(len(sent), len(CHANGING))
        self.daemon.script.update({ctl_fake.KEYS + name: value for
                                   name, value in ctl_fake.SCRIPT.items()})
        for hint in hints:
            with self.subTest(hint):
                self.daemon.calls.clear()
                self.run_ctl(*hint)
                again = self.daemon.calls[0]
                self.assertEqual(
                    again, sent[again["parameters"]["requestId"]])

    def test_nothing_steers_the_terminal(self):
        evil = "\033]0;x\007\u009b\u202e\n"
        shown = r"\x1b]0;x\x07\u009b\u202e\n"
        bad = ctl_fake.key(keySet=evil, kid=evil)
        self.daemon.set("Rollback", {"activated": bad, "retired": bad})
        self.daemon.set("Revoke", dict(REVOKED, revoked=bad, activated=bad))
        self.daemon.set("SetPolicy", {"keySet": dict(
            KEY_SET, name=evil, policy={"mode": evil})})
        self.daemon.set("ListKeySets", {"keySets": [dict(
            KEY_SET, name=evil, path=evil, frozen=True)]})
        for arguments in [["rollback", "--yes"],
                          ["revoke", "x", "--yes", "--reason", "r"],
                          ["keyset", "set", "default", "mode=auto"],
                          ["keyset"], ["list"]]:
            out, err = self.run_ctl(*arguments)
            self.assertIn(shown, out + err)
            for mark in "\033\007\u009b\u202e":
                self.assertNotIn(mark, out + err)


if __name__ == "__main__":
    unittest.main()
