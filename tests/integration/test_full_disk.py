"""A disk without room: serving, signing and revoking go on, the operator is
warned before, and what was put off is done when there is room again."""
import os
import signal
import time
import unittest

import full
import harness


class Signing(full.Case):
    def noted(self):
        with self.daemon.database() as db:
            return db.execute("SELECT max(max_exp) FROM generation"
                              ).fetchone()[0]

    def test_it_does_not_depend_on_room(self):
        self.sign(60)
        self.fill()
        before = self.noted()
        for life in (60, 1000, 2000, 3000, 3500, 100):
            self.assertEqual(self.sign(life)["kid"], self.key(1)["kid"])
        self.assertEqual(self.noted(), before)
        last = int(time.time()) + 3000
        self.make_room()
        # Nothing more is signed, and it is noted all the same.
        harness.wait_until(
            lambda: self.call("Status") and self.noted() > last, 10,
            "the largest exp is not noted")

    def test_nor_does_a_start(self):
        self.sign(60)
        self.fill()
        self.restart()
        self.assertEqual(self.sign(3500)["kid"], self.key(1)["kid"])
        self.assertEqual(self.kids()[0], self.key(1)["kid"])
        self.assertTrue(self.warns("is full"))
        self.call("Revoke", key="default#1", reason="leaked")
        self.assertEqual(self.sign(3500)["kid"], self.key(2)["kid"])


    def test_what_a_killed_process_signed_holds_its_key_set(self):
        self.call("AddKeySet", name="acme")
        harness.wait_until(lambda: len(self.daemon.keys(
            keySet="acme")) == 2, 10, "no standby")
        self.fill()
        exp = int(time.time()) + 3000
        self.sign(3000, "acme")
        self.restart()
        self.make_room()
        self.warnings()
        with self.assertRaises(harness.VarlinkError) as caught:
            self.call("RemoveKeySet", name="acme")
        self.assertEqual(caught.exception.short, "NotReady")
        self.assertGreaterEqual(caught.exception.parameters["readyAt"], exp)


class Revoking(full.Case):
    def revoke(self, key_set, generation):
        kid = self.call("ShowKey", key=f"{key_set}#{generation}")["key"]["kid"]
        reply = self.call("Revoke", key=kid, reason="leaked",
                          requestId=f"{key_set}-{generation}")
        self.assertEqual(reply["revoked"]["kid"], kid)
        return kid

    def test_it_works_while_nothing_else_does(self):
        sealed = self.sealed(1)
        self.wait_state(2, "ready")
        self.fill()
        self.assertEqual(self.error("Rotate", requestId="r"), "NoSpace")
        self.assertEqual(self.error("Freeze", frozen=True), "NoSpace")
        self.assertEqual(self.reserve(), full.BALLAST)
        kid = self.revoke("default", 1)
        self.assertIn("uses the reserve", self.daemon.log())
        self.assertEqual(self.states(all=True)[1], "revoked")
        self.assertEqual(self.active(), 2)
        harness.wait_until(lambda: kid not in self.kids(), 3,
                           "the URL still has the revoked key")
        self.assertEqual(self.sign(3500)["kid"], self.key(2)["kid"])
        # What it destroyed is in no file, though the disk is full.
        self.assertNotIn(sealed, self.database_octets())
        # The same request again, before and after a crash.
        self.assertEqual(self.revoke("default", 1), kid)
        self.restart()
        self.assertEqual(self.revoke("default", 1), kid)
        self.assertEqual(self.states(all=True)[1], "revoked")
        self.assertNotIn(kid, self.kids())

    def test_several_key_sets_are_all_or_none(self):
        self.fill()
        sets = [{"name": f"app{number}"} for number in range(50)]
        self.assertEqual(self.error("AddKeySets", keySets=sets,
                                    requestId="r"), "NoSpace")
        self.assertEqual(self.call("Status")["keySets"], 1)
        self.make_room()
        self.call("AddKeySets", keySets=sets, requestId="r")
        self.assertEqual(self.call("Status")["keySets"], 51)

    def test_again_and_again_from_what_is_left(self):
        names = [f"app{number}" for number in range(3)]
        for name in names:
            self.call("AddKeySet", name=name)
        for name in names:
            harness.wait_until(lambda: len(self.daemon.keys(
                keySet=name)) == 2, 10, "no standby")
        for name in names:
            # Others take at once what a revocation did not need.
            self.fill()
            self.assertEqual(self.error("SetPolicy", name=name,
                                        policy={"mode": "manual"}), "NoSpace")
            self.revoke(name, 1)
            self.assertEqual(self.sign(60, name)["kid"], self.daemon.keys(
                keySet=name)[0]["kid"])

    def test_the_reserve_is_made_again(self):
        self.wait_state(2, "ready")
        self.fill()
        self.revoke("default", 1)
        # As if revocations had used it up, and others had taken the room.
        os.kill(self.daemon.pid, signal.SIGSTOP)
        os.truncate(f"{self.daemon.state}/jwksd.db.ballast", 0)
        self.fill()
        os.kill(self.daemon.pid, signal.SIGCONT)
        (warning,) = self.warns("disk")
        self.assertIn("used up", warning)
        self.assertEqual(self.reserve(), 0)
        self.make_room()
        harness.wait_until(
            lambda: self.call("Status") and self.reserve() == full.BALLAST,
            10, "the reserve is not made again")
        blocks = os.stat(f"{self.daemon.state}/jwksd.db.ballast").st_blocks
        self.assertGreaterEqual(blocks * 512, full.BALLAST)
        self.assertEqual(self.warns("disk"), [])
        # And works once more.
        self.wait_state(3, "ready")
        self.fill()
        self.revoke("default", 2)

    def test_one_that_is_deleted_is_made_again(self):
        os.unlink(f"{self.daemon.state}/jwksd.db.ballast")
        harness.wait_until(
            lambda: self.call("Status") and self.reserve() == full.BALLAST,
            10, "the reserve is not made again")

    def test_refused_calls_take_no_room(self):
        self.fill()
        for _ in range(20):
            self.assertEqual(self.error("Rotate", requestId="r"), "NoSpace")
        time.sleep(1.3)
        self.assertEqual(self.refusals(), [])
        self.assertNotIn("refused calls", self.daemon.log())
        self.make_room()
        self.assertTrue(self.call("Freeze", frozen=True)["changed"])


class Warnings(full.Case):
    def test_before_it_is_full_and_until_there_is_room(self):
        self.assertEqual(self.warns("disk"), [])
        self.fill(leave=400 * 1024)
        (warning,) = self.warns("disk")
        self.assertIn("nearly full", warning)
        self.assertRegex(warning, r" \d{3} KiB are left")
        # All of it still works.
        self.call("Freeze", frozen=True)
        self.call("Freeze", frozen=False)
        self.fill()
        (warning,) = self.warns("disk")
        self.assertIn("is full", warning)
        self.assertIn("can be revoked", warning)
        for _ in range(5):
            self.warnings()
        self.make_room()
        self.assertEqual(self.warns("disk"), [])
        log = self.daemon.log()
        for words in ("its disk is nearly full: ", "its disk is full (",
                      "its disk has room again: "):
            self.assertEqual(log.count(words), 1, words)
        self.assertLess(log.index("its disk is nearly full"),
                        log.index("its disk is full"))

    def test_the_journal_warns_though_nothing_is_asked(self):
        self.fill(leave=400 * 1024)
        self.assertNotIn("its disk is nearly full", self.daemon.log())
        # That is a commit.
        self.sign(3000)
        self.assertIn("its disk is nearly full", self.daemon.log())


if __name__ == "__main__":
    unittest.main()
