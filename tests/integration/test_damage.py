"""One damaged row in the database: its key is left out, what is whole stays
published and goes on signing, and everybody is told."""
import contextlib
import os
import sqlite3
import time
import unittest

import case
import harness
from harness import Varlink, VarlinkError

DAMAGE = {
    "not JSON": "jwk = '{{{'",
    "empty": "jwk = ''",
    "a private member": "jwk = json_set(jwk, '$.d', 'AAAA')",
    "a member twice": "jwk = replace(jwk, '{', '{\"kty\":\"OKP\",')",
    "another kid": "jwk = json_set(jwk, '$.kid', 'x')",
    "another algorithm in the JWK": "jwk = json_set(jwk, '$.alg', 'PS512')",
    "another algorithm in the row": "alg = 'PS512'",
    "an unknown algorithm": "alg = 'none'",
}


class Damage(case.Case):
    policy = case.CALM

    def setUp(self):
        super().setUp()
        self.wait_state(2, "ready")
        self.call("Rotate")
        self.wait_state(3, "ready")
        self.call("AddKeySet", name="other")
        self.whole = set(self.kids())
        self.assertEqual(len(self.whole), 3)

    def edit(self, changes, number):
        """While the daemon is stopped, in the file."""
        self.daemon.stop()
        path = os.path.join(self.daemon.state, "jwksd.db")
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(f"UPDATE generation SET {changes} WHERE number = ? "
                       "AND key_set_id = 1", (number,))
            db.commit()
        self.daemon.start()

    def row(self, number):
        with self.daemon.database() as db:
            return tuple(db.execute(
                "SELECT jwk, alg FROM generation WHERE number = ? "
                "AND key_set_id = 1", (number,)).fetchone())

    def restore(self, row, number):
        jwk, alg = row
        self.edit(f"jwk = '{jwk}', alg = '{alg}'", number)

    def sign(self, key_set="default"):
        path = os.path.join(self.daemon.runtime, "sign.sock")
        with Varlink(path) as client:
            return client.call("org.jwksd.sign.Sign", {
                "keySet": key_set,
                "claims": {"exp": int(time.time()) + 60}})["kid"]

    def warnings(self):
        return [w for w in self.call("Status")["warnings"] if "damaged" in w]

    def audited(self):
        with self.daemon.database() as db:
            return db.execute("SELECT count(*) FROM audit WHERE event = "
                              "'damage'").fetchone()[0]

    def check_left_out(self, kid, number):
        harness.wait_until(
            lambda: set(self.kids()) == self.whole - {kid}, 5,
            "the URL has not what is whole")
        self.assertEqual(
            {k["kid"] for k in self.call("GetJwks")["jwks"]["keys"]},
            self.whole - {kid})
        (warning,) = self.warnings()
        self.assertIn(f"default: generation {number} ", warning)
        self.assertIn(f"generation {number} ({kid}) is not published",
                      self.daemon.log())

    def test_retired_key(self):
        kid, row = self.key(1)["kid"], self.row(1)
        for number, (name, changes) in enumerate(DAMAGE.items()):
            with self.subTest(name):
                version = self.key_set()["version"]
                self.edit(changes, 1)
                self.check_left_out(kid, 1)
                self.assertEqual(self.key_set()["version"], version + 1)
                self.assertEqual(self.audited(), 2 * number + 1)
                self.assertEqual(self.sign(), self.key(2)["kid"])
                self.assertEqual(self.states(keySet="default"),
                                 {1: "retired", 2: "active", 3: "ready"})
                self.sign("other")
                self.restore(row, 1)
                self.assertEqual(set(self.kids()), self.whole)
                self.assertEqual(self.warnings(), [])
                self.assertEqual(self.key_set()["version"], version + 2)

    def test_it_is_said_once(self):
        self.edit(DAMAGE["not JSON"], 1)
        version = self.key_set()["version"]
        for _ in range(2):
            self.daemon.restart()
            self.assertEqual(self.key_set()["version"], version)
            self.assertEqual(self.audited(), 1)
            self.check_left_out(self.key(1)["kid"], 1)

    def test_standby(self):
        kid = self.key(3)["kid"]
        self.edit(DAMAGE["not JSON"], 3)
        self.wait_state(4, "ready")
        self.whole |= {self.key(4)["kid"]}
        self.check_left_out(kid, 3)
        self.assertEqual(
            self.call("Rotate")["activated"]["generation"], 4)
        self.assertEqual(self.sign(), self.key(4)["kid"])
        self.assertIn(self.sign(), self.kids())

    def test_active_key(self):
        """It signs no more: nobody could verify that.  The next one does."""
        kid = self.key(2)["kid"]
        self.edit(DAMAGE["not JSON"], 2)
        self.check_left_out(kid, 2)
        self.assertIn("nothing signs", self.warnings()[0])
        with self.assertRaises(VarlinkError) as caught:
            self.sign()
        self.assertEqual(caught.exception.short, "BadKey")
        self.sign("other")
        self.assertEqual(
            self.call("Rotate")["activated"]["generation"], 3)
        self.assertEqual(self.sign(), self.key(3)["kid"])
        self.assertIn(self.sign(), self.kids())
        # Not back to the damaged one.
        self.assertEqual(
            self.call("Rollback")["activated"]["generation"], 1)

    def test_revoked_in_spite_of_it(self):
        kid = self.key(1)["kid"]
        self.edit(DAMAGE["an unknown algorithm"], 1)
        self.call("Revoke", key=kid, reason="found")
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.key(1)["state"], "revoked")
        self.assertEqual(set(self.kids()), self.whole - {kid})


if __name__ == "__main__":
    unittest.main()
