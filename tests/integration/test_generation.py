"""Key pairs that take seconds to make delay no request.

Nothing here is timed: what counts is that requests were answered between the
order and the key.
"""
import os
import threading
import time
import unittest

import harness

POLICY = {"algorithm": "RS256", "rsa_bits": "4096"}


class Urls(threading.Thread):
    """GETs one after the other, until stopped."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_ = daemon
        self.answers = []
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(0.005):
            try:
                self.answers.append(self.daemon_.get())
            except OSError:
                self.answers.append(None)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()


def has_active(keys):
    return any(k["state"] == "active" for k in keys)


class Gated(unittest.TestCase):
    """No key pair is made before open_gate(), however fast the machine."""
    policy = POLICY

    def setUp(self):
        self.daemon = harness.Daemon(policy=self.policy, start=False)
        self.enterContext(self.daemon)
        self.gate = os.path.join(self.daemon.directory, "gate")
        self.daemon.env = {
            "LD_PRELOAD": os.path.join(harness.BUILD, "tools/keygen_shim.so"),
            "JWKSD_TEST_KEYGEN_GATE": self.gate}
        self.close_gate()

    def close_gate(self):
        with open(self.gate, "w"):
            pass

    def open_gate(self):
        os.unlink(self.gate)

    def watch(self, done, timeout=120):
        """(Status, ListKeys) of every look until done(keys)."""
        looks = []

        def look():
            looks.append((self.daemon.call("Status"), self.daemon.keys()))
            return done(looks[-1][1])

        harness.wait_until(look, timeout, "no key")
        return looks

    def looks_while_closed(self):
        """Of half a second, in which no key pair can come."""
        until, looks = time.monotonic() + 0.5, []
        while time.monotonic() < until:
            looks.append((self.daemon.call("Status"), self.daemon.keys()))
        return looks

    def start(self):
        self.daemon.spawn()
        harness.wait_until(self.answers)

    def answers(self):
        try:
            return self.daemon.call("Status")
        except OSError:
            return None


class Generation(Gated):
    def test_the_first_ones(self):
        with Urls(self.daemon) as urls:
            self.start()
            before = self.looks_while_closed()
            # The front gives one answer without documents at least.
            harness.wait_until(lambda: any(urls.answers))
            self.open_gate()
            self.watch(has_active)
            harness.wait_until(self.daemon.is_ready)
            harness.wait_until(lambda: urls.answers[-1].status == 200)
        for status, keys in before:
            self.assertFalse(has_active(keys))
            self.assertFalse(status["ready"])
            self.assertTrue(status["warnings"])
        answers = [a for a in urls.answers if a is not None]
        statuses = [a.status for a in answers]
        self.assertIn(200, statuses)
        self.assertEqual(set(statuses[statuses.index(200):]), {200})
        self.assertLessEqual(set(statuses), {200, 500})
        # From the first connection that was taken, none was refused.
        self.assertNotIn(None, urls.answers[urls.answers.index(answers[0]):])
        for answer in answers[:statuses.index(200)]:
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertEqual(answer.json(), {"code": "internal",
                                             "type": "internal"})

    def test_the_next_standby(self):
        self.open_gate()
        self.daemon.start(timeout=120)
        self.close_gate()
        body = self.daemon.get().body
        activated = self.daemon.call("Rotate")["activated"]
        with Urls(self.daemon) as urls:
            looks = self.looks_while_closed()
            self.assertTrue(all(len(keys) == 2 for _, keys in looks))
            self.open_gate()
            looks += self.watch(lambda keys: len(keys) == 3)
        self.assertTrue(all(status["ready"] for status, _ in looks))
        self.assertEqual({a.status for a in urls.answers}, {200})
        self.assertNotEqual(self.daemon.get().body, body)
        self.assertEqual(self.daemon.get().json()["keys"][0]["kid"],
                         activated["kid"])

    def test_stopped_meanwhile(self):
        self.start()
        self.assertFalse(has_active(self.daemon.keys()))
        self.daemon.process.terminate()
        self.open_gate()
        self.daemon.stop(60)
        self.assertEqual(harness.listening_inodes(self.daemon.port), set())

    def test_killed_meanwhile(self):
        self.start()
        self.assertEqual(self.daemon.get().status, 500)
        self.daemon.kill9()
        self.open_gate()
        self.daemon.start(timeout=120)
        keys = self.daemon.get().json()["keys"]
        self.assertEqual([len(k["n"]) for k in keys], [683, 683])


class NewKeySets(Gated):
    """They wait for standbys of existing ones, and for nobody who left."""
    policy = {**POLICY, "rsa_bits": "2048"}

    def setUp(self):
        super().setUp()
        self.open_gate()
        self.daemon.start(timeout=120)
        self.close_gate()

    def ask(self, name):
        client = self.daemon.connect(120)
        self.addCleanup(client.close)
        client.send("AddKeySet", {"name": name})
        return client

    def begun(self):
        """Key pairs, since the start."""
        return os.path.getsize(self.gate + ".begun")

    def test_who_left_is_not_waited_for(self):
        begun = self.begun()
        for n in range(100):
            self.ask(f"left{n}").close()
        self.daemon.call("Status")
        client = self.ask("stayed")
        self.open_gate()
        self.assertEqual(client.reply()[0]["keySet"]["name"], "stayed")
        names = {s["name"] for s in self.daemon.call("ListKeySets")["keySets"]}
        self.assertEqual(names, {"default", "stayed"})
        self.assertLess(self.begun() - begun, 10)

    def test_standbys_go_first(self):
        """Two threads may have begun with others, and go on with them."""
        clients = [self.ask(f"new{n}") for n in range(12)]
        time.sleep(0.3)  # They are read by then, in whatever order.
        self.daemon.call("Rotate")
        begun = self.begun()
        self.open_gate()
        self.watch(lambda keys: len(keys) == 3)
        self.assertLess(self.begun() - begun, 10)
        for client in clients:
            client.close()

    def twice(self, first, second):
        clients = [self.daemon.connect(120) for _ in range(2)]
        for client, name in zip(clients, (first, second)):
            self.addCleanup(client.close)
            client.send("AddKeySet", {"name": name, "requestId": "x"})
        time.sleep(0.2)  # Both are read before a key pair is there.
        self.open_gate()
        return [client.receive() for client in clients]

    def test_the_same_request_twice(self):
        one, other = self.twice("new", "new")
        self.assertNotIn("error", one)
        self.assertEqual(one, other)

    def test_two_calls_of_one_request_id(self):
        errors = [answer.get("error") for answer in self.twice("new", "newer")]
        self.assertEqual(
            sorted(errors, key=str),
            [None, "org.varlink.service.InvalidParameter"])

    def test_a_stop_answers_first(self):
        client = self.ask("new")
        self.daemon.call("Status")
        self.daemon.process.terminate()
        time.sleep(0.2)
        self.open_gate()
        self.assertEqual(client.reply()[0]["keySet"]["name"], "new")
        self.daemon.stop(20)

    def test_a_stop_does_not_wait(self):
        self.ask("new").close()
        self.daemon.call("Rotate")
        self.daemon.process.terminate()
        self.open_gate()
        self.daemon.stop(10)


if __name__ == "__main__":
    unittest.main()
