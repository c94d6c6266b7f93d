"""A database that is moved, deleted, emptied or replaced is missed: at the next
start by the anchor, and at once while jwksd runs."""
import os
import shutil
import subprocess
import time
import unittest

import harness

JWKSD = os.path.join(harness.BUILD, "jwksd")
SUFFIXES = ("", "-wal", ".lock")


class Base(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(
            harness.Daemon(common_check=False))
        self.path = os.path.join(self.daemon.state, "jwksd.db")
        self.anchor = os.path.join(self.daemon.state + ".anchor", "anchor")
        self.kek = os.path.join(self.daemon.state, "jwksd.kek")

    def refused(self, status=66):
        result = subprocess.run(
            [*harness.WRAPPER, JWKSD, "--config", self.daemon.config_file],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=20 * harness.SLOW)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn("hint: ", result.stderr)
        return result.stderr

    def kids(self):
        return [key["kid"] for key in self.daemon.keys()]


class AtStart(Base):
    def lines(self):
        return dict(line.split(" ", 1)
                    for line in harness.read_file(self.anchor).splitlines()
                    if not line.startswith("#"))

    def test_the_anchor_names_the_database(self):
        with self.daemon.database() as db:
            uuid, = db.execute(
                "SELECT value FROM meta WHERE name = 'uuid'").fetchone()
        self.assertEqual(self.lines(), {"uuid": uuid, "path": self.path})
        self.assertEqual(os.stat(self.anchor).st_mode & 0o777, 0o600)
        self.assertEqual(
            os.stat(os.path.dirname(self.anchor)).st_mode & 0o777, 0o700)

    def test_a_database_that_is_missing_or_empty(self):
        kids = self.kids()
        self.daemon.stop()
        os.rename(self.path, self.path + ".moved")
        for make in (lambda: None, lambda: open(self.path, "w").close()):
            make()
            before = sorted(os.listdir(self.daemon.state))
            said = self.refused()
            self.assertIn(self.path, said)
            self.assertIn("--new-database", said)
            self.assertIn(self.anchor, said)
            self.assertEqual(sorted(os.listdir(self.daemon.state)), before)
        os.rename(self.path + ".moved", self.path)
        self.daemon.start()
        self.assertEqual(self.kids(), kids)

    def test_no_key_encryption_key_is_made_for_it(self):
        self.daemon.stop()
        os.unlink(self.path)
        os.unlink(self.kek)
        self.refused()
        self.assertFalse(os.path.exists(self.kek))

    def test_the_way_out(self):
        kids = self.kids()
        self.daemon.stop()
        os.unlink(self.path)
        self.daemon.spawn("--new-database")
        self.daemon.wait_ready()
        self.assertFalse(set(kids) & set(self.kids()))
        kids = self.kids()
        self.daemon.restart()
        self.assertEqual(self.kids(), kids)

    def test_removing_the_anchor_is_a_way_out_too(self):
        self.daemon.stop()
        os.unlink(self.path)
        os.unlink(self.anchor)
        self.daemon.start()
        self.assertTrue(self.lines()["uuid"])

    def test_another_database_in_its_place(self):
        self.daemon.stop()
        with harness.Daemon() as other:
            other.stop()
            os.rename(self.path, self.path + ".moved")
            shutil.copy(f"{other.state}/jwksd.db", self.path)
            os.rename(self.kek, self.kek + ".moved")
            shutil.copy(f"{other.state}/jwksd.kek", self.kek)
        said = self.refused()
        self.assertIn("is another database", said)
        self.assertIn("--new-database", said)
        self.daemon.spawn("--new-database")
        self.daemon.wait_ready()

    def test_a_database_from_before_gets_one(self):
        self.daemon.stop()
        shutil.rmtree(os.path.dirname(self.anchor))
        self.daemon.start()
        self.assertTrue(self.lines()["uuid"])
        self.daemon.stop()
        os.unlink(self.path)
        self.refused()

    def test_a_key_encryption_key_alone_is_no_evidence(self):
        self.daemon.stop()
        os.unlink(self.path)
        shutil.rmtree(os.path.dirname(self.anchor))
        self.daemon.start()

    def test_lines_of_a_later_version(self):
        self.daemon.stop()
        with open(self.anchor, "a") as f:
            f.write("incarnation 7\n\nhead abc def\n")
        self.daemon.start()

    def test_an_anchor_that_cannot_be_believed(self):
        self.daemon.stop()
        for text, mode, status in ((b"", 0o600, 76), (b"uuid 1\n", 0o600, 76),
                                   (b"\0\xff" * 9000, 0o600, 76),
                                   (harness.read_bytes(self.anchor), 0o620,
                                    77)):
            with open(self.anchor, "wb") as f:
                f.write(text)
            os.chmod(self.anchor, mode)
            self.assertIn(self.anchor, self.refused(status))

    def test_one_that_cannot_be_written_is_told(self):
        self.daemon.stop()
        shutil.rmtree(os.path.dirname(self.anchor))
        self.daemon.write_config(
            store={"anchor": f"{self.daemon.directory}/no/such"})
        self.daemon.start()
        self.assertTrue([w for w in self.daemon.call("Status")["warnings"]
                         if "anchor" in w])
        self.assertIn(f"{self.daemon.directory}/no/such", self.daemon.log())

    def test_it_may_be_elsewhere(self):
        self.daemon.stop()
        os.unlink(self.anchor)
        self.daemon.write_config(
            store={"anchor": f"{self.daemon.directory}/elsewhere"})
        self.daemon.start()
        self.assertFalse(os.path.exists(self.anchor))
        self.assertIn("uuid", harness.read_file(
            f"{self.daemon.directory}/elsewhere/anchor"))


class Running(Base):
    def sign(self):
        with harness.Varlink(f"{self.daemon.runtime}/sign.sock",
                             "org.jwksd.sign") as client:
            return client.call("Sign", {"claims": {
                "exp": int(time.time()) + 3000}})

    def warned(self):
        return [w for w in self.daemon.call("Status")["warnings"]
                if self.path in w]

    def assert_missed(self, name, request):
        for _ in range(3):
            with self.assertRaises(harness.VarlinkError) as caught:
                self.daemon.call("Freeze", {"frozen": True,
                                            "requestId": request})
            self.assertEqual(caught.exception.short, "StoreFailed")
            self.assertIn(name, caught.exception.parameters["message"])
        self.assertEqual(len(self.warned()), 1)
        self.sign()
        self.assertEqual(self.daemon.get().status, 200)
        self.assertEqual(self.daemon.call("Status")["mode"], "auto")

    def assert_back(self, request, start=0):
        reply = self.daemon.call("Freeze", {"frozen": True,
                                            "requestId": request})
        self.assertEqual(reply, {"mode": "frozen", "changed": True})
        self.daemon.call("Freeze", {"frozen": False})
        self.assertFalse(self.warned())
        harness.wait_until(
            lambda: "in their place again" in self.daemon.log(start))

    def test_each_file_moved_away_and_back(self):
        self.sign()
        for suffix in SUFFIXES:
            name = self.path + suffix
            start = len(self.daemon.log())
            os.rename(name, name + ".moved")
            self.assert_missed(name, f"with{suffix}")
            self.assertEqual(self.daemon.log(start).count(
                "has been moved or deleted"), 1)
            os.rename(name + ".moved", name)
            self.assert_back(f"with{suffix}", start)

    def test_what_is_due_happens_once_it_is_back(self):
        os.rename(self.path, self.path + ".moved")
        self.assert_missed(self.path, "a")
        os.rename(self.path + ".moved", self.path)
        self.sign()
        harness.wait_until(lambda: "in their place again"
                           in self.daemon.log(), 5)

    def test_a_file_replaced_by_another(self):
        for suffix in SUFFIXES:
            name = self.path + suffix
            start = len(self.daemon.log())
            os.rename(name, name + ".moved")
            shutil.copy(name + ".moved", name)
            self.assert_missed(name, f"with{suffix}")
            os.rename(name + ".moved", name)
            self.assert_back(f"with{suffix}", start)

    def test_a_database_that_is_cut_short(self):
        self.daemon.restart()
        for size in (4096, 0):
            with open(self.path, "r+b") as f:
                f.truncate(size)
            self.assert_missed(self.path, "a")

    def test_nothing_acknowledged_is_lost(self):
        kids = self.kids()
        os.rename(self.path, self.path + ".moved")
        self.assert_missed(self.path, "a")
        self.daemon.kill9()
        self.refused()
        os.rename(self.path + ".moved", self.path)
        self.daemon.start()
        self.assertEqual(self.kids(), kids)
        self.assertEqual(self.daemon.call("Status")["mode"], "auto")

    def test_stopping_leaves_the_log_with_what_was_moved(self):
        kids = self.kids()
        os.rename(self.path, self.path + ".moved")
        self.daemon.stop()
        self.assertTrue(os.path.exists(self.path + "-wal"))
        os.rename(self.path + ".moved", self.path)
        self.daemon.start()
        self.assertEqual(self.kids(), kids)


if __name__ == "__main__":
    unittest.main()
