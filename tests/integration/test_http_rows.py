#!/usr/bin/python3
"""Every row of the response table, and which key set a Host names."""
import email.utils
import json
import time
import unittest

from http_fake import (Client, Directory, FakeKeeper, Front, MODIFIED_TEXT,
                       PATH, ask, document, get, listening, until)

CORS = ("Access-Control-Allow-Origin", "*")
PROBLEM = [("Content-Type", "application/json"), ("Cache-Control", "no-store"),
           CORS]


class Base(unittest.TestCase):
    config = ""
    documents = ()
    complete = True

    def setUp(self):
        self.runtime = Directory(self).path
        self.keeper = FakeKeeper(self.runtime, self.documents, self.complete)
        self.addCleanup(self.keeper.stop)
        self.sock = listening()
        self.addCleanup(self.sock.close)
        self.address = self.sock.getsockname()
        self.front = Front(self.runtime, [self.sock], self.config)
        self.addCleanup(self.front.stop)

    def check(self, reply, status, headers, body=None):
        self.assertEqual(reply.status, status)
        for name, value in headers:
            self.assertEqual(reply.get(name), value, name)
        if body is not None:
            self.assertEqual(reply.body, body.encode())
        date = email.utils.parsedate_to_datetime(reply.get("Date"))
        self.assertLess(abs(date.timestamp() - time.time()), 5)
        for name in ("Set-Cookie", "Location", "Content-Encoding",
                     "Transfer-Encoding", "Server"):
            self.assertIsNone(reply.get(name))

    def problem(self, reply, status, code, extra=()):
        body = '{"code":"%s","type":"%s"}' % (code, code)
        self.check(reply, status, PROBLEM + list(extra), body)
        self.assertEqual(reply.get("Content-Length"), str(len(body)))


class Rows(Base):
    documents = (document(), document("default/step-up", app="default",
                                      path="/.well-known/step-up-jwks.json"))

    def entity(self):
        d = self.documents[0]
        return [("ETag", d["etag"]), ("Cache-Control", d["cacheControl"]),
                ("Last-Modified", MODIFIED_TEXT), CORS,
                ("Access-Control-Expose-Headers", "ETag"),
                ("Cross-Origin-Resource-Policy", "cross-origin")]

    def full(self):
        return self.entity() + [
            ("Content-Type", "application/json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(self.documents[0]["body"])))]

    def test_get(self):
        reply = get(self.address)
        self.check(reply, 200, self.full(), self.documents[0]["body"])
        self.assertEqual(list(json.loads(reply.body)), ["keys"])

    def test_get_named_set(self):
        reply = get(self.address, "/.well-known/step-up-jwks.json")
        self.assertEqual(reply.status, 200)

    def test_head(self):
        client = Client(self.address)
        client.send(b"HEAD %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                    % PATH.encode())
        reply = client.reply(head=True)
        self.check(reply, 200, self.full())
        self.assertTrue(client.at_end())

    def test_not_modified(self):
        etag = self.documents[0]["etag"]
        for line in ("If-None-Match: " + etag, "If-None-Match: *",
                     "If-None-Match: W/" + etag,
                     'If-None-Match: "a,b" ,, W/"c", ' + etag,
                     'If-None-Match: "x"\r\nIf-None-Match: ' + etag,
                     "if-none-match:" + etag,
                     "If-Modified-Since: " + MODIFIED_TEXT,
                     "If-Modified-Since: Saturday, 22-Jul-23 04:26:40 GMT",
                     "If-Modified-Since: Sat Jul 22 04:26:40 2023",
                     "If-None-Match: %s\r\nIf-Modified-Since: "
                     "Mon, 01 Jan 2001 00:00:00 GMT" % etag):
            for method in ("GET", "HEAD"):
                with self.subTest(line=line, method=method):
                    reply = get(self.address, method=method,
                                extra=line + "\r\n")
                    self.check(reply, 304, self.entity(), "")
                    self.assertIsNone(reply.get("Content-Type"))
                    self.assertIsNone(reply.get("Content-Length"))

    def test_modified(self):
        etag = self.documents[0]["etag"]
        for line in ('If-None-Match: "x"', "If-None-Match: ",
                     "If-None-Match: " + etag.strip('"'),
                     "If-None-Match: " + etag[:-1],
                     'If-None-Match: "x"\r\nIf-Modified-Since: '
                     + MODIFIED_TEXT,
                     "If-Modified-Since: Sat, 22 Jul 2023 04:26:39 GMT",
                     "If-Modified-Since: yesterday",
                     "If-Modified-Since: " + "9" * 200):
            with self.subTest(line=line):
                reply = get(self.address, extra=line + "\r\n")
                self.check(reply, 200, self.full(), self.documents[0]["body"])

    def test_versions_of_one_second(self):
        """Their times lie ahead of the clock: nobody is told of that."""
        now = int(time.time())
        self.keeper.push([dict(document(version=2), lastModified=now + 60)])
        until(lambda: get(self.address).get("Last-Modified")
              != MODIFIED_TEXT, what="the change")
        reply = get(self.address)
        self.assertEqual(reply.get("Last-Modified"), reply.get("Date"))
        for when in (now, now + 60, now + 3600):
            reply = get(self.address, extra="If-Modified-Since: %s\r\n"
                        % email.utils.formatdate(when, usegmt=True))
            self.assertEqual(reply.status, 200)

    def test_options(self):
        asked = ("Access-Control-Request-Headers: X-One, b@d, ,x-two,sp ace"
                 "\r\nAccess-Control-Request-Method: GET\r\n")
        reply = get(self.address, method="OPTIONS", extra=asked)
        methods = "GET, HEAD, OPTIONS"
        self.check(reply, 204, [
            CORS, ("Allow", methods),
            ("Access-Control-Allow-Methods", methods),
            ("Access-Control-Allow-Headers", "X-One, x-two"),
            ("Access-Control-Max-Age", "86400"),
            ("Vary", "Access-Control-Request-Headers")], "")
        self.assertIsNone(reply.get("Content-Length"))

    def test_options_without_headers(self):
        for target in (PATH, "*", "http://other", "/nowhere"):
            with self.subTest(target=target):
                reply = get(self.address, target, method="OPTIONS")
                self.check(reply, 204, [CORS])
                self.assertIsNone(reply.get("Access-Control-Allow-Headers"))

    def test_options_keeps_step(self):
        client = Client(self.address)
        client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
                    b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % PATH.encode())
        self.assertEqual(client.reply().status, 204)
        self.assertEqual(client.reply().status, 200)
        client.close()

    def test_not_found(self):
        for target in ("/", "/.well-known", PATH + "/", PATH[:-1], PATH + "x",
                       "//.well-known/jwks.json", PATH + "%00",
                       "/.well-known/jwks%2Ejson", "/.WELL-KNOWN/jwks.json",
                       "/./.well-known/jwks.json", "/?" + PATH,
                       "/%2e%2e/etc/passwd", "http://a"):
            with self.subTest(target=target):
                reply = get(self.address, target)
                self.problem(reply, 404, "not_found")
                reply = get(self.address, target, method="HEAD")
                self.assertEqual(reply.status, 404)

    def test_query_and_accept_are_ignored(self):
        reply = get(self.address, PATH + "?x=/../%00&y=http://a/?",
                    extra="Accept: text/html;q=1\r\nRange: bytes=0-1\r\n"
                    "Accept-Encoding: gzip\r\n")
        self.check(reply, 200, self.full(), self.documents[0]["body"])

    def test_not_allowed(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT",
                       "PROPFIND", "get", "X", "GETT", "M-SEARCH"):
            with self.subTest(method=method):
                reply = get(self.address, method=method)
                self.problem(reply, 405, "method_not_allowed",
                             [("Allow", "GET, HEAD, OPTIONS")])

    def test_not_allowed_with_body(self):
        for body in ("Content-Length: 70000\r\n\r\n" + "x" * 70000,
                     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"):
            with self.subTest(body=body[:30]):
                client = Client(self.address)
                client.send(("POST %s HTTP/1.1\r\nHost: a\r\n%s"
                             % (PATH, body)).encode())
                reply = client.reply()
                self.problem(reply, 405, "method_not_allowed",
                             [("Connection", "close")])
                self.assertTrue(client.at_end(reset=False))
                client.close()

    def test_body_that_still_comes(self):
        """A client that sends on must not lose the answer to a reset."""
        client = Client(self.address)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 60000\r\n\r\n")
        for _ in range(6):
            time.sleep(0.05)
            client.send(b"x" * 10000)
        self.problem(client.reply(), 405, "method_not_allowed")
        self.assertTrue(client.at_end(reset=False))
        client.close()

    def test_absolute_form(self):
        reply = get(self.address, "HTTP://any.example:80" + PATH)
        self.assertEqual(reply.status, 200)
        for target in ("ftp://a" + PATH, "http://u@a" + PATH, "http://" + PATH,
                       "http://a:port" + PATH, "a" + PATH, "*"):
            with self.subTest(target=target):
                self.problem(get(self.address, target), 400, "bad_request")

    def test_host(self):
        for host in ("localhost", "127.0.0.1:7517", "[::1]:80", "[::1]",
                     "A.Example.", "a.example.:80", "a:", "x_y", "1", "a--b"):
            with self.subTest(host=host):
                self.assertEqual(get(self.address, host=host).status, 200)
        for host in ("", "-a", "a-", "a..b", ".a", "a b", "a/b", "a@b",
                     "a:65536", "a:x", "a:1:2", "[::1", "::1", "[x]", "[]",
                     "a" * 64, ".".join(["a" * 60] * 5), "a,b", "\xe9", "a%41",
                     "."):
            with self.subTest(host=host):
                self.problem(get(self.address, host=host), 400, "bad_request",
                             [("Connection", "close")])

    def test_host_count(self):
        for lines in ("", "Host: a\r\nHost: a\r\n", "Host: a\r\nhOST: b\r\n"):
            with self.subTest(lines=lines):
                reply = ask(self.address, "GET %s HTTP/1.1\r\n%s\r\n"
                            % (PATH, lines))
                self.problem(reply, 400, "bad_request")

    def test_old_version(self):
        request = "GET %s HTTP/1.0\r\n%s\r\n"
        client = Client(self.address)
        client.send((request % (PATH, "")).encode())
        self.check(client.reply(), 200, self.full())
        self.assertTrue(client.at_end())
        client = Client(self.address)
        for _ in range(2):
            client.send((request % (PATH, "Connection: keep-alive\r\n"
                                    )).encode())
            self.check(client.reply(), 200, [("Connection", "keep-alive")])
        client.close()


class Domain(Base):
    config = "domain = session.example.com"
    documents = (document("acme", "k-acme"), document("default"))

    def test_labels(self):
        for host in ("acme.session.example.com", "ACME.Session.Example.COM",
                     "acme.session.example.com:443",
                     "acme.session.example.com.",
                     "acme.session.example.com.:8443"):
            with self.subTest(host=host):
                reply = get(self.address, host=host)
                self.check(reply, 200, [], self.documents[0]["body"])
        reply = get(self.address, host="default.session.example.com")
        self.check(reply, 200, [], self.documents[1]["body"])

    def test_unknown(self):
        for host in ("other.session.example.com",
                     "a.acme.session.example.com"):
            with self.subTest(host=host):
                self.problem(get(self.address, host=host), 404, "not_found")

    def test_all_other_hosts_are_default(self):
        for host in ("session.example.com", "SESSION.example.com.:80",
                     "acme.example.com", "acmesession.example.com",
                     "localhost", "127.0.0.1", "[::1]",
                     "acme.session.example.com.evil"):
            with self.subTest(host=host):
                self.check(get(self.address, host=host), 200, [],
                           self.documents[1]["body"])

    def test_an_app_has_a_path_on_every_host(self):
        for host in ("acme.session.example.com", "localhost", "127.0.0.1",
                     "other.session.example.com", "x.y.session.example.com"):
            for app, number in (("acme", 0), ("default", 1)):
                with self.subTest(host=host, app=app):
                    reply = get(self.address, f"/{app}{PATH}?x", host=host)
                    self.check(reply, 200, [],
                               self.documents[number]["body"])
            for target in ("/other" + PATH, "/ACME" + PATH, "/acme/x" + PATH,
                           "//acme" + PATH, "/acme/" + PATH, "/acme",
                           "/acme%2F.well-known/jwks.json", "/acme" + PATH
                           + "/", "/" + "a" * 64 + PATH):
                with self.subTest(host=host, target=target):
                    self.problem(get(self.address, target, host=host), 404,
                                 "not_found")
        self.problem(get(self.address, "/acme" + PATH, host="a..b"), 400,
                     "bad_request")

    def test_invalid(self):
        self.problem(get(self.address, host="-.session.example.com"), 400,
                     "bad_request")

    def test_target_wins(self):
        reply = get(self.address, "http://acme.session.example.com" + PATH,
                    host="default.session.example.com")
        self.check(reply, 200, [], self.documents[0]["body"])

    def test_old_version_without_host(self):
        reply = ask(self.address, "GET %s HTTP/1.0\r\n\r\n" % PATH)
        self.check(reply, 200, [("Connection", "close")],
                   self.documents[1]["body"])


class Unknown(Base):
    """Before the first full set."""
    documents = (document(),)
    complete = False

    def test_internal(self):
        reply = get(self.address)
        self.problem(reply, 500, "internal", [("Retry-After", "1")])
        self.assertEqual(get(self.address, method="HEAD").status, 500)
        self.assertEqual(get(self.address, method="OPTIONS").status, 204)
        self.assertEqual(get(self.address, method="POST").status, 405)
        self.keeper.push(complete=True)
        until(lambda: get(self.address).status == 200, what="200")
        self.assertEqual(get(self.address, "/x").status, 404)


if __name__ == "__main__":
    unittest.main()
