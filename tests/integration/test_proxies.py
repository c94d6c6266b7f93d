"""The proxies' examples: a key set through each of them, cached as it says."""
import os
import re
import shutil
import subprocess
import time
import unittest
import urllib.request

import harness

EXAMPLES = os.path.join(harness.ROOT, "packaging/examples/proxies")


def example(name):
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as f:
        return f.read()


class Proxies(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon()
        self.enterContext(self.daemon)
        self.port = harness.free_port()
        self.directory = os.path.join(self.daemon.directory, "proxy")
        os.mkdir(self.directory)

    def write(self, text):
        path = os.path.join(self.directory, "conf")
        text = text.replace("127.0.0.1:7517", f"127.0.0.1:{self.daemon.port}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start(self, *command):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(self.directory, "log"), "wb"))
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def get(self, path="/.well-known/jwks.json"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            headers={"Host": "acme.session.example.com"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def wait(self):
        for _ in range(200):
            try:
                return self.get()
            except OSError:
                time.sleep(0.05)
        with open(os.path.join(self.directory, "log")) as f:
            self.fail(f.read())

    def look(self):
        """Through the proxy comes the very document, and nothing else."""
        self.wait()
        status, headers, body = self.get()
        direct = self.daemon.get()
        self.assertEqual((status, body), (200, direct.body))
        for name in ("ETag", "Cache-Control", "Content-Type",
                     "Access-Control-Allow-Origin"):
            self.assertEqual(headers[name], direct.headers[name], name)
        self.assertEqual(self.get("/elsewhere")[0], 404)
        return headers

    def outlive(self):
        """What is cached is answered although nothing is behind it."""
        self.daemon.stop()
        status, _, body = self.get()
        self.assertEqual(status, 200)
        self.assertIn(b'"keys"', body)

    @unittest.skipUnless(shutil.which("nginx"), "no nginx here")
    def test_nginx(self):
        text = example("nginx.conf")
        text = re.sub(r"^ *ssl_.*\n|^ *listen \[::\].*\n", "", text,
                      flags=re.M)
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port}")
        text = text.replace("/var/lib/nginx/jwks",
                            self.directory + "/cache")
        scratch = "".join(
            f"{name}_temp_path {self.directory}/{name};\n" for name in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path = self.write(
            f"daemon off; pid {self.directory}/pid; user root;\n"
            f"error_log stderr; events {{ }}\n"
            f"http {{ access_log off;\n{scratch}{text} }}\n")
        self.start("nginx", "-p", self.directory, "-c", path)
        headers = self.look()
        self.assertEqual(headers["X-Cache-Status"], "HIT")
        self.outlive()

    @unittest.skipUnless(shutil.which("haproxy"), "no haproxy here")
    def test_haproxy(self):
        text = re.sub(r"bind :443 ssl .*", f"bind 127.0.0.1:{self.port}",
                      example("haproxy.cfg"))
        self.start("haproxy", "-db", "-f", self.write(text))
        self.look()
        self.outlive()

    @unittest.skipUnless(shutil.which("caddy"), "no caddy here")
    def test_caddy(self):
        text = example("Caddyfile").replace(
            "*.session.example.com {", f"http://:{self.port} {{")
        text = "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n" + text
        self.start("caddy", "run", "--adapter", "caddyfile", "--config",
                   self.write(text))
        self.look()


if __name__ == "__main__":
    unittest.main()
