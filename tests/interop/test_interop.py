"""Tokens of the daemon's keys, verified through the URL by other people's
libraries: Debian's jose, PyJWT and, where node is there, npm's jose."""
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import harness
from verifier import NODE, Verifier

SIGN_TOKEN = os.path.join(harness.BUILD, "tools/sign-token")
NPM_JOSE = os.path.join(harness.NODE_MODULES, "jose")
RSA = {"kty", "use", "alg", "kid", "n", "e"}
EC = {"kty", "use", "alg", "kid", "crv", "x", "y"}
OKP = {"kty", "use", "alg", "kid", "crv", "x"}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def debian_jose(token, jwks):
    """The payload that `jose jws ver` finds good, or None."""
    with tempfile.TemporaryDirectory(prefix="j") as directory:
        paths = [os.path.join(directory, name) for name in ("token", "jwks")]
        for path, data in zip(paths, (token.encode(), jwks)):
            with open(path, "wb") as f:
                f.write(data)
        result = subprocess.run(
            ["jose", "jws", "ver", "-i", paths[0], "-k", paths[1], "-O", "-"],
            capture_output=True, timeout=30 * harness.SLOW)
    return json.loads(result.stdout) if result.returncode == 0 else None


def tampered(token, other_kid):
    """Tokens that no verifier may take, each wrong in one way."""
    header, claims, signature = token.split(".")
    forged = json.loads(decode(claims))
    forged["sub"] = "mallory"
    bits = bytearray(decode(signature))
    bits[len(bits) // 2] ^= 1
    told = json.loads(decode(header))
    yield f"{header}.{encode(json.dumps(forged).encode())}.{signature}"
    yield f"{header}.{claims}.{encode(bytes(bits))}"
    yield f"{header}.{claims}."
    for change in ({"alg": "none"}, {"alg": "HS256"}, {"kid": other_kid},
                   {"typ": "JWT", "x": 1}):
        changed = encode(json.dumps({**told, **change}).encode())
        yield f"{changed}.{claims}.{signature}"


class Interop:
    """The same for every algorithm; subclasses say which."""

    alg = curve = None
    members = EC

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(policy={"algorithm": cls.alg})
        cls.enterClassContext(cls.daemon)
        cls.url = cls.daemon.url()

    def sign(self, **claims):
        """What a session service gets."""
        claims = {"sub": "alice", "exp": int(time.time()) + 600, **claims}
        with harness.Varlink(f"{self.daemon.runtime}/sign.sock",
                             "org.jwksd.sign") as client:
            return client.call("Sign", {"claims": claims})["token"]

    def sign_behind_its_back(self, **claims):
        """What the daemon would refuse, from a copy of its state."""
        with tempfile.TemporaryDirectory(prefix="s") as directory:
            with self.daemon.database() as db:
                with contextlib.closing(
                        harness.sqlite3.connect(f"{directory}/jwksd.db")) as c:
                    db.backup(c)
            os.chmod(directory, 0o700)
            shutil.copy(f"{self.daemon.state}/jwksd.kek", directory)
            result = subprocess.run(
                [SIGN_TOKEN, directory, "default", json.dumps(claims)],
                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.strip()

    def verifiers(self):
        found = ["PyJWT"]
        if NODE and os.path.isdir(NPM_JOSE):
            found.append("npm jose 6")
        for name in found:
            yield name, Verifier(name, self.url, self.alg)

    def test_1_members(self):
        keys = self.daemon.get().json()["keys"]
        self.assertEqual(len(keys), 2)
        for key in keys:
            self.assertEqual(set(key), self.members)
            self.assertEqual((key["use"], key["alg"]), ("sig", self.alg))
            self.assertEqual(key.get("crv"), self.curve)
            thumbprint = subprocess.run(
                ["jose", "jwk", "thp", "-i", "-", "-a", "S256"],
                input=json.dumps(key), capture_output=True, text=True)
            if self.members is not OKP:     # of which jose knows nothing
                self.assertEqual(thumbprint.stdout.strip(), key["kid"])
            self.assert_sizes(key)

    def assert_sizes(self, key):
        if self.members is RSA:
            self.assertEqual(len(decode(key["n"])), 256)
            self.assertEqual(key["e"], "AQAB")
            return
        size = {"P-256": 32, "P-384": 48, "Ed25519": 32}[self.curve]
        for name in self.members & {"x", "y"}:
            self.assertEqual(len(decode(key[name])), size)

    def test_2_header(self):
        token = self.sign()
        header = json.loads(decode(token.split(".")[0]))
        self.assertEqual(header, {
            "alg": self.alg, "typ": "JWT",
            "kid": self.daemon.get().json()["keys"][0]["kid"]})

    def test_3_tampered_tokens_fail(self):
        good = self.sign()
        standby = self.daemon.get().json()["keys"][1]["kid"]
        bad = list(tampered(good, standby))
        now = int(time.time())
        expired = self.sign_behind_its_back(
            sub="alice", iat=now - 900, exp=now - 600)
        for name, verifier in self.verifiers():
            with self.subTest(name), verifier:
                for token in [*bad, expired]:
                    self.assertIn("error", verifier.verify(token), token)
                self.assertIn("claims", verifier.verify(good))
        jwks = self.daemon.get().body
        if self.members is not OKP:
            for token in bad:
                if json.loads(decode(token.split(".")[0]))["kid"] != standby:
                    self.assertIsNone(debian_jose(token, jwks), token)

    def test_4_before_and_after_a_rotation(self):
        """Nobody who has the standby fetches anything to meet it."""
        with contextlib.ExitStack() as stack:
            verifiers = [(name, stack.enter_context(verifier))
                         for name, verifier in self.verifiers()]
            before = self.sign(sub="before")
            for name, verifier in verifiers:
                answer = verifier.verify(before)
                self.assertEqual(answer.get("claims", {}).get("sub"),
                                 "before", (name, answer))
                self.assertEqual(answer["fetches"], 1, name)
            self.daemon.call("Rotate")
            after = self.sign(sub="after")
            for name, verifier in verifiers:
                for token, subject in ((after, "after"), (before, "before")):
                    answer = verifier.verify(token)
                    self.assertEqual(answer.get("claims", {}).get("sub"),
                                     subject, (name, answer))
                self.assertEqual(answer["fetches"], 1, name)
        self.check_fresh(before, after)

    def check_fresh(self, before, after):
        """Those that come now verify both as well."""
        harness.wait_until(lambda: self.daemon.get().json()["keys"][0]["kid"]
                           == json.loads(decode(after.split(".")[0]))["kid"])
        for name, verifier in self.verifiers():
            with self.subTest(name), verifier:
                for token in (before, after):
                    self.assertIn("claims", verifier.verify(token))
        if self.members is OKP:
            return
        jwks = self.daemon.get().body
        for token, subject in ((after, "after"), (before, "before")):
            self.assertEqual(debian_jose(token, jwks)["sub"], subject)


class Npm(unittest.TestCase):
    """Says so where a verifier is left out above."""

    @unittest.skipUnless(NODE, "no node here")
    @unittest.skipUnless(os.path.isdir(NPM_JOSE), "npm could not install jose")
    def test_jose_is_there(self):
        with open(f"{NPM_JOSE}/package.json") as f:
            self.assertEqual(json.load(f)["name"], "jose")


def each(name, alg, members, curve):
    """A class of tests for one algorithm."""
    return type(name, (Interop, unittest.TestCase),
                {"alg": alg, "members": members, "curve": curve})


RS256 = each("RS256", "RS256", RSA, None)
RS384 = each("RS384", "RS384", RSA, None)
RS512 = each("RS512", "RS512", RSA, None)
PS256 = each("PS256", "PS256", RSA, None)
PS384 = each("PS384", "PS384", RSA, None)
PS512 = each("PS512", "PS512", RSA, None)
ES256 = each("ES256", "ES256", EC, "P-256")
ES384 = each("ES384", "ES384", EC, "P-384")
EdDSA = each("EdDSA", "EdDSA", OKP, "Ed25519")


if __name__ == "__main__":
    unittest.main()
