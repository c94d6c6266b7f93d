"""watch, call and introspect."""
import json
import os
import signal
import subprocess
import time
import unittest

import ctl_fake
from ctl_fake import ACTIVE, READY, Case, Error, Hold, compact

SNAPSHOT = {"event": "snapshot", "keys": [ACTIVE, READY], "sequence": 0}
EVENT = {"event": "activated", "keys": [READY], "sequence": 1}
LAGGED = {"event": "lagged", "keys": [], "sequence": 2}


class Watch(Case):
    def start(self, *arguments):
        process = subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.environment())
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_lines(self):
        out, err = self.run_ctl("watch", "default")
        self.assertEqual(self.daemon.calls, [{
            "method": "org.jwksd.keys.Monitor",
            "parameters": {"keySet": "default"}, "more": True}])
        self.assertEqual(err, "")
        lines = out.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"^20\S+Z  snapshot   default#1  "
                         rf"{ACTIVE['kid']}  active$")
        self.assertRegex(lines[2], r"^20\S+Z  activated  default#2 ")
        self.assertRegex(self.run_ctl("watch", "--time=unix")[0], r"^\d+  s")
        self.assertEqual(self.run_ctl("watch", "-q")[0].splitlines(),
                         [ACTIVE["kid"], READY["kid"], READY["kid"]])

    def test_json(self):
        out, _ = self.run_ctl("watch", "--json")
        self.assertEqual(out, "".join(
            compact(reply) + "\n" for reply in (SNAPSHOT, EVENT)))

    def test_lines_are_flushed_and_signals_end_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.daemon.set("Monitor", Hold(SNAPSHOT))
            process = self.start("watch", "--json")
            self.assertEqual(json.loads(process.stdout.readline()), SNAPSHOT)
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=30), 0)
            self.assertEqual(process.stderr.read(), b"")

    def test_the_daemon_ends(self):
        self.daemon.set("Monitor", Hold(SNAPSHOT))
        process = self.start("watch", "--json")
        process.stdout.readline()
        self.daemon.hang_up()
        self.assertEqual(process.wait(timeout=30), 69)
        self.assertIn(b"jwksctl: the daemon hung up", process.stderr.read())

    def test_lagged(self):
        self.daemon.set("Monitor", [SNAPSHOT, LAGGED])
        out, err = self.run_ctl("watch", status=69)
        self.assertRegex(out.splitlines()[-1], "lagged$")
        self.assertIn("faster than they were read", err)

    def test_a_reader_that_goes_ends_it_at_once(self):
        self.daemon.set("Monitor", Hold(SNAPSHOT))
        process = self.start("watch", "--json")
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=30), 0)
        self.assertEqual(process.stderr.read(), b"")

    def test_a_reader_that_is_gone_from_the_start(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(self.command("watch"), stdout=write,
                              stderr=subprocess.PIPE, timeout=60,
                              env=self.environment(), check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_errors(self):
        self.daemon.set("Monitor", Error("NoSuchKeySet", keySet="x"))
        out, err = self.run_ctl("watch", "x", "--json", status=65)
        self.assertEqual(json.loads(out)["parameters"], {"keySet": "x"})
        self.assertIn('no key set "x"', err)
        for reply in [{}, {"event": "x"}, {"event": "x", "keys": [{}]}]:
            self.daemon.set("Monitor", [reply])
            self.run_ctl("watch", status=76)

    def test_no_daemon(self):
        self.daemon.close()
        self.run_ctl("watch", status=69)

    def test_a_long_silence_is_no_error(self):
        """Longer than the deadline of one reply."""
        self.daemon.set("Monitor", Hold(SNAPSHOT))
        process = self.start("watch", "--json")
        process.stdout.readline()
        time.sleep(11)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=30), 0)


class Call(Case):
    def test_names(self):
        out, _ = self.run_ctl("call", "Status")
        self.assertEqual(out, compact(ctl_fake.STATUS) + "\n")
        self.daemon.set("org.example.Do", {"x": 1})
        self.assertEqual(self.run_ctl("call", "org.example.Do")[0],
                         '{"x":1}\n')
        self.assertEqual([call["method"] for call in self.daemon.calls],
                         ["org.jwksd.keys.Status", "org.example.Do"])

    def test_parameters(self):
        sent = {"keySet": "é", "n": [1, None, 2.5]}
        self.run_ctl("call", "Plan", json.dumps(sent))
        self.assertEqual(self.daemon.parameters(), sent)
        self.run_ctl("call", "Plan", "-", stdin=json.dumps(sent))
        self.assertEqual(self.daemon.parameters(), sent)

    def test_usage(self):
        for text in ["[]", "3", "{", "{} {}", '{"a":1,"a":2}', ""]:
            _, err = self.run_ctl("call", "Plan", text, status=64)
            self.assertIn("not a JSON object", err)
            self.run_ctl("call", "Plan", "-", stdin=text, status=64)
        self.run_ctl("call", "x" * 500, status=64)
        self.run_ctl("call", "Plan", "-", stdin='{"a":"%s"}' % (
            "x" * (256 * 1024 - 40)), status=64)
        self.run_ctl("call", status=64)
        self.assertEqual(self.daemon.calls, [])

    def test_more(self):
        out, _ = self.run_ctl("call", "--more", "Monitor")
        self.assertEqual(len(out.splitlines()), 2)
        self.assertIs(self.daemon.calls[0]["more"], True)

    def test_errors(self):
        self.daemon.set("Monitor", Error("org.varlink.service.ExpectedMore"))
        out, err = self.run_ctl("call", "Monitor", status=64)
        self.assertEqual(out, "")
        self.assertIn("hint: add --more", err)
        out, _ = self.run_ctl("call", "Nothing", "--json", status=64)
        self.assertEqual(json.loads(out), {
            "error": "org.varlink.service.MethodNotFound",
            "parameters": {"method": "org.jwksd.keys.Nothing"}})

    def test_a_stream_that_nobody_asked_for(self):
        self.daemon.set("Plan", [{"a": 1}, {"a": 2}])
        self.run_ctl("call", "Plan", status=76)


class Introspect(Case):
    def setUp(self):
        super().setUp()
        self.daemon.set("org.varlink.service.GetInfo", {
            "vendor": "jwksd", "product": "jwksd", "version": "0.1.0",
            "url": "x:", "interfaces": ["org.varlink.service",
                                        "org.jwksd.keys"]})
        self.daemon.set("org.varlink.service.GetInterfaceDescription", {
            "description": "# \033[31m\n\tinterface x\n"})

    def test_info(self):
        out, _ = self.run_ctl("introspect")
        self.assertEqual(self.daemon.calls[0]["method"],
                         "org.varlink.service.GetInfo")
        self.assertRegex(out, r"product +jwksd\n")
        self.assertRegex(out, r"interface +org.jwksd.keys\n$")
        self.assertEqual(json.loads(self.run_ctl(
            "introspect", "--json")[0])["version"], "0.1.0")

    def test_description(self):
        out, _ = self.run_ctl("introspect", "org.jwksd.keys")
        self.assertEqual(self.daemon.parameters(),
                         {"interface": "org.jwksd.keys"})
        self.assertEqual(out, "# \\x1b[31m\n\tinterface x\n")

    def test_nonsense(self):
        self.daemon.set("org.varlink.service.GetInfo", {"interfaces": 1})
        self.run_ctl("introspect", status=76)
        self.daemon.set("org.varlink.service.GetInterfaceDescription", {})
        self.run_ctl("introspect", "x", status=76)


if __name__ == "__main__":
    unittest.main()
