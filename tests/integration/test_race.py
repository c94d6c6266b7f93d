"""Sixteen clients at one daemon, rotating, rolling back, revoking and sending
the same request ids again, with a kill -9 in the middle: never two signers,
each request done once, and told the same to whoever asks again."""
import json
import os
import random
import threading
import time
import unittest

import harness
from harness import VarlinkError

SEED = int(os.environ.get("JWKSD_SEED", time.time_ns() % 1000000))
CLIENTS = 16        # as many connections as one user may have
POLICY = {**harness.FAST, "rotation_period": "1h", "token_max_ttl": "2s",
          "rollback_window": "2s", "max_published_keys": "10"}
REFUSALS = {"NotReady", "BadState", "Conflict", "NoSuchKey", "AmbiguousKey"}


class Requests:
    """What has been asked by anybody, and the first answer to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked, self.answers, self.strange = [], {}, []
        self.repeated = 0

    def add(self, method, parameters):
        with self.lock:
            request = f"race-{len(self.asked)}"
            self.asked.append((method, {**parameters, "requestId": request}))
            return self.asked[-1]

    def any(self, chance):
        with self.lock:
            return chance.choice(self.asked) if self.asked else None

    def answered(self, request, answer):
        with self.lock:
            first = self.answers.setdefault(request, answer)
            self.repeated += first is not answer
            if first != answer:
                self.strange.append(f"{request}: {first} and {answer}")


class Client(threading.Thread):
    def __init__(self, race, number):
        super().__init__()
        self.race, self.requests = race, race.requests
        self.random = random.Random(SEED * 100 + number)
        self.connection = None
        self.seen = 0

    def run(self):
        try:
            while not self.race.stopped.is_set():
                if self.race.up.is_set():
                    self.step(self.choose())
                else:
                    # A user has no more connections than these.
                    self.hang_up()
                    self.race.up.wait(0.1)
        except Exception as error:
            self.requests.strange.append(repr(error))
        finally:
            self.hang_up()

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def call(self, method, parameters):
        if self.connection is None:
            self.connection = self.race.daemon.connect()
        return self.connection.call(method, parameters)

    def choose(self):
        what = self.random.randrange(10)
        if what < 3:
            return self.requests.any(self.random)
        if what < 6:
            return self.requests.add("Rotate", {"now": True})
        if what < 8:
            return self.requests.add("Rollback", {})
        # Somewhere near the active one; whether it is there or not.
        number = max(1, self.seen - self.random.randrange(4))
        return self.requests.add(
            "Revoke", {"key": f"default#{number}", "reason": "a race"})

    def step(self, request):
        if request is None:
            return
        method, parameters = request
        known = parameters["requestId"] in self.requests.answers
        try:
            answer = self.call(method, parameters)
        except VarlinkError as error:
            if error.short not in REFUSALS:
                self.requests.strange.append(f"{method}: {error}")
            elif known:
                self.requests.strange.append(f"{method} forgot: {error}")
        except (OSError, EOFError):
            # Sent, perhaps done, never answered: it will be sent again.
            self.hang_up()
            time.sleep(0.01)
        else:
            self.requests.answered(parameters["requestId"], answer)
            key = answer.get("activated") or answer.get("revoked")
            self.seen = max(self.seen, key["generation"])


class Race(unittest.TestCase):
    SECONDS = 4

    def setUp(self):
        self.daemon = harness.Daemon(policy=POLICY)
        self.enterContext(self.daemon)
        self.requests = Requests()
        self.up, self.stopped = threading.Event(), threading.Event()

    def check(self):
        """What the database itself says."""
        with self.daemon.database() as db:
            def rows(sql):
                return [tuple(row) for row in db.execute(sql)]

            self.assertEqual(rows("PRAGMA integrity_check"), [("ok",)])
            outcomes = dict(rows("SELECT id, outcome FROM request"))
            done = [row[0] for row in rows(
                "SELECT request_id FROM audit WHERE request_id IS NOT NULL"
                " AND to_state IS NULL AND outcome IS NULL")]
            # Each transition begins where the one before it ended.
            self.assertEqual(rows(
                "SELECT * FROM (SELECT seq, generation, from_state,"
                " lag(to_state) OVER (PARTITION BY generation ORDER BY seq)"
                " AS before FROM audit WHERE to_state IS NOT NULL)"
                " WHERE from_state IS NOT before"), [])
            transitions = rows(
                "SELECT generation, from_state, to_state FROM audit"
                " WHERE to_state IS NOT NULL ORDER BY seq")
            states = dict(rows(
                "SELECT number, activations - retirements FROM generation"
                " WHERE removed_at IS NULL AND revoked_at IS NULL"))
        self.assertEqual(len(set(done)), len(done), "done twice")
        self.assertEqual(set(done), set(outcomes))
        for request, answer in self.requests.answers.items():
            self.assertEqual(json.loads(outcomes[request]), answer, request)
        self.assertEqual(sorted(states.values())[-1:], [1])
        self.assertEqual(list(states.values()).count(1), 1)
        self.one_signer(transitions)

    def one_signer(self, transitions):
        """A new one is told first, then the old one that it replaced."""
        signers = set()
        for generation, was, state in transitions:
            if was == "active":
                signers.discard(generation)
            if state == "active":
                signers.add(generation)
            self.assertLessEqual(len(signers), 2)
        self.assertEqual(len(signers), 1)

    def restart(self):
        self.up.clear()
        self.daemon.kill9()
        self.daemon.start()
        self.check()
        self.up.set()

    def test_sixteen_clients_and_a_kill(self):
        clients = [Client(self, n) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        self.up.set()
        try:
            for _ in range(2):
                time.sleep(self.SECONDS / 3)
                self.restart()
            time.sleep(self.SECONDS / 3)
        finally:
            self.stopped.set()
            for client in clients:
                client.join()
        print(f"JWKSD_SEED={SEED}: {len(self.requests.asked)} requests, "
              f"{len(self.requests.answers)} done, "
              f"{self.requests.repeated} answered again")
        self.assertEqual(self.requests.strange, [])
        self.assertGreater(len(self.requests.answers), 20)
        self.assertGreater(self.requests.repeated, 20)
        self.check()
        kids = [k["kid"] for k in self.daemon.keys(all=True)]
        self.assertEqual(len(set(kids)), len(kids))
        self.check_outcomes_after_all()

    def check_outcomes_after_all(self):
        """Whoever asks now, after a restart, is told the same."""
        self.daemon.restart()
        methods = {p["requestId"]: (m, p) for m, p in self.requests.asked}
        with self.daemon.connect() as client:
            for request, answer in self.requests.answers.items():
                self.assertEqual(client.call(*methods[request]), answer)
        self.check()


if __name__ == "__main__":
    unittest.main()
