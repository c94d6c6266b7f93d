"""Orders of several clients at once against a daemon that dies under them,
and what must hold afterwards.

Each client owns a key set, gives one order at a time with a request id, and
repeats it under the same id until it is answered: so it knows what was
acknowledged, and in which order.  check() compares that with the database.
"""
import contextlib
import http.client
import json
import random
import threading
import time

import harness
from harness import VarlinkError

# A whole life in seconds, without any margin; what is retired leaves within
# three.
POLICY = {**harness.FAST, "verifier_max_age": "2s", "rotation_period": "1h",
          "retire_safety": "0"}
COPY_LIVES = 2.0
SLACK = 0.05


class Client(threading.Thread):
    """Orders about one key set, until stopped."""

    def __init__(self, fleet, key_set, seed):
        super().__init__(daemon=True)
        self.fleet, self.key_set = fleet, key_set
        self.random = random.Random(seed)
        self.acknowledged = []  # (ns, method, parameters, reply)
        self.number = 0

    def run(self):
        while not self.fleet.stopped.is_set():
            self.order(*self.next_order())
            time.sleep(self.random.uniform(0, 0.02))

    def order(self, method, parameters):
        """Its reply; None when it was refused or nobody answers any more."""
        self.number += 1
        parameters["requestId"] = f"{self.key_set}-{self.number}"
        while not self.fleet.stopped.is_set():
            try:
                reply = self.fleet.daemon.call(method, parameters)
            except VarlinkError as error:
                if error.short in self.fleet.again:
                    time.sleep(0.01)
                    continue
                self.refused(method, parameters, error)
                return None
            except (OSError, EOFError):
                time.sleep(0.01)
                continue
            self.acknowledged.append(
                (time.monotonic_ns(), method, parameters, reply))
            return reply
        return None

    def refused(self, method, parameters, error):
        if error.short not in ("NotReady", "BadState", "BadPolicy", "Frozen",
                               "Conflict", "NoSuchKey", "NoSuchKeySet"):
            self.fleet.strange.append((method, parameters, str(error)))


class Rotator(Client):
    """Only what is safe: a strict verifier reads its tokens."""

    def next_order(self):
        return "Rotate", dict(keySet=self.key_set)

    def order(self, method, parameters):
        reply = super().order(method, parameters)
        time.sleep(0.3)
        return reply




class Changer(Client):
    """Everything that changes one key set."""

    def next_order(self):
        choice = self.random.randrange(6)
        if choice == 0:
            period = 3600 + self.number
            return "SetPolicy", dict(name=self.key_set, policy={
                "rotationPeriod": period})
        if choice == 1 and self.number > 3:
            return "Revoke", dict(key=f"{self.key_set}#{self.newest()}",
                                  reason="a test", force=True)
        return "Rotate", dict(keySet=self.key_set, now=True)

    def newest(self):
        numbers = [reply["activated"]["generation"]
                   for _, _, _, reply in self.acknowledged
                   if reply.get("activated")]
        return numbers[-1] if numbers else 1


class Builder(Client):
    """Key sets that come and go, each name once."""

    def next_order(self):
        name = f"{self.key_set}{self.number // 2}"
        if self.number % 2 == 0:
            return "AddKeySet", dict(name=name)
        return "RemoveKeySet", dict(name=name, force=True)


class Fleet:
    """The clients, a signer and a reader of the URL, of one daemon."""

    def __init__(self, daemon, seed, again=("OutcomeUnknown",)):
        self.daemon = daemon
        self.again = again      # errors after which the same is asked again
        self.stopped = threading.Event()
        self.clients, self.strange = [], []
        self.tokens, self.copies = [], []
        daemon.call("AddKeySet", {"name": "fa"})
        self.clients = [Rotator(self, "default", seed),
                        Changer(self, "fa", seed + 1),
                        Builder(self, "fb", seed + 2)]
        self.threads = [*self.clients,
                        threading.Thread(target=self.sign, daemon=True),
                        threading.Thread(target=self.read, daemon=True)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)

    def sign(self):
        path = self.daemon.control.replace("control.sock", "sign.sock")
        while not self.stopped.wait(0.02):
            with contextlib.suppress(OSError, EOFError, VarlinkError):
                now = time.time()
                with harness.Varlink(path, "org.jwksd.sign") as client:
                    reply = client.call("Sign", {"keySet": "default",
                        "claims": {"exp": int(now) + 1}})
                self.tokens.append((time.monotonic(), time.monotonic_ns(),
                                    reply["kid"],
                                    reply["expiresAt"] - time.time()))

    def read(self):
        while not self.stopped.wait(0.02):
            asked = time.monotonic()
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.daemon.get()
                if answer.status == 200:
                    self.copies.append(
                        (asked, time.monotonic_ns(),
                         {k["kid"]: json.dumps(k, sort_keys=True)
                          for k in answer.json()["keys"]}))

    @property
    def acknowledged(self):
        found = [a for c in self.clients for a in c.acknowledged]
        return sorted(found, key=lambda a: a[0])


def rejected(fleet):
    """Valid tokens whose key a copy lacks that may still be used."""
    for signed, _, kid, lives in fleet.tokens:
        for asked, came, keys in fleet.copies:
            begin = max(signed, came / 1e9)
            end = min(signed + lives, asked + COPY_LIVES)
            if end - begin > SLACK and kid not in keys:
                yield (f"a token of {kid} is rejected for "
                       f"{end - begin:.2f} s")
                break


def faults(fleet, daemon, until=None):
    """What does not hold, in words.  `until`: acknowledgements and answers
    after that moment (ns) are not looked at."""
    found = []
    acknowledged = [a for a in fleet.acknowledged
                    if until is None or a[0] <= until]
    with daemon.database() as db:
        found += database_faults(db)
        for at in acknowledged:
            found += order_faults(db, *at[1:])
        found += last_policy(db, fleet, until)
        found += served_faults(db, fleet, until)
    for _, method, parameters, reply in acknowledged[-8:]:
        found += repeat_faults(daemon, method, parameters, reply)
    if until is None:
        found += list(rejected(fleet))
        found += [f"strange: {s}" for s in fleet.strange]
    return found


def one(db, query, *values):
    row = db.execute(query, values).fetchone()
    return None if row is None else row[0]


def database_faults(db):
    if one(db, "PRAGMA integrity_check") != "ok":
        yield "the database is not whole"
    if db.execute("PRAGMA foreign_key_check").fetchall():
        yield "a foreign key hangs"
    for row in db.execute(
            "SELECT request_id, event, kid, to_state, count(*) AS n"
            " FROM audit WHERE request_id IS NOT NULL"
            " GROUP BY request_id, event, kid, to_state HAVING n > 1"):
        yield f"done twice: {tuple(row)}"
    for row in db.execute(
            "SELECT s.name, count(*) FROM generation g JOIN key_set s"
            " ON s.id = g.key_set_id WHERE s.removed_at IS NULL"
            " AND g.activations > g.retirements AND g.removed_at IS NULL"
            " AND g.revoked_at IS NULL GROUP BY s.id HAVING count(*) > 1"):
        yield f"two signers: {tuple(row)}"
    for row in db.execute(
            "SELECT kid, count(*) AS n FROM generation GROUP BY kid"
            " HAVING n > 1"):
        yield f"a kid twice: {tuple(row)}"


def order_faults(db, method, parameters, reply):
    request = parameters["requestId"]
    label = f"{method} {request}"
    if one(db, "SELECT id FROM request WHERE id = ?", request) is None:
        yield f"{label}: acknowledged and not remembered"
    if one(db, "SELECT seq FROM audit WHERE request_id = ?",
           request) is None:
        yield f"{label}: acknowledged and not audited"
    if reply.get("activated"):
        key = reply["activated"]
        row = db.execute("SELECT number, activations FROM generation"
                         " WHERE kid = ?", (key["kid"],)).fetchone()
        if row is None:
            yield f"{label}: its key is gone"
        elif row["number"] != key["generation"] or row["activations"] < 1:
            yield f"{label}: its key is another: {tuple(row)}"
    if method == "Revoke" and one(
            db, "SELECT revoked_at FROM generation WHERE kid = ?",
            reply["revoked"]["kid"]) is None:
        yield f"{label}: not revoked"
    name = parameters.get("name")
    if method == "RemoveKeySet" and one(
            db, "SELECT id FROM key_set WHERE name = ?"
            " AND removed_at IS NULL", name) is not None:
        yield f"{label}: {name} is back"
    if method == "AddKeySet" and one(
            db, "SELECT id FROM key_set WHERE name = ?", name) is None:
        yield f"{label}: {name} is lost"


def last_policy(db, fleet, until):
    """The last acknowledged, or one that was asked for after it."""
    for client in fleet.clients:
        values = [p["policy"]["rotationPeriod"]
                  for ns, m, p, _ in client.acknowledged
                  if m == "SetPolicy" and (until is None or ns <= until)]
        if not values:
            continue
        now = one(db, "SELECT rotation_period FROM key_set WHERE name = ?"
                  " AND removed_at IS NULL", client.key_set)
        if now is None or now < values[-1]:
            yield f"{client.key_set}: policy {now}, was {values[-1]}"


def served_faults(db, fleet, until):
    """What a verifier saw, and what was signed, is in the store."""
    rows = {row["kid"]: row for row in db.execute(
        "SELECT kid, jwk, published_at, activations FROM generation")}
    for _, ns, keys in fleet.copies:
        for kid, text in keys.items():
            if until is not None and ns > until:
                continue
            row = rows.get(kid)
            if row is None or row["published_at"] is None:
                yield f"{kid}: served and not published in the store"
                return
            if not (json.loads(row["jwk"]).items()
                    <= json.loads(text).items()):
                yield f"{kid}: served as another key"
                return
    for _, ns, kid, _ in fleet.tokens:
        if (until is None or ns <= until) and (
                kid not in rows or rows[kid]["activations"] < 1):
            yield f"{kid}: signed and not active in the store"
            return


def repeat_faults(daemon, method, parameters, reply):
    """Asked again under its id, an order gives its first outcome."""
    try:
        again = daemon.call(method, parameters)
    except VarlinkError as error:
        return [f"{method} {parameters['requestId']}: repeated: {error}"]
    for name in ("activated", "revoked"):
        if (again.get(name) or {}).get("kid") != (
                reply.get(name) or {}).get("kid"):
            return [f"{method} {parameters['requestId']}: repeated, another"
                    f" {name}"]
    return []
