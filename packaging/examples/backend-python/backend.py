#!/usr/bin/python3
"""A session backend: it has tokens signed by jwksd, and verifies them by the
published keys.  See ../README.md for how to run it."""
import hmac
import http.server
import json
import os
import socket
import threading
import time

import jwt

LISTEN = os.environ.get("LISTEN", "127.0.0.1:8000")
SIGN = os.environ.get("JWKSD_SIGN", "/run/jwksd/sign.sock")
JWKS_URL = os.environ.get(
    "JWKS_URL", "http://127.0.0.1:7517/.well-known/jwks.json")
ISSUER = os.environ.get("ISSUER", "https://sessions.example")
AUDIENCE = "api"
ALGORITHMS = ["ES256", "EdDSA", "RS256"]
LIFE = 600
USERS = {"alice": "wonderland"}     # yours come from somewhere better


class Refused(Exception):
    """jwksd said no; .error is the name of its error."""

    def __init__(self, error, parameters):
        super().__init__(f"{error}: {parameters.get('message', parameters)}")
        self.error = error


class Signer:
    """One connection to sign.sock, for every thread of the server."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.socket, self.pending = None, b""

    def exchange(self, message):
        if self.socket is None:
            self.pending = b""
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(10)
            self.socket.connect(self.path)
        self.socket.sendall(message)
        while b"\0" not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("jwksd closed the connection")
            self.pending += data
        reply, _, self.pending = self.pending.partition(b"\0")
        return json.loads(reply)

    def hang_up(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None

    def call(self, method, parameters, tries=4):
        message = json.dumps(
            {"method": method, "parameters": parameters}).encode() + b"\0"
        for left in reversed(range(tries)):
            try:
                with self.lock:
                    try:
                        reply = self.exchange(message)
                    except OSError:
                        self.hang_up()
                        raise
            except OSError:
                if not left:
                    raise
            else:
                error = reply.get("error")
                if error is None:
                    return reply["parameters"]
                if not error.endswith(".Overloaded") or not left:
                    raise Refused(error, reply.get("parameters", {}))
            time.sleep(0.05 * (tries - left))
        raise AssertionError("not reached")

    def sign(self, claims):
        return self.call("org.jwksd.sign.Sign", {"claims": claims})["token"]


signer = Signer(SIGN)
keys = jwt.PyJWKClient(JWKS_URL)


def log_in(user, password):
    """A token, or None."""
    right = USERS.get(user)
    if right is None or not hmac.compare_digest(right, password):
        return None
    return signer.sign({"iss": ISSUER, "aud": AUDIENCE, "sub": user,
                        "exp": int(time.time()) + LIFE})


def who_is(token):
    """The claims of a good token; raises jwt.PyJWTError."""
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(token, key.key, algorithms=ALGORITHMS, issuer=ISSUER,
                      audience=AUDIENCE,
                      options={"require": ["exp", "iat", "sub"]})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = min(int(self.headers.get("Content-Length") or 0), 65536)
        try:
            form = json.loads(self.rfile.read(length))
            user, password = str(form["user"]), str(form["password"])
        except (ValueError, KeyError, TypeError):
            self.answer(400, {"error": "send {\"user\", \"password\"}"})
            return
        if self.path != "/login":
            self.answer(404, {"error": "there is /login and /me"})
            return
        try:
            token = log_in(user, password)
        except (OSError, Refused) as error:
            self.answer(503, {"error": str(error)})
            return
        if token is None:
            self.answer(401, {"error": "no such user, or another password"})
        else:
            self.answer(200, {"token": token, "expires_in": LIFE})

    def do_GET(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if self.path != "/me":
            self.answer(404, {"error": "there is /login and /me"})
        elif kind != "Bearer":
            self.answer(401, {"error": "send Authorization: Bearer TOKEN"})
        else:
            try:
                self.answer(200, {"sub": who_is(token)["sub"]})
            except jwt.PyJWTError as error:
                self.answer(401, {"error": str(error)})

    def log_message(self, *_):
        pass


def main():
    host, _, port = LISTEN.rpartition(":")
    with http.server.ThreadingHTTPServer((host, int(port)), Handler) as server:
        print("serving on %s:%d" % server.server_address, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
