"""The backends of packaging/examples, as an engineer would run them."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import harness

BACKENDS = os.path.join(harness.ROOT, "packaging/examples/backends")
NODE = shutil.which("node")
GO = shutil.which("go")
GOCODE = "/usr/share/gocode"
GO_CACHE = os.path.join(harness.ROOT, "build/interop/go-cache")
POLICY = {**harness.FAST, "rotation_period": "1h", "token_max_ttl": "10min",
          "rollback_window": "10min"}


def http(url, value=None, token=None):
    """(status, headers, JSON) of one request."""
    request = urllib.request.Request(
        url, None if value is None else json.dumps(value).encode())
    if value is not None:
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=20 * harness.SLOW) as r:
            return r.status, r.headers, json.load(r)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def spoil(token):
    """The same with one bit of its signature turned."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = token.rindex(".") + 5
    other = letters[letters.index(token[place]) ^ 1]
    return token[:place] + other + token[place + 1:]


class Proxy:
    """Stands before sign.sock: loses replies, and says Overloaded."""

    def __init__(self, directory, target):
        self.path = os.path.join(directory, "proxy.sock")
        self.target = target
        self.overloaded = self.lost = self.calls = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.connections = []
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(client)
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError):
            self.forward(client)

    def forward(self, client):
        data = b""
        with harness.connect_unix(self.target) as daemon:
            while part := client.recv(65536):
                data += part
                while b"\0" in data:
                    message, _, data = data.partition(b"\0")
                    self.calls += 1
                    if not self.answer(client, daemon, message):
                        return

    def answer(self, client, daemon, message):
        if self.overloaded:
            self.overloaded -= 1
            client.sendall(b'{"error":"org.jwksd.keys.Overloaded"}\0')
            return True
        if self.lost:
            self.lost -= 1
            return False
        daemon.sendall(message + b"\0")
        reply = b""
        while not reply.endswith(b"\0"):
            reply += daemon.recv(65536)
        # In two parts: a reader has to wait for the NUL.
        client.sendall(reply[:20])
        time.sleep(0.01)
        client.sendall(reply[20:])
        return True

    def cut(self):
        """All connections that are there, as a restart does."""
        for client in self.connections:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def close(self):
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class Backend:
    """The same for each language; subclasses say how to start it."""

    env = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(policy=POLICY)
        cls.enterClassContext(cls.daemon)
        cls.directory = tempfile.mkdtemp(prefix="b")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.proxy = Proxy(cls.directory, f"{cls.daemon.runtime}/sign.sock")
        cls.addClassCleanup(cls.proxy.close)
        cls.start(cls.command())

    @classmethod
    def start(cls, command):
        port = harness.free_port()
        cls.base = f"http://127.0.0.1:{port}"
        log = open(os.path.join(cls.directory, "log"), "wb")
        cls.addClassCleanup(log.close)
        cls.process = subprocess.Popen(
            command, cwd=cls.directory, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, env={
                **os.environ, **cls.env, "LISTEN": f"127.0.0.1:{port}",
                "SIGN_SOCKET": cls.proxy.path, "JWKS_URL": cls.daemon.url()})
        cls.addClassCleanup(cls.process.wait)
        cls.addClassCleanup(cls.process.terminate)
        harness.wait_until(lambda: "listening on" in cls.log(), 20,
                           "the backend does not listen")

    @classmethod
    def log(cls):
        return harness.read_file(os.path.join(cls.directory, "log"))

    def login(self, status=200, password="wonderland"):
        answer = http(self.base + "/login",
                      {"user": "alice", "password": password})
        self.assertEqual(answer[0], status, self.log())
        return answer[2].get("access_token")

    def me(self, token, status=200):
        answer = http(self.base + "/me", token=token)
        self.assertEqual(answer[0], status, self.log())
        if status == 200:
            self.assertEqual(answer[2], {"sub": "alice"})
        if status == 401:
            self.assertIn("Bearer", answer[1]["WWW-Authenticate"])
        return answer[2]

    def test_1_login_and_rotation(self):
        first = self.login()
        self.me(first)
        kid = self.daemon.call("Rotate")["activated"]["kid"]
        second = self.login()
        self.me(second)
        self.me(first)
        verdict = self.daemon.call("Verify", {"token": second})
        self.assertEqual((verdict["valid"], verdict["kid"]), (True, kid))
        self.assertEqual(
            (self.me(spoil(second), 401), self.me("x.y.z", 401)),
            ({"error": "invalid_token"},) * 2)
        self.assertEqual(self.me(None, 401), {"error": "missing_token"})

    def test_2_refusals(self):
        self.login(401, "looking-glass")
        self.assertEqual(http(self.base + "/login", {"user": 1})[0], 400)
        self.assertEqual(http(self.base + "/nowhere")[0], 404)

    def test_3_other_audiences_and_ends(self):
        now = int(time.time())
        good = {"iss": "https://session.example.com", "aud": "api",
                "sub": "alice", "iat": now, "exp": now + 60}
        self.me(self.sign(good))
        for change in ({"aud": "other"}, {"iss": "https://example.org"}):
            self.me(self.sign({**good, **change}), 401)
        short = self.sign({**good, "exp": int(time.time()) + 2})
        time.sleep(3.1)
        self.me(short, 401)

    def sign(self, claims):
        with harness.Varlink(f"{self.daemon.runtime}/sign.sock",
                             "org.jwksd.sign") as client:
            return client.call("Sign", {"claims": claims})["token"]

    def test_4_asks_again_when_overloaded(self):
        calls, self.proxy.overloaded = self.proxy.calls, 3
        self.me(self.login())
        self.assertEqual(self.proxy.calls - calls, 4)

    def test_5_connects_again(self):
        self.login()
        self.proxy.cut()
        self.me(self.login())
        self.proxy.lost = 2
        self.me(self.login())
        self.assertEqual(self.proxy.lost, 0)

    def test_6_many_at_once(self):
        wrong = []

        def one():
            try:
                for _ in range(5):
                    self.me(self.login())
            except Exception as error:
                wrong.append(error)
        threads = [threading.Thread(target=one) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_7_bad_claims_are_told(self):
        """A policy that allows less than the backend asks for."""
        self.daemon.call("SetPolicy", {"name": "default", "policy": {
            "tokenMaxTtl": 60, "rollbackWindow": 1}})
        self.login(500)
        self.assertIn("exp", self.log()[-500:])
        self.assertIn("too far away", self.log()[-500:])
        self.daemon.call("SetPolicy", {"name": "default", "policy": {
            "tokenMaxTtl": 600}})
        self.login()

    def test_8_no_daemon(self):
        token = self.login()
        self.me(token)
        self.daemon.stop()
        try:
            self.me(token)
            begun = time.monotonic()
            self.login(503)
            self.assertLess(time.monotonic() - begun, 10 * harness.SLOW)
        finally:
            self.daemon.start()
        self.me(self.login())


class Python(Backend, unittest.TestCase):
    @classmethod
    def command(cls):
        # Debian's, which has python3-jwt.
        return ["/usr/bin/python3", "-B", f"{BACKENDS}/python/backend.py"]


@unittest.skipUnless(NODE, "no node here")
@unittest.skipUnless(os.path.isdir(f"{harness.NODE_MODULES}/jose"),
                     "npm could not install jose")
class Node(Backend, unittest.TestCase):
    @classmethod
    def command(cls):
        for name in ("backend.mjs", "package.json"):
            shutil.copy(f"{BACKENDS}/node/{name}", cls.directory)
        os.symlink(harness.NODE_MODULES, f"{cls.directory}/node_modules")
        return [NODE, "backend.mjs"]

    def test_asks_for_the_version_that_is_tested(self):
        with open(f"{BACKENDS}/node/package.json") as f:
            wanted = json.load(f)["dependencies"]["jose"]
        with open(f"{harness.NODE_MODULES}/jose/package.json") as f:
            self.assertEqual(json.load(f)["version"], wanted)


@unittest.skipUnless(GO, "no go here")
@unittest.skipUnless(os.path.isdir(f"{GOCODE}/src/github.com/coreos/go-oidc"),
                     "no go-oidc here")
class Go(Backend, unittest.TestCase):
    @classmethod
    def command(cls):
        program = f"{cls.directory}/backend"
        subprocess.run(
            [GO, "build", "-o", program, f"{BACKENDS}/go/main.go"],
            check=True, env={**os.environ, "GO111MODULE": "off", "GOFLAGS": "",
                             "GOPATH": GOCODE, "GOCACHE": GO_CACHE})
        return [program]


class C(unittest.TestCase):
    """The small client, which has no server around it."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(policy=POLICY)
        cls.enterClassContext(cls.daemon)
        cls.directory = tempfile.mkdtemp(prefix="b")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.proxy = Proxy(cls.directory, f"{cls.daemon.runtime}/sign.sock")
        cls.addClassCleanup(cls.proxy.close)
        subprocess.run(
            [os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", "-o",
             f"{cls.directory}/sign", f"{BACKENDS}/c/sign.c", "-ljansson"],
            check=True)

    def sign(self, claims, *arguments, path=None):
        return subprocess.run(
            [f"{self.directory}/sign", path or self.proxy.path, *arguments],
            input=claims, capture_output=True, text=True,
            timeout=30 * harness.SLOW)

    def claims(self, **more):
        return json.dumps({"sub": "alice", "exp": int(time.time()) + 60,
                           **more})

    def good(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        verdict = self.daemon.call("Verify", {"token": done.stdout.strip()})
        self.assertTrue(verdict["valid"], verdict)

    def test_token(self):
        self.good(self.sign(self.claims()))
        self.good(self.sign(self.claims(), "default"))
        self.good(self.sign(self.claims(x="y" * 60000)))

    def test_asks_again(self):
        self.proxy.overloaded, self.proxy.lost = 2, 2
        self.good(self.sign(self.claims()))
        self.assertEqual((self.proxy.overloaded, self.proxy.lost), (0, 0))

    def test_errors(self):
        for claims, arguments, path, status, words in (
                ("{", [], None, 65, "no JSON object"),
                ("[]", [], None, 65, "no JSON object"),
                ("{}", [], None, 65, "BadClaims"),
                (self.claims(), ["nobody"], None, 65, "NoSuchKeySet"),
                (self.claims(), ["a", "b"], None, 64, "usage"),
                (self.claims(), [], "/no/socket", 69, "/no/socket")):
            done = self.sign(claims, *arguments, path=path)
            self.assertEqual((done.returncode, done.stdout), (status, ""),
                             done.stderr)
            self.assertIn(words, done.stderr)

    def test_gives_up(self):
        self.proxy.overloaded = 100
        done = self.sign(self.claims())
        self.proxy.overloaded = 0
        self.assertEqual(done.returncode, 75)
        self.assertIn("Overloaded", done.stderr)


if __name__ == "__main__":
    unittest.main()
