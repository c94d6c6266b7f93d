"""keyset add and remove: what is asked and said, files of key sets, progress
on a terminal, and going on where a run was cut off."""
import json
import os
import re
import threading
import time
import unittest

from ctl_fake import (DAY, KEY_SET, NOW, POLICY, SLACK, Case, Drop, Error,
                      run_on_terminal)

ACME = dict(KEY_SET, name="acme")


class Keeper:
    """What the fake needs to keep: key sets, and outcomes by request id."""

    def __init__(self, daemon):
        self.lock = threading.Lock()
        self.sets, self.outcomes, self.added = {}, {}, []
        self.room = 10000
        daemon.set("ListKeySets", self.list)
        daemon.set("AddKeySet", self.add)
        daemon.set("AddKeySets", self.add_all)

    def list(self, _):
        with self.lock:
            sets = list(self.sets.values())
        half = len(sets) // 2
        return [{"keySets": sets[:half]}, {"keySets": sets[half:]}]

    def add(self, call):
        parameters = call["parameters"]
        name, policy = parameters["name"], parameters.get("policy", {})
        wanted = dict(KEY_SET, name=name, policy={**POLICY, **policy})
        request = parameters.get("requestId")
        with self.lock:
            if request in self.outcomes:
                return self.outcomes[request]
            if policy.get("rotationPeriod") == 1:
                return Error("BadPolicy", parameter="rotationPeriod",
                             message="rotation_period is too short",
                             minimum=90061)
            if name in self.sets:
                return Error("Conflict", expected=0, actual=1)
            if len(self.sets) >= self.room:
                return Error("NoSpace")
            if not parameters.get("dryRun"):
                self.sets[name] = wanted
                self.outcomes[request] = {"keySet": wanted}
                self.added.append(name)
        return {"keySet": wanted}


    def add_all(self, call):
        """All or none, as the daemon does it."""
        parameters = call["parameters"]
        asked, request = parameters["keySets"], parameters["requestId"]
        wanted = {s["name"]: dict(KEY_SET, name=s["name"],
                                  policy={**POLICY, **s["policy"]})
                  for s in asked}
        with self.lock:
            if request in self.outcomes:
                return self.outcomes[request]
            for name in wanted:
                if name in self.sets:
                    return Error("Conflict", expected=0, actual=1,
                                 keySet=name)
            if len(self.sets) + len(wanted) > self.room:
                return Error("NoSpace")
            self.sets.update(wanted)
            self.added.extend(wanted)
            last = {"done": len(wanted), "total": len(wanted)}
            self.outcomes[request] = last
        return last


class Add(Case):
    def setUp(self):
        super().setUp()
        self.daemon.set("AddKeySet", {"keySet": ACME})

    def test_parameters(self):
        out, _ = self.run_ctl("keyset", "add", "acme", "rotation_period=14d",
                              "algorithm=ES384", "--reason", "new customer")
        parameters = self.daemon.parameters("AddKeySet")
        self.assertRegex(parameters.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(parameters, {
            "name": "acme", "reason": "new customer", "policy": {
                "rotationPeriod": 14 * DAY, "algorithm": "ES384"}})
        self.assertEqual(out, "acme: is added, with ES256 keys, at "
                              "/.well-known/jwks.json\n")

    def test_other_forms(self):
        self.assertEqual(self.run_ctl("keyset", "add", "acme", "-q")[0],
                         "acme\n")
        self.assertEqual(json.loads(self.run_ctl(
            "keyset", "add", "acme", "--json")[0]), {"keySet": ACME})
        self.assertIn("would be added",
                      self.run_ctl("keyset", "add", "acme", "-n")[0])
        self.assertIs(self.daemon.parameters()["dryRun"], True)

    def test_broken_connection(self):
        self.daemon.queue = [Drop()]
        self.run_ctl("keyset", "add", "acme")
        first, second = self.daemon.ids()
        self.assertEqual(first, second)

    def test_usage(self):
        for words, reason in [
                ([], "needs NAME, or --from FILE"),
                (["a", "colour=red"], "no parameter"),
                (["a", "b"], "not PARAM=VALUE"),
                (["a", "--from", "f"], "--from says it all: a"),
                (["--from", "f", "--request-id", "i"],
                 "--from says it all: --request-id"),
                (["a", "algorithm=none"], "unknown")]:
            with self.subTest(words=words):
                _, err = self.run_ctl("keyset", "add", *words, status=64)
                self.assertIn(reason, err)
        self.assertEqual(self.daemon.calls, [])

    def test_refused(self):
        for error, status, words in [
                (Error("Conflict", expected=0, actual=1), 75,
                 "there is a key set of that name already"),
                (Error("BadPolicy", parameter="name", message="APP is empty"),
                 65, "jwksctl: APP is empty; nothing was changed"),
                (Error("BadPolicy", parameter="algorithm",
                       message="needs OpenSSL 3.5"),
                 65, "jwksctl: needs OpenSSL 3.5; nothing was changed"),
                (Error("BadPolicy", parameter="rotationPeriod",
                       message="too short", minimum=90061), 65,
                 "breaks the arithmetic: too short; nothing was changed\n"
                 "hint: rotation_period would be right with at least "
                 "1d 1h 1min 1s")]:
            with self.subTest(words=words):
                self.daemon.set("AddKeySet", error)
                self.assertIn(words, self.run_ctl(
                    "keyset", "add", "acme", status=status)[1])


class Bulk(Case):
    def setUp(self):
        super().setUp()
        self.keeper = Keeper(self.daemon)

    def file(self, text):
        path = os.path.join(self.directory, "sets")
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def add(self, text, *options, **more):
        return self.run_ctl("keyset", "add", "--from", self.file(text),
                            *options, **more)

    def requests(self):
        return [c["parameters"] for c in self.daemon.calls
                if c["method"].endswith("AddKeySets")]

    def asked(self):
        """The key sets of all requests."""
        return [s for p in self.requests() for s in p["keySets"]]

    def names(self):
        return [s["name"] for s in self.asked()]

    def test_a_file(self):
        out, err = self.add(
            '# customers\n\nacme\nacme/step-up  algorithm=ES384\t'
            'rotation_period="30d 1h" # of the bank\r\nlast', "--reason", "r")
        self.assertEqual((out, err), ("3 key sets: 3 added\n", ""))
        requests = self.requests()
        for request in requests:
            self.assertRegex(request.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(requests, [
            {"reason": "r", "keySets": [{"name": "acme", "policy": {}}]},
            {"reason": "r", "keySets": [
                {"name": "acme/step-up", "policy": {
                    "algorithm": "ES384",
                    "rotationPeriod": 30 * DAY + 3600}},
                {"name": "last", "policy": {}}]}])

    def test_standard_input(self):
        out, _ = self.run_ctl("keyset", "add", "--from", "-", "-q",
                              stdin="a\nb\n")
        self.assertEqual(out, "a\nb\n")

    def test_every_mistake_is_told_and_nothing_sent(self):
        path = self.file("good\n-bad\na/b/c\ngood colour=red\n"
                         "x rotationperiod=1d\ny z\nq p=\"1\n"
                         "w algorithm=none\n\0\ngood\n"
                         "t mode=auto mode=manual\nU\n" + "l" * 64)
        _, err = self.run_ctl("keyset", "add", "--from", path, status=64)
        self.assertEqual(self.daemon.calls, [])
        told = re.findall(rf"^jwksctl: {re.escape(path)}:(\d+): (.*)$", err,
                          re.M)
        self.assertEqual([int(n) for n, _ in told],
                         [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 10])
        words = dict((int(n), text) for n, text in told)
        for number, part in {
                2: "begin or end with '-'", 3: "NAME may have only",
                4: "no parameter \"colour\"", 5: "did you mean",
                6: "not PARAM=VALUE", 7: "quote", 8: "\"none\" is unknown",
                9: "NUL", 10: "good is given twice", 11: "mode is given twice",
                12: "APP may have only a-z", 13: "longer than 63"}.items():
            self.assertIn(part, words[number])
        self.assertIn(f"{path} has 12 mistakes: nothing was sent", err)

    def test_no_file(self):
        self.assertIn("No such file", self.run_ctl(
            "keyset", "add", "--from", self.directory + "/none",
            status=74)[1])
        self.run_ctl("keyset", "add", "--from", self.directory, status=74)
        self.assertIn("names no key set", self.add("# none\n", status=64)[1])

    def test_any_octets(self):
        _, err = self.add(bytes(range(256)) * 4, status=64)
        self.assertNotRegex(err, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_what_is_there_counts(self):
        names = "".join(f"app{i}\n" for i in range(40))
        self.assertEqual(self.add(names)[0], "40 key sets: 40 added\n")
        first = self.requests()
        self.assertEqual(sorted(self.names()),
                         sorted(f"app{i}" for i in range(40)))
        self.assertEqual(len({p["requestId"] for p in first}), len(first))
        self.daemon.calls.clear()
        self.assertEqual(self.add(names + "one-more\n")[0],
                         "41 key sets: 1 added, 40 there already\n")
        self.assertEqual(self.names(), ["one-more"])

    def test_what_was_removed_is_added_again(self):
        self.add("a\nb\n")
        del self.keeper.sets["b"]
        self.assertEqual(self.add("a\nb\n")[0],
                         "2 key sets: 1 added, 1 there already\n")
        self.assertEqual(sorted(self.keeper.added), ["a", "b", "b"])

    def test_another_policy(self):
        self.add("a rotation_period=14d\nb mode=manual\n")
        out, err = self.add("a rotation_period=15d\nb\nc\n", status=75)
        self.assertEqual(out, "3 key sets: 1 added, 1 there already, 1 there "
                              "with another policy\n")
        self.assertIn(":1: a is there with another policy: rotation_period "
                      "is 14d, not 15d\n", err)
        self.assertIn("hint: `jwksctl keyset set`", err)
        self.assertEqual(self.keeper.sets["a"]["policy"]["rotationPeriod"],
                         14 * DAY)
        self.assertEqual(json.loads(self.add(
            "a rotation_period=15d\nb\n", "--json", status=75)[0]),
            {"added": 0, "present": 1, "different": ["a"], "failed": [],
             "missing": []})

    def test_bad_policies_are_found_before_anything_is_added(self):
        _, err = self.add("a\nb rotation_period=1s\nc\n"
                          "d rotation_period=1s mode=manual\n"
                          "e rotation_period=1s\n", status=65)
        self.assertRegex(err, r":2: the policy breaks the arithmetic: .* is "
                         r"too short.*at least 1d 1h 1min 1s\)\n")
        self.assertIn(":4: ", err)
        self.assertIn("has 2 bad policies: nothing was added",
                      err)
        self.assertEqual(self.requests(), [])

    def test_dry_run(self):
        self.add("a\n")
        self.daemon.calls.clear()
        self.assertEqual(self.add("a\nb\nc\n", "-n")[0], "3 key sets: 2 would "
                         "be added, 1 there already\n")
        self.assertEqual(self.requests(), [])
        self.assertEqual(list(self.keeper.sets), ["a"])

    def set_for(self, name, error):
        """A key set that no call may have; the others may."""
        def add(call):
            if any(s["name"] == name for s in call["parameters"]["keySets"]):
                return error(call)
            return self.keeper.add_all(call)
        self.daemon.set("AddKeySets", add)

    def test_one_that_is_refused(self):
        self.set_for("b", lambda call: Error(
            "BadKey", message="the generator failed", keySet="b"))
        out, err = self.add("a\nb\nc\n", status=65)
        self.assertEqual(out, "3 key sets: 2 added, 1 refused\n")
        self.assertIn(":2: that key cannot be used: the generator failed", err)

    def test_a_whole_call_that_is_refused(self):
        self.daemon.set("AddKeySets", Error(
            "org.varlink.service.InvalidParameter", parameter="keySets"))
        _, err = self.add("a\n", status=64)
        self.assertIn("keySets", err)
        self.assertEqual(len(self.requests()), 1)

    def test_another_client_adds_one_meanwhile(self):
        def add(call):
            self.keeper.sets["b"] = dict(KEY_SET, name="b")
            return self.keeper.add_all(call)
        self.set_for("b", add)
        self.assertEqual(self.add("a\nb\nc\n")[0], "3 key sets: 2 added, "
                         "1 there already\n")

    def test_another_client_removes_one_meanwhile(self):
        def sets(call):
            self.keeper.sets.pop("b", None)
            return self.keeper.list(call)
        self.daemon.set("ListKeySets", sets)
        out, err = self.add("a\nb\n", status=75)
        self.assertEqual(out, "2 key sets: 1 added, 1 not there\n")
        self.assertIn("another client removes key sets", err)

    def test_pieces_fit_a_message(self):
        """The longest names with every parameter that a policy has."""
        every = {name for name in POLICY if name not in ("algorithm", "mode")}
        words = " ".join(
            f"{re.sub('([A-Z])', lambda m: '_' + m[1].lower(), name)}="
            + {"rsaBits": "4096", "standbyCount": "1",
               "maxPublishedKeys": "10"}.get(name, "3600s")
            for name in sorted(every))
        self.add("".join(f"{'a' * 59}{i:04}/{'b' * 63} {words}\n"
                         for i in range(700)), "--reason", "\u20ac" * 170)
        calls = self.requests()
        self.assertEqual(len(self.names()), 700)
        self.assertGreater(max(len(p["keySets"]) for p in calls), 100)
        self.assertLess(max(len(json.dumps(p)) for p in calls),
                        256 * 1024 - 200)

    def test_connections_that_break(self):
        count = [0]

        def add(call):
            answer = self.keeper.add_all(call)
            count[0] += 1
            return Drop() if count[0] % 3 == 1 else answer
        self.daemon.set("AddKeySets", add)
        self.assertEqual(self.add("".join(f"a{i}\n" for i in range(130)))[0],
                         "130 key sets: 130 added\n")
        self.assertEqual(len(self.keeper.added), 130)
        ids = [p["requestId"] for p in self.requests()]
        self.assertGreater(len(ids), len(set(ids)))

    def test_cut_off_and_resumed(self):
        names = "".join(f"a{i}\n" for i in range(100))
        self.keeper.room = 45
        out, err = self.add(names, status=75)
        self.assertEqual(out, "")
        self.assertRegex(err, r"cut off: \d+ of 100 key sets are known")
        there = len(self.keeper.sets)
        self.assertGreater(there, 0)
        self.keeper.room = 100
        self.assertEqual(self.add(names)[0], f"100 key sets: {100 - there} "
                         f"added, {there} there already\n")
        self.assertEqual(len(self.keeper.added), 100)

    def test_progress_on_a_terminal(self):
        def add(call):
            time.sleep(0.4)
            return self.keeper.add_all(call)
        self.daemon.set("AddKeySets", add)
        path = self.file("".join(f"a{i}\n" for i in range(900)))
        out = run_on_terminal(self, "keyset", "add", "--from", path)
        lines = [line for line in out.split("\r") if " of 900 " in line]
        self.assertGreater(len(lines), 3)
        self.assertRegex(lines[0], r"^\d+ of 900 key sets \(\d+ %\)")
        self.assertRegex(lines[-1], r"\d+ a second, \d+s left *$")
        self.assertTrue(out.endswith("\r900 key sets: 900 added\n"), out)
        again = run_on_terminal(self, "keyset", "add", "--from", path)
        self.assertEqual(again, "900 key sets: 0 added, 900 there already\n")

    def test_progress_never_wraps(self):
        def add(call):
            time.sleep(0.4)
            return self.keeper.add_all(call)
        self.daemon.set("AddKeySets", add)
        path = self.file("".join(f"a{i}\n" for i in range(60)))
        out = run_on_terminal(self, "keyset", "add", "--from", path,
                              columns=20)
        parts = [p for p in out.split("\n")[0].split("\r") if " of 60 " in p]
        self.assertTrue(parts)
        self.assertTrue(all(len(part) < 20 for part in parts), parts)


class Remove(Case):
    exposure = {"until": NOW + DAY + SLACK,
                "rejectNewTokens": {"honoursCacheControl": NOW + DAY + SLACK},
                "acceptOldTokens": {}}

    def setUp(self):
        super().setUp()
        self.daemon.set("RemoveKeySet", {"keySet": ACME})

    def test_looked_at_first(self):
        out, err = self.run_ctl("keyset", "remove", "acme", "--yes",
                                "--reason", "gone")
        first, second = (c["parameters"] for c in self.daemon.calls)
        self.assertEqual(first, {"name": "acme", "reason": "gone",
                                 "dryRun": True})
        self.assertRegex(second.pop("requestId"), "^[0-9a-f]{32}$")
        self.assertEqual(second, {"name": "acme", "reason": "gone",
                                  "expectGeneration": 1})
        self.assertIn("acme: would be removed: nothing would be served at "
                      "/.well-known/jwks.json", err)
        self.assertIn("acme: is removed: nothing is served", out)
        self.assertIn("kids never come back", out)
        self.assertNotIn("reject", out + err)

    def test_exposure(self):
        self.daemon.set("RemoveKeySet", {"keySet": ACME,
                                         "exposure": self.exposure})
        out, err = self.run_ctl("keyset", "remove", "acme", "--force", "--yes")
        self.assertIs(self.daemon.parameters()["force"], True)
        for text in out, err:
            self.assertRegex(text, r"reject its tokens that are still valid,\n"
                             r"the last of them until 20\S+Z \(in 1d 1h\)")

    def test_no_terminal(self):
        _, err = self.run_ctl("keyset", "remove", "acme", status=64)
        self.assertIn("no terminal to ask on", err)
        self.assertEqual(self.daemon.calls, [])

    def test_terminal(self):
        out = run_on_terminal(self, "keyset", "remove", "acme", answer=b"n\n",
                              status=1)
        self.assertIn("Remove it? [y/N] ", out)
        self.assertEqual(self.daemon.ids(), [])
        run_on_terminal(self, "keyset", "remove", "acme", answer=b"y\n")
        self.assertEqual(len(self.daemon.ids()), 1)

    def test_not_ready(self):
        self.daemon.set("RemoveKeySet",
                        Error("NotReady", readyAt=NOW + DAY + SLACK))
        _, err = self.run_ctl("keyset", "remove", "acme", "--yes", status=75)
        self.assertRegex(err, r"a token of it could still be valid until "
                         r"20\S+Z \(in 1d 1h\); nothing was changed")
        self.assertIn("--force", err)
        self.assertEqual(self.daemon.ids(), [])

    def test_repetition(self):
        self.run_ctl("keyset", "remove", "acme", "--yes", "--request-id", "i")
        self.assertEqual([c["parameters"] for c in self.daemon.calls],
                         [{"name": "acme", "requestId": "i"}])
        self.assertEqual(self.run_ctl("keyset", "remove", "acme", "--yes",
                                      "-q")[0], "acme\n")


if __name__ == "__main__":
    unittest.main()
