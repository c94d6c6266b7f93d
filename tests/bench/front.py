#!/usr/bin/python3
"""Requests a second of the front; beside it nginx with the same octets.

Needs wrk; nginx is left out where it is not installed.  Loopback only, one
process each, a few seconds.  Numbers, no verdict.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "integration"))
from http_fake import (FakeKeeper, Front, PATH, document,  # noqa: E402
                       get, listening, until)

SECONDS = 3
CONNECTIONS = 32
NGINX = """
daemon off; worker_processes 1; pid %(dir)s/nginx.pid;
error_log stderr error; events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; etag on;
  client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p;
  fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u;
  scgi_temp_path %(dir)s/s; open_file_cache max=16;
  server { listen 127.0.0.1:%(port)d; root %(dir)s/root;
    types { } default_type application/json;
    add_header Cache-Control "%(cache)s"; }
}
"""


def find(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")


def measure(name, address, *extra):
    result = subprocess.run(
        [find("wrk"), "-t1", "-c%d" % CONNECTIONS, "-d%ds" % SECONDS,
         "--latency", *extra, "http://%s:%d%s" % (*address, PATH)],
        capture_output=True, text=True, check=True, timeout=60)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", result.stdout).group(1)
    slow = re.search(r"99%\s+(\S+)", result.stdout).group(1)
    errors = re.search(r"Non-2xx.*: (\d+)|Socket errors: (.*)", result.stdout)
    print("%-28s %9.0f requests/s   99%% within %s%s"
          % (name, float(rate), slow, "   " + errors.group(0) if errors
             else ""))


def both(name, address):
    measure(name, address)
    measure(name + ", no keep-alive", address, "-H", "Connection: close")


def bench_front(directory, body):
    keeper = FakeKeeper(directory, [body])
    sock = listening()
    front = Front(directory, [sock])
    try:
        address = sock.getsockname()
        until(lambda: get(address).status == 200, what="a document")
        both("jwksd-http", address)
    finally:
        front.stop()
        keeper.stop()
        sock.close()


def bench_nginx(directory, body):
    root = os.path.join(directory, "root")
    os.makedirs(os.path.join(root, ".well-known"))
    os.chmod(directory, 0o755)
    with open(root + PATH, "w") as out:
        out.write(body["body"])
    probe = listening()
    address = probe.getsockname()
    probe.close()
    config = os.path.join(directory, "nginx.conf")
    with open(config, "w") as out:
        out.write(NGINX % {"dir": directory, "port": address[1],
                           "cache": body["cacheControl"]})
    nginx = subprocess.Popen([find("nginx"), "-c", config],
                             stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(address), what="nginx")
        both("nginx, static file", address)
    finally:
        nginx.terminate()
        nginx.wait(10)


def answers(address):
    try:
        return get(address).status == 200
    except OSError:
        return False


def main():
    if find("wrk") is None:
        print("http: wrk is not installed (apt-get install wrk): skipped")
        return
    body = document(body='{"keys":["%s"]}' % ("x" * 688))
    with tempfile.TemporaryDirectory(prefix="jwksd-bench-") as directory:
        bench_front(directory, body)
        if find("nginx") is not None:
            bench_nginx(directory, body)
        else:
            print("nginx is not installed: nothing to compare with")


if __name__ == "__main__":
    main()
