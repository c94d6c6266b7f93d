#!/usr/bin/python3
"""Processes that come and go: workers, keepers, fronts, and full tables."""
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from http_fake import (BINARY, Client, Directory, FakeKeeper, Front, Load,
                       PATH, SANITIZED, ask, document, get, listening, until)

GOOD = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Base(unittest.TestCase):
    def setUp(self):
        self.runtime = Directory(self).path
        self.keeper = FakeKeeper(self.runtime, [document()])
        self.addCleanup(self.keeper.stop)
        self.sock = listening()
        self.addCleanup(self.sock.close)
        self.address = self.sock.getsockname()

    def start(self, socks=None, **options):
        socks = [self.sock] if socks is None else socks
        front = Front(self.runtime, socks, **options)
        self.addCleanup(front.stop)
        return front

    def serving(self, **options):
        front = self.start(**options)
        until(lambda: get(self.address).status == 200, what="a document")
        return front

    def client(self, timeout=15):
        client = Client(self.address, timeout)
        self.addCleanup(client.close)
        return client

    def kid(self):
        return json.loads(get(self.address).body)["keys"][0]["kid"]


class Documents(Base):
    def test_the_call(self):
        self.serving()
        self.assertEqual(self.keeper.calls, [{
            "method": "org.jwksd.publish.Documents", "parameters": {"front": 0},
            "more": True}])

    def test_changed(self):
        self.serving()
        old = get(self.address).get("ETag")
        self.keeper.push([document(kid="k2", version=2)])
        until(lambda: self.kid() == "k2", what="the change")
        reply = get(self.address, extra="If-None-Match: %s\r\n" % old)
        self.assertEqual(reply.status, 200)

    def test_withdrawn(self):
        self.keeper.documents["other"] = document("other", app="default",
                                                  path="/other")
        self.serving()
        self.assertEqual(get(self.address, "/other").status, 200)
        self.keeper.push(withdrawn=["other", "never was"])
        until(lambda: get(self.address, "/other").status == 404, what="404")
        self.assertEqual(get(self.address).status, 200)

    def test_moved(self):
        self.serving()
        self.keeper.push([document(path="/new", version=2)])
        until(lambda: get(self.address, "/new").status == 200, what="200")
        self.assertEqual(get(self.address).status, 404)

    def test_many(self):
        self.keeper.documents = {
            "a%d" % i: document("a%d" % i, "k%d" % i) for i in range(3000)}
        self.start(config="domain = example.com")
        until(lambda: get(self.address, host="a0.example.com").status == 200,
              what="the first")
        for i in range(0, 3000, 7):
            reply = get(self.address, host="A%d.example.com" % i)
            self.assertEqual(json.loads(reply.body)["keys"][0]["kid"],
                             "k%d" % i)
        reply = get(self.address, host="a3000.example.com")
        self.assertEqual(reply.status, 404)

    @unittest.skipIf(SANITIZED, "a sanitizer keeps memory of its own")
    def test_memory_of_a_key_set(self):
        body = json.dumps({"keys": ["x" * 680]})
        count = 20000
        front = self.start(config="domain = example.com")
        until(lambda: get(self.address, host="default.example.com").status ==
              200, what="a document")
        pid = front.workers()[0]
        before = self.resident(pid)
        for i in range(0, count, 200):
            self.keeper.push([document("b%d" % j, body=body)
                              for j in range(i, i + 200)])
        until(lambda: get(self.address, host="b%d.example.com" % (count - 1)
                          ).status == 200, 60, "the last")
        self.assertLess((self.resident(pid) - before) / count, 3072)

    @staticmethod
    def resident(pid):
        with open("/proc/%d/statm" % pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def test_keeper_gone_and_back(self):
        self.serving()
        began = int(time.time())
        self.keeper.stop()
        for _ in range(20):
            self.assertEqual(get(self.address).status, 200)
            time.sleep(0.05)
        self.keeper.documents = {"default": document(kid="k9", version=9)}
        self.keeper.complete = False
        self.keeper.start()
        until(lambda: len(self.keeper.calls) == 2, what="another call")
        since = self.keeper.calls[1]["parameters"]["servingSince"]
        self.assertLess(abs(since - began), 5)
        # half a set replaces nothing
        time.sleep(0.2)
        self.assertEqual(self.kid(), "k1")
        self.keeper.push(complete=True)
        until(lambda: self.kid() == "k9", what="the new set")

    def test_set_is_replaced_whole(self):
        self.keeper.documents["other"] = document("other", app="default",
                                                  path="/other")
        self.serving()
        del self.keeper.documents["other"]
        self.keeper.drop()
        until(lambda: get(self.address, "/other").status == 404, what="404")
        self.assertEqual(get(self.address).status, 200)

    def status(self, app):
        return get(self.address, host=app + ".example.com").status

    def test_no_usable_document_of_a_key_set_that_exists(self):
        """Over a new connection too the last good one stays, and only it."""
        names = ["kept", "back", "gone", "late"]
        self.keeper.documents.update((n, document(n)) for n in names)
        self.start(config="domain = example.com")
        until(lambda: self.status("default") == 200, what="a document")
        del self.keeper.documents["gone"]
        del self.keeper.documents["kept"]
        self.keeper.documents["back"] = document("back", "k2", version=2)
        self.keeper.kept = ["kept", "back", "late", "unknown"]
        del self.keeper.documents["late"]
        self.keeper.complete = False
        self.keeper.drop()
        until(lambda: len(self.keeper.calls) == 2, what="another call")
        time.sleep(0.2)
        self.assertEqual([self.status(n) for n in names], [200] * 4)
        self.keeper.raw(self.keeper.frame([], kept=self.keeper.kept))
        self.keeper.push(withdrawn=["late"])
        until(lambda: self.status("gone") == 404, what="the new set")
        self.assertEqual([self.status(n) for n in names],
                         [200, 200, 404, 404])
        reply = get(self.address, host="back.example.com")
        self.assertEqual(json.loads(reply.body)["keys"][0]["kid"], "k2")
        self.keeper.push(withdrawn=["kept"])
        until(lambda: self.status("kept") == 404, what="its end")

    def test_frames_that_are_no_documents(self):
        front = self.serving()
        pids = front.workers()
        for frame in (b"\0", b"x\0", b"[]\0", b'{"error":"a.b"}\0', b"{}\0",
                      b'{"parameters":{}}\0',
                      b'{"continues":true,"parameters":{"documents":1,'
                      b'"withdrawn":[],"complete":"yes"}}\0'):
            with self.subTest(frame[:20]):
                calls = len(self.keeper.calls)
                self.keeper.raw(frame)
                until(lambda: len(self.keeper.calls) > calls,
                      what="another call")
                self.assertEqual(get(self.address).status, 200)
        self.assertEqual(front.workers(), pids)


class Workers(Base):
    def test_killed_under_load(self):
        front = self.serving()
        load = Load(self.address)
        load.start()
        for _ in range(5):
            time.sleep(0.3)
            pids = front.workers()
            os.kill(pids[0], signal.SIGKILL)
            until(lambda: front.workers() not in ([], pids), what="a worker")
        time.sleep(0.3)
        load.stop()
        self.assertEqual((load.refused, load.other), (0, 0))
        self.assertLessEqual(load.cut, 5 * 2)
        self.assertGreater(load.ok, 100)
        calls = self.keeper.calls
        since = [c["parameters"].get("servingSince") for c in calls]
        self.assertEqual(since, [None] + [since[1]] * 5)
        self.assertIsNotNone(since[1])

    def test_several(self):
        front = self.serving(config="processes = 3")
        until(lambda: len(front.workers()) == 3, what="three workers")
        until(lambda: len(self.keeper.calls) == 3, what="three calls")
        os.kill(front.workers()[0], signal.SIGKILL)
        until(lambda: len(self.keeper.calls) == 4, what="a fourth")
        until(lambda: len(front.workers()) == 3, what="three again")

    def test_quick_succession(self):
        front = self.serving()
        began = time.monotonic()
        for _ in range(7):
            pids = until(front.workers, what="a worker")
            os.kill(pids[0], signal.SIGKILL)
            until(lambda: front.workers() != pids, what="its end")
        self.assertGreater(time.monotonic() - began, 0.6)
        until(lambda: get(self.address).status == 200, what="200")

    def test_gap_resets(self):
        front = self.serving()
        os.kill(front.pid, signal.SIGSTOP)
        os.kill(front.workers()[0], signal.SIGKILL)
        time.sleep(1)
        os.kill(front.pid, signal.SIGCONT)
        until(lambda: len(self.keeper.calls) == 2, what="another call")
        self.assertIn("servingSince", self.keeper.calls[1]["parameters"])
        self.keeper.stop()
        os.kill(front.workers()[0], signal.SIGKILL)
        began = time.monotonic()
        self.assertEqual(get(self.address).status, 500)
        self.assertAlmostEqual(time.monotonic() - began, 10, delta=1.5)
        self.keeper.start()
        until(lambda: get(self.address).status == 200, what="a document")
        parameters = self.keeper.calls[-1]["parameters"]
        self.assertNotIn("servingSince", parameters)
        self.assertIs(parameters["refused"], True)

    def test_clients_wait_for_a_keeper_that_comes_back(self):
        """Where there had been documents, nobody is told that there are
        none: what the front says of its service is true."""
        front = self.serving()
        self.keeper.stop()
        os.kill(front.workers()[0], signal.SIGKILL)
        self.waits_for_the_keeper()
        self.assertIn("servingSince", self.keeper.calls[1]["parameters"])

    def test_clients_of_the_front_before_wait(self):
        self.keeper.stop()
        self.start(env={"JWKSD_REPLACES": "1"})
        self.waits_for_the_keeper()
        self.assertNotIn("servingSince", self.keeper.calls[0]["parameters"])

    def waits_for_the_keeper(self):
        client = self.client()
        client.send(GOOD)
        time.sleep(2.5)
        self.assertEqual(select.select([client.sock], [], [], 0)[0], [])
        self.keeper.start()
        self.assertEqual(client.reply().status, 200)
        for call in self.keeper.calls:
            self.assertNotIn("refused", call["parameters"])

    def test_a_worker_without_documents_leaves_clients_to_others(self):
        front = self.serving(config="processes = 2")
        until(lambda: len(self.keeper.calls) == 2, what="both")
        self.keeper.stop()
        first = front.workers()[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: len(front.workers()) == 2
              and first not in front.workers(), what="another")
        time.sleep(1.5)
        self.assertEqual([get(self.address).status for _ in range(40)],
                         [200] * 40)

    def test_refused_before_the_first_document(self):
        self.keeper.complete = False
        self.start()
        self.assertEqual(get(self.address).status, 500)
        self.keeper.complete = True
        self.keeper.drop()
        until(lambda: get(self.address).status == 200, what="a document")
        self.assertEqual(self.keeper.calls[-1]["parameters"],
                         {"refused": True, "front": 0})
        self.keeper.drop()
        calls = len(self.keeper.calls)
        until(lambda: len(self.keeper.calls) > calls, what="another call")
        self.assertNotIn("refused", self.keeper.calls[-1]["parameters"])

    def test_master_killed(self):
        front = self.serving(config="processes = 2")
        pids = front.workers()
        self.assertEqual(front.stop(signal.SIGKILL), -signal.SIGKILL)
        until(lambda: not any(map(alive, pids)), what="their end")

    def test_told_to_end(self):
        for signo in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signo):
                front = self.serving()
                pids = front.workers()
                client = self.client()
                began = time.monotonic()
                self.assertEqual(front.stop(signo), 0)
                self.assertLess(time.monotonic() - began, 1.5)
                self.assertFalse(any(map(alive, pids)))
                self.assertTrue(client.at_end())

    def test_told_to_end_in_a_request(self):
        front = self.serving()
        client = self.client()
        client.send(GOOD[:-2])
        time.sleep(0.2)
        front.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        client.send(GOOD[-2:])
        reply = client.reply()
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.get("Connection"), "close")
        self.assertEqual(front.stop(), 0)

    def test_told_to_end_before_the_first_request(self):
        front = self.serving()
        client, known = self.client(), self.client()
        known.send(GOOD)
        self.assertEqual(known.reply().status, 200)
        front.process.send_signal(signal.SIGTERM)
        self.assertTrue(known.at_end())
        time.sleep(0.1)
        client.send(GOOD)
        self.assertEqual(client.reply().status, 200)
        self.assertEqual(front.stop(), 0)

    def test_told_to_end_in_half_a_request(self):
        front = self.serving()
        self.client().send(GOOD[:-2])
        time.sleep(0.2)
        began = time.monotonic()
        self.assertEqual(front.stop(), 0)
        self.assertAlmostEqual(time.monotonic() - began, 2, delta=0.7)


class Full(Base):
    def test_cap(self):
        front = self.serving(config="max_connections = 8")
        idle = [self.client() for _ in range(8)]
        for client in idle:
            client.send(GOOD)
            self.assertEqual(client.reply().status, 200)
        began = time.monotonic()
        self.assertEqual(get(self.address).status, 200)
        self.assertGreater(time.monotonic() - began, 0.5)
        self.assertTrue(idle[0].at_end())
        idle[7].send(GOOD)
        self.assertEqual(idle[7].reply().status, 200)
        self.assertEqual(len(front.workers()), 1)

    def test_cap_without_anybody_waiting(self):
        self.serving(config="max_connections = 4")
        idle = [self.client() for _ in range(4)]
        time.sleep(2)
        for client in idle:
            client.send(GOOD)
            self.assertEqual(client.reply().status, 200)

    def test_more_than_fit(self):
        self.serving(config="max_connections = 8")
        loads = [Load(self.address) for _ in range(40)]
        for load in loads:
            load.start()
        time.sleep(1)
        for load in loads:
            load.stop()
            self.assertEqual((load.refused, load.cut, load.other), (0, 0, 0))
            self.assertGreater(load.ok, 0)

    def test_few_descriptors(self):
        front = self.serving(nofile=100)
        pid = front.workers()[0]
        clients = [self.client() for _ in range(120)]
        for client in clients[:60]:
            client.send(GOOD)
            self.assertEqual(client.reply().status, 200)
        for client in clients[:60]:
            client.close()
        for client in clients[60:]:
            client.send(GOOD)
            self.assertEqual(client.reply().status, 200)
        self.assertEqual(front.workers(), [pid])

    def test_no_descriptor_left(self):
        """EMFILE: neither spinning nor chatter, and then on."""
        front = self.serving()
        pid = front.workers()[0]
        used = len(os.listdir("/proc/%d/fd" % pid))
        # below what the process counted with when it started
        subprocess.run(["prlimit", "--pid", str(pid),
                        "--nofile=%d" % (used + 3)], check=True)
        clients = [self.client() for _ in range(3)]
        for client in clients:
            client.send(GOOD[:-2])
        time.sleep(0.2)
        waiting = [self.client() for _ in range(5)]
        before = self.ticks(pid)
        time.sleep(0.8)
        self.assertLess(self.ticks(pid) - before, 10)
        self.assertLessEqual(front.output().count("cannot accept"), 2)
        for client in clients:
            client.close()
        for client in waiting:
            client.send(GOOD)
            self.assertEqual(client.reply().status, 200)
            client.close()
        self.assertEqual(front.workers(), [pid])

    @staticmethod
    def ticks(pid):
        """Hundredths of a second of processor time."""
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])


class ByHand(Base):
    """Started without sockets from anybody."""

    def port(self, family, host):
        sock = socket.socket(family)
        sock.bind((host, 0))
        port = sock.getsockname()[1]
        sock.close()
        return port

    def test_listen(self):
        v4 = self.port(socket.AF_INET, "127.0.0.1")
        v6 = self.port(socket.AF_INET6, "::1")
        path = os.path.join(self.runtime, "http.sock")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        front = self.start([], config="listen = 127.0.0.1:%d [::1]:%d unix:%s"
                           % (v4, v6, path))
        places = [(socket.AF_INET, ("127.0.0.1", v4)),
                  (socket.AF_INET6, ("::1", v6)), (socket.AF_UNIX, path)]
        for family, address in places:
            with self.subTest(address):
                reply = until(lambda: self.try_ask(family, address))
                self.assertEqual(reply.status, 200)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o666)
        self.assertEqual(front.stop(), 0)
        self.assertFalse(os.path.exists(path))

    @staticmethod
    def try_ask(family, address):
        try:
            return ask(address, GOOD, family=family)
        except OSError:
            return None

    def test_address_in_use(self):
        front = self.start([], config="listen = 127.0.0.1:%d"
                           % self.address[1])
        self.assertNotEqual(front.process.wait(5), 0)
        self.assertIn("127.0.0.1:%d" % self.address[1], front.output())
        self.assertIn("in use", front.output())

    def test_living_socket_is_not_taken(self):
        path = os.path.join(self.runtime, "publish.sock")
        front = self.start([], config="listen = unix:" + path)
        self.assertNotEqual(front.process.wait(5), 0)
        self.assertTrue(os.path.exists(path))

    def test_unix_socket_of_ours(self):
        path = os.path.join(self.runtime, "handed.sock")
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.bind(path)
        sock.listen(8)
        self.start([sock])
        until(lambda: ask(path, GOOD, family=socket.AF_UNIX).status == 200)


class Program(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([BINARY, *arguments], capture_output=True,
                              text=True, timeout=10)

    def test_version(self):
        result = self.run_it("--version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^jwksd-http \d")

    def test_usage(self):
        for arguments in (["--nope"], ["extra"], ["--config"]):
            result = self.run_it(*arguments)
            self.assertEqual(result.returncode, 64)
            self.assertIn("usage:", result.stderr)

    def test_bad_config(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[http]\nlisten = nowhere\nprocesses = many\n"
                       "[nope]\nx = 1\n")
            file.flush()
            result = self.run_it("--config", file.name)
        self.assertEqual(result.returncode, 78)
        for line in (2, 3):
            self.assertRegex(result.stderr,
                             r"(?m)^%s:%d: \S" % (file.name, line))
        self.assertIn("nope", result.stderr)

    def test_libraries(self):
        result = subprocess.run(["ldd", BINARY], capture_output=True,
                                text=True, check=True)
        for name in ("libssl", "libcrypto", "sqlite"):
            self.assertNotIn(name, result.stdout)


if __name__ == "__main__":
    unittest.main()
