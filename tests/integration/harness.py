"""The real programs, for tests: a jwksd with its front in a directory.

    with harness.Daemon(policy=harness.FAST) as daemon:
        daemon.call("Rotate", {"now": True})
        daemon.get().json()

Everything runs on loopback, on a port of its own, under a short path, as
the calling user.  Leaving the block stops the daemon, asserts that it ended
well with nothing left, and removes the directory.
"""
import base64
import contextlib
import http.client
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import common_check as checks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("JWKSD_BUILD",
                                       os.path.join(ROOT, "build")))
WRAPPER = shlex.split(os.environ.get("JWKSD_WRAPPER", ""))
SLOW = float(os.environ.get("JWKSD_SLOW", "1"))
NODE_MODULES = os.path.join(ROOT, "build/interop/node_modules")
JWKS_PATH = "/.well-known/jwks.json"

REPORT = re.compile(r"^.*(: runtime error: |ERROR: \w+Sanitizer)", re.M)

# A whole life in seconds: published and ready within 2 s, retired for 1 s.
FAST = {
    "rotation_period": "4s",
    "cache_max_age": "1s",
    "cache_stale_while_revalidate": "0",
    "cache_stale_if_error": "0",
    "verifier_max_age": "2s",
    "propagation_delay": "0",
    "publish_safety": "0",
    "token_max_ttl": "1s",
    "clock_skew": "0",
    "signer_drain": "0",
    "retire_safety": "0",
    "rollback_window": "1s",
}


class VarlinkError(Exception):
    """An error reply: .name is qualified, .parameters is its object."""

    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name = name
        self.parameters = parameters

    @property
    def short(self):
        return self.name.rpartition(".")[2]


class Varlink:
    """One connection, in as few lines as the protocol needs."""

    def __init__(self, path, interface="org.jwksd.keys", timeout=10):
        self.interface = interface
        self.path = path
        self.socket = connect_unix(path)
        self.socket.settimeout(timeout * SLOW)
        self.pending = b""

    def send_bytes(self, data):
        checks.sent[self.path, "?"] += 1
        self.socket.sendall(data)

    def send(self, method, parameters=None, **flags):
        if "." not in method:
            method = f"{self.interface}.{method}"
        message = {"method": method, "parameters": parameters or {}, **flags}
        checks.sent[self.path, method.rpartition(".")[2]] += 1
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def receive(self):
        """The next message as it came; None at the end of the stream."""
        while b"\0" not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def reply(self):
        """(parameters, continues); raises VarlinkError or EOFError."""
        message = self.receive()
        if message is None:
            raise EOFError("the daemon closed the connection")
        if "error" in message:
            raise VarlinkError(message["error"], message.get("parameters", {}))
        return message.get("parameters", {}), message.get("continues", False)

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.reply()[0]

    def stream(self, method, parameters=None):
        """Yield the parameters of each reply to a call with `more`."""
        self.send(method, parameters, more=True)
        continues = True
        while continues:
            parameters, continues = self.reply()
            yield parameters

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Response:
    """One HTTP answer; header names compare without case."""

    def __init__(self, answer):
        self.status = answer.status
        self.reason = answer.reason
        self.headers = answer.headers
        self.body = answer.read()

    def json(self):
        return json.loads(self.body)


class Daemon:
    """jwksd and the front that it starts.

    own_front  the front is started beside it, not by it: it outlives it
    config   sections as dictionaries, laid over those of the directory
    policy   short for config={"policy": ...}
    wrapper  words before the program's name (valgrind, faketime, strace)
    start    False: only make the directory and write the configuration
    common_check  False: not after every order; the test breaks something
    """

    def __init__(self, config=None, policy=None, wrapper=None, env=None,
                 start=True, common_check=True, own_front=False):
        self.config = config or {}
        self.own_front = own_front
        if own_front:
            self.config["http"] = {"processes": "0",
                                   **self.config.get("http", {})}
        self.front = None
        self.policy = policy or {}
        self.wrapper = WRAPPER if wrapper is None else wrapper
        self.env = env or {}
        self.start_now = start
        self.process = None
        self.port = None
        self.fronts_seen = set()
        self.common_check = common_check
        self.common = checks.CommonCheck(self)

    # ---- directory and configuration ----

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="d")
        self.state = os.path.join(self.directory, "state")
        self.runtime = os.path.join(self.directory, "run")
        self.config_file = os.path.join(self.directory, "jwksd.conf")
        self.log_file = os.path.join(self.directory, "log")
        self.control = os.path.join(self.runtime, "control.sock")
        self.publish = os.path.join(self.runtime, "publish.sock")
        os.mkdir(self.state, 0o700)
        os.mkdir(self.runtime, 0o750)
        try:
            self.write_config()
            if self.start_now:
                self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        check = self.common_check and kind is None
        try:
            if self.process is not None and kind is None:
                if check:
                    self.common.before_stop()
                self.stop()
            if check:
                self.common.after_stop()
            if kind is not None:
                print(f"--- log of {self.directory} ---\n{self.log()}",
                      file=sys.stderr)
        finally:
            self.kill_everything()
            log = self.log()
            shutil.rmtree(self.directory, ignore_errors=True)
        # gcc's UBSan writes to standard error whatever log_path says.
        assert not REPORT.search(log), f"a sanitizer reports:\n{log}"

    def write_config(self, **sections):
        """Write jwksd.conf; sections given here win and stay."""
        for section, values in sections.items():
            self.config[section] = {**self.config.get(section, {}), **values}
        if self.port is None:
            self.port = free_port()
        effective = {
            "daemon": {"state_directory": self.state,
                       "runtime_directory": self.runtime,
                       "log_level": "debug"},
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "policy": dict(self.policy),
        }
        for section, values in self.config.items():
            effective.setdefault(section, {}).update(values)
        with open(self.config_file, "w") as f:
            for section, values in effective.items():
                f.write(f"[{section}]\n")
                f.writelines(f"{k} = {v}\n" for k, v in values.items())

    # ---- life ----

    def start(self, timeout=20, ready=True):
        """Start jwksd; with `ready`, until it answers and serves."""
        for _ in range(5):
            self.spawn()
            if not ready:
                return
            try:
                self.wait_ready(timeout)
                return
            except PortTaken:
                self.port = None
                self.write_config()
        raise AssertionError("no free port in five tries")

    def spawn(self, *arguments):
        self.log_start = len(self.log())
        self.process = self.begin("jwksd", *arguments, env=self.env)
        if self.own_front and self.front is None:
            self.front = self.begin("jwksd-http")

    def begin(self, program, *arguments, env=None):
        with open(self.log_file, "ab") as log:
            return subprocess.Popen(
                [*self.wrapper, os.path.join(BUILD, program), "--config",
                 self.config_file, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(env or {})}, cwd=self.directory)

    def wait_ready(self, timeout=20):
        wait_until(self.is_ready, timeout, "jwksd is not ready")
        self.front_pids()

    def is_ready(self):
        if self.front is not None and self.front.poll() is not None:
            self.kill_everything()
            raise PortTaken
        if self.process.poll() is not None:
            text = self.log(self.log_start)
            if "in use" in text:
                raise PortTaken
            raise AssertionError(
                f"jwksd ended with {self.process.returncode}:\n{text}")
        try:
            status = self.call("Status")
            # A front counts a moment after it has begun to answer.
            return (status["ready"] and status["fronts"] > 0
                    and self.get(host=self.default_host()).status == 200)
        except (OSError, EOFError, http.client.HTTPException):
            return False

    def wait_read(self):
        """Every front has read what is published, and that is on disk: waits
        have begun."""
        def is_read():
            with self.database() as db:
                return db.execute(
                    "SELECT count(*) FROM generation WHERE absent_until IS"
                    " NULL AND published_at IS NOT NULL AND ready_at IS NULL"
                    " AND retirements = 0 AND removed_at IS NULL"
                    " AND revoked_at IS NULL").fetchone()[0] == 0
        wait_until(is_read, 10, "a front has not read the set")

    def stop(self, timeout=20):
        """SIGTERM; the daemon must end with 0 and leave no front."""
        fronts = set(self.front_pids()) | self.fronts_seen
        self.stop_front()
        process, self.process = self.process, None
        if process.poll() is None:
            process.terminate()
        try:
            status = process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"jwksd ignores SIGTERM:\n{self.log()}") from None
        assert status == 0, f"jwksd ended with {status}:\n{self.log()}"
        wait_until(lambda: not [p for p in fronts if alive(p)], 10,
                   "jwksd-http outlives jwksd")
        self.fronts_seen.clear()

    def stop_front(self):
        """The one that was started beside it: SIGTERM, and it ends well."""
        if self.front is not None:
            front, self.front = self.front, None
            front.terminate()
            status = front.wait(20 * SLOW)
            assert status == 0, f"jwksd-http ended with {status}"

    def kill9(self):
        """A crash, or the OOM killer; a front that it started ends too."""
        fronts = [] if self.own_front else self.front_pids()
        self.process.kill()
        self.process.wait()
        self.process = None
        wait_until(lambda: not [p for p in fronts if alive(p)], 5,
                   "jwksd-http outlives jwksd")

    def restart(self, **kwargs):
        if self.process is not None:
            self.stop()
        self.start(**kwargs)

    def kill_everything(self):
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.front_pids()
            self.process.kill()
            self.process.wait()
            self.process = None
        for pid in set(self.front_pids()) | self.fronts_seen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.front is not None:
            self.front.wait()
            self.front = None
        wait_until(lambda: not [p for p in self.fronts_seen if alive(p)], 5,
                   "jwksd-http survives SIGKILL")

    def default_host(self):
        """Under which the front serves the app `default`."""
        domain = self.config.get("http", {}).get("domain")
        return f"default.{domain}" if domain else None

    # ---- looking at it ----

    @property
    def pid(self):
        """Of jwksd itself (a wrapper has to exec it)."""
        return self.process.pid

    def front_pids(self):
        """Living jwksd-http processes of ours."""
        inodes = listening_inodes(self.port)
        keeper = self.process.pid if self.process else -1
        found = [pid for pid in all_pids()
                 if pid != keeper and alive(pid)
                 and "jwksd-http" in command_line(pid)
                 and (keeper in ancestors(pid)
                      or self.directory in command_line(pid)
                      or inodes & socket_inodes(pid))]
        # One that has ended is none: its number may be another process by now.
        self.fronts_seen = {p for p in self.fronts_seen if alive(p)}
        self.fronts_seen.update(found)
        return found

    def log(self, start=0):
        return read_file(self.log_file)[start:]

    @contextlib.contextmanager
    def database(self):
        """A copy as of now, opened with sqlite3: while jwksd runs too."""
        source = os.path.join(self.state, "jwksd.db")
        # Unchanged around the reading of the log: nothing fell between.
        while True:
            before = read_bytes(source)
            journal = read_bytes(source + "-wal")
            if read_bytes(source) == before:
                break
        with tempfile.TemporaryDirectory(prefix="c") as directory:
            path = os.path.join(directory, "jwksd.db")
            for suffix, data in ("", before), ("-wal", journal):
                with open(path + suffix, "wb") as f:
                    f.write(data)
            with contextlib.closing(sqlite3.connect(path)) as copy:
                copy.row_factory = sqlite3.Row
                yield copy

    # ---- talking to it ----

    def connect(self, timeout=10):
        return Varlink(self.control, timeout=timeout)

    def call(self, method, parameters=None, more=False):
        """One call; with `more`, a generator over the replies."""
        if more:
            return self.stream(method, parameters)
        with self.connect() as client:
            reply = client.call(method, parameters)
            if self.common_check and method in checks.EVENTS:
                self.common.after_call(client, method, parameters, reply)
            return reply

    def stream(self, method, parameters=None):
        with self.connect() as client:
            yield from client.stream(method, parameters)

    def keys(self, **parameters):
        """All of them: a long list comes in several replies."""
        with self.connect() as client:
            return [key for part in client.stream("ListKeys", parameters)
                    for key in part["keys"]]

    def get(self, path=JWKS_PATH, headers=None, host=None, method="GET"):
        """One request on a connection of its own, target as it stands."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=10 * SLOW)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True,
                                  skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            return Response(connection.getresponse())

    def raw_http(self, data, timeout=10):
        """Send octets, return everything until the front closes."""
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout * SLOW) as client:
            client.sendall(data)
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
            return answer

    def url(self, path=JWKS_PATH):
        return f"http://127.0.0.1:{self.port}{path}"

    def ctl(self, *arguments, input=None, timeout=30, env=None):
        """jwksctl to its end: .returncode, .stdout, .stderr."""
        command = [*WRAPPER, os.path.join(BUILD, "jwksctl"),
                   "--socket", self.control, *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(
                command, stdin=pipe if input else subprocess.DEVNULL,
                stdout=pipe, stderr=pipe, text=True,
                env={**os.environ, **(env or {})}) as program:
            try:
                out, err = program.communicate(input, timeout * SLOW)
            except BaseException:
                program.kill()
                raise
        if self.common_check and program.returncode == 0:
            self.common.after_ctl(program.pid, arguments)
        return subprocess.CompletedProcess(command, program.returncode,
                                           out, err)


class PortTaken(Exception):
    """Somebody else was faster."""


# ---- helpers ----

def fill(daemon, count):
    """So many key sets of three ES256 generations that do not rotate today."""
    subprocess.run([os.path.join(BUILD, "tools/fill"),
                    os.path.join(daemon.state, "jwksd.db"),
                    os.path.join(daemon.state, "jwksd.kek"),
                    str(count), str(int(time.time()) + 3 * 86400), "86400",
                    "120"], check=True, stdout=subprocess.DEVNULL)


def wait_until(condition, timeout=10, message="it did not happen"):
    """The first true result of condition()."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{message} within {timeout * SLOW:g} s")
        time.sleep(0.01)


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def connect_unix(path):
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(path)
    except OSError:
        client.close()
        raise
    return client


def free_port():
    """Below the range that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_file(path):
    """Its text, or none where there is none."""
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def read_proc(pid, name):
    return read_file(f"/proc/{pid}/{name}")


def read_bytes(path):
    """Its octets, or none where there is none."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def status_of(pid):
    """(state, parent); ("X", 0) for a process that is gone."""
    words = read_proc(pid, "stat").rpartition(")")[2].split()
    return (words[0], int(words[1])) if words else ("X", 0)


def catches(pid, signal_number):
    """Has the process a handler for that signal?"""
    mask = re.search(r"^SigCgt:\s*(\w+)", read_proc(pid, "status"), re.M)
    return bool(mask) and int(mask.group(1), 16) >> (signal_number - 1) & 1


def alive(pid):
    """A zombie is not."""
    return status_of(pid)[0] not in "ZX"


def ancestors(pid):
    found = []
    while pid > 1:
        pid = status_of(pid)[1]
        found.append(pid)
    return found


def command_line(pid):
    return read_proc(pid, "cmdline").replace("\0", " ").strip()


def descriptors(pid):
    """{number: what /proc says it is}."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def socket_inodes(pid):
    return {what[8:-1] for what in descriptors(pid).values()
            if what.startswith("socket:[")}


def inet_sockets():
    """{inode: (protocol, port, state)} of every inet socket; 0A listens."""
    found = {}
    for protocol in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in read_proc("net", protocol).splitlines()[1:]:
            words = line.split()
            port = int(words[1].rpartition(":")[2], 16)
            found[words[9]] = (protocol, port, words[3])
    return found


def listening_inodes(port):
    return {inode for inode, (_, its_port, state) in inet_sockets().items()
            if its_port == port and state == "0A"}


def mapped_libraries(pid):
    """Base names of the files that are mapped executable."""
    return {os.path.basename(line.split()[5])
            for line in read_proc(pid, "maps").splitlines()
            if len(line.split()) > 5 and "x" in line.split()[1]}
