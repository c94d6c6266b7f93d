#!/usr/bin/python3
"""A small session backend: tokens signed by jwksd, verified by its JWKS URL.

    POST /login   {"user": "alice", "password": "wonderland"} -> access_token
    GET  /me      Authorization: Bearer TOKEN                 -> sub

On Debian it needs python3-jwt and python3-cryptography, elsewhere PyJWT with
its "crypto" extra.  Run it as a user in the group jwksd-sign.  The environment
has LISTEN, SIGN_SOCKET, KEY_SET, JWKS_URL, ALGORITHMS, ISSUER and AUDIENCE.
"""
import http.server
import json
import os
import queue
import random
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error

import jwt

LISTEN = os.environ.get("LISTEN", "127.0.0.1:8080")
SIGN_SOCKET = os.environ.get("SIGN_SOCKET", "/run/jwksd/sign.sock")
KEY_SET = os.environ.get("KEY_SET", "default")
JWKS_URL = os.environ.get(
    "JWKS_URL", "http://127.0.0.1:7517/.well-known/jwks.json")
# Never what a token says about itself.  Name both while a key set changes
# from one algorithm to another.
ALGORITHMS = os.environ.get("ALGORITHMS", "ES256").split()
ISSUER = os.environ.get("ISSUER", "https://session.example.com")
AUDIENCE = os.environ.get("AUDIENCE", "api")
LIFETIME = 300      # seconds; at most the key set's token_max_ttl
BODY_MAX = 16384


# ---- signing ----

class SignError(Exception):
    """Nothing was signed: .name is the error's last word."""

    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name = name


class BadClaims(SignError):
    """A mistake of the caller: this claim may not be signed."""


class Unavailable(Exception):
    """Not now: say 503, and let the client try again."""


class Signer:
    """Asks on sign.sock; safe to share between threads.

    A message is a JSON object and a NUL octet, in both directions.  Idle
    connections are kept: most calls cost one round trip.
    """

    TRANSIENT = {"Overloaded", "NoActiveKey", "OutcomeUnknown"}

    def __init__(self, path, patience=5.0):
        self.path = path
        self.patience = patience
        self.idle = queue.LifoQueue(8)

    def sign(self, key_set, claims, typ="JWT"):
        """The token; asks again until patience runs out."""
        deadline = time.monotonic() + self.patience
        pause = 0.01
        while True:
            try:
                return self.call("org.jwksd.sign.Sign", {
                    "keySet": key_set, "claims": claims, "type": typ,
                })["token"]
            except SignError as error:
                if error.name not in self.TRANSIENT:
                    raise
                why = error
            except PermissionError as error:
                raise Unavailable(f"{self.path}: {error.strerror};"
                                  " is this user in jwksd-sign?") from error
            except OSError as error:
                why = error
            if time.monotonic() + pause > deadline:
                raise Unavailable(f"{self.path}: {why}") from why
            # With jitter, so that all who were refused do not come at once.
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, 0.5)

    def call(self, method, parameters):
        connection = self.take()
        try:
            message = {"method": method, "parameters": parameters}
            connection.sendall(json.dumps(message).encode() + b"\0")
            reply = self.receive(connection)
        except BaseException:
            # A late reply must never be taken for that of the next call.
            connection.close()
            raise
        self.put_back(connection)
        if "error" in reply:
            name = reply["error"].rpartition(".")[2]
            kind = BadClaims if name == "BadClaims" else SignError
            raise kind(name, reply.get("parameters", {}))
        return reply["parameters"]

    @staticmethod
    def receive(connection):
        data = bytearray()
        while not data.endswith(b"\0"):
            part = connection.recv(65536)
            if not part:
                raise ConnectionResetError("jwksd closed the connection")
            data += part
        return json.loads(data[:-1])

    def take(self):
        while True:
            try:
                connection = self.idle.get_nowait()
            except queue.Empty:
                return self.connect()
            # One that the daemon has closed meanwhile is readable.
            connection.settimeout(0)
            try:
                connection.recv(1)
            except BlockingIOError:
                connection.settimeout(self.patience)
                return connection
            except OSError:
                pass
            connection.close()

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self.patience)
            connection.connect(self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def put_back(self, connection):
        try:
            self.idle.put_nowait(connection)
        except queue.Full:
            connection.close()


# ---- verifying ----

class Keys(jwt.PyJWKClient):
    """PyJWT's client of a JWKS URL, made safe for a server.

    A failed fetch does not cost the keys that were good until now, and
    tokens with invented kids do not cause a fetch each.
    """

    COOLDOWN = 5

    def __init__(self, url):
        self.lock = threading.Lock()
        self.good = None
        self.next_fetch = 0
        super().__init__(url, lifespan=300)

    def fetch_data(self):
        with self.lock:
            now = time.monotonic()
            if self.good is None or now >= self.next_fetch:
                try:
                    self.good = super().fetch_data()
                    self.next_fetch = now + self.COOLDOWN
                except (jwt.PyJWTError, OSError, ValueError) as error:
                    if self.good is None:
                        raise Unavailable(f"{self.uri}: {error}") from error
                    self.next_fetch = now + 1
            return self.good


def verify(keys, token):
    """The claims of a good token; jwt.PyJWTError for any other."""
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(token, key.key, algorithms=ALGORITHMS,
                      audience=AUDIENCE, issuer=ISSUER,
                      options={"require": ["exp", "iat", "sub"]})


# ---- the backend ----

def check_password(user, password):
    """Yours looks into a database and compares a slow hash."""
    return user == "alice" and secrets.compare_digest(
        password.encode(), b"wonderland")


def claims_for(user):
    now = int(time.time())
    return {"iss": ISSUER, "sub": user, "aud": AUDIENCE, "iat": now,
            "exp": now + LIFETIME, "jti": secrets.token_urlsafe(16)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > BODY_MAX:
            self.close_connection = True
            return self.answer(400, {"error": "invalid_request"})
        body = self.rfile.read(int(size))
        if self.path != "/login":
            return self.answer(404, {"error": "not_found"})
        return self.guarded(self.login, body)

    def do_GET(self):
        if self.path != "/me":
            return self.answer(404, {"error": "not_found"})
        return self.guarded(self.me)

    def login(self, body):
        try:
            given = json.loads(body)
            user, password = given["user"], given["password"]
        except (ValueError, TypeError, KeyError):
            return self.answer(400, {"error": "invalid_request"})
        if not (isinstance(user, str) and isinstance(password, str)
                and check_password(user, password)):
            return self.answer(401, {"error": "invalid_grant"})
        token = self.server.signer.sign(KEY_SET, claims_for(user))
        return self.answer(200, {"access_token": token,
                                 "token_type": "Bearer",
                                 "expires_in": LIFETIME})

    def me(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self.answer(401, {"error": "missing_token"},
                               {"WWW-Authenticate": "Bearer"})
        try:
            claims = verify(self.server.keys, token.strip())
        except (jwt.PyJWTError, ValueError) as error:
            self.log_message("token refused: %s", error)
            return self.answer(401, {"error": "invalid_token"}, {
                "WWW-Authenticate": 'Bearer error="invalid_token"'})
        return self.answer(200, {"sub": claims["sub"]})

    def guarded(self, action, *arguments):
        try:
            return action(*arguments)
        except (Unavailable, urllib.error.URLError) as error:
            self.log_message("%s", error)
            return self.answer(503, {"error": "temporarily_unavailable"},
                               {"Retry-After": "1"})
        except SignError as error:      # BadClaims says which, and why
            self.log_message("not signed: %s", error)
            return self.answer(500, {"error": "server_error"})

    def answer(self, status, value, headers=()):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, text in dict(headers).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, Handler)
        self.signer = Signer(SIGN_SOCKET)
        self.keys = Keys(JWKS_URL)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, _, port = LISTEN.rpartition(":")
    with Server((host, int(port))) as server:
        print(f"listening on {LISTEN}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
