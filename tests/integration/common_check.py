"""What holds after every order of every test, whatever the test is about.

Daemon.call() and Daemon.ctl() look after each order that changed something:
what the methods that only read say agrees with each other, warnings name what
there is, and no file is left open.  At the end of the test, once: the rows
of the audit are those of the orders, and the URL has what GetJwks has.

A test that breaks the disk, the clock, memory or the database on purpose
makes its daemon with common_check=False.
"""
import collections
import contextlib
import http.client
import json
import os
import re
import time

import harness

# The events of the audit by which an order is known; Reload has none.
EVENTS = {
    "Rotate": {"rotate", "scheduled", "cancelled"},
    "Rollback": {"rollback"},
    "Revoke": {"revoke"},
    "SetPolicy": {"policy"},
    "AddKeySet": {"keyset"},
    "RemoveKeySet": {"removed"},
    "Freeze": {"frozen", "thawed"},
    "AcceptClock": {"clock"},
    "Reload": set(),
}
VERBS = {"rotate", "rollback", "revoke", "freeze", "thaw"}
# A request id that is given may be that of an order that was given before.
NO_CHANGE = {"-n", "--dry-run", "--cancel", "-h", "--help", "--request-id"}
STATES = {"pending", "published", "ready", "active", "retired"}

MORE_FILES = 16         # than after the first order
MORE_SOCKETS = 32       # at the end, when the clients of the test are gone
SETS_MAX = 32           # with more of them, a look costs too much
FRONT_EVERY = 2         # seconds between two looks at the URL
LOOKS = 1.5             # seconds for a change that comes between two replies

# How often each method was sent to each socket by this process; "?" stands
# for octets of which that is not known.
sent = collections.Counter()


def is_change(method, parameters):
    """May a call that succeeded have left a row in the audit?"""
    return (bool(EVENTS.get(method)) and not parameters.get("dryRun")
            and not (parameters.get("cancel")
                     and "requestId" not in parameters))


def event_of(method, parameters, reply):
    """The event that the row must have."""
    if method == "Freeze":
        return "frozen" if parameters.get("frozen") else "thawed"
    if method == "Rotate":
        if parameters.get("cancel"):
            return "cancelled"
        return "scheduled" if "scheduledFor" in reply else "rotate"
    (event,) = EVENTS[method]
    return event


def key_set_of(method, parameters, reply):
    """The key set that the row must name; None: of all key sets."""
    if method == "Revoke":
        return reply["revoked"]["keySet"]
    if method == "AcceptClock":
        return None
    if method == "Freeze":
        return parameters.get("keySet")
    return parameters.get("name", parameters.get("keySet", "default"))


def check_warnings(warnings, names):
    """Problems of the warnings of Status."""
    for text in warnings:
        if not isinstance(text, str) or not text or "\n" in text:
            yield f"{text!r} is no line of text"
            continue
        name = re.match(r"(\S+): ", text)
        # A file may be missing, and that be the warning; not its directory.
        if name and name[1] not in names and not os.path.exists(
                os.path.dirname(name[1])):
            yield f"the warning {text!r} is about a key set that is not there"
        for path in re.findall(r"(?<!\S)/[^\s:;,]+", text):
            if not os.path.exists(os.path.dirname(path)):
                yield f"the warning {text!r} names a file that cannot be there"


def check_set(row, keys):
    """Problems of one key set and its keys."""
    name = row["name"]
    active = [k["generation"] for k in keys if k["state"] == "active"]
    if active != [row[m] for m in ("activeGeneration",) if m in row]:
        yield (f"{name}: ListKeySets has the active generation "
               f"{row.get('activeGeneration')}, ListKeys {active}")
    if active and "signsAt" in row:
        yield f"{name}: signs, and is to sign from {row['signsAt']} on"
    numbers = [k["generation"] for k in keys]
    if len(set(numbers)) < len(numbers):
        yield f"{name}: a generation is listed twice: {numbers}"
    for key in keys:
        if key["state"] not in STATES:
            yield f"{name}: a key that is {key['state']} is listed"


def check_all(status, sets, keys):
    """Problems of what the three methods say, next to each other."""
    names = {row["name"] for row in sets}
    if status["keySets"] != len(sets) or len(names) != len(sets):
        yield f"Status counts {status['keySets']} key sets of {sorted(names)}"
    if status["generations"] != len(keys):
        yield f"Status counts {status['generations']} keys of {len(keys)}"
    sign = [r for r in sets if "activeGeneration" in r or "signsAt" in r]
    if status["ready"] != (bool(sets) and len(sign) == len(sets)):
        yield (f"Status says ready: {status['ready']}, and {len(sign)} of "
               f"{len(sets)} key sets sign, or know when")
    if {k["keySet"] for k in keys} - names:
        yield "a key is of a key set that is not listed"
    if len({k["kid"] for k in keys}) < len(keys):
        yield "a kid is listed twice"
    for row in sets:
        yield from check_set(
            row, [k for k in keys if k["keySet"] == row["name"]])
    yield from check_warnings(status["warnings"], names)


class CommonCheck:
    """Of one daemon, over all its starts."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.pid = None         # whose open files were counted
        self.orders = []        # (event, key set, request id, reason)
        self.pids = []          # of programs that gave an order
        self.failures = []
        self.front_at = 0

    # ---- after each order ----

    def after_call(self, client, method, parameters, reply):
        """On the connection that had the order: others may be used up."""
        parameters = parameters or {}
        if is_change(method, parameters):
            self.orders.append((event_of(method, parameters, reply),
                                key_set_of(method, parameters, reply),
                                parameters.get("requestId"),
                                parameters.get("reason")))
        self.look(client, method)

    def after_ctl(self, pid, arguments):
        if not VERBS & set(arguments) or any(
                a.partition("=")[0] in NO_CHANGE for a in arguments):
            return
        self.pids.append(pid)
        with contextlib.suppress(OSError), \
                self.daemon.connect(timeout=2) as client:
            self.look(client, arguments)

    def look(self, client, order):
        """A test may end the daemon at any moment: then it is as it was."""
        deadline = time.monotonic() + LOOKS * harness.SLOW
        try:
            while problems := self.problems(client):
                if time.monotonic() > deadline:
                    self.fail(f"after {order}: " + "; ".join(problems))
                time.sleep(0.02)
            self.look_at_front(client)
        except (OSError, EOFError, harness.VarlinkError):
            pass

    def fail(self, text):
        """Also at the end: a thread may not tell what happened to it."""
        self.failures.append(text)
        raise AssertionError(text)

    def problems(self, client):
        status = client.call("Status")
        if status["keySets"] > SETS_MAX:
            return []
        sets = self.key_sets(client)
        keys = [key for part in client.stream("ListKeys")
                for key in part["keys"]]
        return [*check_all(status, sets, keys), *self.check_files()]

    @staticmethod
    def key_sets(client):
        return [row for part in client.stream("ListKeySets")
                for row in part["keySets"]]

    def files(self):
        """(open files, sockets) of the daemon."""
        found = harness.descriptors(self.daemon.pid).values()
        sockets = sum(what.startswith("socket:") for what in found)
        return len(found) - sockets, sockets

    def check_files(self):
        if self.daemon.process is None:
            return      # the test has started it itself
        files, sockets = self.files()
        if self.pid != self.daemon.pid:
            self.pid, self.base = self.daemon.pid, (files, sockets)
        if files > self.base[0] + MORE_FILES:
            yield f"{files} files are open, after {self.base[0]} of them"

    # ---- the URL ----

    def look_at_front(self, client, every=FRONT_EVERY):
        now = time.monotonic()
        if (now - self.front_at < every
                or client.call("Status")["keySets"] > SETS_MAX):
            return
        self.front_at = now
        deadline = now + LOOKS * harness.SLOW
        while problem := self.front_problem(client):
            if not self.front_works(client):
                return
            if time.monotonic() > deadline:
                self.fail(problem)
            time.sleep(0.02)

    def front_works(self, client):
        """None is dead or stopped, as some tests want it."""
        states = [harness.status_of(p)[0] for p in self.daemon.fronts_seen]
        return (bool(states) and not set(states) & set("TtZX")
                and client.call("Status")["fronts"] > 0)

    def front_problem(self, client):
        """Of the first key sets' first URLs."""
        for row in self.key_sets(client)[:3]:
            if row["version"] == 0 or not row.get("urls"):
                continue
            said = client.call("GetJwks", {"keySet": row["name"]})
            found = self.get(row["urls"][0])
            if found != (200, said["etag"], said["jwks"]):
                return (f"{row['urls'][0]} has {found}, and GetJwks "
                        f"{said['etag']} {said['jwks']}")
        return None

    def get(self, url):
        host, path = f"127.0.0.1:{self.daemon.port}", url
        if not url.startswith("/"):
            host, _, path = url.removeprefix("https://").partition("/")
            path = "/" + path
        front = http.client.HTTPConnection("127.0.0.1", self.daemon.port,
                                           timeout=2 * harness.SLOW)
        try:
            front.request("GET", path, headers={"Host": host})
            answer = front.getresponse()
            body = answer.read()
            return (answer.status, answer.headers["ETag"],
                    json.loads(body) if answer.status == 200 else None)
        except (OSError, http.client.HTTPException) as error:
            return repr(error), None, None
        finally:
            front.close()

    # ---- at the end of the test ----

    def before_stop(self):
        if not self.orders and not self.pids:
            return
        with contextlib.suppress(OSError, EOFError, harness.VarlinkError), \
                self.daemon.connect(timeout=2) as client:
            self.look(client, "the last order")
            self.look_at_front(client, 0)
            if self.pid == self.daemon.pid:
                harness.wait_until(
                    lambda: self.files()[1] <= self.base[1] + MORE_SOCKETS,
                    3, "sockets are left open")

    def after_stop(self):
        assert not self.failures, self.failures
        if not self.orders and not self.pids:
            return
        with self.daemon.database() as db:
            rows = [dict(row) for row in db.execute(
                "SELECT * FROM audit WHERE count IS NULL ORDER BY seq")]
            several = {row["id"] for row in db.execute(
                "SELECT id FROM request WHERE method LIKE '%.AddKeySets'")}
        orders = [r for r in rows
                  if r["generation"] is None and r["uid"] is not None]
        single = [r for r in orders if r["request_id"] not in several]
        problems = [*self.missing(orders), *self.doubled(single),
                    *doubled_sets(r for r in orders
                                  if r["request_id"] in several),
                    *check_lives(rows)]
        assert not problems, "\n".join(problems)

    def missing(self, rows):
        """Orders that were acknowledged, and their rows."""
        have = collections.Counter(
            (r["event"], r["key_set"], r["request_id"], r["reason"])
            for r in rows)
        for order, count in collections.Counter(self.orders).items():
            # The same request again is the same order.
            wanted = 1 if order[2] is not None else count
            if have[order] < wanted:
                yield f"the audit has {have[order]} rows of {wanted} {order}"
        for pid in set(self.pids) - {r["pid"] for r in rows}:
            yield f"the audit has no row of the jwksctl with the pid {pid}"

    def doubled(self, rows):
        ids = collections.Counter(
            r["request_id"] for r in rows if r["request_id"] is not None)
        yield from (f"the audit has {count} rows of the request {request}"
                    for request, count in ids.items() if count > 1)
        yield from self.more_than_sent(rows)

    def more_than_sent(self, rows):
        path = self.daemon.control
        mine = collections.Counter(
            r["event"] for r in rows if r["pid"] == os.getpid())
        for method, events in EVENTS.items():
            count = sum(mine[event] for event in events)
            if count > sent[path, method] and not sent[path, "?"]:
                yield (f"the audit has {count} rows of {sent[path, method]} "
                       f"calls of {method}")
        others = collections.Counter(
            (r["pid"], r["event"], r["key_set"]) for r in rows
            if r["pid"] in self.pids)
        yield from (f"the audit has {count} rows of one jwksctl: {order}"
                    for order, count in others.items() if count > 1)


def doubled_sets(rows):
    """AddKeySets has a row for each of its key sets."""
    counts = collections.Counter((r["request_id"], r["key_set"])
                                 for r in rows)
    yield from (f"the audit has {count} rows of {which}"
                for which, count in counts.items() if count > 1)


def check_lives(rows):
    """Each row of a key goes on where the one before it ended."""
    states = {}
    for row in rows:
        if row["generation"] is None or row["to_state"] is None:
            continue
        key = row["kid"]
        if states.get(key, row["from_state"]) != row["from_state"]:
            yield (f"the audit has {row['key_set']}#{row['generation']} go "
                   f"from {row['from_state']} to {row['to_state']} where it "
                   f"was {states[key]}")
        states[key] = row["to_state"]
