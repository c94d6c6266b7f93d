"""What the tests of operators' orders share: one daemon, short words."""
import time
import unittest

import harness
from harness import VarlinkError

MINUTE, HOUR, DAY = 60, 3600, 86400
IPUB = DAY + HOUR + 60              # propagation + verifiers + safety
IRET = 60 + HOUR + 300 + HOUR       # drain + tokens + skew + safety

# Ready within two seconds, and nothing rotates or goes by itself meanwhile.
CALM = {**harness.FAST, "rotation_period": "1h", "token_max_ttl": "10min",
        "rollback_window": "10min"}


class Case(unittest.TestCase):
    policy = {}
    own_front = False   # True: a crash of the keeper alone is no outage

    def setUp(self):
        self.daemon = harness.Daemon(policy=self.policy,
                                     own_front=self.own_front)
        self.enterContext(self.daemon)

    def call(self, method, **parameters):
        return self.daemon.call(method, parameters)

    def refused(self, error, method, **parameters):
        """The parameters of the error, and it left no trace."""
        for _ in range(5):
            before = self.rows()
            with self.assertRaises(VarlinkError) as caught:
                self.call(method, **parameters)
            self.assertEqual(caught.exception.short, error)
            after = self.rows()
            if after == before:
                break
            # A standby may have come meanwhile: a trace would come again.
            time.sleep(0.3 * harness.SLOW)
        self.assertEqual(after, before)
        return caught.exception.parameters

    def key(self, generation):
        return self.call("ShowKey", key=f"default#{generation}")["key"]

    def key_set(self):
        return self.call("ListKeySets")["keySets"][0]

    def states(self, **parameters):
        return {k["generation"]: k["state"]
                for k in self.daemon.keys(**parameters)}

    def active(self):
        (number,) = [g for g, s in self.states().items() if s == "active"]
        return number

    def wait_state(self, generation, state, timeout=10):
        """Its key, once it is in that state, and its wait has begun."""
        def found():
            return next((k for k in self.daemon.keys(all=True)
                         if k["generation"] == generation
                         and k["state"] == state), None)
        key = harness.wait_until(found, timeout,
                                 f"generation {generation} is not {state}")
        if state != "published":
            return key
        self.daemon.wait_read()
        return found() or key

    def assert_waits(self, key, wait):
        """From when every front had read it: at the end of that second."""
        self.assertIn(key["readyAt"] - key["publishedAt"] - wait, (1, 2))

    def kids(self):
        """At the URL, in their order."""
        return [k["kid"] for k in self.daemon.get().json()["keys"]]

    def wait_kids(self, kids):
        harness.wait_until(lambda: self.kids() == kids, 2,
                           "the URL does not follow")

    def rows(self, *tables):
        """Everything that a change would leave a trace in."""
        which = {"audit": " WHERE count IS NULL"}
        with self.daemon.database() as db:
            return {table: [tuple(row) for row in db.execute(
                        f"SELECT * FROM {table}{which.get(table, '')}")]
                    for table in tables or ("key_set", "generation",
                                            "request", "audit")}

    def audit(self, since=0):
        """Of changes, without the calls that were refused."""
        with self.daemon.database() as db:
            return [dict(row) for row in db.execute(
                "SELECT * FROM audit WHERE seq > ? AND count IS NULL"
                " ORDER BY seq", (since,))]

    def refusals(self):
        """Of calls that were refused."""
        with self.daemon.database() as db:
            return [dict(row) for row in db.execute(
                "SELECT * FROM audit WHERE count IS NOT NULL ORDER BY seq")]

    def last_audit(self):
        rows = self.audit()
        return rows[-1]["seq"] if rows else 0

    def sealed(self, generation):
        """The private key in its envelope, as the database has it."""
        with self.daemon.database() as db:
            return db.execute("SELECT sealed FROM generation"
                              " WHERE number = ?", (generation,)
                              ).fetchone()[0]

    def database_octets(self):
        return b"".join(harness.read_bytes(f"{self.daemon.state}/jwksd.db" + s)
                        for s in ("", "-wal"))

    def assert_now(self, when, slack=2):
        self.assertLessEqual(abs(when - time.time()), slack * harness.SLOW)

    def warnings(self):
        return self.call("Status")["warnings"]
