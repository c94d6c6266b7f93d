"""SetPolicy, end to end: every parameter, every refusal with the number that
would be right, and that no wait in progress ever becomes shorter."""
import time
import unittest

import case
import harness
from case import DAY, HOUR, IPUB, IRET, MINUTE

# Each differs from the default, and they fit together.
OTHERS = {
    "algorithm": "EdDSA", "rsaBits": 3072, "mode": "manual",
    "rotationPeriod": 31 * DAY, "cacheMaxAge": 120,
    "cacheStaleWhileRevalidate": 30, "cacheStaleIfError": 1800,
    "verifierMaxAge": 25 * HOUR, "propagationDelay": 90,
    "publishSafety": 2 * HOUR, "tokenMaxTtl": 2 * HOUR, "clockSkew": 60,
    "signerDrain": 30, "retireSafety": 1800, "rollbackWindow": 600,
    "standbyCount": 2, "maxPublishedKeys": 9,
}

# What is asked, and which parameter the refusal is about.
BROKEN = [
    ({"verifierMaxAge": HOUR}, "verifierMaxAge", 600 + HOUR),
    ({"cacheStaleIfError": 2 * DAY}, "verifierMaxAge", 600 + 2 * DAY),
    ({"cacheStaleIfError": 0, "cacheStaleWhileRevalidate": DAY},
     "verifierMaxAge", 600 + DAY),
    ({"rotationPeriod": IPUB}, "rotationPeriod", IPUB + 1),
    ({"publishSafety": 30 * DAY}, "rotationPeriod", 31 * DAY + 61),
    ({"rollbackWindow": IRET + 1}, "rollbackWindow", IRET),
    ({"retireSafety": 0, "tokenMaxTtl": MINUTE}, "rollbackWindow",
     60 + 60 + 300),
    ({"maxPublishedKeys": 3}, "maxPublishedKeys", 4),
    ({"standbyCount": 4, "maxPublishedKeys": 6}, "maxPublishedKeys", 7),
    ({"rotationPeriod": 2 * DAY, "retireSafety": 30 * DAY}, "rotationPeriod",
     None),
    ({"cacheMaxAge": 0}, "cacheMaxAge", 1),
    ({"cacheMaxAge": HOUR + 1}, "cacheMaxAge", HOUR),
    ({"rotationPeriod": 0}, "rotationPeriod", None),
    ({"verifierMaxAge": 0}, "verifierMaxAge", None),
    ({"maxPublishedKeys": 11}, "maxPublishedKeys", 10),
    ({"standbyCount": 0}, "standbyCount", 1),
]

WORDS = [{"algorithm": "ES512"}, {"algorithm": "es256"}, {"algorithm": ""},
         {"mode": "off"}, {"mode": "AUTO"}, {"rsaBits": 2049},
         {"rsaBits": 1024}, {"clockSkew": -1}, {"clockSkew": 2 ** 40},
         {"signerDrain": -2 ** 63}]


class Case(case.Case):
    def set(self, **policy):
        return self.call("SetPolicy", name="default",
                         policy=policy)["keySet"]

    def now_published(self, number):
        """The key, as soon as it waits for its readiness."""
        return self.wait_state(number, "published")


class Parameters(Case):
    def test_each_by_itself(self):
        for name, value in OTHERS.items():
            was = self.key_set()["policy"]
            self.assertNotEqual(was[name], value)
            answer = self.set(**{name: value})["policy"]
            self.assertEqual(answer, {**was, name: value})
            self.assertEqual(self.key_set()["policy"], answer)
        self.daemon.restart()
        self.assertEqual(self.key_set()["policy"], OTHERS)

    def test_all_at_once_and_one_audit_row(self):
        seq = self.last_audit()
        with self.daemon.connect() as client:
            events = client.stream("Monitor")
            next(events)
            self.call("SetPolicy", name="default", reason="new verifiers",
                      policy={k: v for k, v in OTHERS.items()
                              if k not in ("algorithm", "standbyCount")})
            self.assertEqual(next(events)["event"], "policy")
        (row,) = self.audit(seq)
        self.assertEqual((row["event"], row["reason"], row["uid"]),
                         ("policy", "new verifiers", harness.os.getuid()))

    def test_nothing_asked_changes_nothing(self):
        was = self.key_set()["policy"]
        self.assertEqual(self.set()["policy"], was)
        self.assertEqual(self.set(mode=None)["policy"], was)

    def test_requests_and_expectations(self):
        asked = {"name": "default", "policy": {"clockSkew": 60}}
        self.assertEqual(
            self.refused("Conflict", "SetPolicy", expectGeneration=7,
                         **asked), {"expected": 7, "actual": 1})
        dry = self.call("SetPolicy", dryRun=True, **asked)
        self.assertEqual(dry["keySet"]["policy"]["clockSkew"], 60)
        self.assertEqual(self.key_set()["policy"]["clockSkew"], 300)
        first = self.call("SetPolicy", requestId="p1", **asked)
        self.set(clockSkew=120)
        self.assertEqual(self.call("SetPolicy", requestId="p1", **asked),
                         first)
        self.assertEqual(self.key_set()["policy"]["clockSkew"], 120)
        self.assertEqual(
            self.refused("NoSuchKeySet", "SetPolicy", name="nope",
                         policy={}), {"keySet": "nope"})


class Refusals(Case):
    def bad(self, policy):
        error = self.refused("BadPolicy", "SetPolicy", name="default",
                             policy=policy)
        self.assertTrue(error["message"])
        return error

    def test_each_broken_rule_names_the_number_that_is_right(self):
        for policy, parameter, right in BROKEN:
            with self.subTest(policy):
                error = self.bad(policy)
                if parameter is not None:
                    self.assertEqual(error["parameter"], parameter)
                if right is not None:
                    self.assertIn(right, (error.get("minimum"),
                                          error.get("maximum")))

    def heal(self, policy):
        """Do what each refusal says until it is accepted."""
        for _ in range(6):
            with self.daemon.connect() as client:
                try:
                    return client.call("SetPolicy", {
                        "name": "default", "policy": policy, "dryRun": True})
                except harness.VarlinkError as error:
                    policy = self.obey(policy, error.parameters)
        self.fail(f"never accepted: {policy}")

    def obey(self, policy, error):
        name = error["parameter"]
        value = policy.get(name, self.key_set()["policy"][name])
        low = error.get("minimum", 0)
        high = error.get("maximum", 2 ** 31)
        self.assertFalse(low <= value <= high, error)
        right = low if value < low else high
        # One less (or more) would not do.
        worse = right - 1 if value < low else right + 1
        self.assertEqual(self.bad({**policy, name: worse})["parameter"], name)
        return {**policy, name: right}

    def test_what_is_told_is_then_accepted(self):
        for policy, _, _ in BROKEN:
            with self.subTest(policy):
                self.assertIn("keySet", self.heal(policy))

    def test_values_that_are_none(self):
        for policy in WORDS:
            with self.subTest(policy):
                error = self.bad(policy)
                self.assertEqual(error["parameter"], next(iter(policy)))

    def test_members_that_are_none(self):
        for policy in ({"verifier_max_age": 5}, {"clockSkew": "5"},
                       {"clockSkew": 5.5}, {"mode": 1}, {"x": 1}):
            error = self.refused("InvalidParameter", "SetPolicy",
                                 name="default", policy=policy)
            self.assertEqual(error["parameter"],
                             "policy." + next(iter(policy)))


class Memory(Case):
    def setUp(self):
        super().setUp()
        self.call("Rotate")
        self.third = self.now_published(3)

    def lower(self):
        changed = self.set(verifierMaxAge=2 * HOUR, publishSafety=0,
                           cacheMaxAge=60, tokenMaxTtl=MINUTE, clockSkew=0,
                           retireSafety=0, signerDrain=0, rollbackWindow=30)
        self.assertEqual(changed["policy"]["verifierMaxAge"], 2 * HOUR)
        return int(time.time())

    def test_lowering_shortens_no_wait_in_progress(self):
        removal = self.key(1)["removeAt"]
        self.lower()
        self.assertEqual(self.key(3)["readyAt"], self.third["readyAt"])
        self.assertEqual(self.key(1)["removeAt"], removal)
        self.daemon.restart()
        self.assertGreaterEqual(self.key(3)["readyAt"],
                                self.third["readyAt"])
        self.assertEqual(self.key(1)["removeAt"], removal)

    def test_nor_that_of_a_key_published_shortly_after(self):
        when = self.lower()
        self.call("Revoke", key="default#3", reason="to get another one")
        fourth = self.now_published(4)
        self.assertGreaterEqual(fourth["readyAt"], when - 1 + IPUB)
        self.assertLessEqual(fourth["readyAt"], when + 1 + IPUB)

    def test_nor_that_of_a_key_retired_shortly_after(self):
        when = self.lower()
        retired = self.call("Rotate", now=True)["retired"]
        self.assertGreaterEqual(retired["removeAt"], when - 1 + IRET)

    def test_lowering_twice_forgets_nothing(self):
        when = self.lower()
        self.set(verifierMaxAge=3600 + 61, cacheMaxAge=30)
        self.call("Revoke", key="default#3", reason="to get another one")
        self.assertGreaterEqual(self.now_published(4)["readyAt"],
                                when - 1 + IPUB)

    def test_raising_lengthens(self):
        first = self.key(1)
        self.set(verifierMaxAge=2 * DAY, tokenMaxTtl=3 * HOUR)
        self.assertEqual(self.key(3)["readyAt"],
                         self.third["readyAt"] + DAY)
        self.assertEqual(self.key(1)["removeAt"],
                         first["removeAt"] + 2 * HOUR)

    def test_a_scheduled_rotation_moves_with_it(self):
        self.call("Rotate")
        self.set(verifierMaxAge=2 * DAY)
        self.assertEqual(self.key_set()["scheduledFor"],
                         self.third["readyAt"] + DAY)


class AtTheUrl(Case):
    def test_cache_control_follows_at_once(self):
        before = self.daemon.get()
        version = self.key_set()["version"]
        self.set(cacheMaxAge=120, cacheStaleIfError=0)
        harness.wait_until(
            lambda: self.daemon.get().headers["Cache-Control"]
            == "public, max-age=120, stale-while-revalidate=60", 1)
        after = self.daemon.get()
        for name in ("ETag", "Last-Modified"):
            self.assertEqual(after.headers[name], before.headers[name])
        self.assertEqual(after.body, before.body)
        self.assertEqual(self.key_set()["version"], version)
        self.assertEqual(self.call("GetJwks")["maxAge"], 120)
        etag = {"If-None-Match": after.headers["ETag"]}
        again = self.daemon.get(headers=etag)
        self.assertEqual(again.status, 304)
        self.assertIn("max-age=120", again.headers["Cache-Control"])

    def test_an_unwise_value_is_warned_of(self):
        self.assertEqual(self.warnings(), [])
        self.set(cacheMaxAge=30)
        self.assertIn("cache_max_age", self.warnings()[0])


class Algorithm(Case):
    policy = {**case.CALM, "token_max_ttl": "1s", "rollback_window": "1s",
              "publish_safety": "2s"}

    def algs(self):
        return {k["generation"]: k["alg"] for k in self.daemon.keys()}

    def test_through_the_standby(self):
        old = self.key(1)
        self.assertEqual(self.set(algorithm="EdDSA")["alg"], "EdDSA")
        self.assertEqual(self.active(), 1)
        third = self.now_published(3)
        self.assertEqual(third["alg"], "EdDSA")
        self.assert_waits(third, 4)
        # The ready ES256 standby is not what was asked for.
        answer = self.call("Rotate")
        self.assertEqual(answer["scheduledFor"], third["readyAt"])
        self.assertEqual(self.active(), 1)
        third = self.wait_state(3, "active")
        self.assertGreaterEqual(third["activatedAt"], third["readyAt"])
        self.assertEqual({k["alg"] for k in self.daemon.get().json()["keys"]}
                         & {"EdDSA"}, {"EdDSA"})
        retired = self.key(1)
        self.assertEqual((retired["state"], retired["alg"]),
                         ("retired", "ES256"))
        self.assertEqual(retired["removeAt"], retired["retiredAt"] + 2)
        self.wait_state(1, "removed")
        harness.wait_until(lambda: set(self.algs().values()) == {"EdDSA"})
        self.assertNotIn(old["kid"], self.kids())

    def test_a_signer_that_must_go_meanwhile_has_its_reserve(self):
        """The old algorithm's standby stays until the new one signs."""
        self.set(algorithm="RS256")
        reply = self.call("Revoke", key="default#1", reason="leaked")
        self.assertEqual(reply["activated"]["generation"], 2)
        self.assertEqual(reply["activated"]["alg"], "ES256")
        self.assertEqual(reply["exposure"]["rejectNewTokens"], {})
        ready = self.wait_state(3, "ready", 20)
        self.assertEqual(ready["alg"], "RS256")
        self.call("Rotate")
        self.assertEqual(self.active(), 3)

    def test_and_back_again(self):
        self.set(algorithm="EdDSA")
        self.now_published(3)
        self.set(algorithm="ES256")
        harness.wait_until(lambda: self.algs() == {1: "ES256", 2: "ES256"})
        self.assertEqual(self.call("Rotate")["activated"]["generation"], 2)


class Manual(Case):
    policy = {**harness.FAST, "mode": "manual"}

    def due(self):
        return [w for w in self.warnings() if "due and waits" in w]

    def test_what_is_due_is_shown_and_waits(self):
        harness.wait_until(self.due, 10)
        self.assertEqual(self.due(), [
            "default: a rotation is due and waits: the mode is manual"])
        self.assertEqual(self.call("Plan")["changes"], [])
        self.daemon.restart()
        self.assertEqual(self.key_set()["policy"]["mode"], "manual")
        time.sleep(1.5)
        self.assertEqual((self.active(), len(self.due())), (1, 1))
        self.assertEqual(self.call("Rotate")["activated"]["generation"], 2)
        self.assertEqual(self.due(), [])
        # All the rest goes on by itself.
        self.wait_state(3, "ready")
        self.wait_state(1, "removed")
        harness.wait_until(self.due, 10)
        self.assertEqual(self.active(), 2)

    def test_auto_again(self):
        harness.wait_until(self.due, 10)
        self.set(mode="auto")
        self.wait_state(2, "active", 2)

    def test_frozen_as_a_mode(self):
        self.set(mode="frozen")
        self.assertEqual(self.refused("Frozen", "Rotate"),
                         {"cause": "the key set's mode is frozen"})
        time.sleep(3.5)
        self.assertEqual(self.states(), {1: "active", 2: "ready"})


if __name__ == "__main__":
    unittest.main()
