"""Signing over sign.sock, with the real programs."""
import base64
import contextlib
import grp
import json
import os
import re
import subprocess
import threading
import time
import unittest

import harness
from harness import VarlinkError

POLICY = {**harness.FAST, "rotation_period": "1h", "token_max_ttl": "10min",
          "rollback_window": "10min"}
TTL = 600
# A user who asks for 600 signatures at once, and on request says how many of
# them have been answered.
GREEDY = """
import os, sys, time
sys.path.insert(0, %r)
import harness
os.setgroups([%d])
os.setgid(65534)
os.setuid(65534)
clients = [harness.Varlink(%r, "org.jwksd.sign", 60) for _ in range(10)]
for client in clients:
    for _ in range(60):
        client.send("Sign", {"claims": {"exp": %d}})
time.sleep(0.1)
print("queued", flush=True)
sys.stdin.readline()
answered = 0
for client in clients:
    client.socket.setblocking(False)
    try:
        while data := client.socket.recv(1 << 20):
            answered += data.count(b"token")
    except BlockingIOError:
        pass
print(answered, flush=True)
"""
MIB = 1024 * 1024
SLOW_ALGORITHM = {"algorithm": "RS256", "rsa_bits": "3072"}


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header_of(token):
    return json.loads(decode(token.split(".")[0]))


class Case(unittest.TestCase):
    policy = POLICY
    config = {}

    def setUp(self):
        self.daemon = harness.Daemon(policy=self.policy, config=self.config)
        self.enterContext(self.daemon)
        self.now = int(time.time())

    @property
    def path(self):
        return f"{self.daemon.runtime}/sign.sock"

    def connect(self, timeout=20):
        client = harness.Varlink(self.path, "org.jwksd.sign", timeout)
        self.addCleanup(client.close)
        return client

    def call(self, method, **parameters):
        with contextlib.closing(self.connect()) as client:
            return client.call(method, parameters)

    def raw(self, text):
        """One call, its octets as they stand."""
        with contextlib.closing(self.connect()) as client:
            client.send_bytes(text.encode() + b"\0")
            return client.reply()[0]

    def sign(self, **parameters):
        claims = {"sub": "alice", "exp": self.now + 300}
        return self.call("Sign", **{"claims": claims, **parameters})

    def verify(self, token):
        return self.daemon.call("Verify", {"token": token})

    def refused(self, error, method, **parameters):
        with self.assertRaises(VarlinkError) as caught:
            self.call(method, **parameters)
        self.assertEqual(caught.exception.short, error)
        return caught.exception.parameters

    def generation(self, number=1, key_set="default"):
        with self.daemon.database() as db:
            return dict(db.execute(
                "SELECT g.* FROM generation g JOIN key_set s"
                " ON s.id = key_set_id WHERE number = ? AND s.name = ?",
                (number, key_set)).fetchone())


class Tokens(Case):
    def test_header_claims_and_kid(self):
        reply = self.sign()
        head, payload, _ = reply["token"].split(".")
        kid = self.daemon.get().json()["keys"][0]["kid"]
        self.assertEqual(decode(head).decode(),
                         f'{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}')
        self.assertEqual(reply["kid"], kid)
        self.assertEqual(reply["expiresAt"], self.now + 300)
        claims = json.loads(decode(payload))
        self.assertEqual(list(claims), ["sub", "exp", "iat"])
        self.assertLessEqual(abs(claims["iat"] - self.now), 5)
        self.assertTrue(self.verify(reply["token"])["valid"])

    def test_octets_of_claims_stay(self):
        """Order, blanks, escapes and numbers that no parser would keep."""
        exp = self.now + 300
        claims = (f'{{ "z":1.50,"a" : 123456789012345678901234567890, "\\u0065'
                  f'xp": {exp},"n":{{"exp":"x","a":[1e3,-0.0]}},'
                  f' "u":"\\u00e9é\\/","iat":7\t}}')
        for text in (
                f'{{"method":"org.jwksd.sign.Sign","parameters":'
                f'{{"claims":{claims}}}}}',
                f'{{ "parameters" : {{ "type":"at+jwt", "cl\\u0061ims":'
                f'{claims} }},"method":"org.jwksd.sign.Sign"}}'):
            token = self.raw(text)["token"]
            self.assertEqual(decode(token.split(".")[1]).decode(), claims)
            self.assertTrue(self.verify(token)["valid"])
        self.assertEqual(header_of(token)["typ"], "at+jwt")

    def test_payload_is_signed_as_it_stands(self):
        payload = encode(b'{ "exp" :%d }' % (self.now + 60))
        reply = self.call("SignPayload", payload=payload, type="at+jwt")
        self.assertEqual(json.loads(decode(reply["header"])), {
            "alg": "ES256", "kid": reply["kid"], "typ": "at+jwt"})
        token = f"{reply['header']}.{payload}.{reply['signature']}"
        self.assertTrue(self.verify(token)["valid"])

    def test_jwks_is_what_is_published(self):
        reply = self.call("GetJwks")
        self.assertEqual(reply["jwks"], self.daemon.get().json())

    def test_verify_says_why_not(self):
        token = self.sign()["token"]
        head, payload, signature = token.split(".")
        other = encode(b'{"exp":%d}' % (self.now + 60))
        strange = encode(b'{"alg":"ES256","kid":"%s"}' % (b"A" * 43))
        for text, reason in (
                ("", "not a JWS"), ("a.b", "not a JWS"), ("..", "not a JWS"),
                (f"{head}.{other}.{signature}", "signature is not"),
                (f"{head}.{payload}.AAAA", "signature is not"),
                (f"{strange}.{payload}.{signature}", "no key of this")):
            answer = self.verify(text)
            self.assertFalse(answer["valid"], text)
            self.assertIn(reason, answer["reason"])
        short = self.sign(claims={"exp": int(time.time()) + 2})["token"]
        self.assertTrue(self.verify(short)["valid"])
        harness.wait_until(
            lambda: self.verify(short).get("reason") == "it has expired")


class Refusals(Case):
    def test_claims(self):
        soon = self.now + 60
        for claims, claim in (
                ({}, "exp"), ({"exp": 1}, "exp"), ({"exp": self.now}, "exp"),
                ({"exp": self.now + TTL + 30}, "exp"),
                ({"exp": soon + 0.5}, "exp"), ({"exp": str(soon)}, "exp"),
                ({"exp": 2 ** 63}, "exp"), ({"exp": 10 ** 40}, "exp"),
                ({"exp": True}, "exp"), ({"exp": None}, "exp"),
                ({"exp": soon, "iat": "now"}, "iat"),
                ({"exp": soon, "nbf": 1.5}, "nbf"),
                ({"exp": soon, "x": "y" * (128 * 1024)}, "claims")):
            for method, given in (
                    ("Sign", {"claims": claims}),
                    ("SignPayload",
                     {"payload": encode(json.dumps(claims).encode())})):
                if method == "SignPayload" and claim == "claims":
                    claim = "payload"
                with self.subTest(claim=claim, method=method):
                    error = self.refused("BadClaims", method, **given)
                    self.assertEqual(error["parameter"], claim)
                    self.assertTrue(error["message"])
        self.assertIsNone(self.generation()["max_exp"], "something was signed")

    def test_payloads_that_are_no_claims(self):
        for payload in ("", "*", "e30=", encode(b"[]"), encode(b"{"),
                        encode(b'{"exp":1,"exp":2}'), encode(b"{}\0"),
                        encode(b"[" * 9999), encode(b'{"a":"\xff"}')):
            error = self.refused("BadClaims", "SignPayload", payload=payload)
            self.assertIn(error["parameter"], ("payload", "exp"), payload)

    def test_parameters(self):
        good = {"exp": self.now + 60}
        for parameters, name in (
                ({"claims": [1]}, "claims"), ({"claims": "x"}, "claims"),
                ({}, "claims"), ({"claims": good, "kid": "x"}, "kid"),
                ({"claims": good, "type": ""}, "type"),
                ({"claims": good, "type": 'a"b'}, "type"),
                ({"claims": good, "type": "x" * 65}, "type"),
                ({"claims": good, "keySet": 1}, "keySet")):
            try:
                self.call("Sign", **parameters)
            except VarlinkError as error:
                self.assertIn(error.short, ("InvalidParameter", "BadClaims"))
                self.assertEqual(error.parameters["parameter"], name)
            else:
                self.fail(parameters)
        error = self.refused("NoSuchKeySet", "Sign", claims=good, keySet="x")
        self.assertEqual(error, {"keySet": "x"})

    def test_what_is_no_call_ends_the_connection_alone(self):
        for claims in ("{", '{"a":"%s"}' % ("x" * 256 * 1024)):
            with self.assertRaises((EOFError, OSError)):
                self.raw('{"method":"org.jwksd.sign.Sign","parameters":'
                         f'{{"claims":{claims}}}}}')
        self.assertTrue(self.sign()["token"])

    def test_a_claim_that_cannot_be_taken_costs_its_own_call_only(self):
        """What a user may choose: five good calls before it and behind it."""
        def message(claims, method="Sign", name="claims"):
            return ('{"method":"org.jwksd.sign.%s","parameters":{"%s":%s}}'
                    % (method, name, claims)).encode("latin-1") + b"\0"

        good = message('{"exp":%d,"sub":"u"}' % (self.now + 60))
        for value, words in (
                ('"a\\u0000b"', "NUL"), ('"\\ud83d"', "surrogate"),
                ('"\\udc00 "', "surrogate"), ("1e400", "too large"),
                ("NaN", "not JSON"), ("-Infinity", "not JSON"),
                ("[" * 40 + "]" * 40, "deeper"),
                ('{"a":' * 40 + "1" + "}" * 40, "deeper"),
                ('{"b":1,"b":2}', "one name"), ('"\xff"', "UTF-8"),
                ('"a\tb"', "not JSON"), ("1,\"name\":2", "twice")):
            with contextlib.closing(self.connect()) as client:
                client.send_bytes(good * 5 + message(
                    '{"exp":%d,"name":%s}' % (self.now + 60, value))
                    + good * 5)
                replies = [client.receive() for _ in range(11)]
            bad = replies.pop(5)
            self.assertEqual(bad["error"], "org.jwksd.keys.BadClaims", value)
            self.assertEqual(bad["parameters"]["parameter"], "name", value)
            self.assertIn(words, bad["parameters"]["message"], value)
            for reply in replies:
                self.assertTrue(reply["parameters"]["token"], value)
        for text, error, parameter in (
                ('{"exp":1,"exp":2}', "BadClaims", "exp"),
                ('{"\\u0000":2}', "BadClaims", "claims"),
                ('{},"type":"\\u0000"', "InvalidParameter", "type"),
                ('{},"keySet":"\\ud800"', "InvalidParameter", "keySet"),
                ('{},"type":"a","type":"b"', "InvalidParameter", "type")):
            with contextlib.closing(self.connect()) as client:
                client.send_bytes(message(text) + good)
                bad, fine = client.receive(), client.receive()
            self.assertTrue(bad["error"].endswith("." + error), text)
            self.assertEqual(bad["parameters"]["parameter"], parameter)
            self.assertTrue(fine["parameters"]["token"], text)

    def test_a_frozen_key_set_signs(self):
        self.daemon.call("Freeze", {"frozen": True})
        self.assertTrue(self.verify(self.sign()["token"])["valid"])

    def test_a_key_that_does_not_open(self):
        """It cannot sign, says so, and stays published."""
        self.daemon.stop()
        path = f"{self.daemon.state}/jwksd.db"
        with contextlib.closing(harness.sqlite3.connect(path)) as db:
            sealed = bytearray(db.execute(
                "SELECT sealed FROM generation WHERE number = 1")
                .fetchone()[0])
            sealed[-1] ^= 1
            db.execute("UPDATE generation SET sealed = ? WHERE number = 1",
                       (bytes(sealed),))
            db.commit()
        self.daemon.start()
        self.refused("BadKey", "Sign", claims={"exp": self.now + 60})
        kids = [k["kid"] for k in self.daemon.get().json()["keys"]]
        kid = self.generation()["kid"]
        self.assertIn(kid, kids)
        warnings = self.daemon.call("Status")["warnings"]
        self.assertTrue([w for w in warnings if kid in w], warnings)
        self.assertIn("cannot sign", self.daemon.log())
        self.daemon.call("Rotate", {"now": True})
        self.assertTrue(self.sign()["token"])
        warnings = self.daemon.call("Status")["warnings"]
        self.assertFalse([w for w in warnings if kid in w], warnings)


class Uninitialised(unittest.TestCase):
    def test_there_is_no_key_yet(self):
        """The first RSA-4096 keys take a moment."""
        with harness.Daemon(policy={"algorithm": "RS256", "rsa_bits": "4096"},
                            start=False) as daemon:
            daemon.start(ready=False)
            path = f"{daemon.runtime}/sign.sock"
            harness.wait_until(lambda: os.path.exists(path), 20)
            with contextlib.closing(
                    harness.Varlink(path, "org.jwksd.sign")) as client:
                with self.assertRaises(VarlinkError) as caught:
                    client.call("Sign", {
                        "claims": {"exp": int(time.time()) + 60}})
                self.assertEqual(caught.exception.short, "NoActiveKey")
                daemon.wait_ready(60)
                self.assertIn("token", client.call("Sign", {
                    "claims": {"exp": int(time.time()) + 60}}))


class Order(Case):
    policy = {**POLICY, **SLOW_ALGORITHM}

    def test_pipelined_calls_keep_their_order(self):
        client = self.connect(60)
        sender = threading.Thread(target=lambda: [
            client.send("Sign", {"claims": {"n": n, "exp": self.now + 300}}
                        if n % 7 else {"claims": {}}) for n in range(300)])
        sender.start()
        for n in range(300):
            message = client.receive()
            if n % 7 == 0:
                self.assertTrue(message["error"].endswith("BadClaims"))
                continue
            payload = message["parameters"]["token"].split(".")[1]
            self.assertEqual(json.loads(decode(payload))["n"], n)
        sender.join()

    def test_who_says_that_was_all_is_answered(self):
        client = self.connect()
        for _ in range(20):
            client.send("Sign", {"claims": {"exp": self.now + 300}})
        client.socket.shutdown(harness.socket.SHUT_WR)
        for _ in range(20):
            self.assertIn("token", client.reply()[0])
        self.assertIsNone(client.receive())

    def test_stopping_answers_what_was_sent(self):
        calls, clients = 20, [self.connect(60) for _ in range(6)]
        for client in clients:
            client.call("Sign", {"claims": {"exp": self.now + 300}})
        for client in clients:
            for _ in range(calls):
                client.send("Sign", {"claims": {"exp": self.now + 300}})
        self.daemon.process.terminate()
        for client in clients:
            for _ in range(calls):
                self.assertIn("token", client.reply()[0])
            self.assertIsNone(client.receive())
        self.daemon.stop()

    def test_who_does_not_read_does_not_stop_the_stop(self):
        client = self.connect()
        client.socket.setblocking(False)
        call = {"claims": {"exp": self.now + 300, "x": "y" * 10000}}
        with contextlib.suppress(OSError):
            for _ in range(200):
                client.send("Sign", call)
        self.daemon.stop(15)

    def test_slow_and_dead_clients_hold_up_nobody(self):
        call = {"claims": {"exp": self.now + 300, "x": "y" * 1000}}
        for _ in range(8):
            client = self.connect()
            client.socket.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    client.send("Sign", call)
            if _ % 2:
                client.close()
        begun = time.monotonic()
        self.assertTrue(self.sign()["token"])
        self.daemon.call("Status")
        self.assertLess(time.monotonic() - begun, 5 * harness.SLOW)

    def test_more_than_the_queue_is_refused_in_order(self):
        """64 calls a connection are under way; 2048 wait for a thread."""
        clients = [self.connect(120) for _ in range(48)]
        messages = b"".join(json.dumps({
            "method": "org.jwksd.sign.Sign",
            "parameters": {"claims": {"n": n, "exp": self.now + 500}},
        }).encode() + b"\0" for n in range(64))
        for client in clients:
            client.send_bytes(messages)
        kinds = {"token": 0, "Overloaded": 0}
        for client in clients:
            for n in range(64):
                answer = client.receive()
                kind = answer.get("error", "token").rpartition(".")[2]
                kinds[kind] += 1
                if kind == "token":
                    payload = answer["parameters"]["token"].split(".")[1]
                    self.assertEqual(json.loads(decode(payload))["n"], n)
        self.assertGreaterEqual(kinds["token"], 2048)
        self.assertGreater(kinds["Overloaded"], 0)
        self.assertTrue(self.sign()["token"])


class Rotation(Case):
    def test_new_key_signs_at_once_and_nothing_fails(self):
        stop, wrong, tokens = threading.Event(), [], []

        def load():
            with contextlib.closing(self.connect()) as client:
                while not stop.is_set():
                    try:
                        tokens.append(client.call("Sign", {"claims": {
                            "exp": int(time.time()) + 300}}))
                    except VarlinkError as error:
                        wrong.append(error)
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.3)
            kid = self.daemon.call("Rotate", {"now": True})["activated"]["kid"]
            self.assertEqual(self.sign()["kid"], kid)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(len({t["kid"] for t in tokens}), 4)
        for token in tokens[::max(1, len(tokens) // 200)]:
            self.assertTrue(self.verify(token["token"])["valid"])

    def test_revoked_key_signs_no_more(self):
        first = self.sign()
        self.daemon.call("Revoke", {"key": first["kid"], "reason": "test",
                                    "force": True})
        self.assertNotEqual(self.sign()["kid"], first["kid"])
        answer = self.verify(first["token"])
        self.assertEqual(
            (answer["valid"], answer["state"], answer["published"],
             answer["reason"]),
            (False, "revoked", False, "its key has been revoked"))

    def test_largest_exp_is_kept_before_the_answer(self):
        """kill -9 in the moment of the answer, and few commits."""
        exp = int(time.time()) + 60
        self.call("Sign", claims={"exp": exp})
        self.daemon.kill9()
        kept = self.generation()["max_exp"]
        self.assertTrue(exp <= kept < exp + TTL // 8, (exp, kept))
        self.daemon.start()
        self.assertEqual(self.generation()["max_exp"], kept)
        with self.daemon.database() as db:
            before = db.execute("SELECT revision FROM key_set").fetchone()[0]
            audit = db.execute("SELECT count(*) FROM audit").fetchone()[0]
            version = db.execute("SELECT version FROM key_set").fetchone()[0]
        last = int(time.time()) + TTL - 5
        for e in range(exp, last):
            self.call("Sign", claims={"exp": e})
        with self.daemon.database() as db:
            self.assertLessEqual(db.execute(
                "SELECT revision FROM key_set").fetchone()[0] - before, 10)
            self.assertEqual(db.execute(
                "SELECT count(*) FROM audit").fetchone()[0], audit)
            self.assertEqual(db.execute(
                "SELECT version FROM key_set").fetchone()[0], version)
        self.assertGreaterEqual(self.generation()["max_exp"], last - 1)

    def test_retention_follows_what_was_signed(self):
        """A policy that allows less afterwards does not shorten it."""
        exp = int(time.time()) + TTL - 5
        self.call("Sign", claims={"exp": exp})
        self.daemon.call("SetPolicy", {
            "name": "default",
            "policy": {"tokenMaxTtl": 1, "rollbackWindow": 1}})
        self.refused("BadClaims", "Sign", claims={"exp": exp})
        retired = self.daemon.call("Rotate", {"now": True})["retired"]
        self.assertGreaterEqual(retired["removeAt"], exp)


class Rights(Case):
    """As a user of no rights, with and without the right group."""

    config = {"access": {"sign_group": "daemon",
                         "sign_rules": "mail:default, daemon:app/*"}}

    def as_user(self, groups, key_set):
        # Nobody may not read a checkout in somebody's home.
        code = ("import os,sys;sys.path.insert(0,%r);import harness;"
                "os.setgroups(%r);os.setgid(65534);os.setuid(65534);"
                "c=harness.Varlink(%r,'org.jwksd.sign');"
                "print(c.call('Sign',{'keySet':%r,'claims':{'exp':%d}}))" % (
                    os.path.dirname(harness.__file__), groups, self.path,
                    key_set, self.now + 300))
        result = subprocess.run(["/usr/bin/python3", "-B", "-c", code],
                                capture_output=True, text=True, timeout=30)
        return result.stdout + result.stderr

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
    def test_groups(self):
        daemon, mail = (grp.getgrnam(n).gr_gid for n in ("daemon", "mail"))
        for directory in (self.daemon.directory, self.daemon.runtime):
            os.chmod(directory, 0o755)
        self.daemon.call("AddKeySet", {"name": "app/x"})
        both = [daemon, mail]
        self.assertIn("'token'", self.as_user(both, "default"))
        self.assertIn("'token'", self.as_user(both, "app/x"))
        self.assertIn("'token'", self.as_user([daemon], "app/x"))
        self.assertIn("PermissionDenied", self.as_user([daemon], "default"))
        self.assertIn("PermissionError", self.as_user([mail], "default"))
        self.assertTrue(self.sign()["token"], "root may")


@unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
class Shares(Case):
    policy = {**POLICY, **SLOW_ALGORITHM}
    config = {"access": {"sign_group": "daemon"}}

    def test_another_user_does_not_wait_for_the_queue(self):
        """600 signatures of one user wait; another's is the next but one."""
        for directory in (self.daemon.directory, self.daemon.runtime):
            os.chmod(directory, 0o755)
        first = self.connect(60)
        first.call("Sign", {"claims": {"exp": self.now + 300}})
        other = subprocess.Popen(
            ["/usr/bin/python3", "-B", "-c", GREEDY % (
                os.path.dirname(harness.__file__),
                grp.getgrnam("daemon").gr_gid, self.path,
                self.now + 300)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.communicate)
        self.assertEqual(other.stdout.readline(), "queued\n")
        self.assertIn("token", self.sign())
        other.stdin.write("\n")
        other.stdin.flush()
        answered = int(other.stdout.readline())
        self.assertLess(answered, 300)


class Ctl(Case):
    def test_sign_and_verify(self):
        done = self.daemon.ctl("sign", "--ttl", "5min", "--type", "at+jwt")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        token = done.stdout.strip()
        self.assertEqual(header_of(token)["typ"], "at+jwt")
        for done in (self.daemon.ctl("verify", token),
                     self.daemon.ctl("verify", "-", input=f" {token}\n")):
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"valid +yes\n(.*\n)*state +active")
        spoilt = token[:-6] + "AAAAAA"
        done = self.daemon.ctl("verify", spoilt)
        self.assertEqual(done.returncode, 65)
        self.assertIn("the signature is not the key's", done.stderr)
        self.assertRegex(done.stdout, r"valid +no")
        done = self.daemon.ctl("--json", "verify", spoilt)
        self.assertEqual(done.returncode, 65)
        self.assertFalse(json.loads(done.stdout)["valid"])

    def test_claims(self):
        exp = self.now + 100
        path = os.path.join(self.daemon.directory, "claims")
        with open(path, "w") as f:
            f.write(f'{{"z": 1, "exp": {exp}, "a": "é"}}')
        done = self.daemon.ctl("sign", "default", "--claims", path)
        claims = json.loads(decode(done.stdout.split(".")[1]))
        self.assertEqual(list(claims), ["z", "exp", "a", "iat"])
        self.assertEqual((claims["exp"], claims["a"]), (exp, "é"))
        done = self.daemon.ctl("sign", "--claims", "-", input='{"sub":"b"}')
        claims = json.loads(decode(done.stdout.split(".")[1]))
        self.assertEqual(claims["sub"], "b")
        self.assertLessEqual(abs(claims["exp"] - time.time() - 300), 10)

    def test_refusals(self):
        for arguments, input, status, words in (
                (["sign", "nobody"], None, 65, 'no key set "nobody"'),
                (["sign", "--ttl", "1h"], None, 65, "exp: is too far away"),
                (["sign", "--ttl", "x"], None, 64, "x"),
                (["sign", "--claims", "/no/file"], None, 74, "/no/file"),
                (["sign", "--claims", "-"], "[]", 64, "not a JSON object"),
                (["sign", "--claims", "-"], "{", 64, "not a JSON object"),
                (["verify", "x"], None, 65, "not valid"),
                (["verify"], None, 64, "TOKEN")):
            done = self.daemon.ctl(*arguments, input=input)
            self.assertEqual(done.returncode, status, (arguments, done))
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout.count("."), 0)


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", harness.read_proc(
        pid, "status")).group(1)) * 1024


class OpenKeys(unittest.TestCase):
    """512 keys are open; the one that was used longest ago makes room."""

    MOST = 512

    def test_keys_that_are_open(self):
        with harness.Daemon(start=False) as daemon:
            harness.fill(daemon, self.MOST + 2)
            daemon.start(timeout=60)
            with contextlib.closing(harness.Varlink(
                    f"{daemon.runtime}/sign.sock", "org.jwksd.sign",
                    60)) as client:
                self.use(daemon, client)

    def use(self, daemon, client):
        def sign(place):
            name = f"app{place:05d}" if place else "default"
            before = daemon.log().count("is open\n")
            self.assertIn("token", client.call("Sign", {
                "keySet": name, "claims": {"exp": int(time.time()) + 60}}))
            return daemon.log().count("is open\n") - before
        self.assertEqual([sign(n) for n in range(self.MOST)],
                         [1] * self.MOST)
        # All of them are, and the first is now the last that was used.
        self.assertEqual([sign(n) for n in (self.MOST - 1, 1, 0)], [0, 0, 0])
        # Two more: 2 and 3 make room.
        self.assertEqual([sign(n) for n in (self.MOST, self.MOST + 1)],
                         [1, 1])
        self.assertEqual([sign(n) for n in (0, 1, 4, self.MOST)],
                         [0, 0, 0, 0])
        self.assertEqual([sign(n) for n in (3, 2)], [1, 1])


class Limits(Case):
    def test_many_connections_of_one_user(self):
        clients = [self.connect() for _ in range(600)]
        for client in clients[::50]:
            self.assertIn("token", client.call(
                "Sign", {"claims": {"exp": self.now + 300}}))

    def test_who_does_not_read_is_not_kept_for_ever(self):
        """What is not read of replies, and not taken of calls, is bounded."""
        message = json.dumps({
            "method": "org.jwksd.sign.Sign",
            "parameters": {"claims": {"exp": self.now + 500}}}).encode() + b"\0"
        block = message * 100
        clients = [self.connect() for _ in range(8)]
        before = resident(self.daemon.pid)
        sent = [0] * len(clients)
        for n, client in enumerate(clients):
            client.socket.setblocking(False)
            quiet = 0
            while quiet < 20 and sent[n] < 16 * MIB:
                try:
                    at = sent[n] % len(message)
                    sent[n] += client.socket.send(block[at:])
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                    time.sleep(0.01 * harness.SLOW)
        self.assertLess(max(sent), 4 * MIB)
        if not harness.WRAPPER and harness.SLOW == 1:
            # 1 MiB of output for each, a message or so of input.
            self.assertLess(resident(self.daemon.pid) - before,
                            len(clients) * 2 * MIB)
        self.assertTrue(self.sign()["token"])

    def test_each_key_set_has_its_own_key(self):
        for n in range(3):
            self.daemon.call("AddKeySet", {"name": f"app{n}"})
        kids = {self.sign(keySet=f"app{n}")["kid"] for n in range(3)}
        self.assertEqual(len(kids), 3)


if __name__ == "__main__":
    unittest.main()
