"""Key sets by the dozen on the real daemon: names, routing, adding and
removing under load, tombstones, exotic algorithms, and a crash in between."""
import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import subprocess
import threading
import time
import unittest

import case
import harness
from case import CALM, Case
from harness import JWKS_PATH, VarlinkError, wait_until

DOMAIN = "session.example.com"
STEP_UP = "/.well-known/step-up-jwks.json"


class Sets(Case):
    policy = CALM

    def setUp(self):
        self.daemon = harness.Daemon(policy=self.policy,
                                     config={"http": {"domain": DOMAIN}})
        self.enterContext(self.daemon)

    def add(self, name, **parameters):
        policy = parameters.pop("policy", None)
        more = {"policy": policy} if policy else {}
        return self.call("AddKeySet", name=name, **more,
                         **parameters)["keySet"]

    def remove(self, name, **parameters):
        return self.call("RemoveKeySet", name=name, **parameters)

    def names(self):
        return [s["name"] for s in self.call("ListKeySets")["keySets"]]

    def get(self, app, path=JWKS_PATH, **more):
        return self.daemon.get(path, host=f"{app}.{DOMAIN}", **more)

    def url_kids(self, app, path=JWKS_PATH):
        return [k["kid"] for k in self.get(app, path).json()["keys"]]

    def of(self, name, **parameters):
        return self.daemon.keys(keySet=name, **parameters)

    def published(self, name):
        return [k["kid"] for k in self.of(name) if k["state"] != "pending"]

    def rotate(self, name):
        """The retired key, once the next standby has come to rest."""
        self.call("Rotate", keySet=name)
        wait_until(lambda: sorted(k["state"] for k in self.of(name))
                   == ["active", "ready", "retired"])
        return next(k for k in self.of(name) if k["state"] == "retired")

    def wait_gone(self, app, path=JWKS_PATH):
        wait_until(lambda: self.get(app, path).status == 404, 1,
                   "the URL does not follow")

    def wait_there(self, name, app, path=JWKS_PATH):
        wait_until(lambda: self.get(app, path).status == 200
                   and self.url_kids(app, path) == self.published(name), 1,
                   "the URL does not follow")


class Names(Sets):
    def test_good(self):
        for name in ["a", "0", "a-b", "9-9", "x" * 63, "a/b",
                     "x" * 63 + "/" + "y" * 63, "xn--bcher-kva", "a--b/c--d"]:
            with self.subTest(name=name):
                app, _, rest = name.partition("/")
                path = f"/.well-known/{rest}-jwks.json" if rest else JWKS_PATH
                self.assertEqual(self.add(name)["path"], path)
                self.wait_there(name, app, path)

    def test_bad(self):
        for name, reason in [
                ("", "APP is empty"), ("/a", "APP is empty"),
                ("a/", "NAME is empty"), ("/", "APP is empty"),
                ("A", "only a-z"), ("a_b", "only a-z"), ("a.b", "only a-z"),
                ("a b", "only a-z"), ("é", "only a-z"), ("a\n", "only a-z"),
                ("a/B", "NAME may have only"), ("a/b/c", "NAME may have only"),
                ("-a", "begin or end"), ("a-", "begin or end"),
                ("a/-b", "NAME may not begin or end"),
                ("x" * 64, "longer than 63"),
                ("a/" + "x" * 64, "NAME is longer than 63"),
                ("x" * 128, "at most 127"), ("x" * 4000, "at most 127"),
                ("../etc", "only a-z"), ("a\x7f", "only a-z"),
                ("%61", "only a-z"), ("a#1", "only a-z")]:
            with self.subTest(name=name):
                fault = self.refused("BadPolicy", "AddKeySet", name=name)
                self.assertEqual(fault["parameter"], "name")
                self.assertIn(reason, fault["message"])
        self.refused("InvalidParameter", "AddKeySet")
        self.refused("InvalidParameter", "AddKeySet", name=1)

    def test_there_already(self):
        self.add("a")
        self.assertEqual(self.refused("Conflict", "AddKeySet", name="a"),
                         {"expected": 0, "actual": 1})
        self.refused("Conflict", "AddKeySet", name="default")
        self.refused("NoSuchKeySet", "RemoveKeySet", name="b")


class Routing(Sets):
    def test_two_sets_of_an_application(self):
        self.add("acme")
        self.add("acme/step-up", policy={"algorithm": "ES384"})
        self.wait_there("acme", "acme")
        self.wait_there("acme/step-up", "acme", STEP_UP)
        first, second = self.get("acme").json(), self.get(
            "acme", STEP_UP).json()
        self.assertEqual({k["alg"] for k in first["keys"]}, {"ES256"})
        self.assertEqual({k["alg"] for k in second["keys"]}, {"ES384"})
        self.assertEqual(self.get("default", STEP_UP).status, 404)
        self.remove("acme")
        self.wait_gone("acme")
        self.assertEqual(self.get("acme", STEP_UP).json(), second)

    def test_a_second_set_without_a_first(self):
        self.add("only/step-up")
        self.wait_there("only/step-up", "only", STEP_UP)
        self.assertEqual(self.get("only").status, 404)

    def test_every_form_of_host(self):
        self.add("acme")
        self.wait_there("acme", "acme")
        body = self.get("acme").body
        others = self.get("default").body
        port = self.daemon.port
        for host in [DOMAIN, f"{DOMAIN.upper()}.:{port}", "acme",
                     "acme.example.com", f"acme.x{DOMAIN}",
                     f"acme.{DOMAIN}.evil.example", "localhost", "127.0.0.1",
                     f"127.0.0.1:{port}", "[::1]", f"[::1]:{port}"]:
            with self.subTest(host=host):
                self.assertEqual(self.daemon.get(host=host).body, others)
        for host, status in [
                (f"acme.{DOMAIN}", 200), (f"ACME.{DOMAIN.upper()}", 200),
                (f"acme.{DOMAIN}.", 200), (f"acme.{DOMAIN}:{port}", 200),
                (f"acme.{DOMAIN}.:80", 200), (f"acme.{DOMAIN}:", 200),
                (f"other.{DOMAIN}", 404), (f"x.acme.{DOMAIN}", 404),
                (f"acmes.{DOMAIN}", 404),
                (f"acme..{DOMAIN}", 400), (f".{DOMAIN}", 400),
                (f"acme.{DOMAIN}..", 400), (f"acme.{DOMAIN}:x", 400),
                (f"acme.{DOMAIN}:99999", 400), (f"ac me.{DOMAIN}", 400),
                (f"acme/x.{DOMAIN}", 400), (f"-acme.{DOMAIN}", 400),
                (f"{'x' * 64}.{DOMAIN}", 400), (f"u@acme.{DOMAIN}", 400)]:
            with self.subTest(host=host):
                answer = self.daemon.get(host=host)
                self.assertEqual(answer.status, status)
                if status == 200:
                    self.assertEqual(answer.body, body)
                else:
                    self.assertNotIn(b"keys", answer.body)

    def test_paths(self):
        self.add("acme")
        self.add("acme/step-up")
        self.wait_there("acme/step-up", "acme", STEP_UP)
        for path, status in [
                (JWKS_PATH + "?x=y", 200), (STEP_UP + "?", 200),
                (JWKS_PATH + "/", 404), (STEP_UP + "/", 404),
                ("/.well-known/step-up", 404), ("/.well-known/-jwks.json", 404),
                ("/.well-known/STEP-UP-jwks.json", 404),
                ("/.well-known/step%2Dup-jwks.json", 404),
                ("//.well-known/jwks.json", 404), ("/", 404)]:
            with self.subTest(path=path):
                self.assertEqual(self.get("acme", path).status, status)

    def test_without_a_domain_every_host_is_default(self):
        with harness.Daemon(policy=CALM) as daemon:
            daemon.call("AddKeySet", {"name": "acme"})
            daemon.call("AddKeySet", {"name": "default/step-up"})
            kids = [k["kid"] for k in daemon.keys(keySet="default")]
            for host in None, "acme", f"acme.{DOMAIN}", "127.0.0.1", "[::1]:1":
                found = [k["kid"]
                         for k in daemon.get(host=host).json()["keys"]]
                self.assertEqual(found, kids)
            wait_until(lambda: daemon.get(STEP_UP, host="x").status == 200)

    def test_the_urls_that_are_named_serve_the_key_set(self):
        for domain in None, DOMAIN:
            config = {"http": {"domain": domain}} if domain else None
            with harness.Daemon(policy=CALM, config=config) as daemon:
                for name in "acme", "acme/step-up", "default/step-up":
                    daemon.call("AddKeySet", {"name": name})
                for row in daemon.call("ListKeySets")["keySets"]:
                    kids = [k["kid"] for k in daemon.keys(keySet=row["name"])]
                    self.assertGreaterEqual(len(row["urls"]), 1)
                    for url in row["urls"]:
                        with self.subTest(domain=domain, url=url):
                            self.fetch(daemon, url, kids)

    def fetch(self, daemon, url, kids):
        hosts = "x.test", "127.0.0.1"
        path = url
        if not url.startswith("/"):
            host, _, path = url.removeprefix("https://").partition("/")
            hosts, path = [host], "/" + path
        for host in hosts:
            wait_until(lambda: daemon.get(path, host=host).status == 200)
            keys = daemon.get(path, host=host).json()["keys"]
            self.assertEqual([k["kid"] for k in keys], kids)


class Life(Sets):
    def test_visible_at_once(self):
        for i in range(20):
            self.add(f"a{i}")
            self.wait_there(f"a{i}", f"a{i}")
            self.assertEqual([k["state"] for k in self.of(f"a{i}")],
                             ["active", "ready"])
            self.remove(f"a{i}")
            self.wait_gone(f"a{i}")
        self.assertEqual(self.names(), ["default"])

    def test_own_policy(self):
        added = self.add("a", policy={"algorithm": "RS256", "rsaBits": 3072,
                                      "rotationPeriod": 7200,
                                      "cacheMaxAge": 77,
                                      "verifierMaxAge": 154,
                                      "mode": "manual", "standbyCount": 2},
                         reason="new customer")
        self.assertEqual((added["alg"], added["policy"]["rsaBits"],
                          added["policy"]["mode"]), ("RS256", 3072, "manual"))
        self.wait_there("a", "a")
        answer = self.get("a")
        self.assertIn("max-age=77", answer.headers["Cache-Control"])
        self.assertEqual([k["alg"] for k in answer.json()["keys"]],
                         ["RS256"] * 3)
        self.assertEqual({len(k["n"]) for k in answer.json()["keys"]}, {512})
        self.assertNotIn("max-age=77",
                         self.get("default").headers["Cache-Control"])
        row = self.audit()[-4]
        self.assertEqual((row["event"], row["key_set"], row["reason"]),
                         ("keyset", "a", "new customer"))

    def test_bad_policies_leave_nothing(self):
        for policy, parameter in [
                ({"rotationPeriod": 1}, "rotationPeriod"),
                ({"verifierMaxAge": 0}, "verifierMaxAge"),
                ({"algorithm": "none"}, "algorithm"),
                ({"algorithm": 5}, "algorithm"),
                ({"mode": "automatic"}, "mode"),
                ({"standbyCount": 99}, "standbyCount"),
                ({"cacheMaxAge": 2 ** 40}, "cacheMaxAge")]:
            with self.subTest(policy=policy), \
                    self.assertRaises(VarlinkError) as caught:
                self.add("a", policy=policy)
            self.assertIn(parameter, str(caught.exception.parameters))
        self.assertEqual(self.names(), ["default"])
        with self.daemon.database() as db:
            self.assertEqual(db.execute("SELECT count(*) FROM generation"
                                        ).fetchone()[0], 2)
        self.assertEqual(self.get("a").status, 404)

    def test_dry_run(self):
        before = self.rows()
        self.assertEqual(self.add("a", dryRun=True)["name"], "a")
        self.assertEqual(self.names(), ["default"])
        self.add("a")
        self.assertIn("keySet", self.remove("a", dryRun=True))
        self.assertEqual(self.names(), ["a", "default"])
        self.remove("a")
        self.assertEqual(len(before["key_set"]), 1)

    def test_a_client_that_leaves(self):
        """Key pairs that take a while: it is gone before they are there."""
        before = self.rows()
        with self.daemon.connect() as client:
            client.send("AddKeySet", {
                "name": "slow", "requestId": "left", "policy": {
                    "algorithm": "RS256", "rsaBits": 4096}})
        # Two of one call are made one after the other, by one thread.
        with self.daemon.connect(60) as client:
            for _ in range(2):
                client.call("AddKeySet", {"name": "other", "dryRun": True,
                                          "policy": {"algorithm": "RS256",
                                                     "rsaBits": 4096}})
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.get("slow").status, 404)
        wait_until(lambda: self.try_add("slow", "anew") == "added")
        self.wait_there("slow", "slow")

    def test_default_does_not_come_back(self):
        self.add("a")
        self.wait_there("a", "a")
        self.remove("default")
        self.wait_gone("default")
        self.daemon.stop()
        self.daemon.start(ready=False)
        wait_until(lambda: self.status_or_none() is not None)
        self.assertEqual(self.names(), ["a"])
        self.wait_there("a", "a")
        self.assertEqual(self.get("default").status, 404)
        self.remove("a")
        self.wait_gone("a")
        self.assertEqual(self.names(), [])
        self.add("default")
        self.wait_there("default", "default")
        # Newest first until one signs.
        self.assertEqual([k["generation"] for k in self.of("default")],
                         [4, 3])

    def status_or_none(self):
        with contextlib.suppress(OSError, EOFError):
            return self.call("Status")

    def test_request_ids(self):
        first = self.add("a", requestId="one")
        kids = self.published("a")
        self.assertEqual(self.add("a", requestId="one"), first)
        with self.assertRaises(VarlinkError) as caught:
            self.add("b", requestId="one")
        self.assertEqual(caught.exception.parameters,
                         {"parameter": "requestId"})
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.add("a", requestId="one"), first)
        self.assertEqual(self.published("a"), kids)
        gone = self.remove("a", requestId="two")
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.remove("a", requestId="two"), gone)
        self.assertEqual(self.names(), ["default"])
        # It says what happened then, and makes nothing.
        self.assertEqual(self.add("a", requestId="one"), first)
        self.assertEqual(self.names(), ["default"])

    def test_the_same_request_at_the_same_time(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(self.try_add, "a", f"id{i}")
                     for i in range(4)]
            outcomes = sorted(f.result() for f in asked)
        self.assertEqual(outcomes, ["Conflict"] * 3 + ["added"])
        self.assertEqual(len(self.of("a", all=True)), 2)

    def try_add(self, name, request):
        try:
            self.add(name, requestId=request)
            return "added"
        except VarlinkError as error:
            return error.short

    def test_expected_generation(self):
        self.refused("Conflict", "AddKeySet", name="a", expectGeneration=1)
        self.add("a", expectGeneration=0)
        self.assertEqual(self.refused("Conflict", "RemoveKeySet", name="a",
                                      expectGeneration=2),
                         {"expected": 2, "actual": 1})
        self.remove("a", expectGeneration=1)


class Removal(Sets):
    def test_refused_while_a_token_could_be_valid(self):
        self.add("a")
        retired = self.rotate("a")
        fault = self.refused("NotReady", "RemoveKeySet", name="a")
        self.assertEqual(fault, {"readyAt": retired["removeAt"]})
        self.assertGreater(fault["readyAt"], time.time())
        self.refused("NotReady", "RemoveKeySet", name="a", dryRun=True)
        out = self.daemon.ctl("keyset", "remove", "a", "--yes",
                              "--time=unix")
        self.assertEqual(out.returncode, 75)
        self.assertIn(f"valid until {retired['removeAt']}", out.stderr)

    def test_force_is_audited_and_says_the_exposure(self):
        self.add("a")
        retired = self.rotate("a")
        look = self.remove("a", force=True, dryRun=True)
        self.assertEqual(look["exposure"]["until"], retired["removeAt"])
        seq = self.last_audit()
        self.assertEqual(self.remove("a", force=True, reason="over"), look)
        self.wait_gone("a")
        rows = self.audit(seq)
        self.assertEqual({r["key_set"] for r in rows}, {"a"})
        self.assertEqual({r["reason"] for r in rows}, {"over"})
        self.assertEqual({r["uid"] for r in rows}, {os.getuid()})
        self.assertIn("removed", {r["event"] for r in rows})

    def test_it_may_go_once_the_retired_key_has(self):
        self.add("a", policy={"tokenMaxTtl": 5, "rollbackWindow": 1})
        self.rotate("a")
        fault = self.refused("NotReady", "RemoveKeySet", name="a")
        wait_until(lambda: time.time() > fault["readyAt"], 10)
        self.assertNotIn("exposure", self.remove("a"))

    def test_tombstones(self):
        self.add("a")
        kids = [k["kid"] for k in self.of("a", all=True)]
        self.remove("a")
        with self.daemon.database() as db:
            rows = db.execute(
                "SELECT kid, number, sealed, removed_at FROM generation"
                " WHERE kid IN (?, ?)", kids).fetchall()
        self.assertEqual(len(rows), 2)
        self.assertEqual({row["sealed"] for row in rows}, {None})
        self.assertNotIn(None, {row["removed_at"] for row in rows})
        for number in 3, 5:
            self.add("a")
            self.wait_there("a", "a")
            self.assertEqual([k["generation"] for k in self.of("a")],
                             [number + 1, number])
            self.assertFalse(set(self.published("a")) & set(kids))
            kids += self.published("a")
            self.remove("a")
        self.assertEqual(len(set(kids)), 6)
        with self.daemon.database() as db:
            self.assertEqual(db.execute(
                "SELECT count(*) FROM generation WHERE removed_at IS NOT NULL"
                " AND sealed IS NULL").fetchone()[0], 6)

    def test_private_keys_leave_the_file(self):
        self.add("a")
        with self.daemon.database() as db:
            sealed = [row[0] for row in db.execute(
                "SELECT sealed FROM generation JOIN key_set"
                " ON key_set.id = key_set_id WHERE name = 'a'")]
        self.assertEqual(len(sealed), 2)
        for blob in sealed:
            self.assertIn(blob, self.database_octets())
        self.remove("a")
        for blob in sealed:
            self.assertNotIn(blob, self.database_octets())


class Exotic(Sets):
    def test_alone_and_for_real(self):
        for algorithm, kty, crv in [("ES512", "EC", "P-521"),
                                    ("ES256K", "EC", "secp256k1"),
                                    ("Ed448", "OKP", "Ed448")]:
            with self.subTest(algorithm=algorithm):
                name = algorithm.lower()
                self.add(name, policy={"algorithm": algorithm})
                self.wait_there(name, name)
                keys = self.get(name).json()["keys"]
                self.assertEqual({(k["kty"], k["crv"]) for k in keys},
                                 {(kty, crv)})
                self.call("Rotate", keySet=name)
                wait_until(lambda n=name: len(self.url_kids(n)) == 3
                           and self.url_kids(n) == self.published(n))

    def test_ml_dsa(self):
        for algorithm in "ML-DSA-44", "ML-DSA-65", "ML-DSA-87":
            with self.subTest(algorithm=algorithm):
                if has_ml_dsa():
                    # Two keys may be all that a body has room for.
                    name = algorithm.lower()
                    self.add(name, policy={"algorithm": algorithm})
                    self.wait_there(name, name)
                    self.assertEqual({k["kty"] for k in self.get(
                        name).json()["keys"]}, {"AKP"})
                    continue
                fault = self.refused("BadPolicy", "AddKeySet", name="pq",
                                     policy={"algorithm": algorithm})
                self.assertEqual(fault["parameter"], "algorithm")
                self.assertIn(f"{algorithm} needs OpenSSL 3.5",
                              fault["message"])
                self.assertRegex(fault["message"], r"this is OpenSSL 3\.\d")

    def test_never_mixed(self):
        self.add("k", policy={"algorithm": "ES256K"})
        for name, algorithm in [("default", "ES512"), ("default", "Ed448"),
                                ("k", "ES256"), ("k", "ES512"),
                                ("k", "RS256")]:
            with self.subTest(name=name, algorithm=algorithm):
                fault = self.refused("BadPolicy", "SetPolicy", name=name,
                                     policy={"algorithm": algorithm})
                self.assertEqual(fault["parameter"], "algorithm")
                self.assertIn("alone", fault["message"])
        self.call("SetPolicy", name="default", policy={"algorithm": "EdDSA"})


def has_ml_dsa():
    text = subprocess.run(["openssl", "version"], capture_output=True,
                          text=True, check=True).stdout
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", text).groups())) >= (3, 5)


class Load(Sets):
    """A key set comes and goes under 1,000 requests a second."""
    RATE, SECONDS, THREADS = 1000, 6, 4

    def reader(self, end, share, seen):
        """Keep-alive requests at an even rate; every answer is kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port,
                                                timeout=10 * harness.SLOW)
        apps = ["moving", "stays", "default", "moving", "never"]
        due, i = time.monotonic(), share
        while time.monotonic() < end:
            app = apps[i % len(apps)]
            connection.putrequest("GET", JWKS_PATH, skip_host=True)
            connection.putheader("Host", f"{app}.{DOMAIN}")
            connection.endheaders()
            answer = connection.getresponse()
            seen[app, answer.status, answer.read()] += 1
            i += 1
            due += self.THREADS / self.RATE
            time.sleep(max(0, due - time.monotonic()))
        connection.close()

    def churn(self, end):
        """All kids that `moving` ever had, and how often it came."""
        kids, times = set(), 0
        while time.monotonic() < end:
            self.add("moving")
            kids |= set(self.published("moving"))
            self.wait_there("moving", "moving")
            self.remove("moving")
            self.wait_gone("moving")
            times += 1
        return kids, times

    def test_no_wrong_answer(self):
        self.add("stays")
        self.wait_there("stays", "stays")
        fixed = {app: self.get(app).body for app in ("stays", "default")}
        end = time.monotonic() + self.SECONDS
        counters = [collections.Counter() for _ in range(self.THREADS)]
        threads = [threading.Thread(target=self.reader, args=(end, i, c))
                   for i, c in enumerate(counters)]
        for thread in threads:
            thread.start()
        kids, times = self.churn(end)
        for thread in threads:
            thread.join()
        seen = sum(counters, collections.Counter())
        self.assertGreater(times, 5)
        if harness.SLOW == 1:
            self.assertGreater(sum(seen.values()),
                               0.5 * self.RATE * self.SECONDS)
        statuses = collections.Counter()
        for (app, status, body), count in seen.items():
            statuses[app, status] += count
            self.check(app, status, body, fixed, kids)
        self.assertGreater(statuses["moving", 200], 0)
        self.assertGreater(statuses["moving", 404], 0)

    def check(self, app, status, body, fixed, kids):
        if app in fixed:
            self.assertEqual((status, body), (200, fixed[app]))
        elif app == "never" or status != 200:
            self.assertEqual((status, json.loads(body)["code"]),
                             (404, "not_found"))
        else:
            found = [k["kid"] for k in json.loads(body)["keys"]]
            self.assertEqual(len(found), 2)
            self.assertLessEqual(set(found), kids)


class AddSeveral(Sets):
    """AddKeySets: all or none, in one transaction."""

    def several(self, *names, **parameters):
        """An element is a name, or a name with a policy."""
        parameters.setdefault("requestId", f"several-{names}")
        return self.call("AddKeySets", keySets=[
            {"name": name} if isinstance(name, str)
            else {"name": name[0], "policy": name[1]} for name in names],
            **parameters)

    def test_all_are_there(self):
        before = len(self.audit())
        reply = self.several("a", ("a/step-up", {"algorithm": "ES384"}),
                             ("b", {"standbyCount": 2}), requestId="r",
                             reason="new customers")
        self.assertEqual(reply, {"done": 3, "total": 3})
        self.assertEqual(sorted(self.names()),
                         ["a", "a/step-up", "b", "default"])
        self.wait_there("a", "a")
        self.wait_there("a/step-up", "a", STEP_UP)
        self.wait_there("b", "b")
        self.assertEqual([k["state"] for k in self.of("b")],
                         ["active", "ready", "ready"])
        self.assertEqual({k["alg"] for k in self.of("a/step-up")}, {"ES384"})
        rows = self.audit()[before:]
        self.assertEqual(
            [(r["key_set"], r["event"]) for r in rows],
            [("a", "keyset"), ("a", "active"), ("a", "ready"),
             ("a/step-up", "keyset"), ("a/step-up", "active"),
             ("a/step-up", "ready"), ("b", "keyset"), ("b", "active"),
             ("b", "ready"), ("b", "ready")])
        self.assertEqual({(r["request_id"], r["reason"], r["uid"])
                          for r in rows},
                         {("r", "new customers", os.getuid())})

    def test_one_that_will_not_do(self):
        self.several("there")
        for bad, error, words in [
                ("default", "Conflict", {"expected": 0, "actual": 1}),
                ("there", "Conflict", {"expected": 0, "actual": 1}),
                ("a", "BadPolicy", {"parameter": "name",
                                    "message": "given twice"}),
                ("A", "BadPolicy", {"parameter": "name"}),
                ("", "BadPolicy", {"parameter": "name"}),
                (("c", {"rotationPeriod": 1}), "BadPolicy",
                 {"parameter": "rotationPeriod"}),
                (("c", {"algorithm": "none"}), "BadPolicy",
                 {"parameter": "algorithm"})]:
            with self.subTest(bad=bad):
                fault = self.refused(
                    error, "AddKeySets", keySets=[
                        {"name": "a"},
                        {"name": bad} if isinstance(bad, str) else
                        {"name": bad[0], "policy": bad[1]},
                        {"name": "b"}])
                self.assertEqual(fault["keySet"], bad if isinstance(bad, str)
                                 else bad[0])
                self.assertEqual({**fault, **words}, fault)
        self.assertNotIn("keySet", self.refused(
            "BadPolicy", "AddKeySets",
            keySets=[{"name": "a"}, {"name": "x" * 128}]))
        for bad in [], [{}], [{"name": 1}], [{"name": "a", "more": 1}], "a":
            self.refused("InvalidParameter", "AddKeySets", keySets=bad)
        self.refused("InvalidParameter", "AddKeySets")
        self.assertEqual(self.get("a").status, 404)

    def test_one_of_the_names_comes_meanwhile(self):
        with self.daemon.connect(60) as client:
            client.send("AddKeySets", {"requestId": "r", "keySets": [
                {"name": "slow", "policy": {"algorithm": "RS256"}},
                {"name": "b"}]})
            self.add("b")
            with self.assertRaises(VarlinkError) as caught:
                client.reply()
        self.assertEqual((caught.exception.short,
                          caught.exception.parameters),
                         ("Conflict", {"expected": 0, "actual": 1,
                                       "keySet": "b"}))
        self.assertEqual(sorted(self.names()), ["b", "default"])

    def test_progress(self):
        sets = [{"name": f"a{i}", "policy": {"algorithm": "RS256"}}
                for i in range(6)]
        with self.daemon.connect(60) as client:
            *some, last = client.stream("AddKeySets", {
                "keySets": sets, "requestId": "r"})
        self.assertEqual(last, {"done": 6, "total": 6})
        done = [reply["done"] for reply in some]
        self.assertGreater(len(done), 1)
        self.assertEqual(done, sorted(done))
        self.assertTrue(all(0 <= n < 6 for n in done))
        with self.daemon.connect(60) as client:
            self.assertEqual(list(client.stream("AddKeySets", {
                "keySets": sets, "requestId": "r"})), [last])

    def test_the_same_request(self):
        first = self.several("a", "b", requestId="one")
        kids = self.published("a")
        self.assertEqual(self.several("a", "b", requestId="one"), first)
        self.refused("InvalidParameter", "AddKeySets", requestId="one",
                     keySets=[{"name": "a"}, {"name": "c"}])
        self.daemon.kill9()
        self.daemon.start()
        self.assertEqual(self.several("a", "b", requestId="one"), first)
        self.assertEqual(self.published("a"), kids)

    def test_dry_run(self):
        before = self.rows()
        self.assertEqual(self.several("a", "b", dryRun=True),
                         {"done": 2, "total": 2})
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.names(), ["default"])

    def test_a_client_that_leaves(self):
        before = self.rows()
        with self.daemon.connect() as client:
            client.send("AddKeySets", {"requestId": "left", "keySets": [
                {"name": f"slow{i}", "policy": {"algorithm": "RS256",
                                                "rsaBits": 4096}}
                for i in range(20)]}, more=True)
        for _ in range(2):
            with self.daemon.connect(60) as client:
                client.call("AddKeySet", {"name": "other", "dryRun": True})
        self.assertEqual(self.rows(), before)
        self.several("slow0", requestId="anew")
        self.wait_there("slow0", "slow0")

    def test_while_frozen(self):
        self.call("Freeze", frozen=True)
        self.several("a", "b")
        self.add("c")
        self.assertEqual([[k["state"] for k in self.of(name)]
                          for name in "abc"], [["active", "ready"]] * 3)

    def test_a_long_message(self):
        """As long as it may be; fronts read it in pieces, and none is lost."""
        names = [f"{'x' * 55}{i:04}/{'y' * 63}" for i in range(1750)]
        parameters = {"requestId": "r",
                      "keySets": [{"name": name} for name in names]}
        size = len(json.dumps(parameters))
        self.assertGreater(size, 230 * 1024)
        with self.daemon.connect(120) as client:
            self.assertEqual(client.call("AddKeySets", parameters),
                             {"done": 1750, "total": 1750})
        path = f"/.well-known/{'y' * 63}-jwks.json"
        for name in names[0], names[1000], names[-1]:
            app = name.partition("/")[0]
            wait_until(lambda app=app: self.get(app, path).status == 200, 10)
        self.assertNotIn("does not read", self.daemon.log())
        parameters["requestId"] = "r" * 30 * 1024
        with self.daemon.connect() as client, \
                self.assertRaises((EOFError, OSError)):
            client.call("AddKeySets", parameters)


class BulkAdd(Sets):
    COUNT = 3000

    def command(self):
        return subprocess.Popen(
            [os.path.join(harness.BUILD, "jwksctl"), "--socket",
             self.daemon.control, "keyset", "add", "--from", self.path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.daemon.directory, "sets")
        with open(self.path, "w") as f:
            f.writelines(f"b{i} clock_skew={i % 3}s\n"
                         for i in range(self.COUNT))

    def wait_some(self, least):
        wait_until(lambda: self.call("Status")["keySets"] > least, 60)

    def check_all(self):
        sets = [s for reply in self.daemon.stream("ListKeySets")
                for s in reply["keySets"]]
        self.assertEqual(len(sets), self.COUNT + 1)
        for row in sets:
            if row["name"] != "default":
                self.assertEqual(row["policy"]["clockSkew"],
                                 int(row["name"][1:]) % 3)
        with self.daemon.database() as db:
            self.assertEqual(db.execute("SELECT count(*) FROM key_set"
                                        ).fetchone()[0], self.COUNT + 1)
            self.assertEqual(db.execute(
                "SELECT count(*) FROM (SELECT 1 FROM generation GROUP BY"
                " key_set_id HAVING count(*) <> 2)").fetchone()[0], 0)

    def test_the_daemon_is_killed_and_comes_back(self):
        command = self.command()
        self.wait_some(40)
        self.daemon.kill9()
        self.daemon.start()
        out, err = command.communicate(timeout=90 * harness.SLOW)
        self.assertEqual((command.returncode, err), (0, ""))
        self.assertRegex(out, rf"^{self.COUNT} key sets: ")
        self.check_all()

    def test_the_daemon_is_killed_and_the_command_repeated(self):
        command = self.command()
        self.wait_some(40)
        command.kill()
        self.daemon.kill9()
        command.communicate()
        self.daemon.start()
        there = self.call("Status")["keySets"] - 1
        self.assertGreaterEqual(there, 40)
        self.assertLess(there, self.COUNT)
        again = self.command()
        out, err = again.communicate(timeout=90 * harness.SLOW)
        self.assertEqual(again.returncode, 0, err)
        self.assertEqual(out, f"{self.COUNT} key sets: {self.COUNT - there} "
                              f"added, {there} there already\n")
        self.check_all()
        for i in 0, self.COUNT // 2, self.COUNT - 1:
            self.wait_there(f"b{i}", f"b{i}")

    def test_removed_and_added_by_the_same_file(self):
        self.assertEqual(self.daemon.ctl("keyset", "add", "--from", "-",
                                         input="x\ny\n").returncode, 0)
        self.remove("x")
        again = self.daemon.ctl("keyset", "add", "--from", "-",
                                input="x\ny\n")
        self.assertEqual(again.stdout,
                         "2 key sets: 1 added, 1 there already, 1 of them "
                         "sign later (`jwksctl status`)\n")
        self.assertEqual([k["generation"] for k in self.of("x")], [4, 3])


class AddedAgain(Sets):
    """Copies of the removed key set live on: the new one waits for their
    end, and serves meanwhile."""
    policy = {}

    def again(self, name="a", **parameters):
        self.add(name)
        self.remove(name)
        return self.call("AddKeySet", name=name, **parameters)

    def test_the_first_key_waits(self):
        reply = self.again()
        self.assertNotIn("activeGeneration", reply["keySet"])
        self.assertNotIn("exposure", reply)
        keys = self.of("a")
        self.assertEqual({k["state"] for k in keys}, {"published"})
        # The old set may have been read a moment longer.
        for key in keys:
            self.assertIn(key["readyAt"] - reply["signsAt"], (0, 1))
        with self.daemon.database() as db:
            removed = db.execute("SELECT removed_at FROM key_set WHERE"
                                 " removed_at IS NOT NULL").fetchone()[0]
        self.assertIn(reply["signsAt"] - removed - case.IPUB, (1, 2))
        self.wait_there("a", "a")
        status = self.call("Status")
        self.assertTrue(status["ready"])
        self.assertIn("a: no key signs before ", "\n".join(
            status["warnings"]))
        changes = self.call("Plan", keySet="a")["changes"]
        self.assertEqual([c["time"] for c in changes if c["to"] == "active"]
                         [:1], [reply["signsAt"]])
        with self.assertRaises(VarlinkError) as caught:
            with harness.Varlink(os.path.join(os.path.dirname(
                    self.daemon.control), "sign.sock"),
                    "org.jwksd.sign") as client:
                client.call("Sign", {"keySet": "a", "claims": {
                    "exp": int(time.time()) + 60}})
        self.assertEqual((caught.exception.short,
                          caught.exception.parameters),
                         ("NotReady", {"readyAt": reply["signsAt"]}))

    def test_across_a_restart_and_twice(self):
        self.add("a")
        self.remove("a", force=True)
        self.daemon.stop()
        self.daemon.start()
        first = self.call("AddKeySet", name="a")["signsAt"]
        self.assertGreaterEqual(first, time.time() + case.IPUB - 60)
        self.remove("a")
        again = self.call("AddKeySet", name="a")["signsAt"]
        self.assertGreaterEqual(again, first)
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual({k["state"] for k in self.of("a")}, {"published"})

    def test_the_longer_of_the_policies_counts(self):
        self.add("a", policy={"verifierMaxAge": 3 * case.DAY})
        self.call("SetPolicy", name="a", policy={"verifierMaxAge": case.DAY})
        self.remove("a")
        signs = self.call("AddKeySet", name="a")["signsAt"]
        self.assertGreaterEqual(signs, time.time() + 3 * case.DAY)

    def test_default_waits_as_well(self):
        self.remove("default")
        reply = self.call("AddKeySet", name="default",
                          policy={"standbyCount": 2})
        self.assertIn("signsAt", reply)
        self.assertEqual([k["state"] for k in self.of("default")],
                         ["published"] * 3)

    def test_several_wait_as_one_does(self):
        self.add("a")
        self.remove("a")
        reply = self.call("AddKeySets", requestId="r", keySets=[
            {"name": "new"}, {"name": "a"}])
        self.assertNotIn("exposure", reply)
        self.assertEqual([k["state"] for k in self.of("new")],
                         ["active", "ready"])
        keys = self.of("a")
        self.assertEqual([k["generation"] for k in keys], [4, 3])
        self.assertEqual({k["state"] for k in keys}, {"published"})
        for key in keys:
            self.assertIn(key["readyAt"] - reply["signsAt"], (0, 1))

    def test_now_is_exposed(self):
        reply = self.again(now=True)
        self.assertNotIn("signsAt", reply)
        self.assertEqual(reply["keySet"]["activeGeneration"], 3)
        until = reply["exposure"]["rejectNewTokens"]["pollsWithinMaxAge"]
        self.assertGreater(until, time.time() + case.DAY)
        # Nor do verifiers know the standby.
        self.assertEqual([k["state"] for k in self.of("a")],
                         ["active", "published"])

    def test_in_words(self):
        self.add("a")
        self.remove("a")
        look = self.daemon.ctl("keyset", "add", "a", "--dry-run")
        self.assertIn("signs from", look.stdout)
        refused = self.daemon.ctl("keyset", "add", "a", "--now")
        self.assertEqual(refused.returncode, 64)
        self.assertIn("keyset add --now can make", refused.stderr)
        added = self.daemon.ctl("keyset", "add", "a", "--now", "--yes")
        self.assertEqual(added.returncode, 0, added.stderr)
        self.assertIn("may reject tokens of the key that signs",
                      added.stdout)


class AddedAgainInTime(Sets):
    """The wait ends, and the key signs."""

    def test_it_signs_when_it_said(self):
        self.add("a")
        self.remove("a")
        signs = self.call("AddKeySet", name="a")["signsAt"]
        wait_until(lambda: self.of("a")[0]["state"] == "active", 20)
        self.assertGreaterEqual(self.of("a")[0]["activatedAt"], signs)

    def test_a_freeze_holds_it(self):
        self.add("a")
        self.remove("a")
        self.call("Freeze", frozen=True)
        signs = self.call("AddKeySet", name="a")["signsAt"]
        wait_until(lambda: time.time() > signs + 1, 20)
        self.assertEqual({k["state"] for k in self.of("a")}, {"published"})
        self.call("Freeze", frozen=False)
        wait_until(lambda: self.of("a")[0]["state"] == "active", 20)


class NewDomain(case.Case):
    """Another domain gives key sets a URL at which another one answered."""
    def new_domain(self, domain):
        self.daemon.write_config(http={"domain": domain})
        return self.call("Reload")

    def times(self, exposure, since):
        self.assertEqual(exposure["acceptOldTokens"], {})
        times = exposure["rejectNewTokens"]
        self.assertEqual(exposure["until"], times["pollsWithinMaxAge"])
        self.assertAlmostEqual(times["honoursCacheControl"],
                               since + 61 + 300, delta=5)
        self.assertAlmostEqual(times["pollsWithinMaxAge"],
                               since + 61 + case.DAY, delta=5)

    def test_it_goes_on_signing_and_says_so(self):
        self.assertNotIn("exposure",
                         self.call("AddKeySet", name="acme"))
        self.assertNotIn("exposure", self.call("Status"))
        reply = self.new_domain(DOMAIN)
        self.assertEqual(reply["restart"], ["http.domain"])
        self.times(reply["exposure"], time.time())
        self.assertIn("Verifiers may reject tokens of the key that signs",
                      self.daemon.ctl("reload").stdout)
        self.assertNotIn("exposure", self.call("Status"))
        before = self.daemon.keys(keySet="acme")
        self.daemon.restart()
        since = time.time()
        self.assertEqual(
            [(k["kid"], k["state"]) for k in before],
            [(k["kid"], k["state"])
             for k in self.daemon.keys(keySet="acme")])
        status = self.call("Status")
        self.times(status["exposure"], since)
        self.assertEqual(1, sum(
            w.startswith("acme: its URL at the domain is new")
            for w in status["warnings"]))
        self.assertNotIn("exposure", self.call("Reload"))
        self.daemon.write_config()
        self.assertNotIn("exposure", self.call("Reload"))
        self.new_domain(DOMAIN)
        # One that is added signs at once all the same.
        added = self.call("AddKeySet", name="beta")
        self.assertIn("activeGeneration", added["keySet"])
        self.assertNotIn("signsAt", added)
        self.assertEqual(added["exposure"], status["exposure"])
        several = self.call("AddKeySets", requestId="r", keySets=[
            {"name": "gamma/step-up"}, {"name": "gamma"}])
        self.assertEqual(several["exposure"], status["exposure"])
        # No set of "default" ever answered at this one's URL.
        self.assertNotIn("exposure",
                         self.call("AddKeySet", name="beta/step-up"))
        self.daemon.restart()
        self.assertEqual(self.call("Status")["exposure"],
                         status["exposure"])

    def test_it_ends_with_the_copies(self):
        self.call("SetPolicy", name="default", policy={
            "cacheMaxAge": 1, "cacheStaleWhileRevalidate": 0,
            "cacheStaleIfError": 0, "verifierMaxAge": 2,
            "propagationDelay": 0})
        self.call("AddKeySet", name="acme")
        self.new_domain(DOMAIN)
        # Copies from before the change of the policy live for a day.
        self.daemon.restart()
        self.assertIn("exposure", self.call("Status"))
        with self.daemon.database() as db:
            kept = db.execute("SELECT value FROM meta WHERE name = 'domain'"
                              ).fetchone()[0]
        self.assertEqual(kept.split()[1], DOMAIN)


if __name__ == "__main__":
    unittest.main()
