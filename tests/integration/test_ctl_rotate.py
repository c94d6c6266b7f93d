"""rotate: what is asked, what is said, who is asked first, and that a broken
connection never rotates twice."""
import concurrent.futures
import json
import os
import re
import time
import unittest

from ctl_fake import (DAY, EXPOSURE, NOW, PROMOTED, READY, SLACK, Case, Drop,
                      Error, compact, run_on_terminal)

SCHEDULED = {"keySet": "default", "scheduledFor": NOW + DAY + SLACK,
             "cause": "the standby is published since a minute"}


def exposed(call):
    """What a daemon says to --now, done or not."""
    del call
    return dict(PROMOTED, exposure=EXPOSURE)


class Rotate(Case):
    def test_parameters(self):
        for arguments, expected in [
                ([], {}),
                (["web"], {"keySet": "web"}),
                (["--at", "@1900000000"], {"at": 1900000000}),
                (["--cancel"], {"cancel": True}),
                (["--if-gen=7"], {"expectGeneration": 7}),
                (["--reason", "é x"], {"reason": "é x"}),
                (["--request-id", "abc"], {"requestId": "abc"})]:
            self.run_ctl("rotate", *arguments)
            sent = dict(self.daemon.parameters())
            if "requestId" not in expected:
                self.assertRegex(sent.pop("requestId"), "^[0-9a-f]{32}$")
            self.assertEqual(sent, expected)

    def test_relative_times(self):
        self.run_ctl("rotate", "--at", "+2h")
        self.assertAlmostEqual(self.daemon.parameters()["at"],
                               time.time() + 7200, delta=120)

    def test_each_invocation_has_its_own_id(self):
        for _ in range(3):
            self.run_ctl("rotate")
        ids = {call["parameters"]["requestId"] for call in self.daemon.calls}
        self.assertEqual(len(ids), 3)

    def test_usage(self):
        for arguments, error in [
                (["--now", "--at", "+1h"], "--now and --at contradict"),
                (["--cancel", "--now"], "--now and --cancel contradict"),
                (["--cancel", "--at", "+1h"], "--at and --cancel contradict"),
                (["--if-gen", "0"], "not a generation"),
                (["--if-gen", "x"], "not a generation"),
                (["--if-gen", "1x"], "not a generation"),
                (["--if-gen", "99999999999999999999"], "not a generation"),
                (["--if-gen", "-1"], "not a generation"),
                (["--at", "yesteryear"], "--at: "),
                (["--request-id", ""], "--request-id is empty"),
                (["--reason", b"\xff"], "UTF-8")]:
            with self.subTest(arguments):
                _, err = self.run_ctl("rotate", *arguments, status=64)
                self.assertIn(error, err)
        self.assertEqual(self.daemon.calls, [])

    def test_promoted(self):
        out, err = self.run_ctl("rotate")
        self.assertRegex(
            out, rf"^default: generation 2 \({re.escape(READY['kid'])}\) "
            r"signs now; generation 1 stays published until 20\S+Z "
            r"\(in 3d 1h\)\n$")
        self.assertEqual(err, "")
        self.assertEqual(self.run_ctl("rotate", "-q")[0],
                         READY["kid"] + "\n")

    def test_scheduled(self):
        self.daemon.set("Rotate", SCHEDULED)
        out, _ = self.run_ctl("rotate")
        self.assertRegex(out, r"^default: scheduled for 20\S+Z \(in 1d 1h\): "
                         "the standby is published since a minute\n$")
        self.assertIn(f"for {NOW + DAY + SLACK}: ",
                      self.run_ctl("rotate", "--time=unix")[0])
        self.assertEqual(self.run_ctl("rotate", "-q")[0], "")

    def test_cancelled(self):
        self.daemon.set("Rotate", {"keySet": "default"})
        out, _ = self.run_ctl("rotate", "--cancel")
        self.assertEqual(
            out, "default: the scheduled rotation is taken back\n")
        out, _ = self.run_ctl("rotate", "--cancel", "-n")
        self.assertEqual(
            out, "default: the scheduled rotation would be taken back\n")

    def test_nothing_to_cancel(self):
        self.daemon.set("Rotate", {"keySet": "default",
                                   "cause": "no rotation was scheduled"})
        out, _ = self.run_ctl("rotate", "--cancel")
        self.assertIn("default: no rotation was scheduled: there is nothing "
                      "to cancel", out)

    def test_a_time_that_is_over(self):
        for command in (["rotate", "--at"], ["plan", "--until"],
                        ["jwks", "--at"]):
            _, err = self.run_ctl(*command, "2020-01-01T00:00:00Z", status=64)
            self.assertIn(f"{command[1]}: 2020-01-01T00:00:00Z is over", err)
        self.assertEqual(self.daemon.calls, [])

    def test_dry_run(self):
        out, _ = self.run_ctl("rotate", "-n")
        self.assertEqual(self.daemon.parameters(), {"dryRun": True})
        self.assertIn("would sign now; generation 1 would stay published",
                      out)
        self.daemon.set("Rotate", SCHEDULED)
        self.assertIn("would be scheduled for",
                      self.run_ctl("rotate", "--dry-run")[0])
        self.assertEqual(len(self.daemon.calls), 2)

    def test_replies_that_make_no_sense(self):
        for reply in [{}, {"keySet": "d", "activated": {}},
                      {"keySet": "d", "activated": 1},
                      {"keySet": "d", "scheduledFor": "soon"},
                      dict(PROMOTED, exposure={"rejectNewTokens": 1}),
                      dict(PROMOTED, exposure={"rejectNewTokens": {
                          "neverExpires": "x"}})]:
            self.daemon.set("Rotate", reply)
            self.run_ctl("rotate", status=76)


class Now(Case):
    def setUp(self):
        super().setUp()
        self.daemon.set("Rotate", exposed)

    def check_explained(self, text):
        self.assertIn("would sign now", text)
        self.assertRegex(text, r"honour Cache-Control +until 20\S+Z \(in 1d 1h\)")
        self.assertRegex(text, r"poll within \w+ +until 20\S+Z \(in 2d 1h\)")
        self.assertRegex(text, r"copy expire +until they see a kid that is ")
        self.assertNotIn("the key that is gone", text)

    def test_no_terminal(self):
        out, err = self.run_ctl("rotate", "--now", status=64, stdin="y\n")
        self.assertEqual(out, "")
        self.assertIn("no terminal", err)
        self.assertIn("--yes", err.splitlines()[1])
        self.assertEqual(self.daemon.calls, [])

    def test_dry_run_asks_nobody(self):
        out, _ = self.run_ctl("rotate", "--now", "--dry-run")
        self.check_explained(out)
        self.assertEqual(self.daemon.parameters(),
                         {"now": True, "dryRun": True})

    def test_yes(self):
        out, err = self.run_ctl("rotate", "--now", "--yes", "--reason", "r")
        self.check_explained(err)
        self.assertIn("signs now", out)
        first, second = (call["parameters"] for call in self.daemon.calls)
        self.assertEqual(first, {"now": True, "dryRun": True, "reason": "r"})
        self.assertRegex(second.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(second, {"now": True, "reason": "r",
                                  "expectGeneration": 1})

    def test_json_prints_the_outcome_only(self):
        out, err = self.run_ctl("rotate", "--now", "--yes", "--json")
        self.assertEqual(out, compact(exposed(None)) + "\n")
        self.check_explained(err)

    def test_repetition_goes_straight_to_the_daemon(self):
        self.run_ctl("rotate", "--now", "--yes", "--request-id", "abc")
        self.assertEqual([call["parameters"] for call in self.daemon.calls],
                         [{"now": True, "requestId": "abc"}])

    def test_nothing_to_fear_is_said(self):
        self.daemon.set("Rotate", PROMOTED)
        _, err = self.run_ctl("rotate", "--now", "--yes")
        self.assertIn("No verifier", err)

    def test_accepting_old_tokens(self):
        self.daemon.set("Rotate", dict(PROMOTED, exposure={
            "until": NOW, "rejectNewTokens": {},
            "acceptOldTokens": {"neverExpires": 0}}))
        out, _ = self.run_ctl("rotate")
        self.assertIn("the key that is gone", out)
        self.assertRegex(out, r"honour Cache-Control +not at all")
        self.assertNotIn("the key that signs", out)

    def test_refused_by_the_dry_run(self):
        self.daemon.set("Rotate", Error("Frozen", cause="operator"))
        self.run_ctl("rotate", "--now", "--yes", status=75)
        self.assertEqual(len(self.daemon.calls), 1)

    def test_changed_in_between(self):
        self.daemon.queue = [exposed(None),
                             Error("Conflict", expected=1, actual=2)]
        out, err = self.run_ctl("rotate", "--now", "--yes", status=75,
                                first_line=None)
        self.assertEqual(out, "")
        self.assertIn("jwksctl: generation 2 is active, not 1", err)

    def test_terminal_no(self):
        for answer in [b"n\n", b"\n", b"yeah\n", b"nyes\n", b"\x04",
                       b"y" * 40 + b"\n"]:
            with self.subTest(answer):
                self.daemon.calls.clear()
                text = run_on_terminal(self, "rotate", "--now",
                                       answer=answer, status=1)
                self.check_explained(text)
                self.assertIn("Rotate now? [y/N]", text)
                self.assertIn("jwksctl: nothing was changed", text)
                self.assertEqual(len(self.daemon.calls), 1)
                self.assertTrue(self.daemon.parameters()["dryRun"])

    def test_terminal_yes(self):
        for answer in [b"y\n", b"Y\n", b"yes\n"]:
            with self.subTest(answer):
                self.daemon.calls.clear()
                text = run_on_terminal(self, "rotate", "--now", answer=answer)
                self.assertIn("signs now", text)
                self.assertEqual(len(self.daemon.calls), 2)
                self.assertEqual(
                    self.daemon.parameters()["expectGeneration"], 1)

    def test_terminal_with_yes_does_not_ask(self):
        text = run_on_terminal(self, "rotate", "--now", "--yes")
        self.assertNotIn("[y/N]", text)
        self.assertIn("signs now", text)


class Broken(Case):
    def ids(self):
        return [call["parameters"]["requestId"] for call in self.daemon.calls]

    def test_the_same_id_again(self):
        self.daemon.queue = [Drop(), Drop()]
        out, err = self.run_ctl("rotate", "--json")
        self.assertEqual(json.loads(out), PROMOTED)
        self.assertEqual(err, "")
        self.assertEqual(len(self.ids()), 3)
        self.assertEqual(len(set(self.ids())), 1)
        self.assertEqual(self.daemon.calls[0], self.daemon.calls[2])

    def test_outcome_unknown_is_asked_again(self):
        self.daemon.queue = [lambda call: Error(
            "OutcomeUnknown", requestId=call["parameters"]["requestId"])]
        self.run_ctl("rotate")
        self.assertEqual(len(self.ids()), 2)
        self.assertEqual(len(set(self.ids())), 1)

    def test_other_errors_are_not(self):
        self.daemon.set("Rotate", Error("NoSpace"))
        self.run_ctl("rotate", status=75)
        self.assertEqual(len(self.ids()), 1)

    def test_bounded(self):
        self.daemon.set("Rotate", Drop())
        start = time.monotonic()
        _, err = self.run_ctl("rotate", status=75)
        self.assertLess(time.monotonic() - start, 20)
        self.assertTrue(1 < len(self.ids()) <= 8)
        self.assertEqual(len(set(self.ids())), 1)
        self.assertIn("not known yet", err)
        self.assertIn("--request-id " + self.ids()[0], err)

    def test_the_hint_repeats_the_very_same_request(self):
        """The daemon refuses a known id with other parameters."""
        def never_sure(call):
            if call["parameters"].get("dryRun"):
                return PROMOTED
            return Error("OutcomeUnknown",
                         requestId=call["parameters"]["requestId"])

        def hint_of(arguments):
            _, err = self.run_ctl("rotate", *arguments, status=75,
                                  first_line=None)
            return err.splitlines()[-1].split("jwksctl ")[1].split()

        self.daemon.set("Rotate", never_sure)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            hints = list(pool.map(hint_of, [
                ["web"], ["--at", "+3h"], ["--cancel"],
                ["--now", "--yes", "web"], ["--if-gen", "4"]]))
        sent = {call["parameters"]["requestId"]: call["parameters"]
                for call in self.daemon.calls
                if "requestId" in call["parameters"]}
        self.assertEqual(len(sent), 5)
        self.daemon.set("Rotate", PROMOTED)
        for hint in hints:
            self.daemon.calls.clear()
            self.run_ctl(*hint)
            again = self.daemon.parameters()
            self.assertEqual(len(self.daemon.calls), 1)
            self.assertEqual(again, sent[again["requestId"]])

    def test_the_daemon_goes_for_good(self):
        def vanish(call):
            del call
            # The listener stays: jwksctl finds no socket.
            os.unlink(self.socket)
            return Drop()

        self.daemon.queue = [vanish]
        _, err = self.run_ctl("rotate", status=75)
        self.assertIn("--request-id " + self.ids()[0], err)

    def test_a_dry_run_is_asked_once(self):
        self.daemon.set("Rotate", Drop())
        self.run_ctl("rotate", "--dry-run", status=69)
        self.assertEqual(len(self.daemon.calls), 1)

    def test_never_there(self):
        self.daemon.close()
        start = time.monotonic()
        self.run_ctl("rotate", status=69)
        self.assertLess(time.monotonic() - start, 5)


if __name__ == "__main__":
    unittest.main()
