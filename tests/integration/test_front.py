"""How the keeper starts, replaces and ends its front."""
import contextlib
import multiprocessing
import os
import socket
import time
import unittest

import harness

NOBODY = 65534


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


def offer_as_nobody(path, port, ready):
    """What a stranger would do to have his socket listened on."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    http = socket.create_server(("127.0.0.1", port))
    with contextlib.suppress(OSError):
        os.unlink(path)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(path)
    door.listen()
    ready.set()
    while True:
        keeper, _ = door.accept()
        packet = (0x6a776866).to_bytes(4, "little") + \
            (1).to_bytes(4, "little") + bytes(8) + \
            os.getpid().to_bytes(8, "little")
        with contextlib.suppress(OSError):
            socket.send_fds(keeper, [packet], [http.fileno()])


@unittest.skipUnless(os.geteuid() == 0, "only root can become a stranger")
class Strangers(unittest.TestCase):
    def test_a_socket_of_another_user_is_not_taken(self):
        with harness.Daemon(start=False) as daemon:
            for path in (daemon.directory, daemon.runtime):
                os.chmod(path, 0o777)
            ready = multiprocessing.Event()
            stranger = multiprocessing.Process(
                target=offer_as_nobody, daemon=True,
                args=(os.path.join(daemon.runtime, "front.sock"),
                      daemon.port, ready))
            stranger.start()
            try:
                self.assertTrue(ready.wait(10))
                daemon.spawn()
                self.assertNotEqual(daemon.process.wait(20), 0)
                daemon.process = None
            finally:
                stranger.kill()
                stranger.join()
            self.assertIn(f"front.sock belongs to uid {NOBODY}", daemon.log())
            self.assertIn("in use", daemon.log())


if __name__ == "__main__":
    unittest.main()
