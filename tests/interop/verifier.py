"""Starts the programs of verifiers/: other people's libraries, which read the
JWKSet by its URL and verify tokens with it."""
import json
import os
import queue
import shutil
import subprocess
import threading

import harness

PROGRAMS = os.path.join(harness.ROOT, "tests/interop/verifiers")
NODE = shutil.which("node")
GO_OIDC = os.path.join(harness.ROOT, "build/interop/go-oidc")


def python(name):
    return lambda: ["/usr/bin/python3", "-B", f"{PROGRAMS}/use_{name}.py"]


def node(name):
    return lambda: [NODE, f"{PROGRAMS}/use_{name}.mjs", harness.NODE_MODULES]


# How each is started, and what it needs in its environment.
COMMANDS = {
    "PyJWT": (python("pyjwt"), {}),
    "Authlib": (python("authlib"), {}),
    "jwcrypto": (python("jwcrypto"), {}),
    "Debian jose": (python("debian_jose"), {}),
    "ruby-jwt": (lambda: ["ruby", f"{PROGRAMS}/use_ruby_jwt.rb"], {}),
    "go-oidc": (lambda: [GO_OIDC], {}),
    "npm jose 6": (node("jose"), {}),
    "npm jose 5": (node("jose"), {"JOSE": "jose5"}),
    "jsonwebtoken": (node("jsonwebtoken"), {}),
    "aws-jwt-verify": (node("aws"), {}),
    "oauth4webapi": (node("oauth4webapi"), {}),
}


class Verifier:
    """One that lives on, with whatever it caches."""

    def __init__(self, name, url, alg, issuer=""):
        command, environment = COMMANDS[name]
        self.name, self.asked = name, threading.Lock()
        self.process = subprocess.Popen(
            [*command(), url, alg, issuer], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **environment})
        self.answers = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def ask(self, word):
        with self.asked:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=60 * harness.SLOW)
        if line is None:
            raise EOFError(f"{self.name} has ended")
        return json.loads(line)

    verify = ask

    def refresh(self):
        """The key set is read again, in the library's own way."""
        answer = self.ask("refresh")
        if "refreshed" not in answer:
            raise AssertionError((self.name, answer))
        return answer["refreshed"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20 * harness.SLOW)
        self.reader.join()
        self.process.stdout.close()
