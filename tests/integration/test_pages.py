"""What is too long for one reply: Monitor's snapshot, and Plan."""
import glob
import json
import os
import re
import subprocess
import time
import unittest

import harness

SETS = 800
MESSAGE_MAX = 256 * 1024
FIRST, LAST = "default", f"app{SETS - 1:05}"


def by_kid(keys):
    return {key["kid"]: key["state"] for key in keys}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon()
        cls.daemon.__enter__()
        cls.addClassCleanup(cls.daemon.__exit__, None, None, None)
        cls.daemon.stop()
        for path in glob.glob(os.path.join(cls.daemon.state, "jwksd.db*")):
            os.unlink(path)
        harness.fill(cls.daemon, SETS)
        cls.daemon.spawn("--new-database")
        cls.daemon.wait_ready(60)

    def raw(self, method, parameters=None, most=None):
        """The messages of a stream, each checked for its size."""
        with self.daemon.connect(timeout=60) as client:
            client.send(method, parameters, more=True)
            continues = True
            while continues:
                message = client.receive()
                self.assertLess(
                    len(json.dumps(message, separators=(",", ":"))),
                    MESSAGE_MAX)
                continues = message.get("continues", False)
                yield message["parameters"]


class Monitor(Case):
    def snapshot(self, replies):
        pages = []
        for reply in replies:
            pages.append(reply)
            if reply.get("complete"):
                return pages
        self.fail("no page is the last")

    def test_every_key_once_in_pages(self):
        stream = self.raw("Monitor")
        pages = self.snapshot(stream)
        stream.close()
        self.assertGreater(len(pages), 10)
        self.assertEqual({page["event"] for page in pages}, {"snapshot"})
        self.assertEqual([page["sequence"] for page in pages],
                         list(range(len(pages))))
        self.assertTrue(all("complete" not in p for p in pages[:-1]))
        self.assertTrue(all("keySet" not in p for p in pages))
        keys = [key for page in pages for key in page["keys"]]
        self.assertEqual(len(keys), len(by_kid(keys)))
        self.assertEqual(by_kid(keys), by_kid(self.daemon.keys()))

    def test_one_key_set_is_one_page(self):
        stream = self.raw("Monitor", {"keySet": LAST})
        (page,) = self.snapshot(stream)
        self.assertEqual({key["keySet"] for key in page["keys"]}, {LAST})
        self.daemon.call("Freeze", {"frozen": True})
        self.daemon.call("Freeze", {"frozen": False, "keySet": FIRST})
        self.daemon.call("Freeze", {"frozen": False})
        self.daemon.call("Freeze", {"frozen": True, "keySet": LAST})
        self.daemon.call("Freeze", {"frozen": False, "keySet": LAST})
        self.assertEqual(
            [(reply["event"], reply.get("keySet"), reply["keys"],
              "complete" in reply) for _, reply in zip(range(4), stream)],
            [("frozen", None, [], False), ("thawed", None, [], False),
             ("frozen", LAST, [], False), ("thawed", LAST, [], False)])
        stream.close()

    def test_changes_between_two_pages(self):
        stream = self.raw("Monitor")
        first = next(stream)
        # What is not read waits: the daemon has not made it yet.
        for name in FIRST, LAST:
            self.daemon.call("Rotate", {"keySet": name, "now": True})
        self.daemon.call("Freeze", {"frozen": True})
        self.daemon.call("Freeze", {"frozen": False})
        self.assertNotIn("complete", first)
        pages = [first, *self.snapshot(stream)]
        self.assertEqual({page["event"] for page in pages}, {"snapshot"})
        keys = by_kid(key for page in pages for key in page["keys"])
        told = []
        while ("thawed", None) not in told:
            reply = next(stream)
            told.append((reply["event"], reply.get("keySet")))
            for key in reply["keys"]:
                self.assertEqual(key["keySet"], reply["keySet"])
                keys[key["kid"]] = key["state"]
        # The standby that is made then may be ready by now, or not.
        told = [t for t in told if t[0] not in ("created", "published")]
        self.assertEqual(told, [("activated", FIRST), ("retired", FIRST),
                                ("frozen", None), ("thawed", None)])
        for name in FIRST, LAST:
            living = by_kid(self.daemon.keys(keySet=name))
            shown = {kid: keys[kid] for kid in living if kid in keys}
            self.assertEqual(
                {kid for kid, state in shown.items() if state == "active"},
                {kid for kid, state in living.items() if state == "active"})
        stream.close()

    def test_more_changes_than_are_held(self):
        """They go out between two pages, none lost and none twice."""
        stream = self.raw("Monitor")
        pages = [next(stream)]
        reasons = 1200
        with self.daemon.connect(timeout=60) as client:
            for n in range(reasons):
                client.call("Freeze", {"frozen": n % 2 == 0,
                                       "keySet": FIRST})
        told = []
        for reply in stream:
            (pages if reply["event"] == "snapshot" else told).append(reply)
            if len(told) == reasons and "complete" in pages[-1]:
                break
        self.assertEqual([reply["event"] for reply in told],
                         ["frozen", "thawed"] * (reasons // 2))
        self.assertEqual(
            sorted(reply["sequence"] for reply in pages + told),
            list(range(len(pages) + reasons)))
        keys = [key["kid"] for page in pages for key in page["keys"]]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertGreaterEqual(len(keys), 3 * SETS)
        stream.close()

    def test_a_snapshot_that_is_not_read_takes_no_room(self):
        def resident():
            return int(re.search(
                r"VmRSS:\s+(\d+)",
                harness.read_file(f"/proc/{self.daemon.pid}/status"))[1])

        before = resident()
        clients = [self.daemon.connect() for _ in range(10)]
        for client in clients:
            client.send("Monitor", more=True)
            client.send("Plan", more=True)
        for client in clients[:5]:
            client.receive()
        self.daemon.call("Status")
        self.assertLess(resident() - before, 16 * 1024 * harness.SLOW)
        for client in clients:
            client.close()

    def test_watch(self):
        wanted = {key["kid"] for key in self.daemon.keys()}
        watch = subprocess.Popen(
            [os.path.join(harness.BUILD, "jwksctl"), "--socket",
             self.daemon.control, "watch", "-q"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        try:
            while wanted and (line := watch.stdout.readline()):
                wanted.discard(line.strip())
            self.assertEqual(len(wanted), 0)
            self.assertIsNone(watch.poll())
            watch.terminate()
            self.assertEqual(watch.stderr.read(), "")
            self.assertEqual(watch.wait(timeout=20), 0)
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()
            watch.stderr.close()


class Plan(Case):
    def changes(self, **parameters):
        return [change for page in self.raw("Plan", parameters)
                for change in page["changes"]]

    def test_all_sets_by_time(self):
        until = int(time.time()) + 40 * 86400
        changes = self.changes(until=until)
        self.assertGreater(len(changes), 4 * SETS)
        times = [change["time"] for change in changes]
        self.assertEqual(times, sorted(times))
        names = [FIRST, LAST, *(f"app{n:05}" for n in range(7, SETS, 97))]
        for name in names:
            self.assertEqual(
                [change for change in changes if change["keySet"] == name],
                self.changes(keySet=name, until=until))
        # The nearest is what Status says comes next.
        self.assertEqual(changes[0]["time"], self.daemon.call(
            "Status")["nextChange"]["time"])

    def test_without_until(self):
        changes = self.changes()
        times = [change["time"] for change in changes]
        self.assertEqual(times, sorted(times))
        self.assertEqual(len({change["keySet"] for change in changes}), SETS)

    def test_what_does_not_fit_is_never_cut(self):
        self.assertLessEqual(
            {"generation", "to"},
            set(self.daemon.call("Plan", {"keySet": FIRST})["changes"][0]))
        far = 253402300799
        for parameters in {}, {"keySet": FIRST, "until": far}:
            with self.assertRaises(harness.VarlinkError) as caught:
                self.daemon.call("Plan", parameters)
            self.assertEqual(caught.exception.name,
                             "org.varlink.service.ExpectedMore")
        # Nor is what comes at the end of time computed before it is read.
        for parameters in {"until": far}, {"keySet": FIRST, "until": far}:
            stream = self.raw("Plan", parameters)
            changes = [c for _, page in zip(range(20), stream)
                       for c in page["changes"]]
            stream.close()
            self.assertGreater(len(changes), 4000)
            times = [change["time"] for change in changes]
            self.assertEqual(times, sorted(times))

    def test_jwksctl_plan(self):
        shown = self.daemon.ctl("plan", "--json")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertEqual(len(json.loads(shown.stdout)["changes"]),
                         len(self.changes()))

    def test_a_document_far_ahead(self):
        """Behind the end of all that exist there is nothing to find out."""
        with self.assertRaises(harness.VarlinkError) as caught:
            self.daemon.call("GetJwks", {"at": 253402300799})
        self.assertEqual(caught.exception.short, "NoActiveKey")


class Descriptions(unittest.TestCase):
    def test_expected_more_is_documented(self):
        """At every method that takes `more`, by the tables of the code."""
        found = set()
        for path in glob.glob(os.path.join(harness.ROOT, "daemon/*/*.c")):
            found |= set(re.findall(r'[({]"(\w+)", VARLINK_MORE',
                                    harness.read_file(path)))
        self.assertGreaterEqual(found, {
            "ListKeySets", "ListKeys", "Plan", "Monitor", "Documents"})
        for path in glob.glob(os.path.join(harness.ROOT, "common/wire/*.varlink")):
            for comment, method in re.findall(
                    r"((?:^#.*\n)+)method (\w+)", harness.read_file(path),
                    re.M):
                if method in found:
                    self.assertIn("ExpectedMore", comment, method)
                    found.remove(method)
        self.assertEqual(found, set())


if __name__ == "__main__":
    unittest.main()
