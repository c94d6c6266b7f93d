"""kill -9 of anything at any time: nothing acknowledged is lost, no key
vanishes or doubles, and a keeper that goes without its front is not missed."""
import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time
import unittest

import harness
from harness import VarlinkError

SEED = int(os.environ.get("JWKSD_SEED", time.time_ns() % 1000000))
# Retired ones leave within two seconds: the set never fills up for long.
POLICY = {**harness.FAST, "rotation_period": "1h", "retire_safety": "0"}


class Hammer:
    """GETs, on one kept connection or on a new one each, until stopped."""

    def __init__(self, daemon, keep_alive):
        self.daemon, self.keep_alive = daemon, keep_alive
        self.answers, self.bad, self.kids = 0, [], set()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        client = self.connect()
        while not self.stopped.is_set():
            try:
                if not self.keep_alive:
                    client.close()
                    client = self.connect()
                client.request("GET", harness.JWKS_PATH)
                answer = harness.Response(client.getresponse())
                self.answers += 1
                if answer.status != 200:
                    self.bad.append(answer.status)
                else:
                    self.kids.update(
                        k["kid"] for k in answer.json()["keys"])
            except (OSError, http.client.HTTPException) as error:
                if not self.announced(client, error):
                    self.bad.append(repr(error))
                client.close()
                client = self.connect()
            time.sleep(0.001)
        client.close()

    def announced(self, client, error):
        """
        A kept connection may end between two answers (RFC 9112 section
        9.3.1): a client repeats its GET then, so that is no failure, but
        only for a request of which not an octet was answered.
        """
        return (self.keep_alive and self.answers > 0
                and isinstance(error, (http.client.RemoteDisconnected,
                                       ConnectionResetError,
                                       BrokenPipeError))
                and self.repeat())

    def repeat(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.daemon.get().status == 200
        return False

    def connect(self):
        return http.client.HTTPConnection(
            "127.0.0.1", self.daemon.port, timeout=10 * harness.SLOW)


class Rotator(threading.Thread):
    """Rotates with request ids and repeats what was not answered."""

    def __init__(self, daemon, name):
        super().__init__()
        self.daemon, self.label = daemon, name
        self.acknowledged, self.strange = {}, []
        self.stopped = threading.Event()
        self.pause = 0.02 + 0.02 * random.random()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            self.ask(f"{self.label}-{number}")
            time.sleep(self.pause)

    def ask(self, request):
        while not self.stopped.is_set():
            try:
                answer = self.daemon.call(
                    "Rotate", {"now": True, "requestId": request})
                self.acknowledged[request] = answer
                return
            except VarlinkError as error:
                if error.short != "NotReady":
                    self.strange.append(error)
                return
            except (OSError, EOFError):
                time.sleep(0.01)


class Chaos(unittest.TestCase):
    """Random moments, random victims."""

    ROUNDS, SECONDS = 24, 12    # whatever comes first, but each twice

    def setUp(self):
        self.random = random.Random(SEED)
        self.daemon = harness.Daemon(policy=POLICY)
        self.enterContext(self.daemon)
        self.published = {}     # kid: public key

    def kill(self, victim):
        fronts = self.daemon.front_pids()
        workers = [pid for pid in fronts
                   if harness.status_of(pid)[1] in fronts]
        masters = [pid for pid in fronts if pid not in workers]
        chosen = {"keeper": [], "worker": workers, "master": masters,
                  "front": fronts, "both": fronts}[victim]
        if victim in ("keeper", "both"):
            self.daemon.kill9()
        for pid in chosen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def get_keys(self):
        """A worker that was just killed may break off what it had taken."""
        def get():
            with contextlib.suppress(ConnectionError):
                return self.daemon.get()

        return harness.wait_until(get, 5, "nobody answers").json()["keys"]

    def look(self):
        """Every key that was ever seen is still the same one."""
        for key in self.get_keys():
            self.assertEqual(
                self.published.setdefault(key["kid"], key), key)

    def check(self, rotators):
        acknowledged = {request: answer for r in rotators
                        for request, answer in list(r.acknowledged.items())}
        keys = self.daemon.keys(all=True)
        kids = [k["kid"] for k in keys]
        self.assertEqual(len(set(kids)), len(kids), "a key has doubled")
        self.assertLessEqual(set(self.published), set(kids),
                             "a key has vanished")
        numbers = [k["generation"] for k in keys]
        self.assertEqual(len(set(numbers)), len(numbers))
        self.assertEqual([k["state"] for k in keys].count("active"), 1)
        by_kid = {k["kid"]: k for k in keys}
        with self.daemon.database() as db:
            self.assertEqual(
                db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            self.assertEqual(
                db.execute("PRAGMA foreign_key_check").fetchall(), [])
            audited = [row[0] for row in db.execute(
                "SELECT request_id FROM audit WHERE event = 'rotate'")]
            remembered = {row[0] for row in
                          db.execute("SELECT id FROM request")}
        self.assertEqual(len(set(audited)), len(audited),
                         "a request was done twice")
        for request, answer in acknowledged.items():
            self.assertIn(request, audited)
            self.assertIn(request, remembered)
            key = by_kid[answer["activated"]["kid"]]
            self.assertEqual(key["generation"],
                             answer["activated"]["generation"])
            self.assertIn(key["state"], ("active", "retired", "removed"))
        activated = [a["activated"]["kid"] for a in acknowledged.values()]
        self.assertEqual(len(set(activated)), len(activated),
                         "two requests were given one rotation")
        return len(acknowledged)

    def victims(self):
        each = ["keeper", "worker", "master", "front", "both"]
        return each * 2 + self.random.choices(each, k=self.ROUNDS - 10)

    def test_random_kills_while_rotating(self):
        rotators = [Rotator(self.daemon, f"r{i}") for i in range(3)]
        for rotator in rotators:
            rotator.start()
        count, until = 0, time.monotonic() + self.SECONDS
        try:
            for number, victim in enumerate(self.victims()):
                if number >= 10 and time.monotonic() > until:
                    break
                with self.subTest(victim=victim, seed=SEED):
                    time.sleep(self.random.uniform(0, 0.3))
                    self.kill(victim)
                    if self.daemon.process is None:
                        time.sleep(self.random.uniform(0, 0.1))
                        self.daemon.start()
                    harness.wait_until(self.daemon.is_ready, 20)
                    self.look()
                    count = self.check(rotators)
        finally:
            for rotator in rotators:
                rotator.stopped.set()
            for rotator in rotators:
                rotator.join()
        self.assertGreater(count, 10)
        self.assertEqual([r.strange for r in rotators], [[], [], []])
        self.daemon.restart()
        self.look()
        self.check(rotators)


class KeeperAway(unittest.TestCase):
    """Its front was started by itself: no reader of the key set notices."""

    def setUp(self):
        self.daemon = harness.Daemon(own_front=True)
        self.enterContext(self.daemon)

    @contextlib.contextmanager
    def hammers(self):
        """Both kinds of client; afterwards, every answer was a 200."""
        with (Hammer(self.daemon, True) as kept,
              Hammer(self.daemon, False) as fresh):
            harness.wait_until(lambda: kept.answers and fresh.answers)
            yield
            seen = kept.answers, fresh.answers
            harness.wait_until(lambda: kept.answers > seen[0] + 5
                               and fresh.answers > seen[1] + 5)
        self.assertEqual((kept.bad, fresh.bad), ([], []))
        self.assertEqual(kept.kids | fresh.kids, kept.kids)

    def test_every_get_is_answered_while_it_is_away(self):
        with self.hammers():
            self.daemon.kill9()
            time.sleep(0.5)
            self.assertEqual(len(self.daemon.front_pids()), 2)
        self.daemon.start()

    def test_a_keeper_again_refuses_nobody(self):
        fronts = self.daemon.front_pids()
        with self.hammers():
            for _ in range(3):
                self.daemon.kill9()
                time.sleep(0.1)
                self.daemon.start()
        self.assertEqual(self.daemon.front_pids(), fronts)

    def test_killed_again_before_it_is_ready(self):
        with self.hammers():
            for _ in range(5):
                self.daemon.kill9()
                self.daemon.spawn()
            self.daemon.kill9()
            self.daemon.start()

    def test_the_same_keys_before_and_after(self):
        keys, body = self.daemon.keys(), self.daemon.get().body
        self.daemon.kill9()
        self.assertEqual(self.daemon.get().body, body)
        self.daemon.start()
        self.assertEqual(self.daemon.get().body, body)
        self.assertEqual(self.daemon.keys(), keys)

    def test_what_the_next_keeper_changes_is_served(self):
        self.daemon.kill9()
        self.daemon.start()
        done = self.daemon.call("Rotate")
        harness.wait_until(lambda: self.daemon.get().json()["keys"][0]["kid"]
                           == done["activated"]["kid"])


class Both(unittest.TestCase):
    """The front that the keeper started ends with it."""

    def setUp(self):
        self.daemon = harness.Daemon()
        self.enterContext(self.daemon)

    def test_served_again_within_a_second(self):
        """What supervises need not wait before it starts the next one."""
        body = self.daemon.get().body
        for _ in range(5):
            self.daemon.process.kill()
            self.daemon.process.wait()
            began = time.monotonic()
            self.daemon.spawn()
            while self.body() != body:
                self.assertLess(time.monotonic() - began, harness.SLOW)
            self.assertIsNone(self.daemon.process.poll())

    def body(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.daemon.get().body

    def test_a_changed_configuration(self):
        self.daemon.kill9()
        self.daemon.write_config(
            policy={"algorithm": "RS256", "rotation_period": "90d"},
            http={"max_connections": "200"})
        self.daemon.start()
        # A key set's own policy lives in the database.
        (key_set,) = self.daemon.call("ListKeySets")["keySets"]
        self.assertEqual(key_set["alg"], "ES256")
        self.assertEqual({k["alg"] for k in self.daemon.keys()}, {"ES256"})

    def test_another_port(self):
        self.daemon.kill9()
        old, self.daemon.port = self.daemon.port, None
        self.assertEqual(harness.listening_inodes(old), set())
        self.daemon.write_config()
        self.daemon.start()
        self.assertNotEqual(self.daemon.port, old)

    def test_terminated_both_are_gone_and_the_port_is_free(self):
        fronts = self.daemon.front_pids()
        self.daemon.stop()
        self.assertEqual([p for p in fronts if harness.alive(p)], [])
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.daemon.port))
        self.assertEqual(sorted(os.listdir(self.daemon.runtime)), [])

    def test_terminated_after_a_crash_too(self):
        self.daemon.kill9()
        self.daemon.start()
        self.daemon.stop()
        self.assertEqual(harness.listening_inodes(self.daemon.port), set())


class FrontAway(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon()
        self.enterContext(self.daemon)

    def refusals(self, seconds):
        """Connections that were refused within so many seconds."""
        refused, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                socket.create_connection(
                    ("127.0.0.1", self.daemon.port), 5).close()
            except ConnectionRefusedError:
                refused += 1
            except OSError:
                pass
        return refused

    def test_the_listening_socket_outlives_it(self):
        for pids in (lambda f: f, lambda f: f[:1], lambda f: f[-1:]):
            for pid in pids(sorted(self.daemon.front_pids())):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.assertEqual(self.refusals(0.2), 0)
            harness.wait_until(self.daemon.is_ready)

    def test_the_keeper_serves_on_meanwhile(self):
        keeper = self.daemon.pid
        for pid in self.daemon.front_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        done = self.daemon.call("Rotate")
        harness.wait_until(self.daemon.is_ready)
        self.assertEqual(self.daemon.get().json()["keys"][0]["kid"],
                         done["activated"]["kid"])
        self.assertEqual(self.daemon.pid, keeper)

    def test_one_that_dies_all_the_time(self):
        """Backoff: it comes back, and the keeper does not spin."""
        for _ in range(4):
            harness.wait_until(self.daemon.front_pids)
            for pid in self.daemon.front_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            harness.wait_until(lambda: not self.daemon.front_pids()
                               or self.daemon.is_ready())
        harness.wait_until(self.daemon.is_ready, 20)
        used = harness.read_proc(self.daemon.pid, "stat").rpartition(")")[2]
        ticks = sum(map(int, used.split()[11:13]))
        self.assertLess(ticks / os.sysconf("SC_CLK_TCK"), 5 * harness.SLOW)

    def test_a_second_crash_of_both_leaves_nothing(self):
        for _ in range(2):
            self.daemon.kill9()
            self.assertEqual(self.daemon.front_pids(), [])
            self.assertEqual(harness.listening_inodes(self.daemon.port), set())
            self.daemon.start()


if __name__ == "__main__":
    unittest.main()
