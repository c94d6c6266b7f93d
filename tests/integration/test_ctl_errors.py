"""Every typed error is a sentence with the right exit status; so is a daemon
that is absent, silent or mad."""
import json
import grp
import os
import shutil
import socket
import tempfile
import threading
import time
import unittest

import ctl_fake
from ctl_fake import DAY, NOW, SLACK, Case, Drop, Error, Raw, compact

# name, parameters, exit status, what the sentence says, what the hint says
ERRORS = [
    ("NoSuchKeySet", {"keySet": "web"}, 65, 'no key set "web"', "list"),
    ("NoSuchKey", {"key": "Ab"}, 65, 'no key "Ab"', "KEYSET#GENERATION"),
    ("AmbiguousKey", {"key": "A", "matches": ["Ab1", "Ab2"]}, 65,
     'begin with "A": Ab1, Ab2', "more of the kid"),
    ("Conflict", {"expected": 1, "actual": 2}, 75,
     "generation 2 is active, not 1; nothing was changed", "faster"),
    ("Conflict", {"expected": 2, "actual": 2}, 75,
     "another change of the key set is in the way", "jwksctl plan"),
    ("Conflict", {"expected": 0, "actual": 2}, 75,
     "another change of the key set is in the way", "jwksctl plan"),
    ("NotReady", {"readyAt": NOW + DAY + SLACK}, 75,
     r"promoted before 20\S+Z \(in 1d 1h\)", "--at"),
    ("BadState", {"kid": "Ab1", "state": "removed"}, 65,
     "Ab1 is removed", None),
    ("NoActiveKey", {"keySet": "web"}, 75, '"web" has no active key',
     "status"),
    ("BadKey", {"message": "too short"}, 65, "cannot be used: too short",
     None),
    ("BadPolicy", {"parameter": "cacheMaxAge", "message": "is too long",
                   "maximum": 3600}, 65,
     "arithmetic: is too long; nothing was changed",
     "cache_max_age would be right with at most 1h"),
    ("BadClaims", {"parameter": "exp", "message": "too far"}, 65,
     "exp: too far", None),
    ("BadConfig", {"file": "/a.conf", "line": 3, "message": "no"}, 78,
     "/a.conf:3: no", "jwksd --check"),
    ("Frozen", {"cause": "the clock jumped"}, 75,
     "frozen: the clock jumped", "status"),
    ("NoSpace", {}, 75, "disk is full; nothing was changed", None),
    ("OutcomeUnknown", {"requestId": "r1"}, 75, r"\(request r1\)",
     "--request-id r1"),
    ("StoreFailed", {"message": "EIO"}, 74, "store failed: EIO", None),
    ("Overloaded", {}, 75, "more to sign than it can", "try again"),
    ("org.varlink.service.PermissionDenied", {}, 77, "does not let you",
     "members of the group"),
    ("org.varlink.service.InvalidParameter", {"parameter": "at"}, 64,
     'parameter "at"', "introspect"),
    ("org.varlink.service.InvalidParameter", {"parameter": "requestId"}, 64,
     "belongs to another request", "the very same options"),
    ("org.varlink.service.MethodNotFound", {"method": "o.X"}, 64,
     "no method o.X", "introspect"),
    ("org.varlink.service.MethodNotImplemented", {"method": "o.X"}, 69,
     "does not implement o.X", None),
    ("org.varlink.service.InterfaceNotFound", {"interface": "o"}, 64,
     "no interface o", "introspect"),
    ("org.varlink.service.ExpectedMore", {}, 64, "a stream", "--more"),
    ("org.jwksd.keys.Unheard", {"of": 1}, 76,
     r'org.jwksd.keys.Unheard {"of":1}', "newer"),
]


class Errors(Case):
    def test_each_is_a_sentence(self):
        for name, parameters, status, sentence, hint in ERRORS:
            with self.subTest(name):
                self.daemon.set("Status", Error(name, **parameters))
                out, err = self.run_ctl("status", status=status)
                lines = err.splitlines()
                self.assertEqual(out, "")
                self.assertRegex(lines[0], sentence)
                self.assertEqual(len(lines), 1 if hint is None else 2)
                if hint is not None:
                    self.assertTrue(lines[1].startswith("hint: "))
                    self.assertIn(hint, lines[1])

    def test_each_declared_error_is_here(self):
        self.assertLessEqual(ctl_fake.declared_errors(),
                             {name for name, *_ in ERRORS})

    def test_json_says_it_on_standard_output_too(self):
        for name, parameters, status, sentence, _ in ERRORS:
            with self.subTest(name):
                error = Error(name, **parameters)
                self.daemon.set("ListKeys", error)
                out, err = self.run_ctl("list", "--json", status=status)
                self.assertEqual(out, compact(
                    {"error": error.name, "parameters": parameters}) + "\n")
                self.assertRegex(err.splitlines()[0], sentence)

    def test_missing_and_odd_parameters(self):
        for name, *_ in ERRORS:
            for parameters in [{}, {n: [None, {}] for n in (
                    "keySet", "key", "matches", "readyAt", "requestId")},
                    {"readyAt": -2**63, "expected": 2**62, "actual": -1}]:
                self.daemon.set("Status", Error(name, **parameters))
                status = next(e[2] for e in ERRORS if e[0] == name)
                self.run_ctl("status", status=status)

    def test_a_very_long_sentence_is_cut(self):
        self.daemon.set("Status", Error("Frozen", cause="é" * 5000))
        _, err = self.run_ctl("status", status=75)
        self.assertLess(len(err), 1500)


class Unreachable(Case):
    def test_no_socket(self):
        _, err = self.run_ctl("list", "--socket", self.socket + "x",
                              status=69)
        self.assertIn(self.socket + "x", err)
        self.assertIn("hint: is jwksd running?", err)
        self.assertIn("JWKSCTL_SOCKET", err)

    def test_nobody_listens(self):
        self.daemon.close()
        _, err = self.run_ctl("list", status=69)
        self.assertIn("refused", err)

    def test_option_before_environment(self):
        self.run_ctl("--socket", self.socket, "list",
                     env={"JWKSCTL_SOCKET": "/nowhere"})
        _, err = self.run_ctl("list", env={"JWKSCTL_SOCKET": "/nowhere"},
                              status=69)
        self.assertIn("/nowhere", err)

    def test_an_impossible_path(self):
        _, err = self.run_ctl("list", "--socket", "/" + "x" * 200, status=64)
        self.assertIn("201", err)

    def as_another(self, *command):
        """Run jwksctl as a user who is in no group, and return the hint."""
        # The binary may lie where nobody else can read it.
        place = tempfile.mkdtemp(prefix="jwksctl-")
        self.addCleanup(shutil.rmtree, place)
        os.chmod(place, 0o755)
        binary = shutil.copy(ctl_fake.JWKSCTL, place)
        whole = self.command
        self.command = lambda *a: [binary, *whole(*a)[len(whole()):]]
        try:
            _, err = self.run_ctl(*command, status=77, user=65534,
                                  group=65534, extra_groups=[], cwd="/")
        finally:
            self.command = whole
        self.assertIn("may not use the socket", err)
        return err.splitlines()[1]

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
    def test_each_socket_names_its_own_group(self):
        """Also where [access] names others, and none is the admin group."""
        os.chmod(self.directory, 0o755)
        sign = ctl_fake.Daemon(os.path.join(self.directory, "sign.sock"))
        self.addCleanup(sign.close)
        groups = {name: grp.getgrnam(name).gr_gid for name in
                  ("mail", "daemon")}
        for command, path in (("list", self.socket), ("sign", sign.path)):
            for name, gid in [*groups.items(), ("54321", 54321)]:
                os.chown(path, 0, gid)
                os.chmod(path, 0o660)
                hint = self.as_another(command)
                self.assertIn(f"the group {name} may: `adduser USER {name}`",
                              hint)
                self.assertNotIn("jwksd-admin", hint)
            os.chmod(path, 0o600)
            hint = self.as_another(command)
            self.assertIn("no group may", hint)
            self.assertNotIn("adduser", hint)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
    def test_a_directory_in_the_way_is_named(self):
        os.chown(self.directory, 0, grp.getgrnam("mail").gr_gid)
        os.chmod(self.directory, 0o750)
        hint = self.as_another("sign")
        self.assertIn(f"the group mail may enter {self.directory}", hint)
        self.assertNotIn("jwksd-admin", hint)
        os.chmod(self.directory, 0o700)
        self.assertIn(f"no group may enter {self.directory}",
                      self.as_another("list"))

    def test_a_denied_call_names_the_group_of_its_socket(self):
        sign = ctl_fake.Daemon(os.path.join(self.directory, "sign.sock"))
        self.addCleanup(sign.close)
        for command, daemon, method in (
                ("list", self.daemon, "ListKeys"),
                ("sign", sign, "org.jwksd.sign.Sign")):
            name = grp.getgrgid(os.stat(daemon.path).st_gid).gr_name
            os.chmod(daemon.path, 0o660)
            daemon.set(method, Error("org.varlink.service.PermissionDenied"))
            _, err = self.run_ctl(command, status=77)
            self.assertIn(f"members of the group {name} may", err)

    def test_it_hangs_up(self):
        self.daemon.set("ListKeys", Drop())
        _, err = self.run_ctl("list", status=69)
        self.assertIn("hung up without an answer", err)
        self.assertEqual(len(self.daemon.calls), 1)

    def test_it_hangs_up_in_a_reply(self):
        self.daemon.set("ListKeys", Raw(b'{"parameters":{'))
        _, err = self.run_ctl("list", status=69)
        self.assertIn("middle of a reply", err)

    def test_it_is_mad(self):
        for data in [b"\0", b"GET / HTTP/1.1\r\n\0", b"[]\0", b"{}x\0",
                     b'{"parameters":[]}\0', b'{"error":3}\0', b"\xff\0",
                     b'{"parameters":{},"parameters":{}}\0',
                     b'{"a":' * 5000 + b"\0", b"x" * 300000]:
            with self.subTest(data[:40]):
                self.daemon.set("ListKeys", Raw(data))
                self.run_ctl("list", status=76)

    def test_it_is_silent(self):
        """The deadline is 10 s; nothing else in this file waits."""
        silent = os.path.join(self.directory, "silent.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(silent)
            listener.listen(1)
            start = time.monotonic()
            _, err = self.run_ctl("list", "--socket", silent, status=69)
            self.assertIn("does not answer", err)
            self.assertTrue(9 < time.monotonic() - start < 30)

    def test_a_reply_in_pieces(self):
        pieces = os.path.join(self.directory, "pieces.sock")
        reply = (compact({"parameters": {"keys": []}}).encode() + b"\0")

        def serve(listener):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for i in range(len(reply)):
                    connection.sendall(reply[i:i + 1])

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(pieces)
            listener.listen(1)
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            out, _ = self.run_ctl("list", "--json", "--socket", pieces)
            thread.join()
        self.assertEqual(json.loads(out), {"keys": []})


if __name__ == "__main__":
    unittest.main()
