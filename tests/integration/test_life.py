"""A life in fast motion, watched from all sides, with nobody touching it.

One daemon whose keys sign for five seconds each; a thread on the URL, one on
the control socket, one on a Monitor stream and one on copies of the database
write down what they see.  The tests then hold the record against the rules of
a key's life.  Lower bounds are exact; upper bounds allow for a slow machine.
"""
import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import threading
import time
import unittest
from email.utils import parsedate_to_datetime

import harness

PERIOD, READY_AFTER, RETIRED_FOR, ROLLBACK = 5, 3, 3, 1
ROTATIONS = 3
LIFE = PERIOD * ROTATIONS + RETIRED_FOR
POLICY = {
    **harness.FAST,
    "rotation_period": f"{PERIOD}s",
    "verifier_max_age": "2s",
    "publish_safety": "1s",
    "clock_skew": "1s",
    "retire_safety": "1s",
    "rollback_window": f"{ROLLBACK}s",
}
SLACK = 2 * harness.SLOW    # how late a thing may be seen

# Every way from one state to the next, but for the first start.
STEPS = {
    (None, "pending"), ("pending", "published"), ("published", "ready"),
    ("ready", "active"), ("active", "retired"), ("retired", "removed"),
}
STATE_OF_EVENT = {"created": "pending", "activated": "active"}
CHANGES_BYTES = {"published", "activated", "removed"}


class Look:
    """What one look has seen, and the wall clock around it."""

    def __init__(self, what):
        self.before = time.time()
        self.__dict__.update(what())
        self.after = time.time()


class Record:
    """All that is written down about one life."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.gets, self.lists, self.copies, self.events = [], [], [], []
        self.failures = []
        self.failed = threading.Event()

    def watch(self, seconds):
        """The stream is watched for longest, the URL for the shortest time:
        what one of them has seen, those that enclose it must have seen."""
        with contextlib.ExitStack() as watchers:
            # A watcher is stopped after those that were started later.
            watchers.enter_context(self.watching(self.watch_events))
            harness.wait_until(lambda: self.events or self.failures)
            self.started = int(time.time())
            self.plan = self.daemon.call(
                "Plan", {"until": self.started + seconds})["changes"]
            watchers.callback(time.sleep, 0.5)   # the last events arrive
            watchers.enter_context(self.watching(self.watch_database))
            watchers.enter_context(self.watching(self.watch_control))
            harness.wait_until(lambda: self.lists or self.failures)
            watchers.enter_context(self.watching(self.watch_url))
            self.failed.wait(seconds + SLACK)

    @contextlib.contextmanager
    def watching(self, watch):
        done = threading.Event()
        thread = threading.Thread(target=self.guarded, args=(watch, done))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def guarded(self, watch, done):
        try:
            watch(done)
        except Exception as error:     # shown by a test
            self.failures.append(f"{watch.__name__}: {error!r}")
            self.failed.set()

    def watch_url(self, done):
        with contextlib.closing(http.client.HTTPConnection(
                "127.0.0.1", self.daemon.port, timeout=10)) as client:
            while not done.is_set():
                self.gets.append(Look(lambda: self.get(client)))
                time.sleep(0.02)

    def get(self, client):
        client.request("GET", harness.JWKS_PATH)
        answer = harness.Response(client.getresponse())
        return {"status": answer.status, "etag": answer.headers["ETag"],
                "body": answer.body,
                "date": parsedate_to_datetime(answer.headers["Date"]),
                "modified": parsedate_to_datetime(
                    answer.headers["Last-Modified"]),
                "kids": [k["kid"] for k in answer.json()["keys"]]}

    def watch_control(self, done):
        with self.daemon.connect() as client:
            while not done.is_set():
                self.lists.append(Look(lambda: self.list(client)))
                time.sleep(0.02)

    def list(self, client):
        first = client.call("ListKeys", {"all": True})["keys"]
        jwks = client.call("GetJwks")
        again = client.call("ListKeys", {"all": True})["keys"]
        return {"keys": first, "jwks": jwks, "quiet": first == again}

    def watch_database(self, done):
        while not done.is_set():
            self.copies.append(Look(self.copy))
            time.sleep(0.3)

    def copy(self):
        with self.daemon.database() as db:
            check = db.execute("PRAGMA integrity_check").fetchone()[0]
            rows = [dict(row) for row in db.execute(
                "SELECT number, retired_at, removed_at, destroyed_at,"
                " sealed IS NULL AS gone FROM generation")]
        return {"check": check, "rows": rows}

    def watch_events(self, done):
        with self.daemon.connect(timeout=1) as client:
            client.send("Monitor", more=True)
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    self.events.append(client.reply()[0])


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(policy=POLICY)
        cls.enterClassContext(cls.daemon)
        cls.record = Record(cls.daemon)
        cls.record.watch(LIFE)

    def states(self, kid):
        """The states of a kid in the order in which they were seen."""
        seen = [key["state"] for look in self.record.lists
                for key in look.keys if key["kid"] == kid]
        return [state for state, _ in itertools.groupby(seen)]

    def last_facts(self):
        return {k["kid"]: k for look in self.record.lists for k in look.keys}

    def test_everybody_could_watch_to_the_end(self):
        self.assertEqual(self.record.failures, [])
        self.assertEqual({look.status for look in self.record.gets}, {200})
        self.assertGreater(len(self.record.gets), 10 * LIFE / harness.SLOW)

    def test_several_rotations_pass(self):
        signers = [k["generation"] for look in self.record.lists
                   for k in look.keys if k["state"] == "active"]
        turns = [g for g, _ in itertools.groupby(signers)]
        self.assertGreater(len(turns), ROTATIONS)
        self.assertEqual(turns, list(range(1, len(turns) + 1)))

    def test_exactly_one_signs(self):
        for look in self.record.lists:
            self.assertEqual(
                [k["state"] for k in look.keys].count("active"), 1, look.keys)

    def test_states_only_move_forward(self):
        order = ["pending", "published", "ready", "active", "retired",
                 "removed"]
        for kid in self.last_facts():
            places = [order.index(state) for state in self.states(kid)]
            self.assertEqual(places, sorted(places), (kid, places))

    def test_a_kid_names_one_generation(self):
        named = {(k["kid"], k["generation"]) for look in self.record.lists
                 for k in look.keys}
        self.assertEqual(len({kid for kid, _ in named}), len(named))
        self.assertEqual(len({number for _, number in named}), len(named))
        for look in self.record.gets:
            self.assertEqual(len(set(look.kids)), len(look.kids))
            self.assertLessEqual(set(look.kids), {kid for kid, _ in named})

    def test_published_before_it_signs(self):
        """Whoever fetched a set old enough to be trusted has the signer."""
        for look in self.record.lists:
            signer = next(k for k in look.keys if k["state"] == "active")
            if signer["generation"] == 1:
                continue
            self.assertGreaterEqual(
                signer["activatedAt"],
                signer["publishedAt"] + READY_AFTER
                if signer["generation"] > 2 else signer["publishedAt"])
            first = next(g for g in self.record.gets
                         if signer["kid"] in g.kids)
            self.assertLess(first.after, signer["activatedAt"] + 1)

    def test_what_signs_stays_published(self):
        """From its first appearance until removeAt a key is in every set."""
        for kid, facts in self.last_facts().items():
            has = [kid in look.kids for look in self.record.gets]
            runs = [value for value, _ in itertools.groupby(has)]
            self.assertIn(runs, ([True], [False, True], [True, False],
                                 [False, True, False], [False]), kid)
            if facts["state"] in ("ready", "active", "retired", "removed"):
                self.assertTrue(any(has), kid)

    def test_retired_ones_disappear_on_time(self):
        removed = [k for k in self.last_facts().values()
                   if k["state"] == "removed"]
        self.assertGreaterEqual(len(removed), ROTATIONS - 1)
        for key in removed:
            due = key["retiredAt"] + RETIRED_FOR
            last = max(g.before for g in self.record.gets
                       if key["kid"] in g.kids)
            gone = min(g.after for g in self.record.gets
                       if g.before > last and key["kid"] not in g.kids)
            self.assertGreaterEqual(gone, due, key)
            self.assertLessEqual(last, due + SLACK, key)
            self.assertGreaterEqual(key["removedAt"], due, key)

    def test_the_signer_comes_first(self):
        for look in self.record.lists:
            if not look.quiet:
                continue
            living = [k["kid"] for k in look.keys if k["state"] in
                      ("active", "ready", "published", "retired")]
            self.assertEqual(
                [k["kid"] for k in look.jwks["jwks"]["keys"]], living)
            self.assertEqual(look.keys[0]["state"], "active")
        signers = [look.keys[0]["kid"] for look in self.record.lists]
        first = [look.kids[0] for look in self.record.gets]
        first = [kid for kid, _ in itertools.groupby(first)]
        signers = [kid for kid, _ in itertools.groupby(signers)]
        # The list was watched a moment longer than the URL, at both ends.
        self.assertIn(first, [signers[begin:end] for begin in (0, 1)
                              for end in (None, -1)])

    def test_etags_change_exactly_with_the_bytes(self):
        pairs = {(look.etag, look.body) for look in self.record.gets}
        self.assertGreater(len(pairs), 2 * ROTATIONS)
        self.assertEqual(len({etag for etag, _ in pairs}), len(pairs))
        self.assertEqual(len({body for _, body in pairs}), len(pairs))
        for etag, body in pairs:
            digest = hashlib.sha256(body).digest()[:16]
            self.assertEqual(
                etag.strip('"'),
                base64.urlsafe_b64encode(digest).rstrip(b"=").decode())

    def test_dates(self):
        """RFC 9110 section 8.8.2.1: never modified in the future."""
        for look in self.record.gets:
            self.assertLessEqual(look.modified, look.date)
            self.assertLessEqual(look.date.timestamp(), look.after)
        modified = [look.modified for look in self.record.gets]
        self.assertEqual(modified, sorted(modified))

    def test_versions_change_exactly_with_the_bytes(self):
        answers = [look.jwks for look in self.record.lists]
        triples = {(a["version"], a["etag"], json.dumps(a["jwks"]))
                   for a in answers}
        for column in range(3):
            self.assertEqual(len({t[column] for t in triples}), len(triples))
        versions = [a["version"] for a in answers]
        self.assertEqual(versions, sorted(versions))
        on_the_wire = {look.etag for look in self.record.gets}
        self.assertLessEqual(
            len(on_the_wire - {etag for _, etag, _ in triples}), 2)

    def test_each_change_of_the_bytes_is_one_version(self):
        changes = [e["event"] for e in self.record.events[1:]]
        expected = sum(e in CHANGES_BYTES for e in changes)
        first = self.record.lists[0].jwks["version"]
        last = self.daemon.call("GetJwks")["version"]
        later = next(self.daemon.call("Monitor", more=True))["keys"]
        if {k["kid"]: k["state"] for k in later} == self.replay():
            self.assertEqual(last - first, expected)

    def replay(self):
        """The states that a follower of the stream believes in."""
        believed = {k["kid"]: k["state"]
                    for k in self.record.events[0]["keys"]}
        for event in self.record.events[1:]:
            for key in event["keys"]:
                believed[key["kid"]] = key["state"]
        return {kid: state for kid, state in believed.items()
                if state != "removed"}

    def test_the_stream_tells_every_transition_in_order(self):
        events = self.record.events
        self.assertEqual(events[0]["event"], "snapshot")
        self.assertEqual([e["sequence"] for e in events],
                         list(range(events[0]["sequence"],
                                    events[0]["sequence"] + len(events))))
        believed = {k["kid"]: k["state"] for k in events[0]["keys"]}
        for event in events[1:]:
            (key,) = event["keys"]
            self.assertEqual(key["state"], STATE_OF_EVENT.get(
                event["event"], event["event"]))
            step = believed.get(key["kid"]), key["state"]
            self.assertIn(step, STEPS, event)
            believed[key["kid"]] = key["state"]
        self.assertGreaterEqual(
            [e["event"] for e in events].count("activated"), ROTATIONS)

    def test_the_stream_has_what_the_list_has_seen(self):
        told = {(k["kid"], k["state"]) for e in self.record.events
                for k in e["keys"]}
        seen = {(k["kid"], k["state"]) for look in self.record.lists
                for k in look.keys}
        self.assertLessEqual(seen, told)

    def happened(self):
        """Transitions as the plan writes them: what the facts say."""
        time_of = {"pending": "createdAt", "published": "publishedAt",
                   "ready": "readyAt", "active": "activatedAt",
                   "retired": "retiredAt", "removed": "removedAt"}
        return [(k["generation"], k["state"], k[time_of[k["state"]]])
                for e in self.record.events[1:] for k in e["keys"]]

    def test_the_plan_came_true(self):
        planned = [(c["generation"], c["to"], c["time"])
                   for c in self.record.plan]
        self.assertGreater(len(planned), 5 * ROTATIONS)
        happened = self.happened()[:len(planned)]
        self.assertEqual([step[:2] for step in happened],
                         [step[:2] for step in planned])
        for was, will in zip(happened, planned):
            self.assertGreaterEqual(was[2], will[2])
            self.assertLessEqual(was[2], will[2] + SLACK, (was, will))

    def test_private_keys_are_destroyed(self):
        checked = 0
        for look in self.record.copies:
            self.assertEqual(look.check, "ok")
            for row in look.rows:
                retired = row["retired_at"]
                if retired is None or look.after < retired + ROLLBACK:
                    self.assertFalse(row["gone"], row)
                elif look.before > retired + ROLLBACK + SLACK:
                    self.assertTrue(row["gone"], row)
                    self.assertGreaterEqual(
                        row["destroyed_at"], retired + ROLLBACK)
                    checked += 1
        self.assertGreater(checked, 2)


if __name__ == "__main__":
    unittest.main()
