"""How the keeper starts, replaces and ends its front, or starts none."""
import contextlib
import os
import signal
import sqlite3
import time
import unittest

import harness


def children(pid):
    return [p for p in harness.all_pids() if harness.status_of(p)[1] == pid]


class Ending(unittest.TestCase):
    def test_between_fork_and_exec(self):
        """A SIGTERM then is not lost: nobody waits for a SIGKILL."""
        shim = os.path.join(harness.BUILD, "tools/exec_shim.so")
        with harness.Daemon(start=False, wrapper=[]) as daemon:
            daemon.env = {"LD_PRELOAD": shim, "JWKSD_TEST_EXEC_MS": "1000"}
            daemon.spawn()
            harness.wait_until(lambda: children(daemon.pid))
            began = time.monotonic()
            daemon.stop()
            self.assertLess(time.monotonic() - began, 2.5)
            self.assertEqual(harness.listening_inodes(daemon.port), set())


def masters(daemon):
    fronts = daemon.front_pids()
    return [p for p in fronts if harness.status_of(p)[1] not in fronts]


class Replacing(unittest.TestCase):
    def test_many_processes_end_with_the_keeper(self):
        with harness.Daemon(config={"http": {"processes": "8"}}) as daemon:
            for _ in range(3):
                harness.wait_until(
                    lambda: daemon.call("Status").get("fronts") == 8)
                daemon.kill9()
                self.assertEqual(harness.listening_inodes(daemon.port), set())
                daemon.start()
                self.assertEqual(len(masters(daemon)), 1)

    def test_killed_while_it_starts_its_front(self):
        """At any moment: nothing is left that holds the port."""
        with harness.Daemon(start=False, wrapper=[]) as daemon:
            for _ in range(20):
                daemon.spawn()
                while not children(daemon.pid):
                    self.assertIsNone(daemon.process.poll())
                daemon.kill9()
                harness.wait_until(
                    lambda: not harness.listening_inodes(daemon.port))
            daemon.start()

    def test_killed_between_fork_and_exec(self):
        shim = os.path.join(harness.BUILD, "tools/exec_shim.so")
        with harness.Daemon(start=False, wrapper=[]) as daemon:
            daemon.env = {"LD_PRELOAD": shim, "JWKSD_TEST_EXEC_MS": "1000"}
            daemon.spawn()
            (child,) = harness.wait_until(lambda: children(daemon.pid))
            daemon.kill9()
            harness.wait_until(lambda: not harness.alive(child), 0.5)
            daemon.env = {}
            daemon.start()

    def environment(self, pid):
        return dict(entry.partition("=")[::2] for entry in
                    harness.read_proc(pid, "environ").split("\0") if entry)

    def test_what_the_next_front_is_told(self):
        with harness.Daemon() as daemon:
            master = None
            for replaces in None, "1", "1":
                (master,) = harness.wait_until(
                    lambda last=master: [pid for pid in masters(daemon)
                                         if pid != last])
                told = self.environment(master)
                self.assertEqual(told.get("JWKSD_REPLACES"), replaces)
                self.assertEqual(told["LISTEN_FDNAMES"], "http")
                os.kill(master, signal.SIGKILL)
                harness.wait_until(lambda: not harness.alive(master), 10)
                harness.wait_until(
                    lambda: daemon.call("Status").get("fronts") == 1)
            daemon.restart()
            self.assertNotIn("JWKSD_REPLACES",
                             self.environment(*masters(daemon)))


class Beside(unittest.TestCase):
    """processes = 0, and a jwksd-http that was started by itself."""

    def test_the_keeper_neither_listens_nor_starts_a_front(self):
        with harness.Daemon(start=False,
                            config={"http": {"processes": "0"}}) as daemon:
            daemon.spawn()
            harness.wait_until(self.answers(daemon))
            self.assertEqual(children(daemon.pid), [])
            self.assertEqual(harness.listening_inodes(daemon.port), set())
            self.assertEqual(daemon.call("Status")["fronts"], 0)

    @staticmethod
    def answers(daemon):
        def ready():
            with contextlib.suppress(OSError):
                return daemon.call("Status")["ready"]
        return ready

    def test_the_front_listens_itself(self):
        with harness.Daemon(own_front=True) as daemon:
            (master,) = masters(daemon)
            self.assertEqual(master, daemon.front.pid)
            self.assertLessEqual(harness.listening_inodes(daemon.port),
                                 harness.socket_inodes(master))
            self.assertEqual(daemon.get().status, 200)
            done = daemon.call("Rotate")
            harness.wait_until(lambda: daemon.get().json()["keys"][0]["kid"]
                               == done["activated"]["kid"])
            daemon.stop_front()
            self.assertEqual(harness.listening_inodes(daemon.port), set())


class Publish(unittest.TestCase):
    """What any reader of publish.sock is told."""

    def first(self, daemon, **parameters):
        with harness.Varlink(daemon.publish, "org.jwksd.publish") as client:
            return next(client.stream("Documents", parameters))

    def fronts(self, daemon):
        return daemon.call("Status").get("fronts", 0)

    def test_a_time_that_cannot_be(self):
        with harness.Daemon() as daemon:
            for since in (-1, -2 ** 62, int(time.time()) + 60, 2 ** 62):
                with self.assertRaises(harness.VarlinkError) as caught:
                    self.first(daemon, servingSince=since, front=1)
                self.assertEqual(caught.exception.short, "InvalidParameter")
                self.assertEqual(caught.exception.parameters,
                                 {"parameter": "servingSince"})
            reply = self.first(daemon, servingSince=int(time.time()), front=1)
            self.assertTrue(reply["complete"])

    def test_a_reader_is_no_front(self):
        with harness.Daemon() as daemon:
            for front, count in (-1, 1), (None, 2), (7, 2):
                parameters = {} if front is None else {"front": front}
                with harness.Varlink(daemon.publish,
                                     "org.jwksd.publish") as client:
                    self.assertTrue(next(client.stream(
                        "Documents", parameters))["complete"])
                    # It counts once it has read all that.
                    harness.wait_until(
                        lambda count=count: self.fronts(daemon) == count)
                    time.sleep(0.1)
                    self.assertEqual(self.fronts(daemon), count)
                harness.wait_until(lambda: self.fronts(daemon) == 1)

    def test_a_front_that_hangs(self):
        """It counts no longer, and what it missed was an outage."""
        with harness.Daemon() as daemon:
            stopped = daemon.front_pids()
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            try:
                harness.wait_until(lambda: self.fronts(daemon) == 0, 25)
            finally:
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)
            harness.wait_until(lambda: self.fronts(daemon) == 1)
            self.assertIn("were not servable", daemon.log())

    def test_a_front_that_reads_stays(self):
        with harness.Daemon() as daemon:
            with harness.Varlink(daemon.publish, "org.jwksd.publish",
                                 timeout=15) as client:
                replies = client.stream("Documents", {"front": 7})
                next(replies)
                self.assertEqual(next(replies), {
                    "documents": [], "withdrawn": [], "complete": True})
            self.assertNotIn("does not read", daemon.log())

    def test_a_key_set_without_a_document_is_named(self):
        with harness.Daemon() as daemon:
            for name in ("bad", "good"):
                daemon.call("AddKeySet", {"name": name})
            self.assertNotIn("kept", self.first(daemon))
            daemon.stop()
            with contextlib.closing(sqlite3.connect(
                    os.path.join(daemon.state, "jwksd.db"))) as db, db:
                db.execute("UPDATE generation SET jwk = '{}' WHERE key_set_id"
                           " = (SELECT id FROM key_set WHERE name = 'bad')")
            # Otherwise a new key is made, and the key set has a document.
            gate = os.path.join(daemon.directory, "gate")
            with open(gate, "w"):
                daemon.env["JWKSD_TEST_KEYGEN_GATE"] = gate
            daemon.env["LD_PRELOAD"] = os.path.join(harness.BUILD,
                                                    "tools/keygen_shim.so")
            daemon.start(ready=False)
            harness.wait_until(lambda: os.path.exists(daemon.publish))
            reply = self.first(daemon)
            self.assertEqual(reply["kept"], ["bad"])
            self.assertEqual(
                sorted(d["keySet"] for d in reply["documents"]),
                ["default", "good"])
            self.assertTrue(reply["complete"])
            os.unlink(gate)


if __name__ == "__main__":
    unittest.main()
