"""Whole kinds of mistakes, as tables: the second method under one request
id, the other key set, who it was, what is left after thousands of calls,
the cycle after a fault, and private octets where they must not be."""
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import case
import clock
import harness
from harness import VarlinkError

NAMES = ("default", "b", "c")
ROOT = os.geteuid() == 0


def orders(name):
    """Every changing method once: (method, parameters)."""
    return [
        ("Rotate", {"keySet": name, "now": True}),
        ("Rollback", {"keySet": name}),
        ("SetPolicy", {"name": name, "policy": {"rotationPeriod": 7200}}),
        ("Freeze", {"keySet": name, "frozen": True}),
        ("Freeze", {"keySet": name, "frozen": False}),
        ("Revoke", {"key": f"{name}#1", "reason": "a test", "force": True}),
        ("AddKeySet", {"name": f"{name}x"}),
        ("RemoveKeySet", {"name": f"{name}x", "force": True}),
        ("AcceptClock", {}),
    ]


class RequestIds(case.Case):
    """One id is one order, whatever comes second, and after a restart."""

    policy = case.CALM

    def first(self):
        """Each order under an id of its own: {id: (method, parameters)}."""
        done = {}
        for number, (method, parameters) in enumerate(orders("default")):
            request = f"id-{number}"
            reply = self.call(method, requestId=request, **parameters)
            done[request] = method, parameters, reply
            self.assertEqual(
                self.call(method, requestId=request, **parameters), reply)
        return done

    def check(self, done):
        before = self.rows("request", "audit")
        for request, (method, parameters, reply) in done.items():
            with self.subTest(request=request, method=method):
                self.assertEqual(self.call(method, requestId=request,
                                           **parameters), reply)
            for second, others in orders("default"):
                if (second, others) == (method, parameters):
                    continue
                with self.subTest(method=method, second=second), \
                        self.assertRaises(VarlinkError) as caught:
                    self.call(second, requestId=request, **others)
                self.assertEqual(
                    (caught.exception.short, caught.exception.parameters),
                    ("InvalidParameter", {"parameter": "requestId"}))
        after = self.rows("request", "audit")
        self.assertEqual(after["request"], before["request"])
        ids = [r["request_id"] for r in self.audit() if r["request_id"]]
        self.assertLessEqual(set(ids), set(done))

    def test_every_second_method(self):
        done = self.first()
        self.check(done)
        self.daemon.restart()
        self.check(done)
        self.daemon.kill9()
        self.daemon.start()
        self.check(done)


class ThreeKeySets(case.Case):
    """An order about one key set says nothing about the others."""

    policy = case.CALM

    def setUp(self):
        super().setUp()
        for name in NAMES[1:]:
            self.call("AddKeySet", name=name)

    def others(self, name):
        """What the others are: facts, not times that pass."""
        with self.daemon.database() as db:
            return [tuple(row) for row in db.execute(
                "SELECT s.name, s.version, s.rotation_period,"
                " s.frozen, g.number, g.kid, g.activations, g.retirements,"
                " g.revoked_at FROM key_set s JOIN generation g"
                " ON g.key_set_id = s.id WHERE s.name NOT IN (?, ?)"
                " ORDER BY s.name, g.number", (name, f"{name}x"))]

    def settle(self):
        """Until no standby is on its way anywhere."""
        harness.wait_until(lambda: all(sum(
            k["keySet"] == n and k["state"] in ("published", "ready")
            for k in self.daemon.keys()) == 1 for n in NAMES), 15)

    def test_orders_stay_in_their_key_set(self):
        for name in NAMES:
            for method, parameters in orders(name):
                if method == "AcceptClock":
                    continue    # of the whole machine
                self.settle()
                before = self.others(name)
                last = self.last_audit()
                with self.subTest(key_set=name, method=method):
                    reply = self.call(method, **parameters)
                    self.assertEqual(self.others(name), before)
                    # The schedule's own rows may come at any time.
                    rows = [r for r in self.audit(last)
                            if r["uid"] is not None]
                    self.assertLessEqual(
                        {r["key_set"] for r in rows}, {name, f"{name}x"})
                    self.assertTrue(rows)
                    for key in ("activated", "retired", "revoked"):
                        if reply.get(key):
                            self.assertEqual(reply[key]["keySet"], name)

    def test_reading_one_shows_one(self):
        path = self.daemon.control.replace("control.sock", "sign.sock")
        documents = {}
        for name in NAMES:
            with self.subTest(key_set=name):
                keys = self.daemon.keys(keySet=name)
                self.assertEqual({k["keySet"] for k in keys}, {name})
                (active,) = [k for k in keys if k["state"] == "active"]
                jwks = self.call("GetJwks", keySet=name)["jwks"]
                documents[name] = {k["kid"] for k in jwks["keys"]}
                self.assertEqual(documents[name], {k["kid"] for k in keys})
                with harness.Varlink(path, "org.jwksd.sign") as client:
                    exp = {"exp": int(harness.time.time()) + 60}
                    reply = client.call("Sign", {"keySet": name,
                                                 "claims": exp})
                self.assertEqual(reply["kid"], active["kid"])
                for change in self.changes(name):
                    self.assertEqual(change["keySet"], name)
        self.assertEqual(len(set().union(*documents.values())),
                         sum(map(len, documents.values())))

    def changes(self, name):
        return [c for part in self.daemon.call(
            "Plan", {"keySet": name}, more=True) for c in part["changes"]]


class AfterThousands(case.Case):
    """No descriptor more, and no memory that grows with every call."""

    policy = case.CALM
    ROUNDS = 400    # of a dozen requests each

    def resident(self, pid):
        return int(re.search(r"VmRSS:\s+(\d+)", harness.read_proc(
            pid, "status")).group(1))

    def state_of(self):
        pids = [self.daemon.pid, *self.daemon.front_pids()]
        return ({pid: len(harness.descriptors(pid)) for pid in pids},
                {pid: self.resident(pid) for pid in pids})

    def refused_calls(self, client):
        for method, parameters in (
                ("ShowKey", {"key": "default#99"}),
                ("Rollback", {"keySet": "nobody"}),
                ("SetPolicy", {"name": "default",
                               "policy": {"cacheMaxAge": 0}}),
                ("Rotate", {"keySet": 7})):
            with self.assertRaises(VarlinkError):
                client.call(method, parameters)

    def round(self, number):
        with self.daemon.connect() as client:
            client.call("Status")
            list(client.stream("ListKeys"))
            self.refused_calls(client)
            if number % 20 == 0:
                client.call("Reload")
            if number % 50 == 0:
                client.call("Freeze", {"frozen": number % 100 == 0,
                                       "keySet": "default"})
        self.assertEqual(self.daemon.get().status, 200)
        self.assertEqual(self.daemon.get("/nowhere").status, 404)

    def test_nothing_is_left(self):
        for number in range(150):
            self.round(number)
        descriptors, memory = self.state_of()
        for number in range(self.ROUNDS):
            self.round(number)

        def closed():
            return self.state_of()[0] == descriptors

        harness.wait_until(closed, 10, "descriptors are left")
        if os.environ.get("JWKSD_WRAPPER") or harness.SLOW > 1:
            self.skipTest("a sanitizer keeps memory of its own")
        for pid, kibibytes in self.state_of()[1].items():
            self.assertLess(kibibytes - memory[pid], 1536, pid)


class Who(case.Case):
    """By socket, uid, primary and supplementary group; and who is named."""

    policy = case.CALM
    USERS = {   # uid, primary, supplementary: which sockets let them in
        "admin by primary group": (60011, "games", [], {"control"}),
        "admin by another group": (60012, "nogroup", ["games"], {"control"}),
        "signer by primary group": (60013, "daemon", [], {"sign"}),
        "signer by another group": (60014, "nogroup", ["daemon"], {"sign"}),
        "both": (60015, "games", ["daemon"], {"control", "sign"}),
        "no one": (60016, "nogroup", [], set()),
        "others' groups": (60017, "mail", ["news"], set()),
    }

    def setUp(self):
        if not ROOT:
            self.skipTest("needs root to be somebody else")
        self.daemon = harness.Daemon(policy=self.policy, config={
            "access": {"admin_group": "games", "sign_group": "daemon"}})
        self.enterContext(self.daemon)
        for directory in (self.daemon.directory, self.daemon.runtime):
            os.chmod(directory, 0o755)

    def as_user(self, uid, group, groups, socket, method, parameters):
        """(error or reply): what that user gets."""
        import grp
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([grp.getgrnam(g).gr_gid for g in groups])
                os.setgid(grp.getgrnam(group).gr_gid)
                os.setuid(uid)
                text = self.ask(socket, method, parameters)
                os.write(write, text.encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as f:
            text = f.read()
        os.waitpid(pid, 0)
        return text

    def ask(self, socket, method, parameters):
        path = f"{self.daemon.runtime}/{socket}.sock"
        interface = {"control": "org.jwksd.keys"}.get(
            socket, f"org.jwksd.{socket}")
        try:
            with harness.Varlink(path, interface) as client:
                client.call(method, parameters)
            return "done"
        except VarlinkError as error:
            return error.short
        except OSError as error:
            return type(error).__name__

    def test_table(self):
        import grp
        for label, (uid, group, groups, allowed) in self.USERS.items():
            for socket, method, parameters in (
                    ("control", "SetPolicy",
                     {"name": "default", "policy": {"rotationPeriod":
                                                    7200 + uid}}),
                    ("sign", "Sign", {"claims": {
                        "exp": int(harness.time.time()) + 60}}),
                    ("publish", "Documents", {})):
                with self.subTest(who=label, socket=socket):
                    last = self.last_audit()
                    said = self.as_user(uid, group, groups, socket, method,
                                        parameters)
                    if socket not in allowed:
                        self.assertIn(said, ("PermissionError",
                                             "PermissionDenied"))
                        continue
                    self.assertEqual(said, "done")
                    if socket == "control":
                        (row,) = [r for r in self.audit(last)
                                  if r["uid"] is not None]
                        self.assertEqual(
                            (row["uid"], row["gid"]),
                            (uid, grp.getgrnam(group).gr_gid))


class AfterAFault(clock.Case):
    """A fault, its end, and one more ordinary cycle: what was to be undone
    or reset shows one order later."""

    policy = {**case.CALM, "verifier_max_age": "2s"}

    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.disk = os.path.join(os.path.dirname(self.clock_file), "disk")
        self.break_disk(0, 0)
        tools = os.path.join(harness.BUILD, "tools")
        self.daemon.env = {
            "LD_PRELOAD": f"{tools}/clock_shim.so:{tools}/disk_shim.so",
            "JWKSD_TEST_CLOCK": self.clock_file,
            "JWKSD_TEST_DISK": self.disk}
        self.daemon.start()
        self.usual = self.status()["warnings"]

    def break_disk(self, syncs, writes):
        fd = os.open(self.disk, os.O_RDWR | os.O_CREAT)
        os.pwrite(fd, struct.pack("=qqqq", 0, syncs, 0, writes), 0)
        os.close(fd)

    def rotate(self):
        while True:
            try:
                return self.call("Rotate", now=True,
                                 requestId=f"r{self.monotonic}")
            except VarlinkError as error:
                self.assertIn(error.short, ("OutcomeUnknown", "StoreFailed"))

    def ordinary_cycle(self):
        """Through every retry time: a rotation, its standby, a removal."""
        self.advance(4000)
        harness.wait_until(self.standby, 15, "no standby")
        before = self.active()
        reply = self.rotate()
        self.assertGreater(reply["activated"]["generation"], before)
        harness.wait_until(self.standby, 15, "no standby afterwards")
        self.check_usable()
        self.assertTrue(self.status()["ready"])
        self.assertEqual(self.status()["warnings"], self.usual)
        rows = self.rows("generation")
        self.daemon.restart()
        self.assertEqual(self.rows("generation"), rows)

    def standby(self):
        self.advance(3)
        states = list(self.states().values())
        return "ready" in states and "published" not in states

    def test_syncs_that_fail(self):
        for count in 1, 2, 3:
            with self.subTest(syncs=count):
                self.break_disk(count, 0)
                self.rotate()
                self.break_disk(0, 0)
                self.ordinary_cycle()

    def test_an_outage(self):
        for _ in range(2):
            self.daemon.kill9()
            self.daemon.start()
            self.ordinary_cycle()


class PrivateOctets(case.Case):
    """The private half of a key is in the locked heap, and nowhere else."""

    def private(self):
        with tempfile.TemporaryDirectory(prefix="p") as directory:
            for name in ("jwksd.db", "jwksd.db-wal", "jwksd.kek"):
                path = os.path.join(self.daemon.state, name)
                if os.path.exists(path):
                    shutil.copy(path, directory)
            done = subprocess.run(
                [os.path.join(harness.BUILD, "tools/sign-token"), directory,
                 "default", "--private"], capture_output=True, text=True,
                check=True)
        return bytes.fromhex(done.stdout.strip())

    def where(self, secret):
        """Names of the mappings that hold it, but the secure heap's, which
        is not dumped (VmFlags dd)."""
        found, maps = [], harness.read_proc(self.daemon.pid, "smaps")
        parts = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) (r\S+) \S+ \S+ \S+ *"
                           r"(.*)\n((?:[A-Z].*\n)+)", maps, re.M)
        self.assertTrue(parts)
        with open(f"/proc/{self.daemon.pid}/mem", "rb", 0) as memory:
            for start, end, _, name, rest in parts:
                flags = re.search(r"VmFlags: (.*)", rest).group(1).split()
                try:
                    memory.seek(int(start, 16))
                    data = memory.read(int(end, 16) - int(start, 16))
                except (OSError, ValueError, OverflowError):
                    continue
                # OpenSSL keeps a number with its lowest octet first.
                if secret in data or secret[::-1] in data:
                    found.append("secure" if "dd" in flags else name)
        return found

    def test_the_active_keys(self):
        if not ROOT or os.environ.get("JWKSD_WRAPPER") or harness.SLOW > 1:
            self.skipTest("needs root, and the memory of jwksd itself")
        path = self.daemon.control.replace("control.sock", "sign.sock")
        for algorithm, start, length in (("ES256", 7, 32), ("EdDSA", -32, 32),
                                         ("RS256", 400, 64)):
            with self.subTest(algorithm=algorithm):
                self.call("SetPolicy", name="default",
                          policy={"algorithm": algorithm})
                harness.wait_until(self.active_is(algorithm), 20)
                with harness.Varlink(path, "org.jwksd.sign") as client:
                    client.call("Sign", {"claims": {
                        "exp": int(harness.time.time()) + 60}})
                der = self.private()
                secret = (der[start:] if start < 0
                          else der[start:start + length])
                self.assertEqual(set(self.where(secret)), {"secure"})
                self.daemon.restart()
                with harness.Varlink(path, "org.jwksd.sign") as client:
                    client.call("Sign", {"claims": {
                        "exp": int(harness.time.time()) + 60}})
                self.assertEqual(set(self.where(secret)), {"secure"})

    policy = case.CALM

    def active_is(self, algorithm):
        def check():
            try:
                self.call("Rotate", now=True)
            except VarlinkError:
                pass
            return any(k["state"] == "active" and k["alg"] == algorithm
                       for k in self.daemon.keys())
        return check


if __name__ == "__main__":
    unittest.main()
