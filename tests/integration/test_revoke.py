"""Revoke, end to end: whatever state the key is in, it is gone at once, and
the operator is told who may still accept it, and until when."""
import time
import unittest

import case
import harness
from case import DAY, IPUB

FLUSH = 36 * 60
WHY = "found in a paste"


class Case(case.Case):
    def revoke(self, key, **parameters):
        return self.call("Revoke", key=key, reason=WHY, **parameters)

    def check_exposure(self, reply):
        """Of a key that verifiers may have: the formula of the rules."""
        now = reply["revoked"]["revokedAt"]
        self.assert_now(now)
        exposure = reply["exposure"]
        self.assertEqual(exposure["acceptOldTokens"], {
            "honoursCacheControl": now + 61 + 300,
            "pollsWithinMaxAge": now + 61 + DAY,
            "neverExpires": 0})
        self.assertEqual(exposure["until"], now + 61 + DAY)
        self.assertEqual(reply["flushAt"], now + FLUSH)

    def check_gone(self, reply, sealed):
        """From the URL, the lists and the disk; but for its tombstone."""
        revoked = reply["revoked"]
        kid, number = revoked["kid"], revoked["generation"]
        self.assertEqual(revoked["state"], "revoked")
        self.assertEqual(revoked["reason"], WHY)
        harness.wait_until(lambda: kid not in self.kids(), 1,
                           "the URL still has it")
        self.assertNotIn(number, self.states())
        shown = self.key(number)
        self.assertEqual((shown["kid"], shown["state"], shown["reason"]),
                         (kid, "revoked", WHY))
        self.assertEqual(self.states(all=True)[number], "revoked")
        self.assertIsNone(self.sealed(number))
        if sealed is not None:
            self.assertFalse(sealed[-48:] in self.database_octets())
        error = self.refused("BadState", "Revoke", key=kid, reason="again")
        self.assertEqual(error, {"kid": kid, "state": "revoked"})


class States(Case):
    def test_standby(self):
        sealed = self.sealed(2)
        self.assertTrue(sealed[-48:] in self.database_octets())
        version = self.key_set()["version"]
        reply = self.revoke("default#2")
        self.assertNotIn("activated", reply)
        self.assertEqual(reply["exposure"]["rejectNewTokens"], {})
        self.check_exposure(reply)
        self.check_gone(reply, sealed)
        self.assertEqual(self.active(), 1)
        third = self.wait_state(3, "published")
        self.assert_waits(third, IPUB)
        self.assertEqual(self.key_set()["version"], version + 2)

    def test_retired(self):
        self.call("Rotate")
        sealed = self.sealed(1)
        reply = self.revoke(self.key(1)["kid"])
        self.assertNotIn("activated", reply)
        self.check_exposure(reply)
        self.check_gone(reply, sealed)
        self.assertEqual(self.active(), 2)
        self.refused("BadState", "Rollback")

    def test_active(self):
        """One transaction: one version, one stretch of the audit trail."""
        seq, sealed = self.last_audit(), self.sealed(1)
        version = self.key_set()["version"]
        reply = self.revoke(self.key(1)["kid"][:16])
        rows = self.audit(seq)[:3]
        self.assertEqual([(r["event"], r["generation"]) for r in rows],
                         [("revoke", None), ("active", 2), ("revoked", 1)])
        self.assertEqual(len({r["at"] for r in rows}), 1)
        self.assertEqual({r["reason"] for r in rows}, {WHY})
        self.assertEqual([r["seq"] for r in rows],
                         [seq + 1, seq + 2, seq + 3])
        self.assertEqual(reply["activated"]["generation"], 2)
        self.assertEqual(reply["activated"]["state"], "active")
        self.assertEqual(reply["exposure"]["rejectNewTokens"], {})
        self.check_exposure(reply)
        self.check_gone(reply, sealed)
        self.assertEqual(self.active(), 2)
        self.wait_state(3, "published")     # a version of its own
        self.assertEqual(self.key_set()["version"], version + 2)

    def test_the_url_never_has_neither(self):
        second = self.key(2)["kid"]
        self.revoke("default#1")
        kids = harness.wait_until(lambda: (lambda k: k if len(k) == 1 or
                                           k[0] == second else None)
                                  (self.kids()), 1)
        self.assertEqual(kids[0], second)

    def test_active_without_a_ready_standby(self):
        self.call("Rotate")
        third = self.wait_state(3, "published")
        error = self.refused("NotReady", "Revoke", key="default#2",
                             reason=WHY)
        self.assertEqual(error, {"readyAt": third["readyAt"]})
        # Every verifier knows the key that signed before.
        reply = self.revoke("default#2", force=True)
        self.assertEqual(reply["activated"]["generation"], 1)
        self.assertEqual(reply["exposure"]["rejectNewTokens"], {})
        self.check_gone(reply, None)
        self.assertEqual(self.active(), 1)
        # And no other has signed before that one.
        reply = self.revoke("default#1", force=True)
        self.assertEqual(reply["activated"]["generation"], 3)
        served = third["readyAt"] - IPUB + 60
        self.assertEqual(reply["exposure"]["rejectNewTokens"], {
            "honoursCacheControl": served + 300,
            "pollsWithinMaxAge": served + DAY})
        self.check_exposure(reply)
        self.check_gone(reply, None)
        self.assertEqual(self.active(), 3)

    def test_another_policy_holds_up_whom_it_concerns(self):
        """Who honours Cache-Control is told of cache times alone, and who
        polls of the age that was allowed, each in what is kept on disk."""
        def told(key):
            reply = self.revoke(key, dryRun=True)
            times = reply["exposure"]["acceptOldTokens"]
            now = reply["revoked"]["revokedAt"]
            return (times["honoursCacheControl"] - now,
                    times["pollsWithinMaxAge"] - now)
        self.call("SetPolicy", name="default",
                  policy={"rotationPeriod": 60 * DAY})
        self.assertEqual(told("default#2"), (61 + 300, 61 + DAY))
        self.call("SetPolicy", name="default", policy={"cacheMaxAge": 60})
        first = told("default#2")
        self.assertEqual(first[1], 61 + DAY)
        self.assertAlmostEqual(first[0], 60 + 300, delta=5)
        self.call("SetPolicy", name="default",
                  policy={"verifierMaxAge": 2 * 3600})
        self.daemon.stop()
        self.daemon.start()
        first = told("default#2")
        self.assertAlmostEqual(first[0], 60 + 300, delta=20)
        self.assertAlmostEqual(first[1], 60 + DAY, delta=20)

    def test_a_removed_one_is_beyond_it(self):
        with harness.Daemon(policy=harness.FAST) as daemon:
            self.daemon, outer = daemon, self.daemon
            self.wait_state(1, "removed", 20)
            error = self.refused("BadState", "Revoke", key="default#1",
                                 reason=WHY)
            self.assertEqual(error["state"], "removed")
            self.daemon = outer


class Asking(Case):
    own_front = True

    def test_unknown_and_ambiguous_keys(self):
        for key in ("default#9", "default#0", "default#-1", "default#x",
                    "nope#1", "!", "A" * 44, "x" * 5000):
            error = self.refused("NoSuchKey", "Revoke", key=key, reason=WHY)
            self.assertEqual(error, {"key": key})
        error = self.refused("AmbiguousKey", "Revoke", key="", reason=WHY)
        self.assertCountEqual(error["matches"], self.kids())

    def test_a_reason_is_needed(self):
        for parameters in ({}, {"reason": ""}, {"reason": "x" * 513}):
            error = self.refused("InvalidParameter", "Revoke",
                                 key="default#2", **parameters)
            self.assertEqual(error, {"parameter": "reason"})

    def test_another_generation_than_expected(self):
        error = self.refused("Conflict", "Revoke", key="default#1",
                             reason=WHY, expectGeneration=2)
        self.assertEqual(error, {"expected": 2, "actual": 1})
        self.assertEqual(self.revoke("default#1", expectGeneration=1)
                         ["activated"]["generation"], 2)

    def test_a_request_is_done_once(self):
        first = self.revoke("default#1", requestId="r1")
        self.wait_state(3, "published")
        before = self.rows()
        self.assertEqual(self.revoke("default#1", requestId="r1"), first)
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.revoke("default#1", requestId="r1"), first)
        self.assertEqual(self.rows(), before)
        error = self.refused("InvalidParameter", "Revoke", key="default#2",
                             reason=WHY, requestId="r1")
        self.assertEqual(error, {"parameter": "requestId"})

    def test_dry_run(self):
        before, body = self.rows(), self.daemon.get().body
        dry = self.revoke("default#1", dryRun=True)
        self.check_exposure(dry)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.daemon.get().body, body)
        real = self.revoke("default#1")
        self.assertEqual(dry["activated"]["kid"], real["activated"]["kid"])
        self.assertEqual(set(dry), set(real))

    def test_the_tombstone_survives(self):
        kid = self.revoke("default#2")["revoked"]["kid"]
        self.daemon.restart()
        shown = self.call("ShowKey", key=kid)["key"]
        self.assertEqual((shown["state"], shown["reason"]), ("revoked", WHY))
        self.assertNotIn(kid, self.kids())
        with self.daemon.database() as db, \
                self.assertRaises(harness.sqlite3.IntegrityError):
            db.execute("INSERT INTO generation SELECT key_set_id, 99, kid,"
                       " alg, jwk, NULL, created_at, NULL, NULL, NULL, NULL,"
                       " NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
                       " NULL, NULL, 0, 0, 0, NULL"
                       " FROM generation WHERE number = 2")

    def test_followers_are_told(self):
        with self.daemon.connect() as client:
            events = client.stream("Monitor")
            next(events)
            self.revoke("default#1")
            told = [next(events) for _ in range(2)]
        self.assertEqual([(e["event"], e["keys"][0]["generation"])
                          for e in told], [("activated", 2), ("revoked", 1)])

    def test_again_and_again(self):
        """Never without a signer, whatever is revoked."""
        for number in range(1, 6):
            harness.wait_until(lambda: len(self.states()) >= 2)
            self.assertEqual(self.active(), number)
            reply = self.revoke(f"default#{number}", force=True)
            self.assertEqual(reply["activated"]["generation"], number + 1)
            self.assertLess(time.time() - 2 * harness.SLOW,
                            reply["activated"]["activatedAt"])
        harness.wait_until(lambda: len(self.kids()) == 2)


if __name__ == "__main__":
    unittest.main()
