"""A keeper that is not one, and a front to test against it.

FakeKeeper serves RUNTIME/publish.sock and says what a test tells it to say.
Front runs the real jwksd-http with a listening socket of ours.
"""
import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BUILD = os.environ.get("JWKSD_BUILD", "build")
BINARY = os.path.abspath(os.path.join(BUILD, "jwksd-http"))
with open(BINARY, "rb") as _f:
    SANITIZED = b"__asan_init" in _f.read()
PATH = "/.well-known/jwks.json"
MODIFIED = 1690000000
MODIFIED_TEXT = "Sat, 22 Jul 2023 04:26:40 GMT"

# Children get their descriptors as 3, 4, ...: nothing of ours may be there.
_RESERVED = [os.open("/dev/null", os.O_RDONLY) for _ in range(12)]


def until(check, seconds=10, what="what a test waits for"):
    """Poll check() until it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("did not happen: " + what)


def document(key_set="default", kid="k1", version=1, path=PATH, app=None,
             body=None):
    if body is None:
        body = json.dumps({"keys": [{"kty": "OKP", "use": "sig",
                                     "alg": "EdDSA", "kid": kid,
                                     "crv": "Ed25519", "x": "A" * 43}]},
                          separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).digest()[:16]
    etag = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return {"keySet": key_set, "app": app or key_set, "path": path,
            "body": body, "etag": '"%s"' % etag, "lastModified": MODIFIED,
            "cacheControl": "public, max-age=300, "
            "stale-while-revalidate=60, stale-if-error=3600",
            "version": version}


class FakeKeeper:
    """Serves publish.sock; set documents, call push()."""

    def __init__(self, runtime, documents=(), complete=True):
        self.path = os.path.join(runtime, "publish.sock")
        self.documents = {d["keySet"]: d for d in documents}
        self.complete = complete
        self.kept = []
        self.calls = []
        self.clients = []
        self.lock = threading.Lock()
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.thread = threading.Thread(target=self._accept,
                                       args=(self.listener,), daemon=True)
        self.thread.start()

    def stop(self):
        if self.listener is None:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        self.thread.join()
        os.unlink(self.path)
        self.drop()

    def drop(self):
        with self.lock:
            clients, self.clients = self.clients, []
        for client in clients:
            client.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                self._serve(client)
            except OSError:
                client.close()

    def _serve(self, client):
        client.settimeout(5)
        data = b""
        while not data.endswith(b"\0"):
            more = client.recv(65536)
            if not more:
                client.close()
                return
            data += more
        with self.lock:
            self.calls.append(json.loads(data[:-1]))
            self.clients.append(client)
            for frame in self.frames():
                client.sendall(frame)

    def frames(self):
        """Everything, two documents a reply."""
        values = list(self.documents.values())
        for i in range(0, len(values), 2):
            yield self.frame(values[i:i + 2])
        if self.complete:
            yield self.frame([], complete=True, kept=self.kept)

    @staticmethod
    def frame(documents, withdrawn=(), complete=False, kept=()):
        parameters = {"documents": documents, "withdrawn": list(withdrawn),
                      "complete": complete}
        if kept:
            parameters["kept"] = list(kept)
        return json.dumps({"continues": True,
                           "parameters": parameters}).encode() + b"\0"

    def push(self, documents=(), withdrawn=(), complete=True):
        for d in documents:
            self.documents[d["keySet"]] = d
        for name in withdrawn:
            self.documents.pop(name, None)
        self.raw(self.frame(list(documents), withdrawn, complete))

    def raw(self, data):
        with self.lock:
            for client in list(self.clients):
                try:
                    client.sendall(data)
                except OSError:
                    self.clients.remove(client)
                    client.close()


def listening(family=socket.AF_INET, host="127.0.0.1"):
    sock = socket.socket(family)
    sock.bind((host, 0))
    sock.listen(4096)
    return sock


class Front:
    """jwksd-http in a directory of its own."""

    def __init__(self, runtime, socks=(), config="", env=None, nofile=None,
                 daemon=""):
        self.file = os.path.join(runtime, "jwksd-%d.conf" % time.monotonic_ns())
        with open(self.file, "w") as out:
            out.write("[daemon]\nruntime_directory = %s\n"
                      "state_directory = %s\n%s\n[http]\n%s\n"
                      % (runtime, runtime, daemon, config))
        fds = [s.fileno() for s in socks]
        numbers = tuple(range(3, 3 + len(fds)))
        self.log = open(self.file + ".log", "wb+")

        def prepare():
            for number, fd in zip(numbers, fds):
                os.dup2(fd, number, inheritable=True)
            if fds:
                os.environ["LISTEN_PID"] = str(os.getpid())
                os.environ["LISTEN_FDS"] = str(len(fds))
                os.environ["LISTEN_FDNAMES"] = ":".join(["http"] * len(fds))
            os.environ.update(env or {})
            if nofile:
                import resource
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        self.process = subprocess.Popen(
            [BINARY, "--config", self.file], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, pass_fds=numbers,
            preexec_fn=prepare)
        self.pid = self.process.pid

    def workers(self):
        """The pids of its living workers."""
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as f:
            return [int(pid) for pid in f.read().split()]

    def output(self):
        with open(self.log.name, "rb") as f:
            return f.read().decode(errors="replace")

    def stop(self, signo=signal.SIGTERM, seconds=10):
        if self.process.poll() is None:
            self.process.send_signal(signo)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the front did not end: " + self.output())
        self.log.close()
        output = self.output()
        for word in ("Sanitizer", "runtime error", "killed by signal 6",
                     "killed by signal 11"):
            assert word not in output, output
        return status


class Directory:
    """A runtime directory that goes with the test."""

    def __init__(self, test):
        self.path = tempfile.mkdtemp(prefix="jwksd-http-")
        test.addCleanup(shutil.rmtree, self.path, True)


class Reply:
    def __init__(self, status, version, headers, body):
        self.status, self.version = status, version
        self.headers, self.body = headers, body

    def get(self, name):
        values = self.all(name)
        assert len(values) < 2, "%s came %d times" % (name, len(values))
        return values[0] if values else None

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]


class Client:
    """A raw socket that reads one reply at a time."""

    def __init__(self, address, timeout=15, family=socket.AF_INET):
        self.sock = socket.socket(family)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.data = b""

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def _more(self):
        more = self.sock.recv(65536)
        self.data += more
        return more

    def reply(self, head=False):
        """The next reply; None at the end of the connection."""
        while b"\r\n\r\n" not in self.data:
            try:
                if not self._more():
                    assert self.data == b"", self.data
                    return None
            except ConnectionResetError:
                return None
        top, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        headers = [tuple(x.split(": ", 1)) for x in lines[1:]]
        reply = Reply(int(status), version, headers, b"")
        length = reply.get("Content-Length")
        if length and not head:
            while len(self.data) < int(length):
                assert self._more(), "the body is too short"
            reply.body = self.data[:int(length)]
            self.data = self.data[int(length):]
        return reply

    def at_end(self, reset=True):
        """True when the peer closed and nothing is left."""
        try:
            return self.data == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return reset and self.data == b""


def ask(address, text, head=False, family=socket.AF_INET, timeout=15):
    """One request as raw octets, one reply."""
    client = Client(address, timeout, family)
    try:
        client.send(text if isinstance(text, bytes) else text.encode())
        return client.reply(head)
    finally:
        client.close()


def get(address, path=PATH, host="localhost", method="GET", extra="",
        timeout=15):
    return ask(address, "%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close"
               "\r\n\r\n" % (method, path, host, extra),
               head=method == "HEAD", timeout=timeout)


class Load(threading.Thread):
    """Asks again and again on new connections, and counts what came."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.ok = self.refused = self.other = 0
        self.cut = 0  # connected, but the connection ended early
        self.going = True

    def one(self):
        try:
            client = Client(self.address, 10)
        except OSError:
            self.refused += 1
            return
        try:
            client.send(b"GET " + PATH.encode() +
                        b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            reply = client.reply()
            if reply is None:
                self.cut += 1
            elif reply.status == 200 and reply.body:
                self.ok += 1
            else:
                self.other += 1
        except (OSError, AssertionError):
            self.cut += 1
        finally:
            client.close()

    def run(self):
        while self.going:
            self.one()

    def stop(self):
        self.going = False
        self.join(20)
        return self
