"""A daemon to test jwksctl against: it speaks Varlink on a Unix socket, says
what a test tells it to say, and remembers every call."""
import fcntl
import json
import os
import pathlib
import pty
import re
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
JWKSCTL = ROOT / os.environ.get("B", "build") / "jwksctl"
KEYS = "org.jwksd.keys."
NOW = int(time.time())
DAY = 86400
# Half an hour away from where a relative time changes its words, so that a
# slow machine sees the same words.
SLACK = 5400


def interface_text():
    return (ROOT / "common/wire" / "org.jwksd.keys.varlink").read_text()


def declared_methods():
    """Name of each method -> names of its input parameters."""
    text = re.sub(r"#.*", "", interface_text())
    found = re.findall(r"\bmethod\s+(\w+)\s*\(([^)]*)\)", text)
    return {name: set(re.findall(r"(\w+)\s*:", inputs))
            for name, inputs in found}


def declared_errors():
    text = re.sub(r"#.*", "", interface_text())
    return set(re.findall(r"\berror\s+(\w+)", text))


def key(generation=1, state="active", **members):
    result = {
        "kid": f"{generation}k-{'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-xy'}",
        "keySet": "default", "generation": generation, "alg": "ES256",
        "state": state, "createdAt": NOW - 3 * DAY,
    }
    result.update(members)
    return result


ACTIVE = key(1, "active", publishedAt=NOW - 3 * DAY, readyAt=NOW - 3 * DAY,
             activatedAt=NOW - 3 * DAY, rotateAt=NOW + 27 * DAY + SLACK)
READY = key(2, "ready", publishedAt=NOW - 3 * DAY, readyAt=NOW - 2 * DAY)
PUBLISHED = key(3, "published", publishedAt=NOW - DAY - SLACK,
                readyAt=NOW + DAY + SLACK)
RETIRED = key(4, "retired", retiredAt=NOW - DAY - SLACK,
              removeAt=NOW + 2 * DAY + SLACK,
              publishedAt=NOW - 40 * DAY)
JWK = {"kty": "EC", "use": "sig", "alg": "ES256", "kid": ACTIVE["kid"],
       "crv": "P-256", "x": "AAAA", "y": "BBBB"}
CHANGES = [
    {"time": NOW + DAY + SLACK, "keySet": "default", "generation": 3,
     "kid": PUBLISHED["kid"], "from": "published", "to": "ready",
     "cause": "every copy of the set without it has expired by then"},
    {"time": NOW + 27 * DAY + SLACK, "keySet": "default", "to": "pending",
     "cause": "a standby is missing"},
]
EXPOSURE = {
    "until": NOW + 2 * DAY + SLACK,
    "rejectNewTokens": {"honoursCacheControl": NOW + DAY + SLACK,
                        "pollsWithinMaxAge": NOW + 2 * DAY + SLACK,
                        "neverExpires": 0},
    "acceptOldTokens": {},
}
PROMOTED = {"keySet": "default",
            "activated": dict(READY, state="active", activatedAt=NOW),
            "retired": dict(ACTIVE, state="retired", retiredAt=NOW,
                            removeAt=NOW + 3 * DAY + SLACK)}
REVOKED = {"revoked": dict(ACTIVE, state="revoked", revokedAt=NOW,
                           reason="r"),
           "activated": PROMOTED["activated"],
           "exposure": {
               "until": NOW + 2 * DAY + SLACK,
               "rejectNewTokens": {},
               "acceptOldTokens": {
                   "honoursCacheControl": NOW + DAY + SLACK,
                   "pollsWithinMaxAge": NOW + 2 * DAY + SLACK,
                   "neverExpires": 0}},
           "flushAt": NOW + SLACK}
POLICY = {"algorithm": "ES256", "rsaBits": 2048, "mode": "auto",
          "rotationPeriod": 30 * DAY, "cacheMaxAge": 300,
          "cacheStaleWhileRevalidate": 60, "cacheStaleIfError": 3600,
          "verifierMaxAge": DAY, "propagationDelay": 60,
          "publishSafety": 3600, "tokenMaxTtl": 3600, "clockSkew": 300,
          "signerDrain": 60, "retireSafety": 3600, "rollbackWindow": 3600,
          "standbyCount": 1, "maxPublishedKeys": 8}
KEY_SET = {"name": "default", "alg": "ES256",
           "path": "/.well-known/jwks.json", "version": 7,
           "activeGeneration": 1, "policy": POLICY}
STATUS = {"version": "0.1.0", "started": NOW - 2 * DAY, "ready": True,
          "mode": "auto", "clockTrusted": True, "keySets": 1,
          "generations": 4, "fronts": 1, "nextChange": CHANGES[0],
          "warnings": ["the disk is nearly full"]}
SCRIPT = {
    "Status": STATUS,
    "ListKeys": {"keys": [ACTIVE, READY, PUBLISHED, RETIRED]},
    "ShowKey": {"key": dict(ACTIVE, jwk=JWK, reason="why not")},
    "ListKeySets": {"keySets": [KEY_SET]},
    "Rotate": PROMOTED,
    "Rollback": {
        "activated": dict(ACTIVE, activatedAt=NOW),
        "retired": dict(READY, state="retired", activatedAt=NOW - DAY,
                        retiredAt=NOW, removeAt=NOW + DAY + SLACK)},
    "Revoke": REVOKED,
    "SetPolicy": {"keySet": KEY_SET},
    "AddKeySet": {"keySet": dict(KEY_SET, name="acme")},
    "RemoveKeySet": {"keySet": dict(KEY_SET, name="acme")},
    "Freeze": {"mode": "frozen"},
    "Reload": {"changed": ["daemon.log_level"], "restart": []},
    "AcceptClock": {"clockTrusted": True},
    "Plan": {"changes": CHANGES},
    "GetJwks": {"jwks": {"keys": [JWK]}, "etag": '"abc"', "maxAge": 300,
                "version": 7},
    "Monitor": [{"event": "snapshot", "keys": [ACTIVE, READY], "sequence": 0},
                {"event": "activated", "keys": [READY], "sequence": 1}],
}


class Error:
    """Answer a call with this error."""

    def __init__(self, name, **parameters):
        self.name = name if "." in name else KEYS + name
        self.parameters = parameters


class Drop:
    """Hang up instead of answering."""


class Raw:
    """Answer with these bytes and hang up."""

    def __init__(self, data):
        self.data = data


class Hold:
    """Send these replies as a stream and keep the connection open."""

    def __init__(self, *replies):
        self.replies = replies


class Daemon:
    """Answers come from `script`: method -> answer, or a list of them for a
    stream, or a function of the call.  `queue` comes first, in order."""

    def __init__(self, path):
        self.path, self.script, self.queue, self.calls = path, {}, [], []
        self.script = {KEYS + name: value for name, value in SCRIPT.items()}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        self.connections = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def set(self, method, answer):
        name = method if "." in method else KEYS + method
        self.script[name] = answer

    def methods(self):
        return [call["method"].removeprefix(KEYS) for call in self.calls]

    def parameters(self, method=None):
        """Of the last call, or of the last call of a method."""
        return [call.get("parameters", {}) for call in self.calls
                if method in (None, call["method"].removeprefix(KEYS))][-1]

    def ids(self):
        return [call["parameters"]["requestId"] for call in self.calls
                if "requestId" in call.get("parameters", {})]

    def close(self):
        self.hang_up()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join()

    def hang_up(self):
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        with connection:
            data = b""
            while True:
                try:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    data += chunk
                    while b"\0" in data:
                        message, data = data.split(b"\0", 1)
                        if not self._answer(connection, json.loads(message)):
                            return
                except OSError:
                    return

    def _answer(self, connection, call):
        self.calls.append(call)
        if self.queue:
            answer = self.queue.pop(0)
        else:
            answer = self.script.get(
                call["method"],
                Error("org.varlink.service.MethodNotFound",
                      method=call["method"]))
        if callable(answer):
            answer = answer(call)
        if isinstance(answer, Drop):
            return False
        if isinstance(answer, Raw):
            connection.sendall(answer.data)
            return False
        if isinstance(answer, Error):
            self._send(connection, {"error": answer.name,
                                    "parameters": answer.parameters})
            return True
        if isinstance(answer, Hold):
            for reply in answer.replies:
                self._send(connection, {"parameters": reply,
                                        "continues": True})
            return True
        replies = answer if isinstance(answer, list) else [answer]
        for i, reply in enumerate(replies):
            message = {"parameters": reply}
            if i < len(replies) - 1:
                message["continues"] = True
            self._send(connection, message)
        return True

    @staticmethod
    def _send(connection, message):
        connection.sendall(compact(message).encode() + b"\0")


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Case(unittest.TestCase):
    """A fake daemon for each test, and a way to run jwksctl against it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="jwksctl-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.socket = os.path.join(self.directory, "control.sock")
        self.daemon = Daemon(self.socket)
        self.addCleanup(lambda: self.daemon.close())

    def environment(self, **more):
        return dict({"JWKSCTL_SOCKET": self.socket, "LC_ALL": "C.UTF-8",
                     "PATH": os.environ["PATH"], "TERM": "xterm"},
                    **{name: value for name, value in os.environ.items()
                       if name.endswith("SAN_OPTIONS")}, **more)

    def command(self, *arguments):
        # CTL_WRAPPER="valgrind -q --error-exitcode=99" looks at every run.
        wrapper = os.environ.get("CTL_WRAPPER", "").split()
        return [*wrapper, str(JWKSCTL), *arguments]

    def run_ctl(self, *arguments, status=0, stdin="", env=None,
                first_line=r"^jwksctl: .", **more):
        done = subprocess.run(
            self.command(*arguments), input=stdin.encode(),
            env=self.environment(**(env or {})), timeout=60,
            capture_output=True, check=False, **more)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, status, (arguments, out, err))
        if status not in (0, 1) and first_line is not None:
            self.assertRegex(err.splitlines()[0], first_line)
        return out, err


def run_on_terminal(case, *arguments, columns=80, answer=None, env=None,
                    status=0):
    """Run jwksctl with all three descriptors on a terminal.  `answer` is
    what to say to a question, or a list with one for each."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(case.command(*arguments), stdin=slave,
                               stdout=slave, stderr=slave,
                               env=case.environment(**(env or {})))
    os.close(slave)
    answers = answer if isinstance(answer, list) else [answer] * (
        answer is not None)
    output, asked = b"", 0
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
        if asked < min(len(answers), output.count(b"[y/N] ")):
            os.write(master, answers[asked])
            asked += 1
    os.close(master)
    case.assertEqual(process.wait(timeout=30), status, output)
    case.assertEqual(asked, len(answers), output)
    return output.decode().replace("\r\n", "\n")
