"""What is checked inside a Debian that was booted for it: the life of the
package, with real units, users and sockets.  Writes OUT/result, one line for
each check, "ok NAME" or "FAIL NAME: why", and then "the end".
"""
import base64
import glob
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

OUT = sys.argv[1]
HOST, PORT, PATH = "127.0.0.1", 7517, "/.well-known/jwks.json"
SERVICES = ["jwksd.service", "jwksd-http.service"]
SOCKETS = ["jwksd.socket", "jwksd-sign.socket", "jwksd-publish.socket",
           "jwksd-http.socket"]
CONTROL, SIGN, PUBLISH = (f"/run/jwksd/{name}.sock" for name in
                          ("control", "sign", "publish"))
STATE, CREDENTIAL = "/var/lib/jwksd", "/etc/credstore.encrypted/jwksd.kek"
DEB = [p for p in glob.glob(OUT + "/*.deb") if "next" not in p][0]
NEXT = OUT + "/next.deb"
with open("/etc/os-release") as release:
    TRIXIE = "trixie" in release.read()

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def check_on_trixie(function):
    return check(function) if TRIXIE else function


# ---- tools ----

def run(*command, status=0, **more):
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, **more)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(command)}: status "
                             f"{done.returncode}\n{done.stdout[-1500:]}"
                             f"{done.stderr[-1500:]}")
    return done


def apt(*words):
    return run("apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0", *words,
               env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def show(unit, what):
    return run("systemctl", "show", "-p", what, "--value",
               unit).stdout.strip()


def as_user(name, *command, status=0):
    return run("runuser", "-u", name, "--", *command, status=status)


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def request(timeout=10):
    """(status, body) of one GET on a connection of its own."""
    with socket.create_connection((HOST, PORT), timeout) as s:
        s.sendall(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n"
                  "Connection: close\r\n\r\n".encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def sign(timeout=10):
    """(status, token) of one Sign on a connection of its own."""
    call = {"method": "org.jwksd.sign.Sign",
            "parameters": {"claims": {"exp": int(time.time()) + 60}}}
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(SIGN)
        s.sendall(json.dumps(call).encode() + b"\0")
        data = b""
        while not data.endswith(b"\0"):
            chunk = s.recv(65536)
            if not chunk:
                raise EOFError("no reply")
            data += chunk
    return 200, json.loads(data[:-1])["parameters"]["token"]


def kid_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(
        head + "=" * (-len(head) % 4)))["kid"]


def kids():
    status, body = request()
    assert status == 200, status
    return [key["kid"] for key in json.loads(body)["keys"]]


class Load:
    """Requests all the time; what did not end well is counted by kind."""

    def __init__(self, ask=request, threads=4):
        self.ended = False
        self.ask = ask
        self.good = 0
        self.bad = []
        self.threads = [threading.Thread(target=self.work)
                        for _ in range(threads)]

    def work(self):
        while not self.ended:
            try:
                status, answer = self.ask(30)
                assert status == 200, status
                assert answer, "an empty answer"
                self.good += 1
            except Exception as error:      # whatever it is, it is counted
                self.bad.append(repr(error))
            time.sleep(0.002)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        self.ended = True
        for thread in self.threads:
            thread.join()

    def refused(self):
        """Those who did not get as far as a connection."""
        return [bad for bad in self.bad if "Refused" in bad or
                "FileNotFound" in bad or "imeout" in bad]


def all_active():
    for unit in SERVICES + SOCKETS:
        state = run("systemctl", "is-active", unit, status=None).stdout
        assert state == "active\n", f"{unit} is {state}"


def drop_in(unit, text):
    directory = f"/run/systemd/system/{unit}.d"
    os.makedirs(directory, exist_ok=True)
    with open(directory + "/check.conf", "w") as f:
        f.write(text)
    run("systemctl", "daemon-reload")


def drop_out(unit):
    os.unlink(f"/run/systemd/system/{unit}.d/check.conf")
    run("systemctl", "daemon-reload")


def event_id(name):
    with open("/usr/lib/systemd/catalog/jwksd.catalog") as f:
        return re.search(rf"^# {name}\n-- (\w+)$", f.read(), re.M).group(1)


def journal(*words):
    run("journalctl", "--sync")
    return run("journalctl", "--no-pager", *words, status=None).stdout


# What changes anywhere without jwksd.
ELSEWHERE = re.compile(
    r"/(dev|proc|sys|mnt|tmp|var/tmp|home|root)|/var/log|/var/lib/(dpkg|apt)|"
    r"/run/(credentials|systemd|log|udev|user|sudo|lock|adduser|nginx\.pid|"
    r"agetty\.reload)|/var/lib/(sudo|nginx)|/var/cache/(apt|debconf/tmp.ci)|"
    # This secret is the machine's: every credential is sealed with it.
    r"/var/lib/systemd/(credential\.secret|catalog/database|random-seed)|"
    r"/etc/mtab")
# The users and groups stay.
ACCOUNTS = re.compile(r"/etc/(passwd|group|g?shadow|sub[ug]id)-?")


def files():
    """{path: what is in it} of all that a package may leave behind."""
    found = {}
    for directory, names, leaves in os.walk("/"):
        names[:] = [n for n in names if not ELSEWHERE.fullmatch(
            os.path.join(directory, n))]
        for path in (os.path.join(directory, n) for n in leaves + names):
            if ELSEWHERE.fullmatch(path) or "__pycache__" in path:
                continue
            found[path] = None
            if path.startswith("/etc/") and os.path.isfile(path) and \
                    not ACCOUNTS.fullmatch(path):
                with open(path, "rb") as f:
                    found[path] = hashlib.sha256(f.read()).hexdigest()
    return found


def readme_commands():
    """What operators type first: [(directory to be in, command)]."""
    with open(OUT + "/README.md") as f:
        text = f.read().split("## Install it\n")[1].split("\n## ")[0]
    found = []
    for block in re.findall(r"(?:^    .*\n)+", text, re.M):
        where = OUT
        for line in block.splitlines():
            command = re.sub(r"\s+# .*", "", line.strip())
            if command.startswith("cd "):
                where = command[3:]
            else:
                found.append((where, command))
    return found


# ---- the checks, in their order ----

before_all = {}


@check
def what_the_readme_says_first():
    """Every line, by somebody who may use sudo, in a login of its own."""
    run("useradd", "-m", "-s", "/bin/bash", "-G", "sudo", "dave")
    run("useradd", "-M", "backend")
    with open("/etc/sudoers.d/dave", "w") as f:
        f.write("%sudo ALL=(ALL) NOPASSWD: ALL\n")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=acme.session.example.com", "-addext",
        "subjectAltName=DNS:acme.session.example.com", "-keyout",
        "/etc/ssl/private/session.example.com.key", "-out",
        "/etc/ssl/certs/session.example.com.pem")
    before_all.update(files())
    said = {}
    for where, command in readme_commands():
        said[command] = run(
            "runuser", "-l", "dave", "-c",
            f"export EDITOR=true; cd {where} && {command}").stdout
    assert len(said) >= 13, said
    assert "active" in said["jwksctl list"]
    assert "signs now" in said["jwksctl rotate"].replace("\n", " ")
    assert "A key began to sign" in said["sudo journalctl -x -u jwksd"]
    assert kid_of(said["sudo -u backend jwksctl sign"]) == kids()[0]


@check
def nginx_in_front_caches():
    url = f"https://acme.session.example.com{PATH}"
    seen = []
    for _ in range(2):
        done = run("curl", "-sfi", "--cacert",
                   "/etc/ssl/certs/session.example.com.pem", "--resolve",
                   "acme.session.example.com:443:127.0.0.1", url)
        head, body = done.stdout.split("\n\n", 1)
        assert [k["kid"] for k in json.loads(body)["keys"]] == kids(), body
        seen += re.findall(r"(?i)^x-cache-status: (\w+)", head, re.M)
    run("systemctl", "stop", "nginx.service")
    os.unlink("/etc/nginx/conf.d/jwksd.conf")
    shutil.rmtree("/var/lib/nginx/jwks")
    assert seen == ["MISS", "HIT"], seen


@check
def it_is_up_and_stays_so():
    all_active()
    assert len(kids()) == 3, kids()
    for unit in SERVICES + SOCKETS:
        assert run("systemctl", "is-enabled", unit).stdout == "enabled\n"
    assert run("systemctl", "--failed", "--no-legend").stdout == ""


@check
def the_credential_was_made_and_is_used():
    assert os.stat(CREDENTIAL).st_mode & 0o077 == 0
    with open(CREDENTIAL, "rb") as f:
        assert len(f.read()) > 32 + 16
    assert not os.path.exists(STATE + "/jwksd.kek")
    for directory in STATE, STATE + ".anchor":
        for name in os.listdir(directory):
            assert os.stat(f"{directory}/{name}").st_mode & 0o077 == 0, name
        assert os.stat(directory).st_mode & 0o077 == 0, directory
    assert os.listdir(STATE + ".anchor") == ["anchor"]


@check
def private_keys_are_in_locked_memory():
    with open(f"/proc/{show('jwksd.service', 'MainPID')}/status") as f:
        locked = re.search(r"^VmLck:\s+(\d+) kB", f.read(), re.M).group(1)
    assert int(locked) > 0
    assert "swapped out" not in journal("-u", "jwksd.service")
    return locked + " KiB"


@check
def groups_say_who_may_what():
    for name, groups in (("alice", "jwksd-admin"), ("bob", ""),
                         ("carol", "jwksd-sign")):
        run("useradd", "--no-create-home", *(["-G", groups] if groups else []),
            name)
    assert "default" in as_user("alice", "jwksctl", "list").stdout
    for name in ("bob", "carol"):
        done = as_user(name, "jwksctl", "list", status=None)
        assert done.returncode in (69, 77), done
        assert done.stdout == "", done
    token = as_user("carol", "jwksctl", "sign").stdout
    assert kid_of(token) == kids()[0], token
    as_user("alice", "jwksctl", "verify", token.strip())
    for name in ("alice", "bob", "jwksd-http"):
        done = as_user(name, "jwksctl", "sign", status=None)
        assert done.returncode in (69, 77) and not done.stdout, (name, done)
    reach = "import socket; socket.socket(1).connect('%s')"
    for name, path, may in (("carol", SIGN, True), ("alice", SIGN, False),
                            ("bob", SIGN, False), ("bob", CONTROL, False),
                            ("carol", CONTROL, False),
                            ("alice", CONTROL, True),
                            ("alice", PUBLISH, False),
                            ("carol", PUBLISH, False),
                            ("jwksd-http", PUBLISH, True),
                            ("jwksd-http", CONTROL, False),
                            ("jwksd-http", SIGN, False)):
        done = as_user(name, "python3", "-c", reach % path, status=None)
        assert (done.returncode == 0) == may, (name, path, done.stderr)
    modes = {p: os.stat(p) for p in (CONTROL, SIGN)}
    assert all(st.st_mode & 0o777 == 0o660 for st in modes.values())
    assert grp.getgrgid(modes[SIGN].st_gid).gr_name == "jwksd-sign"
    assert pwd.getpwuid(modes[CONTROL].st_uid).pw_name == "jwksd"


@check
def units_are_sound():
    done = run("systemd-analyze", "verify", "--man=no", *(
        f"/lib/systemd/system/{unit}" for unit in SERVICES + SOCKETS))
    assert "jwksd" not in done.stderr, done.stderr


@check
def the_sandbox_scores():
    scores = []
    for unit, limit in (("jwksd.service", 0.5), ("jwksd-http.service", 1.5)):
        text = run("systemd-analyze", "security", "--no-pager", unit).stdout
        score = float(re.search(r"level for \S+: ([\d.]+)", text).group(1))
        assert score <= limit, f"{unit}: {score} > {limit}\n{text}"
        scores.append(f"{unit} {score}")
    return ", ".join(scores)


@check
def jwksd_cannot_connect_anywhere():
    with open("/run/probe.py", "w") as f:
        f.write(f"""
import socket, sys
try:
    socket.create_connection(("{HOST}", {PORT}), 3)
except OSError as error:
    print("PROBE", error)
else:
    sys.exit("PROBE connected")
""")
    drop_in("jwksd.service",
            "[Service]\nExecStartPre=/usr/bin/python3 /run/probe.py\n")
    try:
        run("systemctl", "restart", "jwksd.service")
    finally:
        drop_out("jwksd.service")
        os.unlink("/run/probe.py")
    said = re.findall("PROBE (.*)", journal("-u", "jwksd.service"))
    # The very same that a check in the next line of this file can do.
    assert request()[0] == 200
    assert said == ["[Errno 97] Address family not supported by protocol"], \
        said
    # Also with the sandbox's filters away its network has nothing in it.
    pid = show("jwksd.service", "MainPID")
    done = run("nsenter", "-t", pid, "-n", "python3", "-c",
               "import socket; socket.create_connection("
               f"('{HOST}', {PORT}), 3)", status=None)
    assert "Refused" in done.stderr, done
    links = run("nsenter", "-t", pid, "-n", "cat", "/proc/self/net/dev")
    assert re.findall(r"^\s*(\w+):", links.stdout, re.M) == ["lo"], links
    return said[0]
    run("systemctl", "restart", "jwksd.service")


@check
def rotate_is_seen_at_the_url():
    active = kids()[0]
    assert active == run("jwksctl", "list", "-q").stdout.split()[0]
    run("jwksctl", "rotate", "--now", "--yes")
    until(lambda: kids()[0] != active, "the other key")
    assert kids()[0] == run("jwksctl", "list", "-q").stdout.split()[0]
    assert kid_of(sign()[1]) == kids()[0]


def kill_under_load(unit):
    with Load() as load, Load(sign, 2) as signing:
        for _ in range(3):
            pid = show(unit, "MainPID")
            run("systemctl", "kill", "-s", "KILL", unit)
            until(lambda: show(unit, "MainPID") not in ("0", pid) and
                  show(unit, "ActiveState") == "active", unit + " again")
            time.sleep(0.5)
    assert load.good > 100 and signing.good > 100, (load.good, signing.good)
    return load, signing


def only_what_was_accepted_broke(load):
    """Three kills: at most what each of its threads had open then."""
    assert not load.refused(), load.refused()[:5]
    assert len(load.bad) <= 3 * len(load.threads), load.bad
    return f"{load.good} good, {len(load.bad)} broke off, 0 refused"


@check
def kill_9_of_the_keeper_loses_no_request():
    load, signing = kill_under_load("jwksd.service")
    assert not load.bad, load.bad[:5]
    return "HTTP: %d of %d; Sign: %s" % (
        load.good, load.good, only_what_was_accepted_broke(signing))


@check
def kill_9_of_the_front_refuses_nobody():
    load, signing = kill_under_load("jwksd-http.service")
    assert not signing.bad, signing.bad[:5]
    return "HTTP: " + only_what_was_accepted_broke(load)


@check
def a_hung_keeper_is_restarted():
    drop_in("jwksd.service", "[Service]\nWatchdogSec=2s\n")
    try:
        run("systemctl", "restart", "jwksd.service")
        time.sleep(3)
        pid = int(show("jwksd.service", "MainPID"))
        assert show("jwksd.service", "NRestarts") == "0", \
            "a keeper that answers was restarted"
        os.kill(pid, signal.SIGSTOP)
        until(lambda: show("jwksd.service", "MainPID") not in
              ("0", str(pid)) and show("jwksd.service", "ActiveState") ==
              "active", "a restart by the watchdog", 30)
        assert "Watchdog timeout" in journal("-u", "jwksd.service")
    finally:
        drop_out("jwksd.service")
    run("systemctl", "restart", "jwksd.service")
    run("jwksctl", "status")


@check
def a_bad_configuration_is_not_reloaded():
    bad = "/etc/jwksd/jwksd.conf.d/bad.conf"
    pid = show("jwksd.service", "MainPID")
    run("systemctl", "reload", "jwksd.service")
    with open(bad, "w") as f:
        f.write("[policy]\nrotation_period = 3 fortnights\n")
    try:
        run("systemctl", "reload", "jwksd.service", status=1)
        text = journal("-x", "MESSAGE_ID=" + event_id("BAD_CONFIG"))
        assert bad + ":2" in text, text
        assert "jwksd --check" in text, text
        assert run("jwksd", "--check", status=78).stderr.startswith(bad)
        assert show("jwksd.service", "MainPID") == pid
        all_active()
    finally:
        os.unlink(bad)
    with open(bad, "w") as f:
        f.write("[policy]\nrotation_period = 40d\n")
    try:
        assert "policy.rotation_period" in run("jwksctl", "reload").stdout
        assert journal("MESSAGE_ID=" + event_id("RELOADED"), "JWKSD_UID=0")
    finally:
        os.unlink(bad)
    run("systemctl", "reload", "jwksd.service")


@check
def the_journal_explains():
    text = journal("-x", "MESSAGE_ID=" + event_id("ACTIVATED"),
                   "JWKSD_KEYSET=default")
    assert "A key began to sign" in text, text
    assert "jwksctl rollback default" in text, text
    fields = [json.loads(line) for line in journal(
        "-o", "json", "MESSAGE_ID=" + event_id("ACTIVATED")).splitlines()]
    assert fields[-1]["JWKSD_KID"] in kids(), fields[-1]
    assert int(fields[-1]["JWKSD_GENERATION"]) > 1
    assert fields[-1]["JWKSD_STATE"] == "active"
    assert fields[-1]["SYSLOG_IDENTIFIER"] == "jwksd"
    assert fields[-1]["PRIORITY"] == "5"


@check
def status_is_told_to_systemd():
    assert "active key" in show("jwksd.service", "StatusText")


@check
def autopkgtest():
    run("sh", OUT + "/autopkgtest/installed")


@check_on_trixie
def varlinkctl_is_a_client():
    text = run("varlinkctl", "introspect", CONTROL, "org.jwksd.keys").stdout
    assert "method Rotate" in text, text
    text = run("varlinkctl", "info", CONTROL).stdout
    assert "org.jwksd.keys" in text, text
    reply = json.loads(run("varlinkctl", "-j", "call", CONTROL,
                           "org.jwksd.keys.Status", "{}").stdout)
    assert reply["ready"] is True, reply
    stream = subprocess.Popen(
        ["varlinkctl", "-j", "--more", "call", CONTROL,
         "org.jwksd.keys.Monitor", "{}"], stdout=subprocess.PIPE, text=True)
    try:
        first = json.loads(stream.stdout.readline().lstrip("\x1e"))
        assert first["event"] == "snapshot", first
        run("jwksctl", "rotate", "--now", "--yes")
        then = json.loads(stream.stdout.readline().lstrip("\x1e"))
        assert then["sequence"] > first["sequence"], then
    finally:
        stream.kill()
        stream.wait()
    for path, name, method in ((SIGN, "sign", "Sign"),
                               (PUBLISH, "publish", "Documents")):
        text = run("varlinkctl", "introspect", path, "org.jwksd." + name)
        assert "method " + method in text.stdout, text.stdout
    reply = json.loads(run("varlinkctl", "-j", "call", SIGN,
                           "org.jwksd.sign.Sign", json.dumps({"claims": {
                               "exp": int(time.time()) + 60}})).stdout)
    assert kid_of(reply["token"]) == reply["kid"], reply
    run("jwksctl", "verify", reply["token"])
    done = run("varlinkctl", "call", CONTROL, "org.jwksd.keys.ShowKey",
               '{"key":"nonsense"}', status=None)
    assert done.returncode != 0 and "NoSuchKey" in done.stderr, done


@check
def ml_dsa_where_openssl_has_it():
    command = ["jwksctl", "call", "AddKeySet", json.dumps(
        {"name": "post/quantum", "policy": {"algorithm": "ML-DSA-44"}})]
    if not TRIXIE:
        done = run(*command, status=None)
        assert done.returncode != 0 and "OpenSSL 3.5" in done.stderr, done
        return
    run(*command)
    def key():
        done = run("jwksctl", "jwks", "post/quantum", status=None)
        return json.loads(done.stdout)["keys"] if done.returncode == 0 else []
    until(key, "a key of ML-DSA-44")
    first = key()[0]
    assert first["kty"] == "AKP" and first["alg"] == "ML-DSA-44", first
    assert len(first["pub"]) == 1750, len(first["pub"])
    token = run("jwksctl", "sign", "post/quantum").stdout.strip()
    assert kid_of(token) == first["kid"], token
    assert len(token.split(".")[2]) == 3227, len(token.split(".")[2])
    run("jwksctl", "verify", token)


@check
def drop_in_examples_work():
    examples = "/usr/share/doc/jwksd/examples/drop-ins/"
    keys = kids()

    def put(name, unit):
        directory = f"/etc/systemd/system/{unit}.d"
        os.makedirs(directory, exist_ok=True)
        shutil.copy(examples + name, directory)
        run("systemctl", "daemon-reload")

    def take(unit):
        shutil.rmtree(f"/etc/systemd/system/{unit}.d")
        run("systemctl", "daemon-reload")

    put("other-port.conf", "jwksd-http.socket")
    try:
        run("systemctl", "restart", "jwksd-http.socket")
        for host in ("127.0.0.1", "[::1]"):
            run("curl", "-sf", f"http://{host}:8080{PATH}")
        run("curl", "-sf", f"http://{HOST}:{PORT}{PATH}", status=7)
    finally:
        take("jwksd-http.socket")
        run("systemctl", "restart", "jwksd-http.socket")
    put("unix-socket.conf", "jwksd-http.socket")
    try:
        run("systemctl", "restart", "jwksd-http.socket")
        until(lambda: run("systemctl", "is-active", "jwksd-http.socket",
                          status=None).stdout == "active\n", "the socket")
        as_user("bob", "curl", "-sf", "--unix-socket", "/run/jwksd/http.sock",
                f"http://localhost{PATH}")
    finally:
        # While systemd still knows what is to be removed.
        run("systemctl", "stop", "jwksd-http.socket")
        take("jwksd-http.socket")
        run("systemctl", "restart", "jwksd-http.socket")
    run("systemd-creds", "decrypt", "--name=jwksd.kek", CREDENTIAL,
        "/etc/jwksd/jwksd.kek")
    put("kek-from-file.conf", "jwksd.service")
    os.rename(CREDENTIAL, CREDENTIAL + ".away")
    try:
        run("systemctl", "restart", "jwksd.service")
        assert kids() == keys
    finally:
        os.rename(CREDENTIAL + ".away", CREDENTIAL)
        os.unlink("/etc/jwksd/jwksd.kek")
        take("jwksd.service")
    run("systemctl", "restart", "jwksd.service")
    for name in ("jwksd-rotate.service", "jwksd-rotate.timer"):
        shutil.copy(examples + name, "/etc/systemd/system")
    try:
        run("systemctl", "daemon-reload")
        run("systemctl", "enable", "--now", "jwksd-rotate.timer")
        assert show("jwksd-rotate.timer", "NextElapseUSecRealtime")
        run("systemctl", "start", "jwksd-rotate.service")
        run("systemctl", "disable", "--now", "jwksd-rotate.timer")
        run("systemctl", "clean", "--what=state", "jwksd-rotate.timer")
    finally:
        for name in ("jwksd-rotate.service", "jwksd-rotate.timer"):
            os.unlink("/etc/systemd/system/" + name)
        run("systemctl", "daemon-reload")
    all_active()


@check
def without_its_key_it_says_so():
    os.rename(CREDENTIAL, CREDENTIAL + ".away")
    keys = kids()
    try:
        run("systemctl", "restart", "jwksd.service", status=1)
        assert kids() == keys, "the front does not serve on"
        text = journal("-x", "MESSAGE_ID=" + event_id("REFUSED_TO_START"))
        assert "jwksd did not start" in text, text
        until(lambda: "key-encryption key" in run(
            "jwksctl", "status", status=None).stderr, "why")
    finally:
        os.rename(CREDENTIAL + ".away", CREDENTIAL)
    run("systemctl", "restart", "jwksd.service")
    all_active()
    assert kids() == keys


@check
def the_target_stops_everything():
    assert show("jwksd.target", "ActiveState") == "active"
    with Load():
        time.sleep(0.3)
        run("systemctl", "stop", "jwksd.target")
        time.sleep(2)
        for unit in SOCKETS + SERVICES:
            assert show(unit, "ActiveState") == "inactive", unit
    assert not os.path.exists(CONTROL)
    run("systemctl", "start", *SOCKETS)
    assert len(kids()) >= 2, "a socket starts its service"
    run("systemctl", "start", "jwksd.target")
    until(lambda: show("jwksd.service", "ActiveState") == "active", "start")
    all_active()
    assert len(kids()) >= 2


@check
def a_mistake_is_no_storm_of_starts():
    """Clients at full speed; two starts, one entry, the front serves on."""
    bad, keys = "/etc/jwksd/jwksd.conf.d/bad.conf", kids()
    with open(bad, "w") as f:
        f.write("[policy]\nnonsense = 1\n")
    try:
        run("systemctl", "restart", "jwksd.service", status=1)
        before = int(show("jwksd.service", "NRestarts") or 0)
        lines = len(journal("_SYSTEMD_UNIT=jwksd.service").splitlines())
        end, answers = time.monotonic() + 5, 0
        while time.monotonic() < end:
            done = run("jwksctl", "status", status=None)
            answers += done.returncode == 78 and bad + ":2" in done.stderr
        assert answers > 20, answers
        assert kids() == keys, "the front does not serve on"
        assert int(show("jwksd.service", "NRestarts") or 0) == before
        assert show("jwksd.service", "ActiveState") == "active"
        assert "degraded" in show("jwksd.service", "StatusText")
        more = len(journal("_SYSTEMD_UNIT=jwksd.service").splitlines())
        assert more - lines < 20, more - lines
    finally:
        os.unlink(bad)
    run("jwksctl", "reload")
    until(lambda: run("jwksctl", "status", status=None).returncode == 0,
          "the mended configuration")
    all_active()
    assert kids() == keys


@check
def an_upgrade_answers_every_request():
    sockets = {u: show(u, "ActiveEnterTimestampMonotonic") for u in SOCKETS}
    pids = {u: show(u, "MainPID") for u in SERVICES}
    keys = kids()
    with Load() as load, Load(sign, 2) as signing:
        apt("install", NEXT)
    all_active()
    assert load.good > 100 and not load.bad, (load.good, load.bad[:5])
    # What the old keeper had accepted may break, once for each caller.
    assert not signing.refused(), signing.refused()[:5]
    assert len(signing.bad) <= len(signing.threads), signing.bad
    assert {u: show(u, "ActiveEnterTimestampMonotonic") for u in
            SOCKETS} == sockets, "a socket was restarted"
    for unit, pid in pids.items():
        assert show(unit, "MainPID") != pid, f"{unit} is the old one"
    assert "+next" in run("jwksctl", "status").stdout
    assert kids() == keys
    return f"HTTP: {load.good} of {load.good}; Sign: {signing.good} good, " \
        f"{len(signing.bad)} broke off, 0 refused"


@check
def remove_keeps_and_reinstall_finds():
    keys = kids()
    apt("remove", "jwksd")
    for path in (STATE + "/jwksd.db", CREDENTIAL, "/etc/jwksd/jwksd.conf"):
        assert os.path.exists(path), path
    for unit in SERVICES + SOCKETS:
        assert run("systemctl", "is-active", unit, status=None).stdout != \
            "active\n", unit
    apt("install", NEXT)
    all_active()
    assert kids() == keys, "other keys"


@check
def purge_keeps_what_is_to_be_kept():
    keys = kids()
    with open(STATE + "/.keep", "w"):
        pass
    apt("purge", "jwksd")
    assert os.path.exists(STATE + "/jwksd.db")
    assert os.path.exists(CREDENTIAL)
    apt("install", NEXT)
    assert kids() == keys, "other keys"
    os.unlink(STATE + "/.keep")


@check
def purge_deletes():
    apt("purge", "jwksd")
    assert not os.path.exists(STATE)
    assert not os.path.exists(STATE + ".anchor")
    assert not os.path.exists(CREDENTIAL)
    run("systemctl", "daemon-reload")
    after = files()
    assert len(after) > 1000
    other = {p for p in after.keys() | before_all.keys()
             if after.get(p, 0) != before_all.get(p, 0) and
             not ACCOUNTS.fullmatch(p)}
    assert not other, sorted(other)
    assert pwd.getpwnam("jwksd"), "the user is to stay"


@check
def a_new_start_makes_new_keys():
    apt("install", DEB)
    all_active()
    assert len(kids()) == 2
    apt("purge", "jwksd")


# ---- all of them ----

def main():
    with open(OUT + "/result", "w", buffering=1) as result:
        for function in CHECKS:
            name = function.__name__.replace("_", " ")
            start = time.monotonic()
            try:
                note = function()
            except Exception as error:      # the next check goes on
                why = " | ".join((str(error) or repr(error)).splitlines())
                result.write(f"FAIL {name}: {why}\n")
                if function is CHECKS[0]:
                    break                   # where nothing is installed
            else:
                note = ": " + note if note else ""
                result.write(f"ok {name}{note} "
                             f"({time.monotonic() - start:.1f} s)\n")
        with open(OUT + "/journal", "w") as f:
            f.write(journal("-o", "short-precise"))
        result.write("the end\n")


main()
