"""One failed allocation in every call: the answer is right, or an error, or
the process is gone in the way that is promised; and the next call is right."""
import base64
import contextlib
import grp
import http.client
import json
import mmap
import os
import re
import struct
import tempfile
import time

import harness
import http_fake

FIELDS = struct.Struct("=qqqq")
GONE = 71                       # EX_OSERR, of a process that has no memory
SHIM = os.path.join(harness.BUILD, "tools/alloc_shim.so")
POLICY = {**harness.FAST, "rotation_period": "30d", "token_max_ttl": "10min",
          "rollback_window": "10min"}
# Looked up by Reload, in a file: root's is known without one.
GROUP = grp.getgrgid(os.getgid() or 1).gr_name
ACCESS = {"admin_group": GROUP, "sign_group": GROUP}
IFACE, SIGN = "org.jwksd.keys", "org.jwksd.sign"
# What a call may answer that could not be carried out.
ERRORS = {"NoMemory", "StoreFailed", "OutcomeUnknown", "Overloaded"}


class Shim:
    """The counter of tests/tools/alloc_shim.c."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="alloc")
        self.file.write(bytes(FIELDS.size))
        self.file.flush()
        self.map = mmap.mmap(self.file.fileno(), FIELDS.size)
        self.env = {"LD_PRELOAD": SHIM, "JWKSD_TEST_ALLOC": self.file.name}

    def arm(self, pid, at):
        self.map[:] = FIELDS.pack(0, at, 0, 0)
        self.map[:8] = struct.pack("=q", pid)

    def disarm(self):
        """(how many allocations, how many of them failed)"""
        self.map[:8] = bytes(8)
        return FIELDS.unpack(self.map[:])[2:]

    def close(self):
        self.map.close()
        self.file.close()


def shape(value):
    """What is the same in every good answer: no moments, no chance."""
    text = json.dumps(value, sort_keys=True)
    text = re.sub(r"\bs\d{6}\b", "NAME", text)     # of World.fresh()
    text = re.sub(r"\b1[6-9]\d{8}\b", "TIME", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", "TIME", text)
    # Of their full length, or they stay and differ.
    text = re.sub(r"(?<![\w-])[\w-]{43}(?![\w-])", "OCTETS32", text)
    text = re.sub(r"(?<![\w-])[\w-]{22}(?![\w-])", "OCTETS16", text)
    return re.sub(r"(?<![\w-])[\w-]{86}(?![\w-])", "OCTETS64", text)


def call(path, interface, method, parameters=None):
    with contextlib.closing(harness.Varlink(path, interface)) as client:
        return client.call(method, parameters)


class Verb:
    """One call, of one kind; `prepare` runs before anything fails."""

    def __init__(self, name, parameters=None, more=False, interface=IFACE,
                 exact=True):
        self.name, self.parameters, self.more = name, parameters or {}, more
        self.interface, self.exact = interface, exact

    def __str__(self):
        return self.name + (" more" if self.more else "")

    def prepare(self, world):
        return None

    def arguments(self, context):
        return self.parameters

    def run(self, world, context):
        path = world.sign if self.interface == SIGN else world.daemon.control
        parameters = self.arguments(context)
        if not self.more:
            return call(path, self.interface, self.name, parameters)
        with contextlib.closing(
                harness.Varlink(path, self.interface)) as client:
            replies = []
            for reply in client.stream(self.name, parameters):
                replies.append(reply)
                if reply.get("complete"):
                    break
            return replies

    def again(self, world, context):
        return self.run(world, context)

    def shape(self, reply):
        if self.exact:
            return re.sub(r"\b1[6-9]\d{8}\b", "TIME",
                          json.dumps(reply, sort_keys=True))
        return shape(reply)


class Status(Verb):
    def shape(self, reply):
        # How long it runs and how many fronts there are is not constant.
        return shape({k: v for k, v in reply.items() if k != "fronts"})


class Changing(Verb):
    """On a key set of its own each time, under a request id."""

    def __init__(self, name, parameters=None, on_set="keySet", made=True):
        super().__init__(name, parameters, exact=False)
        self.on_set, self.made = on_set, made

    def prepare(self, world):
        name = world.fresh()
        if self.made:
            world.daemon.call("AddKeySet", {"name": name})
        return name

    def arguments(self, name):
        on = {self.on_set: name} if self.on_set else {}
        return {**self.parameters, **on, "requestId": "r" + name}


class Revoke(Changing):
    def arguments(self, name):
        return {"key": name + "#1", "force": True, "reason": "a test",
                "requestId": "r" + name}


class Add(Changing):
    """The reply is not all: it is in the list, complete."""

    def again(self, world, name):
        reply = super().again(world, name)
        keys = world.daemon.keys(keySet=name)
        if len(keys) != 2:
            raise AssertionError(f"{name} has {len(keys)} keys")
        return reply


class AddSeveral(Add):
    def arguments(self, name):
        return {"keySets": [{"name": name}, {"name": name + "/second"}],
                "requestId": "r" + name}


class Rollback(Changing):
    def prepare(self, world):
        name = super().prepare(world)
        world.daemon.call("Rotate", {"keySet": name, "now": True})
        return name


def claims():
    return {"sub": "a user", "aud": ["x", "y"], "exp": int(time.time()) + 300}


def encoded(value):
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class Sign(Verb):
    """With a key that is yet to be opened: each with a set of its own."""

    def __init__(self, name, algorithm="EdDSA"):
        super().__init__(name, interface=SIGN, exact=False)
        self.algorithm = algorithm

    def __str__(self):
        return f"{self.name} {self.algorithm}"

    def prepare(self, world):
        name = world.fresh()
        world.daemon.call("AddKeySet", {
            "name": name, "policy": {"algorithm": self.algorithm}})
        return name

    def arguments(self, name):
        if self.name == "Sign":
            return {"claims": claims(), "keySet": name}
        return {"payload": encoded(claims()), "keySet": name}

    def run(self, world, name):
        reply = super().run(world, name)
        if "token" in reply and not world.armed:
            verified = world.daemon.call("Verify", {"token": reply["token"]})
            if not verified["valid"]:
                raise AssertionError(f"{name}: a token that is not valid")
        # A token is new each time, and of one length.
        return {member: [len(part) for part in value.split(".")]
                if member in ("token", "header") else value
                for member, value in reply.items()}


class Verify(Verb):
    def prepare(self, world):
        return call(world.sign, SIGN, "Sign",
                    {"keySet": "b", "claims": claims()})["token"]

    def arguments(self, token):
        return {"token": token}


class Event(Changing):
    """A change that is told to a stream, or the stream ends."""

    def __init__(self):
        super().__init__("Freeze", {"frozen": True})

    def __str__(self):
        return "an event of Monitor"

    def run(self, world, name):
        with world.daemon.connect() as watcher:
            watcher.send("Monitor", {"keySet": name}, more=True)
            watcher.reply()
            world.arm_again()
            super().run(world, name)
            return watcher.reply()

    def again(self, world, name):
        """On another key set: the same request is no second change."""
        return self.run(world, self.prepare(world))


class Served(Changing):
    """What the front serves: all of the document, however it came there."""

    def __init__(self):
        super().__init__("AddKeySet", on_set="name", made=False)

    def __str__(self):
        return "the front's stream"

    def again(self, world, name):
        super().again(world, name)
        wanted = world.daemon.call("GetJwks", {"keySet": name})["jwks"]
        path = f"/{name}{harness.JWKS_PATH}"

        def is_there():
            answer = world.daemon.get(path)
            return answer.status == 200 and answer.json() == wanted

        harness.wait_until(is_there, 5, f"{name} is not served whole")
        return super().run(world, name)


def verbs():
    yield Status("Status")
    # Early: it looks at every key set.
    yield Changing("AcceptClock", on_set=None, made=False)
    for more in False, True:
        yield Verb("ListKeySets", more=more)
        yield Verb("ListKeys", {"all": True}, more=more)
        yield Verb("Plan", {"keySet": "b"}, more=more)
    yield Verb("Monitor", more=True)
    yield Event()
    yield Verb("ShowKey", {"key": "a#1"})
    yield Verb("GetJwks", {"keySet": "b"})
    yield Verb("GetJwks", {"keySet": "b"}, interface=SIGN)
    yield Verify("Verify")
    yield Verb("org.varlink.service.GetInfo")
    yield Verb("org.varlink.service.GetInterfaceDescription",
               {"interface": IFACE})
    yield Sign("Sign")
    yield Sign("Sign", "ES384")         # by a thread
    yield Sign("SignPayload")
    yield Add("AddKeySet", on_set="name", made=False)
    yield AddSeveral("AddKeySets", made=False)
    yield Revoke("Revoke")
    yield Changing("Rotate", {"now": True})
    yield Changing("Rotate", {"cancel": False})
    yield Rollback("Rollback")
    yield Changing("RemoveKeySet", {"force": True}, on_set="name")
    yield Changing("SetPolicy", {"policy": {"rotationPeriod": 1728000}},
                   on_set="name")
    yield Changing("Freeze", {"frozen": True})
    yield Verb("Reload")
    yield Served()


LIVES = 250     # attempts with one daemon


class World:
    """A daemon whose allocations fail, and start it again."""

    def __init__(self, daemon, shim):
        self.daemon, self.shim = daemon, shim
        self.made, self.armed, self.at = 0, False, 0
        self.sign = f"{daemon.runtime}/sign.sock"

    def fresh(self):
        self.made += 1
        return f"s{self.made:06}"

    def arm_again(self):
        if self.armed:
            self.shim.arm(self.daemon.pid, self.at)

    def shim_off(self):
        if self.armed:
            self.counted = self.shim.disarm()
            self.armed = False

    def attempt(self, verb, context, at):
        """(kind, what), with the at-th allocation of the daemon failing."""
        self.armed, self.at = True, at
        self.shim.arm(self.daemon.pid, at)
        try:
            result = "reply", verb.shape(verb.run(self, context))
        except harness.VarlinkError as error:
            result = "error", error.short
        except (EOFError, ConnectionError):
            result = "gone", None
        except (TimeoutError, ValueError) as error:
            result = "fault", repr(error)
        self.shim_off()
        return result

    def is_answering(self):
        with contextlib.suppress(OSError, EOFError):
            call(self.daemon.control, "org.varlink.service",
                 "org.varlink.service.GetInfo")
            return True
        return False

    def ended(self):
        """The status of a daemon that is gone, started again; or None."""
        process = self.daemon.process
        harness.wait_until(lambda: process.poll() is not None
                           or self.is_answering(), 10, "there is no answer")
        if process.poll() is None:
            return None
        self.daemon.process = None
        self.daemon.start()
        return process.returncode


def look(world, verb, reference, at):
    """One failure, and what is wrong with what comes of it."""
    context = verb.prepare(world)
    kind, what = world.attempt(verb, context, at)
    status = world.ended()
    where = f"{verb}, allocation {at}:"
    if status not in (None, GONE):
        yield f"{where} ended with {status}"
    if kind == "fault" or (kind == "error" and what not in ERRORS):
        yield f"{where} {kind} {what}"
    if kind == "reply" and what != reference:
        yield f"{where} answered {what}, and not {reference}"
    try:
        after = verb.shape(verb.again(world, context))
        if after != reference:
            yield f"{where} afterwards {after}, and not {reference}"
    except Exception as error:
        yield f"{where} ({kind} {what}) afterwards {error!r}"


def measure(world, verb):
    """(the right answer, how many allocations it takes)"""
    verb.again(world, verb.prepare(world))
    context = verb.prepare(world)
    kind, what = world.attempt(verb, context, 0)
    if kind != "reply":
        raise AssertionError(f"{verb}: {kind} {what}")
    return what, world.counted[0]


class FrontWorld:
    """A front whose allocations fail, and a keeper that tells it documents."""

    def __init__(self, directory, shim):
        self.shim, self.made = shim, 0
        self.socket = http_fake.listening()
        self.port = self.socket.getsockname()[1]
        self.keeper = http_fake.FakeKeeper(
            directory, [http_fake.document(), http_fake.document("b")])
        self.front = http_fake.Front(directory, [self.socket], env=shim.env,
                                     config="processes = 1")
        harness.wait_until(lambda: self.get("default"))

    def close(self):
        status = self.front.stop()
        self.keeper.stop()
        self.socket.close()
        if status != 0:
            raise AssertionError(f"the front ended with {status}")

    def get(self, name):
        """The body, None for no such document, or an error of a socket."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", f"/{name}{harness.JWKS_PATH}")
            answer = connection.getresponse()
            body = answer.read().decode()
            return body if answer.status == 200 else None

    def attempt(self, anew, at):
        """A document comes, and is read; or the keeper tells everything
        anew.  (how many allocations, how many failed, what is wrong)"""
        self.made += 1
        name = f"s{self.made % 50:06}"
        body = http_fake.document(name, f"k{self.made}")
        before = self.keeper.documents.get(name, {}).get("body")
        (worker,) = self.front.workers()
        self.shim.arm(worker, at)
        if anew:
            self.keeper.documents[name] = body
            self.keeper.drop()
        else:
            self.keeper.push([body])
        found = list(self.wait(name, before, body["body"]))
        count, hits = self.shim.disarm()
        found += list(self.all_there())
        return count, hits, found

    def wait(self, name, before, wanted):
        end, body = time.monotonic() + 10 * harness.SLOW, before
        while body != wanted:
            if time.monotonic() > end:
                yield f"the front still serves {body} for {wanted}"
                return
            with contextlib.suppress(OSError, http.client.HTTPException):
                body = self.get(name)
                if body not in (before, wanted):
                    yield f"the front served {body}"
            time.sleep(0.005)

    def all_there(self):
        harness.wait_until(self.front.workers, 10, "there is no worker")
        for name, document in list(self.keeper.documents.items()):
            body = self.get(name)
            if body != document["body"]:
                yield f"the front serves {body} for {document['body']}"


def front(choose):
    """The same of the front, its stream and its answers."""
    done, found = 0, []
    with contextlib.closing(Shim()) as shim, \
            tempfile.TemporaryDirectory(prefix="f") as directory, \
            contextlib.closing(FrontWorld(directory, shim)) as world:
        for anew in False, True:
            count = min(world.attempt(anew, 0)[0] for _ in range(3))
            for at in choose(count):
                _, hits, faults = world.attempt(anew, at)
                done += hits
                found += [f"anew {anew}, allocation {at}: {fault}"
                          for fault in faults]
        ends = re.findall("worker .*(?:status|signal) .*",
                          world.front.output())
    found += [end for end in ends if f"with status {GONE};" not in end]
    return done, found


@contextlib.contextmanager
def world():
    with contextlib.closing(Shim()) as shim, \
            harness.Daemon(policy=POLICY, config={"access": ACCESS},
                           env=shim.env, common_check=False) as daemon:
        made = World(daemon, shim)
        for name in "a", "b":
            daemon.call("AddKeySet", {"name": name})
        yield made


def allocations(choose):
    """choose(n) names the allocations, of n, that fail: (how many did,
    faults)."""
    done, found = 0, []
    for verb in verbs():
        with world() as w:
            _, count = measure(w, verb)
        chosen = list(choose(count))
        # A call may leave a key set: a daemon with thousands starts slowly.
        for begin in range(0, len(chosen), LIVES):
            with world() as w:
                reference, _ = measure(w, verb)
                for at in chosen[begin:begin + LIVES]:
                    found += look(w, verb, reference, at)
                    done += w.counted[1]
    return done, found
