"""The session backends and the client of packaging/examples, run as their
README says: log in, be known, across a rotation and a restart of the daemon."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import harness
from verifier import NODE

EXAMPLES = os.path.join(harness.ROOT, "packaging/examples")
GO = shutil.which("go")
GO_OIDC = "/usr/share/gocode/src/github.com/coreos/go-oidc"
CC = shutil.which(os.environ.get("CC", "cc"))


class Backend:
    """One example, serving on a port of its own choice."""

    def __init__(self, command, directory, daemon):
        self.process = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LISTEN": "127.0.0.1:0",
                 "JWKSD_SIGN": f"{daemon.runtime}/sign.sock",
                 "JWKS_URL": daemon.url()})
        line = self.process.stdout.readline()
        self.port = int(line.rpartition(":")[2])

    def ask(self, method, path, body=None, token=None):
        """(status, the answer's object)"""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30 * harness.SLOW)
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def log_in(self, password="wonderland"):
        return self.ask("POST", "/login",
                        {"user": "alice", "password": password})

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20 * harness.SLOW)
        self.process.stdout.close()


class Backends:
    """The same for every language; subclasses say how to start it."""

    def command(self, directory):
        raise NotImplementedError

    def setUp(self):
        self.daemon = harness.Daemon()
        self.enterContext(self.daemon)
        directory = os.path.join(self.daemon.directory, "example")
        shutil.copytree(os.path.join(EXAMPLES, self.name), directory)
        self.backend = Backend(
            self.command(directory), directory, self.daemon)
        self.addCleanup(self.backend.stop)

    def good_token(self):
        status, answer = self.backend.log_in()
        self.assertEqual(status, 200, answer)
        return answer["token"]

    def assert_known(self, token):
        self.assertEqual(self.backend.ask("GET", "/me", token=token),
                         (200, {"sub": "alice"}))

    def assert_unknown(self, token):
        status, answer = self.backend.ask("GET", "/me", token=token)
        self.assertEqual(status, 401, answer)
        self.assertTrue(answer["error"])

    def test_log_in_and_be_known(self):
        before = self.good_token()
        self.assert_known(before)
        self.daemon.call("Rotate")
        after = self.good_token()
        self.assertNotEqual(before.split(".")[0], after.split(".")[0])
        for token in before, after:
            self.assert_known(token)

    def test_the_daemon_restarts(self):
        before = self.good_token()
        self.daemon.restart()
        after = self.good_token()
        for token in before, after:
            self.assert_known(token)

    def test_no_daemon(self):
        token = self.good_token()
        self.assert_known(token)
        self.daemon.kill9()
        status, answer = self.backend.log_in()
        self.assertEqual(status, 503, answer)
        self.assert_known(token)
        self.daemon.start()
        self.assert_known(self.good_token())

    def test_strangers(self):
        for password in "", "x", "wonderland2":
            self.assertEqual(self.backend.log_in(password)[0], 401)
        header, claims, signature = self.good_token().split(".")
        other = self.good_token().split(".")[2]
        for token in ("x", "", f"{header}.{claims}.",
                      f"{header}.{claims}.{other[::-1]}",
                      f"{header}.{claims[:-2]}.{signature}"):
            self.assert_unknown(token)
        self.assertEqual(self.backend.ask("GET", "/me")[0], 401)
        self.assertEqual(self.backend.ask("GET", "/nothing")[0], 404)

    def test_somebody_elses_token(self):
        """Signed by the same key, for another audience."""
        with harness.Varlink(f"{self.daemon.runtime}/sign.sock",
                             "org.jwksd.sign") as client:
            token = client.call("Sign", {"claims": {
                "iss": "https://sessions.example", "aud": "other",
                "sub": "alice", "exp": int(time.time()) + 60}})["token"]
        self.assert_unknown(token)


class Python(Backends, unittest.TestCase):
    name = "backend-python"

    def command(self, directory):
        return ["/usr/bin/python3", "-B", f"{directory}/backend.py"]


@unittest.skipUnless(NODE, "no node here")
@unittest.skipUnless(os.path.isdir(f"{harness.NODE_MODULES}/jose"),
                     "npm could not install jose")
class Node(Backends, unittest.TestCase):
    name = "backend-node"

    def command(self, directory):
        os.symlink(harness.NODE_MODULES, f"{directory}/node_modules")
        return [NODE, f"{directory}/backend.mjs"]


@unittest.skipUnless(GO and os.path.isdir(GO_OIDC), "no go with go-oidc here")
class Go(Backends, unittest.TestCase):
    name = "backend-go"

    def command(self, directory):
        subprocess.run(
            [GO, "build", "-o", "backend", "backend.go"], cwd=directory,
            check=True, env={
                **os.environ, "GO111MODULE": "off", "GOFLAGS": "",
                "GOPATH": "/usr/share/gocode", "GOCACHE": os.path.join(
                    harness.ROOT, "build/interop/go-cache")})
        return [f"{directory}/backend"]


@unittest.skipUnless(CC, "no compiler here")
class Client(unittest.TestCase):
    """The one in C."""

    def setUp(self):
        self.daemon = harness.Daemon()
        self.enterContext(self.daemon)
        self.program = os.path.join(self.daemon.directory, "sign")
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "jansson"], check=True,
            capture_output=True, text=True).stdout.split()
        subprocess.run([CC, "-Wall", "-Wextra", "-Werror", "-o", self.program,
                        f"{EXAMPLES}/client-c/sign.c", *flags], check=True)

    def sign(self, claims, path=None):
        return subprocess.run(
            [self.program, path or f"{self.daemon.runtime}/sign.sock"],
            input=claims, capture_output=True, text=True,
            timeout=30 * harness.SLOW)

    def test_sign(self):
        now = int(time.time())
        claims = '{"z":1.50,"sub":"alice","exp":%d, "iat":%d}' % (now + 60,
                                                                  now)
        result = self.sign(claims)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        verdict = self.daemon.ctl("verify", result.stdout.strip())
        self.assertEqual(verdict.returncode, 0, verdict.stderr)
        payload = result.stdout.split(".")[1]
        self.assertEqual(harness.from_base64url(payload).decode(), claims)

    def test_refusals(self):
        for claims, status, words in (
                ('{"sub":"alice"}', 1, "org.jwksd.keys.BadClaims"),
                ('{"exp":1}', 1, "in the past"), ("[]", 2, "JSON object"),
                ("", 2, "JSON object"), ("{", 2, "JSON object")):
            result = self.sign(claims)
            self.assertEqual(result.returncode, status, claims)
            self.assertIn(words, result.stderr)
            self.assertEqual(result.stdout, "")
        result = self.sign("{}", "/nowhere/sign.sock")
        self.assertEqual(result.returncode, 2)
        self.assertIn("No such file", result.stderr)


if __name__ == "__main__":
    unittest.main()
