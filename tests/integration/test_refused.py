"""Calls that are refused have a row in the audit: those of methods that change
something, and those that the caller may not make."""
import grp
import os
import subprocess
import time
import unittest

import case
import harness
from harness import Varlink, VarlinkError

NOBODY = 65534


class Case(case.Case):
    policy = case.CALM

    def refuse(self, method, error, **parameters):
        with self.assertRaises(VarlinkError) as caught:
            self.call(method, **parameters)
        self.assertEqual(caught.exception.short, error)
        return caught.exception.name

    def wait_rows(self, count):
        harness.wait_until(lambda: len(self.refusals()) >= count, 5,
                           "no row in the audit")
        return self.refusals()


class Changes(Case):
    # Method, its error, parameters, and what of them the row names.
    CALLS = (
        ("Rotate", "Conflict",
         {"expectGeneration": 99, "requestId": "r-1", "reason": "as planned"},
         {"request_id": "r-1", "reason": "as planned"}),
        ("Rollback", "NoSuchKeySet", {"keySet": "gone"}, {"key_set": "gone"}),
        ("Revoke", "NoSuchKey", {"key": "default#77", "reason": "leaked"},
         {"key_set": "default", "generation": 77, "reason": "leaked"}),
        ("AddKeySet", "Conflict", {"name": "default", "requestId": "r-2"},
         {"key_set": "default", "request_id": "r-2"}),
        ("RemoveKeySet", "NoSuchKeySet", {"name": "acme/x"},
         {"key_set": "acme/x"}),
        ("SetPolicy", "BadPolicy",
         {"name": "default", "policy": {"cacheMaxAge": 0}},
         {"key_set": "default"}),
        ("Freeze", "InvalidParameter", {}, {}),
        ("AcceptClock", "InvalidParameter", {"what": 1}, {}),
        ("Reload", "BadConfig", {}, {}),
    )

    def test_each_method_has_its_row(self):
        with open(self.daemon.config_file, "a") as f:
            f.write("[nonsense]\n")
        started = int(time.time())
        names = {method: self.refuse(method, error, **parameters)
                 for method, error, parameters, _ in self.CALLS}
        rows = {row["method"].rpartition(".")[2]: row
                for row in self.wait_rows(len(self.CALLS))}
        self.assertEqual(set(rows), set(names))
        for method, _, _, named in self.CALLS:
            row = rows[method]
            with self.subTest(method=method):
                self.assertEqual(row["method"], f"org.jwksd.keys.{method}")
                self.assertEqual(row["event"], "refused")
                self.assertEqual(row["outcome"], names[method])
                self.assertEqual(row["count"], 1)
                self.assertEqual(
                    (row["uid"], row["gid"], row["pid"]),
                    (os.geteuid(), os.getegid(), os.getpid()))
                self.assertIn(row["at"], range(started, started + 30))
                for column in ("key_set", "generation", "request_id",
                               "reason", "kid"):
                    self.assertEqual(row[column], named.get(column), column)

    def test_many_alike_are_few_rows_that_say_how_many(self):
        began = time.monotonic()
        with Varlink(self.daemon.control) as client:
            for number in range(300):
                client.send("Rotate", {"expectGeneration": 99,
                                       "requestId": f"r-{number}"})
                client.send("Rollback", {"keySet": "gone"})
            for _ in range(600):
                self.assertIn("error", client.receive())
        counts = {"Rotate": 0, "Rollback": 0}
        harness.wait_until(
            lambda: sum(row["count"] for row in self.refusals()) == 600, 5,
            "not every refused call is counted")
        seconds = time.monotonic() - began
        for row in self.refusals():
            counts[row["method"].rpartition(".")[2]] += row["count"]
        self.assertEqual(counts, {"Rotate": 300, "Rollback": 300})
        self.assertLessEqual(len(self.refusals()), 2 * (int(seconds) + 1))

    def test_what_changes_nothing_has_none(self):
        self.refuse("ShowKey", "NoSuchKey", key="default#77")
        self.refuse("GetJwks", "NoSuchKeySet", keySet="gone")
        self.refuse("Nonsense", "MethodNotFound")
        self.call("Status")
        self.refuse("Rotate", "Conflict", expectGeneration=99)
        (row,) = self.wait_rows(1)
        self.assertEqual(row["method"], "org.jwksd.keys.Rotate")
        self.call("Freeze", frozen=True)
        time.sleep(1.2)
        self.assertEqual(len(self.refusals()), 1)

    def test_stopping_writes_what_is_left(self):
        self.refuse("Rotate", "Conflict", expectGeneration=99)
        self.daemon.stop()
        (row,) = self.refusals()
        self.assertEqual(row["outcome"], "org.jwksd.keys.Conflict")
        self.daemon.start()


@unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
class Denied(Case):
    def setUp(self):
        self.daemon = harness.Daemon(policy=self.policy, config={"access": {
            "sign_group": "daemon", "sign_rules": "mail:default"}})
        self.enterContext(self.daemon)
        for directory in (self.daemon.directory, self.daemon.runtime):
            os.chmod(directory, 0o755)

    def as_nobody(self, socket, method, parameters):
        """The error that a user of group daemon, uid nobody, gets."""
        code = ("import os,sys;sys.path.insert(0,%r);import harness;"
                "os.setgroups([%d]);os.setgid(%d);os.setuid(%d);"
                "c=harness.Varlink(%r);"
                "c.send(%r,%r);print(c.receive()['error'])" % (
                    os.path.dirname(harness.__file__),
                    grp.getgrnam("daemon").gr_gid, NOBODY, NOBODY,
                    f"{self.daemon.runtime}/{socket}.sock", method,
                    parameters))
        result = subprocess.run(["/usr/bin/python3", "-B", "-c", code],
                                capture_output=True, text=True, timeout=30)
        return result.stdout.strip() or result.stderr

    def check(self, socket, method, parameters, key_set):
        self.assertEqual(self.as_nobody(socket, method, parameters),
                         "org.varlink.service.PermissionDenied")
        (row,) = self.wait_rows(1)
        self.assertEqual(
            (row["event"], row["method"], row["outcome"], row["count"],
             row["uid"], row["gid"], row["key_set"]),
            ("denied", method, "org.varlink.service.PermissionDenied", 1,
             NOBODY, NOBODY, key_set))

    def test_a_key_set_that_is_not_the_signers(self):
        self.check("sign", "org.jwksd.sign.Sign",
                   {"keySet": "default",
                    "claims": {"exp": int(time.time()) + 60}}, "default")

    def test_a_payload_of_that_key_set(self):
        self.check("sign", "org.jwksd.sign.SignPayload",
                   {"keySet": "default", "payload": "e30"}, "default")

    def test_a_socket_that_is_not_the_callers(self):
        os.chmod(self.daemon.control, 0o666)
        self.check("control", "org.jwksd.keys.Status", {}, None)


if __name__ == "__main__":
    unittest.main()
