"""Every default algorithm against every verifier: before, during and after a
rotation, under load, and after a revocation.  No valid token is rejected by
anybody, and none of a revoked key is taken by anybody who has read the key
set again.

Not a part of `make check`: `make interop` runs this and installs what it
needs.  UNSUPPORTED says what a library cannot do by itself, and is held
against it: the day it can, this fails and the row goes.
"""
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import unittest

import harness

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import verifier  # noqa: E402
from verifier import Verifier  # noqa: E402

ISSUER = "https://issuer.example"
PSS = ("PS256", "PS384", "PS512")
UNSUPPORTED = {
    # Nothing of RFC 8037 in any release.
    ("jsonwebtoken", "EdDSA"), ("Debian jose", "EdDSA"),
    # Its JWKs are RSA and EC ones in 2.5.
    ("ruby-jwt", "EdDSA"),
    # Its list of algorithms has no PSS.
    *(("aws-jwt-verify", alg) for alg in PSS),
}
# They verify access tokens as RFC 9068 has them, and no other.
AT_JWT = {"oauth4webapi"}
NEWEST_NODE_NEEDED = 20
BUSY = 2            # seconds of load, with the rotation in their middle
DEPTH = 32


def node_is_too_old():
    if not verifier.NODE:
        return "there is no node"
    version = subprocess.run([verifier.NODE, "--version"], text=True,
                             capture_output=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NEWEST_NODE_NEEDED:
        return f"node {version} is older than these libraries demand"
    return None


NO_NODE = node_is_too_old()
NODE_NAMES = {"npm jose 6", "npm jose 5", "jsonwebtoken", "aws-jwt-verify",
              "oauth4webapi"}


def kid_of(token):
    return json.loads(harness.from_base64url(token.split(".")[0]))["kid"]


class Signer:
    """A session backend: one connection, every token of the same shape."""

    def __init__(self, path):
        self.client = harness.Varlink(path, "org.jwksd.sign")
        self.serial = 0

    def ask(self, type_="JWT"):
        self.serial += 1
        now = int(time.time())
        self.client.send("Sign", {"type": type_, "claims": {
            "iss": ISSUER, "aud": "api", "sub": "alice", "client_id": "app",
            "jti": f"{id(self)}-{self.serial}", "iat": now, "exp": now + 600}})

    def sign(self, type_="JWT"):
        self.ask(type_)
        return self.client.reply()[0]["token"]

    def close(self):
        self.client.close()


class Busy(threading.Thread):
    """Keeps the signer busy, DEPTH requests at a time."""

    def __init__(self, path, stopped):
        super().__init__()
        self.signer, self.stopped = Signer(path), stopped
        self.signed, self.failed = 0, None

    def run(self):
        try:
            with contextlib.closing(self.signer):
                for _ in range(DEPTH):
                    self.signer.ask()
                while not self.stopped.is_set():
                    self.signer.client.reply()
                    self.signed += 1
                    self.signer.ask()
        except Exception as error:  # noqa: BLE001
            self.failed = error


class Reader(threading.Thread):
    """A verifier that is shown tokens as they are signed."""

    def __init__(self, path, program, stopped):
        super().__init__()
        self.signer, self.program, self.stopped = (
            Signer(path), program, stopped)
        self.seen, self.rejected, self.failed = {}, [], None

    def run(self):
        type_ = "at+jwt" if self.program.name in AT_JWT else "JWT"
        try:
            with contextlib.closing(self.signer):
                while not self.stopped.is_set():
                    token = self.signer.sign(type_)
                    answer = self.program.verify(token)
                    kid = kid_of(token)
                    self.seen[kid] = self.seen.get(kid, 0) + 1
                    if "claims" not in answer:
                        self.rejected.append((kid, answer))
        except Exception as error:  # noqa: BLE001
            self.failed = error


class Matrix:
    """The same for every algorithm; subclasses say which."""

    alg = None

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(policy={"algorithm": cls.alg})
        cls.enterClassContext(cls.daemon)
        cls.sign_path = f"{cls.daemon.runtime}/sign.sock"
        cls.signer = Signer(cls.sign_path)
        cls.addClassCleanup(cls.signer.close)
        cls.programs = [
            cls.enterClassContext(Verifier(
                name, cls.daemon.url(), cls.alg, ISSUER))
            for name in verifier.COMMANDS
            if not (NO_NODE and name in NODE_NAMES)]

    def sign(self, program):
        return self.signer.sign(
            "at+jwt" if program.name in AT_JWT else "JWT")

    def able(self):
        return [p for p in self.programs
                if (p.name, self.alg) not in UNSUPPORTED]

    def assert_taken(self, program, token):
        answer = program.verify(token)
        self.assertEqual(answer.get("claims", {}).get("sub"), "alice",
                         (program.name, self.alg, answer))
        return answer

    def assert_rejected(self, program, token):
        answer = program.verify(token)
        self.assertIn("error", answer, (program.name, self.alg))

    def test_1_what_a_library_cannot(self):
        for program in self.programs:
            if (program.name, self.alg) in UNSUPPORTED:
                with self.subTest(program.name):
                    self.assert_rejected(program, self.sign(program))

    @unittest.skipIf(NO_NODE, NO_NODE)
    def test_1_every_library_is_there(self):
        self.assertEqual({p.name for p in self.programs},
                         set(verifier.COMMANDS))

    def test_2_before_during_and_after_a_rotation(self):
        cls = type(self)
        cls.before = {p.name: self.sign(p) for p in self.programs}
        for program in self.able():
            with self.subTest(program.name):
                answer = self.assert_taken(program, self.before[program.name])
                # jose 5 does not let us count.
                self.assertLessEqual(answer["fetches"], 1)
        seen = self.load_and_rotate()
        cls.after = {p.name: self.sign(p) for p in self.programs}
        kids = [kid_of(tokens["PyJWT"]) for tokens in (cls.before, cls.after)]
        self.assertNotEqual(*kids)
        for program in self.able():
            with self.subTest(program.name):
                for tokens in self.before, self.after:
                    answer = self.assert_taken(program, tokens[program.name])
                self.assertEqual(set(seen[program.name]), set(kids),
                                 "it was shown tokens of both keys")

    def load_and_rotate(self):
        """Kids that each verifier was shown meanwhile, and how often."""
        stopped = threading.Event()
        busy = Busy(self.sign_path, stopped)
        readers = [Reader(self.sign_path, p, stopped) for p in self.able()]
        for thread in [busy, *readers]:
            thread.start()
        try:
            time.sleep(BUSY * harness.SLOW / 2)
            self.daemon.call("Rotate")
            time.sleep(BUSY * harness.SLOW / 2)
        finally:
            stopped.set()
            for thread in [busy, *readers]:
                thread.join()
        self.assertIsNone(busy.failed)
        self.assertGreater(busy.signed, DEPTH)
        for reader in readers:
            with self.subTest(reader.program.name):
                self.assertIsNone(reader.failed)
                self.assertEqual(reader.rejected, [])
        return {r.program.name: r.seen for r in readers}

    def test_3_whoever_comes_now_takes_both(self):
        for program in self.able():
            with self.subTest(program.name):
                program.refresh()
                for tokens in self.before, self.after:
                    self.assert_taken(program, tokens[program.name])

    def test_4_nobody_takes_a_revoked_keys_token(self):
        kid = kid_of(self.before["PyJWT"])
        self.daemon.call("Revoke", {"key": kid, "reason": "found in a paste"})
        harness.wait_until(lambda: kid not in [
            k["kid"] for k in self.daemon.get().json()["keys"]])
        for program in self.able():
            with self.subTest(program.name):
                program.refresh()
                self.assert_rejected(program, self.before[program.name])
                self.assert_taken(program, self.after[program.name])


def each(alg):
    """A class of tests for one algorithm."""
    return type(alg, (Matrix, unittest.TestCase), {"alg": alg})
