#!/usr/bin/python3
"""Octets that no client should send, and clients that take their time."""
import concurrent.futures
import socket
import struct
import time
import unittest

from http_fake import (Client, Directory, FakeKeeper, Front, PATH, SANITIZED,
                       ask, document, get, listening, until)

P = PATH.encode()
GOOD = b"GET " + P + b" HTTP/1.1\r\nHost: a\r\n\r\n"

BAD = {
    "NUL in the target": b"GET " + P + b"\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
    "NUL first": b"\0" + GOOD,
    "DEL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
    "CR alone in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
    "CR CR LF": b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
    "LF alone": b"GET / HTTP/1.1\nHost: a\n\n",
    "LF alone at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "folded first line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "blank before colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "name with (": b"GET / HTTP/1.1\r\nHost: a\r\nX(y: b\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                   b"Content-Length: 0\r\n\r\n",
    "a list of lengths": b"GET / HTTP/1.1\r\nHost: a\r\n"
                         b"Content-Length: 0, 0\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nHost: a\r\n"
                         b"Content-Length: -1\r\n\r\n",
    "a length with +": b"POST / HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Length: +1\r\n\r\n",
    "a hexadecimal length": b"GET / HTTP/1.1\r\nHost: a\r\n"
                            b"Content-Length: 0x0\r\n\r\n",
    "an empty length": b"GET / HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Length:\r\n\r\n",
    "length and coding": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3"
                         b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding on GET": b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                     b"\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "coding identity": b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                       b"identity\r\n\r\n",
    "coding in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked"
                          b"\r\n\r\n",
    "body on GET": b"GET " + P + b" HTTP/1.1\r\nHost: a\r\n"
                   b"Content-Length: 5\r\n\r\nhello",
    "body on HEAD": b"HEAD " + P + b" HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 5\r\n\r\nhello",
    "body on OPTIONS": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n"
                       b"Content-Length: 5\r\n\r\nhello",
    "HTTP/-1.-5": b"GET / HTTP/-1.-5\r\nHost: a\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "HTTP/1.": b"GET / HTTP/1.\r\nHost: a\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "HTTP/1.x": b"GET / HTTP/1.x\r\nHost: a\r\n\r\n",
    "http/1.1": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.1 and a blank": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "blank in the target": b"GET " + P + b" x HTTP/1.1\r\nHost: a\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab for a blank": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "blank first": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "high octet in the target": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "quote in the target": b'GET /" HTTP/1.1\r\nHost: a\r\n\r\n',
    "backslash in the target": b"GET \\ HTTP/1.1\r\nHost: a\r\n\r\n",
    "half an escape": b"GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no escape": b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    "* for GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c403"),
    "SSH": b"SSH-2.0-x\r\n\r\n",
    "one long line": b"GET /" + b"a" * 9000,
    "a head over 8 KiB": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 8192 +
                         b"\r\n\r\n",
    "65 lines": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 64 + b"\r\n",
    "8 KiB of empty lines": b"\r\n" * 4097,
}

FINE = {
    "empty lines first": b"\r\n\r\n" + GOOD,
    "64 lines": b"GET " + P + b" HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 63 +
                b"\r\n",
    "a head of 8 KiB": b"GET " + P + b" HTTP/1.1\r\nHost: a\r\nX: " +
                       b"a" * (8192 - len(GOOD) - 5) + b"\r\n\r\n",
    "high octets in a value": b"GET " + P + b" HTTP/1.1\r\nHost: a\r\nX: \xff"
                              b"\r\n\r\n",
    "an empty value": b"GET " + P + b" HTTP/1.1\r\nHost:a\r\nX:\r\n\r\n",
    "a length of nothing": b"GET " + P + b" HTTP/1.1\r\nHost: a\r\n"
                           b"Content-Length: 0\r\n\r\n",
    "HTTP/1.7": b"GET " + P + b" HTTP/1.7\r\nHost: a\r\n\r\n",
    "Expect": b"GET " + P + b" HTTP/1.1\r\nHost: a\r\nExpect: 100-continue"
              b"\r\n\r\n",
}


class Base(unittest.TestCase):
    config = ""

    def setUp(self):
        self.runtime = Directory(self).path
        self.keeper = FakeKeeper(self.runtime, [document()])
        self.addCleanup(self.keeper.stop)
        self.sock = listening()
        self.addCleanup(self.sock.close)
        self.address = self.sock.getsockname()
        self.front = Front(self.runtime, [self.sock], self.config)
        self.addCleanup(self.front.stop)
        until(lambda: get(self.address).status == 200, what="a document")
        self.workers = self.front.workers()

    def client(self, timeout=15):
        client = Client(self.address, timeout)
        self.addCleanup(client.close)
        return client

    def tearDown(self):
        # whatever came, no process died of it, and the next is served
        self.assertEqual(self.front.workers(), self.workers)
        self.assertEqual(get(self.address).status, 200)


class Octets(Base):
    def refused(self, client, head=False):
        reply = client.reply(head)
        self.assertIsNotNone(reply, "no answer")
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.get("Connection"), "close")
        self.assertTrue(client.at_end())

    def test_bad(self):
        for name, data in BAD.items():
            with self.subTest(name):
                client = self.client()
                client.send(data)
                self.refused(client, head=data.startswith(b"HEAD"))

    def test_bad_after_good(self):
        for name, data in BAD.items():
            with self.subTest(name):
                client = self.client()
                client.send(GOOD + data + GOOD)
                self.assertEqual(client.reply().status, 200)
                self.refused(client, head=data.startswith(b"HEAD"))

    def test_bad_octet_by_octet(self):
        for name, data in BAD.items():
            if len(data) > 200:
                continue
            with self.subTest(name):
                client = self.client()
                client.sock.setsockopt(socket.IPPROTO_TCP,
                                       socket.TCP_NODELAY, 1)
                try:
                    for i in range(len(data)):
                        client.send(data[i:i + 1])
                except OSError:
                    pass
                reply = client.reply(head=data.startswith(b"HEAD"))
                self.assertEqual(reply and reply.status, 400)

    def test_fine(self):
        for name, data in FINE.items():
            with self.subTest(name):
                client = self.client()
                client.send(data)
                self.assertEqual(client.reply().status, 200)
                client.send(GOOD)
                self.assertEqual(client.reply().status, 200)

    def test_octet_by_octet(self):
        client = self.client()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3):
            for i in range(len(GOOD)):
                client.send(GOOD[i:i + 1])
            self.assertEqual(client.reply().status, 200)

    def test_every_cut(self):
        data = b"HEAD " + P + b" HTTP/1.1\r\nHost: a\r\n\r\n" + GOOD
        for at in range(1, len(data)):
            client = Client(self.address)
            client.send(data[:at])
            time.sleep(0.001)
            client.send(data[at:])
            self.assertEqual(client.reply(head=True).status, 200)
            self.assertEqual(client.reply().status, 200)
            client.close()

    def test_pipeline(self):
        client = self.client()
        kinds = [(GOOD, 200, False), (GOOD.replace(b"GET", b"HEAD", 1), 200,
                                      True),
                 (GOOD.replace(P, b"/x"), 404, False),
                 (GOOD.replace(b"GET", b"OPTIONS", 1), 204, False),
                 (GOOD.replace(b"GET", b"PUT", 1), 405, False)]
        client.send(b"".join(k[0] for k in kinds) * 40)
        for _ in range(40):
            for _, status, head in kinds:
                self.assertEqual(client.reply(head).status, status)
        client.send(GOOD)
        self.assertEqual(client.reply().status, 200)

    def test_pipelines_at_once(self):
        clients = [self.client() for _ in range(150)]
        # more than libevent defers at a time, and octets in between
        for _ in range(30):
            for client in clients:
                client.send(GOOD * 3)
        for client in clients:
            for _ in range(90):
                self.assertEqual(client.reply().status, 200)

    def test_close_ends_a_pipeline(self):
        client = self.client()
        client.send(GOOD.replace(b"\r\n\r\n", b"\r\nConnection: x, CLOSE\r\n"
                                 b"\r\n") + GOOD)
        self.assertEqual(client.reply().get("Connection"), "close")
        self.assertTrue(client.at_end())

    def test_half_closed(self):
        client = self.client()
        client.send(GOOD * 3)
        client.sock.shutdown(socket.SHUT_WR)
        for _ in range(3):
            self.assertEqual(client.reply().status, 200)
        self.assertTrue(client.at_end())

    def test_half_a_head_and_an_end(self):
        client = self.client()
        client.send(GOOD[:-2])
        client.sock.shutdown(socket.SHUT_WR)
        self.assertTrue(client.at_end())

    def test_resets(self):
        for data in (b"", GOOD[:9], GOOD, GOOD * 50):
            for _ in range(50):
                client = Client(self.address)
                client.send(data)
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
                client.close()

    def test_nobody_takes_the_answers(self):
        client = self.client()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sock.setblocking(False)
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                sent += client.sock.send(GOOD * 100)
        except BlockingIOError:
            pass
        # the rest waits at the client's: nothing is gathered here
        self.assertLess(sent, 64 * 1024 * 1024)
        limit = (512 if SANITIZED else 64) * 1024 * 1024
        with open("/proc/%d/statm" % self.workers[0]) as f:
            self.assertLess(int(f.read().split()[1]) * 4096, limit)

    def test_nothing_is_reflected(self):
        for mark in ("GET /zebra HTTP/1.1\r\nHost: zebra\r\nZebra: zebra",
                     "ZEBRA /zebra HTTP/1.1\r\nHost: zebra\r\nOrigin: zebra",
                     "GET /zebra HTTP/1.1\r\nHost: zebra..\r\nX: zebra"):
            reply = ask(self.address, mark + "\r\n\r\n")
            self.assertNotIn("zebra", str(reply.headers).lower())
            self.assertNotIn(b"zebra", reply.body.lower())


class Slow(Base):
    """10 s for the first request, whatever trickles in meanwhile."""

    def lives(self, client, data, pause):
        """Seconds until the connection is closed."""
        began = time.monotonic()
        client.sock.settimeout(pause)
        sent = 0
        while time.monotonic() < began + 20:
            try:
                client.send(data[sent:sent + 1])
                sent += 1
                if client.sock.recv(1) == b"":
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        return time.monotonic() - began

    def trickle(self, client):
        data = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100
        return self.lives(client, data, 0.25)

    def trickle_after_one(self, client):
        client.send(GOOD)
        self.assertEqual(client.reply().status, 200)
        return self.trickle(client)

    def silence(self, client):
        began = time.monotonic()
        client.sock.settimeout(20)
        self.assertTrue(client.at_end())
        return time.monotonic() - began

    def idle_after_one(self, client):
        """No offence: 75 s are granted."""
        client.send(GOOD)
        self.assertEqual(client.reply().status, 200)
        time.sleep(12)
        client.send(GOOD)
        self.assertEqual(client.reply().status, 200)
        return 10

    def test_all_at_once(self):
        kinds = (self.trickle, self.trickle_after_one, self.silence,
                 self.idle_after_one)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            results = [(kind.__name__, pool.submit(kind, self.client()))
                       for kind in kinds]
        for name, result in results:
            with self.subTest(name):
                self.assertAlmostEqual(result.result(), 10, delta=1.5)


if __name__ == "__main__":
    unittest.main()
