"""Rotate, end to end: through jwksctl and over the socket, under the policy
that a new installation has."""
import datetime
import json
import re
import threading
import time
import unittest

import harness
from harness import VarlinkError

HOUR, DAY = 3600, 86400
IPUB = DAY + HOUR + 60              # propagation + verifiers + safety
IRET = 60 + HOUR + 300 + HOUR       # drain + tokens + skew + safety
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(
        seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Case(unittest.TestCase):
    own_front = False

    def setUp(self):
        self.daemon = harness.Daemon(own_front=self.own_front)
        self.enterContext(self.daemon)

    def rotate(self, **parameters):
        return self.daemon.call("Rotate", parameters)

    def refused(self, **parameters):
        with self.assertRaises(VarlinkError) as caught:
            self.rotate(**parameters)
        return caught.exception

    def ctl(self, *arguments, status=0):
        result = self.daemon.ctl(*arguments)
        self.assertEqual(result.returncode, status,
                         (arguments, result.stdout, result.stderr))
        return result

    def states(self):
        return {k["generation"]: k["state"]
                for k in self.daemon.keys(all=True)}

    def new_standby(self, number=3):
        """Wait until the standby that a rotation asked for is published."""
        def found():
            return next((k for k in self.daemon.keys()
                         if k["generation"] == number
                         and k["state"] == "published"), None)
        harness.wait_until(found)
        self.daemon.wait_read()
        return found()

    def key_set(self):
        return self.daemon.call("ListKeySets")["keySets"][0]

    def rows(self):
        """Everything that a change would leave a trace in."""
        with self.daemon.database() as db:
            return {table: [tuple(row) for row in
                            db.execute(f"SELECT * FROM {table}")]
                    for table in ("key_set", "generation", "request",
                                  "audit", "meta")}


class MustShow(Case):
    """What the whole thing is for, in the order in which a person does it."""

    def test_first_at_once_second_scheduled_and_listed(self):
        keys = self.daemon.get().json()["keys"]
        self.assertEqual(len(keys), 2)
        first, second = self.daemon.keys()
        self.assertEqual([k["kid"] for k in keys],
                         [first["kid"], second["kid"]])

        said = self.ctl("rotate").stdout
        self.assertIn("generation 2", said)
        self.assertIn("signs now", said)
        self.assertEqual(self.states()[2], "active")
        retired = self.daemon.call("ShowKey", {"key": "default#1"})["key"]
        self.assertEqual(retired["removeAt"],
                         retired["retiredAt"] + 1 + IRET)
        self.assertIn(rfc3339(retired["removeAt"]), said)
        harness.wait_until(lambda: self.daemon.get().json()["keys"][0]["kid"]
                           == second["kid"])

        third = self.new_standby()
        self.assertIn(third["readyAt"] - third["publishedAt"] - IPUB, (1, 2))
        said = self.ctl("rotate").stdout
        self.assertIn("scheduled", said)
        self.assertIn(rfc3339(third["readyAt"]), said)
        self.assertEqual(self.key_set()["scheduledFor"], third["readyAt"])

        listed = self.ctl("list", "--time=iso").stdout.splitlines()
        rows = {line.split()[1]: line for line in listed[1:]}
        self.assertEqual(list(rows), ["2", "3", "1"])
        self.assertIn(" active ", rows["2"])
        self.assertIn(" published ", rows["3"])
        self.assertIn(rfc3339(third["readyAt"]), rows["3"])
        self.assertIn(" retired ", rows["1"])
        self.assertIn(rfc3339(retired["removeAt"]), rows["1"])
        for key in self.daemon.keys():
            self.assertIn(key["kid"][:12], rows[str(key["generation"])])

    def test_the_url_has_them_in_order(self):
        self.ctl("rotate")
        self.new_standby()
        kids = [k["kid"] for k in self.daemon.keys()]
        self.assertEqual(len(kids), 3)
        harness.wait_until(lambda: [k["kid"] for k in self.daemon.get()
                                    .json()["keys"]] == kids)

    def test_json_is_the_reply_as_it_came(self):
        asked = json.loads(self.ctl("rotate", "--dry-run", "--json").stdout)
        self.assertEqual(asked, self.rotate(dryRun=True))


class Schedule(Case):
    own_front = True

    def setUp(self):
        super().setUp()
        self.rotate()
        self.standby = self.new_standby()

    def test_asking_twice_moves_nothing(self):
        first = self.rotate()
        self.assertEqual(first["scheduledFor"], self.standby["readyAt"])
        self.assertTrue(first["cause"])
        self.assertNotIn("activated", first)
        self.assertEqual(self.rotate(), first)

    def test_every_screen_shows_it(self):
        when = self.rotate()["scheduledFor"]
        keys = {key["state"]: key for key in self.daemon.keys()}
        self.assertEqual(keys["active"]["rotateAt"], when)
        self.assertEqual(keys["published"]["signsAt"], when)
        shown = self.daemon.call("ShowKey", {"key": keys["active"]["kid"]})
        self.assertEqual(shown["key"]["rotateAt"], when)
        rows = self.daemon.ctl("--time=unix", "list").stdout.splitlines()
        self.assertIn(str(when), [row for row in rows if "active" in row][0])
        self.rotate(cancel=True)
        keys = {key["state"]: key for key in self.daemon.keys()}
        self.assertGreater(keys["active"]["rotateAt"], when)
        self.assertEqual(keys["published"]["signsAt"],
                         keys["active"]["rotateAt"])

    def test_the_plan_shows_it(self):
        self.rotate()
        self.assertIn(
            (self.standby["readyAt"], 3, "active"),
            {(c["time"], c["generation"], c["to"])
             for c in self.daemon.call("Plan")["changes"]})

    def test_cancel(self):
        self.rotate()
        self.assertIn("scheduledFor", self.key_set())
        answer = self.rotate(cancel=True)
        self.assertNotIn("scheduledFor", answer)
        self.assertNotIn("scheduledFor", self.key_set())
        self.assertNotIn(
            (self.standby["readyAt"], 3, "active"),
            {(c["time"], c["generation"], c["to"])
             for c in self.daemon.call("Plan")["changes"]})

    def test_cancel_through_jwksctl(self):
        self.ctl("rotate")
        self.ctl("rotate", "--cancel")
        self.assertNotIn("scheduledFor", self.key_set())

    def test_a_schedule_survives_a_crash(self):
        when = self.rotate()["scheduledFor"]
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.key_set()["scheduledFor"], when)

    def test_at_a_good_time(self):
        when = self.standby["readyAt"] + 12345
        self.assertEqual(self.rotate(at=when)["scheduledFor"], when)
        self.assertEqual(self.key_set()["scheduledFor"], when)
        self.assertIn((when, 3, "active"),
                      {(c["time"], c["generation"], c["to"]) for c in
                       self.daemon.call("Plan")["changes"]})

    def test_at_exactly_the_earliest_time(self):
        when = self.standby["readyAt"]
        self.assertEqual(self.rotate(at=when)["scheduledFor"], when)

    def test_at_too_early(self):
        before = self.rows()
        for when in (int(time.time()) + 60, self.standby["readyAt"] - 1):
            error = self.refused(at=when)
            self.assertEqual(error.short, "NotReady")
            self.assertEqual(error.parameters,
                             {"readyAt": self.standby["readyAt"]})
        result = self.ctl("rotate", "--at", "+1h", status=75)
        self.assertIn(rfc3339(self.standby["readyAt"]), result.stderr)
        self.assertEqual(self.rows(), before)

    def test_at_a_time_that_is_past_or_no_time(self):
        for when in (int(time.time()), int(time.time()) - 5, 1, 0, -1,
                     2 ** 62, -2 ** 63):
            error = self.refused(at=when)
            self.assertEqual(error.short, "InvalidParameter", when)
            self.assertEqual(error.parameters, {"parameter": "at"})
        self.ctl("rotate", "--at", "@5", status=64)
        self.assertNotIn("scheduledFor", self.key_set())

    def test_contradictions(self):
        when = self.standby["readyAt"]
        for parameters in ({"now": True, "at": when},
                           {"now": True, "cancel": True},
                           {"cancel": True, "at": when}):
            self.assertEqual(
                self.refused(**parameters).short, "InvalidParameter")
        self.assertEqual(self.states(), {1: "retired", 2: "active",
                                         3: "published"})

    def test_now_says_who_may_reject_until_when(self):
        answer = self.rotate(now=True, reason="drill")
        activated = answer["activated"]
        self.assertEqual(activated["generation"], 3)
        self.assertEqual(answer["retired"]["generation"], 2)
        self.assertNotIn("scheduledFor", answer)
        exposure = answer["exposure"]
        served = self.standby["readyAt"] - IPUB + 60
        self.assertEqual(exposure["rejectNewTokens"]
                         ["honoursCacheControl"], served + 300)
        self.assertEqual(exposure["rejectNewTokens"]
                         ["pollsWithinMaxAge"], served + DAY)
        self.assertEqual(exposure["until"], served + DAY)
        with self.daemon.database() as db:
            causes = [tuple(row) for row in db.execute(
                "SELECT reason, uid FROM audit WHERE event = 'rotate'"
                " ORDER BY seq")]
        self.assertEqual(causes[-1][0], "drill")
        self.assertIsNotNone(causes[-1][1])

    def test_now_through_jwksctl(self):
        self.ctl("rotate", "--now", status=64)
        self.assertEqual(self.states()[2], "active")
        said = self.ctl("rotate", "--now", "--yes")
        self.assertIn("may reject", said.stdout + said.stderr)
        self.assertIn(rfc3339(self.standby["readyAt"] - HOUR),
                      said.stdout + said.stderr)
        self.assertEqual(self.states()[3], "active")

    def rotate_now(self):
        """Its outcome, once there is a key to promote."""
        def attempt():
            try:
                return self.rotate(now=True)
            except VarlinkError as error:
                self.assertEqual(error.short, "NotReady")
                later = error.parameters["readyAt"] > time.time() + 60
                return error if later else None
        return harness.wait_until(attempt)

    def test_now_again_and_again(self):
        """Until the set is full: never a signer that is not in it."""
        for number in range(3, 20):
            answer = self.rotate_now()
            if isinstance(answer, VarlinkError):
                break
            self.assertEqual(answer["activated"]["generation"], number)
        self.assertEqual(number, 9)
        keys = self.daemon.keys()
        removals = [k["removeAt"] for k in keys if k["state"] == "retired"]
        self.assertEqual(answer.parameters, {"readyAt": min(removals)})
        self.assertEqual([k["state"] for k in keys],
                         ["active"] + ["retired"] * 7 + ["pending"])
        self.assertEqual(self.rotate()["scheduledFor"],
                         min(removals) + 1 + IPUB)
        harness.wait_until(lambda: [k["kid"] for k in self.daemon.get()
                                    .json()["keys"]]
                           == [k["kid"] for k in keys[:8]])


class ByHand(Case):
    def test_an_order_is_all_that_there_is(self):
        self.daemon.call("SetPolicy", {"name": "default",
                                       "policy": {"mode": "manual"}})
        at = int(time.time()) + 30 * 86400 * 3
        self.assertEqual(self.rotate(at=at)["scheduledFor"], at)
        keys = {k["state"]: k for k in self.daemon.keys()}
        self.assertEqual(keys["active"]["rotateAt"], at)
        (standby,) = [k for s, k in keys.items() if s != "active"]
        self.assertEqual(standby["signsAt"], at)


class Refusals(Case):
    def test_dry_run_changes_nothing(self):
        version = self.daemon.call("GetJwks")["version"]
        before, body = self.rows(), self.daemon.get().body
        files = {name: harness.read_bytes(f"{self.daemon.state}/{name}")
                 for name in ("jwksd.db", "jwksd.db-wal")}
        for parameters in ({}, {"now": True}, {"requestId": "dry"},
                           {"cancel": True}, {"reason": "why not"},
                           {"at": int(time.time()) + 10 * DAY}):
            self.rotate(dryRun=True, **parameters)
        self.ctl("rotate", "--dry-run")
        self.ctl("rotate", "-n", "--now")
        for name, octets in files.items():
            self.assertEqual(
                harness.read_bytes(f"{self.daemon.state}/{name}"), octets)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.daemon.call("GetJwks")["version"], version)
        self.assertEqual(self.daemon.get().body, body)

    def test_dry_run_says_what_the_real_one_then_does(self):
        dry = self.rotate(dryRun=True)
        real = self.rotate()
        for name in ("activated", "retired"):
            self.assertEqual(dry[name]["kid"], real[name]["kid"])
            self.assertEqual(dry[name]["state"], real[name]["state"])

    def test_another_generation_than_expected(self):
        before = self.rows()
        for expected in (2, 7, 0, -1, 2 ** 62):
            error = self.refused(expectGeneration=expected)
            self.assertEqual(error.short, "Conflict")
            self.assertEqual(error.parameters,
                             {"expected": expected, "actual": 1})
        result = self.ctl("rotate", "--if-gen", "2", status=75)
        self.assertIn("generation 1 is active", result.stderr)
        self.assertEqual(self.rows(), before)
        self.ctl("rotate", "--if-gen", "1")
        self.assertEqual(self.states()[2], "active")

    def test_unknown_key_set(self):
        for name in ("nope", "", "default/x", "x" * 5000, "a/b", "é"):
            error = self.refused(keySet=name)
            self.assertEqual(error.short, "NoSuchKeySet")
            self.assertEqual(error.parameters, {"keySet": name})
        self.ctl("rotate", "nope", status=65)
        self.assertEqual(self.states(), {1: "active", 2: "ready"})

    def test_overlong_texts(self):
        for parameters, wrong in (
                ({"requestId": ""}, "requestId"),
                ({"requestId": "x" * 129}, "requestId"),
                ({"reason": "x" * 513}, "reason")):
            error = self.refused(**parameters)
            self.assertEqual(error.parameters, {"parameter": wrong})
        self.assertEqual(self.states(), {1: "active", 2: "ready"})


class Requests(Case):
    def test_a_request_is_done_once(self):
        first = self.rotate(requestId="r1", reason="because")
        self.new_standby()
        before, version = self.rows(), self.key_set()["version"]
        for _ in range(3):
            self.assertEqual(
                self.rotate(requestId="r1", reason="because"), first)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.key_set()["version"], version)

    def test_also_after_a_crash(self):
        first = self.rotate(requestId="r1")
        self.daemon.kill9()
        self.daemon.start()
        self.new_standby()
        before = self.rows()
        self.assertEqual(self.rotate(requestId="r1"), first)
        self.assertEqual(self.rows(), before)
        self.daemon.restart()
        self.assertEqual(self.rotate(requestId="r1"), first)

    def test_a_schedule_too(self):
        self.rotate()
        self.new_standby()
        scheduled = self.rotate(requestId="s1")
        self.rotate(cancel=True, requestId="c1")
        self.assertEqual(self.rotate(requestId="s1"), scheduled)
        self.assertNotIn("scheduledFor", self.key_set())

    def test_one_id_one_question(self):
        self.rotate(requestId="r1")
        self.new_standby()
        before = self.rows()
        for parameters in ({"now": True}, {"reason": "other"},
                           {"expectGeneration": 1}, {"dryRun": True},
                           {"keySet": "default"}):
            error = self.refused(requestId="r1", **parameters)
            self.assertEqual(error.short, "InvalidParameter")
            self.assertEqual(error.parameters, {"parameter": "requestId"})
        self.assertEqual(self.rows(), before)

    def test_a_refused_one_may_be_asked_again(self):
        self.refused(requestId="r1", expectGeneration=2)
        self.rotate()
        answer = self.rotate(requestId="r1", expectGeneration=2)
        self.assertIn("scheduledFor", answer)

    def test_jwksctl_repeats_with_the_same_id(self):
        said = self.ctl("rotate", "--request-id", "mine").stdout
        self.new_standby()
        before = self.rows()
        self.assertIn("generation 2", self.ctl(
            "rotate", "--request-id", "mine").stdout)
        self.assertIn("generation 2", said)
        self.assertEqual(self.rows(), before)


class Parallel(Case):
    def ask(self, number, **parameters):
        """The same question on several connections at one time."""
        answers, barrier = [], threading.Barrier(number)

        def run():
            with self.daemon.connect() as client:
                barrier.wait()
                try:
                    answers.append(client.call("Rotate", parameters))
                except VarlinkError as error:
                    answers.append(error)

        threads = [threading.Thread(target=run) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_two_that_expect_the_same_signer(self):
        answers = self.ask(2, expectGeneration=1)
        errors = [a for a in answers if isinstance(a, VarlinkError)]
        (done,) = [a for a in answers if not isinstance(a, VarlinkError)]
        self.assertEqual(done["activated"]["generation"], 2)
        self.assertEqual([(e.short, e.parameters) for e in errors],
                         [("Conflict", {"expected": 1, "actual": 2})])

    def test_two_without_expectation(self):
        """One rotates; the other is scheduled, or waits for its key."""
        answers = self.ask(2)
        activated = [a for a in answers if "activated" in a]
        self.assertEqual(len(activated), 1)
        self.assertTrue(all("activated" in a or "scheduledFor" in a
                            for a in answers))
        self.assertEqual(self.states()[2], "active")

    def test_one_request_on_ten_connections(self):
        answers = self.ask(10, requestId="one")
        self.assertEqual(answers, [answers[0]] * 10)
        self.new_standby()
        self.assertEqual(self.states(), {1: "retired", 2: "active",
                                         3: "published"})
        with self.daemon.database() as db:
            self.assertEqual(db.execute(
                "SELECT count(*) FROM audit WHERE event = 'rotate'"
            ).fetchone()[0], 1)


if __name__ == "__main__":
    unittest.main()
