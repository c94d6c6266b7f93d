"""Kills and cuts of the power, as many as asked: (done, faults found)."""
import contextlib
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import harness
import oracle
import recorded

FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, struct.pack("=I", 2)


def kills(count, seed):
    """kill -9 of the keeper, and of its front with it, at random moments."""
    chance, found = random.Random(seed), []
    with harness.Daemon(policy=oracle.POLICY, common_check=False) as daemon:
        with oracle.Fleet(daemon, seed) as fleet:
            for _ in range(count):
                time.sleep(chance.uniform(0, 0.15))
                daemon.kill9()
                daemon.start()
            time.sleep(0.3)
        found = oracle.faults(fleet, daemon) + idle(fleet, count)
    return count, found


def idle(fleet, least):
    """Where nothing was acknowledged, nothing can be lost."""
    got = len(fleet.acknowledged)
    return [f"only {got} orders were answered"] if got < least else []


def recorded_cuts(count, seed, seconds=2.0, lies=False):
    """Disks built from a record of writes and syncs, each with the real
    daemon started on it.  `lies`: a disk that syncs nothing."""
    chance, found = random.Random(seed), []
    with harness.Daemon(policy=oracle.POLICY, start=False,
                        common_check=False) as daemon:
        log = os.path.join(daemon.directory, "record")
        daemon.env = {
            "LD_PRELOAD": os.path.join(harness.BUILD, "tools/record_shim.so"),
            "JWKSD_TEST_RECORD_ROOT": daemon.state,
            "JWKSD_TEST_RECORD_LOG": log}
        daemon.start()
        with oracle.Fleet(daemon, seed) as fleet:
            time.sleep(seconds * harness.SLOW)
            daemon.kill9()
            fleet.stopped.set()
        entries = [e for e in recorded.read(log)
                   if not lies or e.op != recorded.SYNC]
        found += idle(fleet, 5)
        daemon.kill_everything()
        for number in range(count):
            # The last moment among them: all that was answered counts.
            cut = (len(entries) if number == 0
                   else chance.randint(1, len(entries)))
            mode = recorded.MODES[number % len(recorded.MODES)]
            found += [f"seed {seed}, cut {cut} of {len(entries)}, {mode}:"
                      f" {fault}" for fault in
                      after_cut(daemon, fleet, entries, cut, mode, chance)]
    return count, found


def after_cut(daemon, fleet, entries, cut, mode, chance):
    disk = recorded.disk_after(entries, cut, daemon.state)
    with harness.Daemon(policy=oracle.POLICY, start=False,
                        common_check=False) as other:
        disk.write(mode, chance, lambda path: path.replace(
            daemon.state, other.state, 1))
        try:
            other.start()
        except AssertionError as error:
            return [f"does not start: {error}"]
        found = oracle.faults(fleet, other, entries[cut - 1].ns)
        other.stop()
        return found


class CannotMount(Exception):
    pass


@contextlib.contextmanager
def mounted(kind):
    """(image, directory) of a file system of its own."""
    make = shutil.which(f"mkfs.{kind}", path=os.environ.get("PATH", "")
                        + ":/sbin:/usr/sbin")
    if make is None:
        raise CannotMount(f"there is no mkfs.{kind}")
    place = tempfile.mkdtemp(prefix="m")
    image, directory = os.path.join(place, "image"), os.path.join(place, "d")
    os.mkdir(directory)
    try:
        with open(image, "wb") as f:
            f.truncate(320 << 20)
        for command in [make, "-q", image], mount_command(image, directory):
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                raise CannotMount(f"{command[0]}: {result.stderr.strip()}")
        yield image, directory
    finally:
        subprocess.run(["umount", directory], capture_output=True)
        shutil.rmtree(place, ignore_errors=True)


def mount_command(image, directory):
    return ["mount", "-o", "loop", image, directory]


def mount_cuts(kind, count, seed, lives_on=False):
    """The file system is shut down in the middle of its work, so that what
    its journal has not got is lost, and mounted again.  The daemon stops
    before that; or it lives on for a moment, and everything that it asks of
    the file system is an I/O error."""
    chance, found = random.Random(seed), []
    with mounted(kind) as (image, directory), \
            harness.Daemon(policy=oracle.POLICY, start=False,
                           common_check=False) as daemon:
        daemon.state = os.path.join(directory, "state")
        os.mkdir(daemon.state, 0o700)
        daemon.write_config()
        daemon.start()
        # A disk that fails is said to fail until it does not.
        again = ["OutcomeUnknown"] + ["StoreFailed"] * lives_on
        with oracle.Fleet(daemon, seed, again) as fleet:
            for _ in range(count):
                time.sleep(chance.uniform(0, 0.3))
                stop_still(daemon.pid)
                shut_down(directory)
                if lives_on:
                    os.kill(daemon.pid, signal.SIGCONT)
                    time.sleep(chance.uniform(0, 0.05))
                daemon.kill9()
                remount(image, directory)
                daemon.start()
            time.sleep(0.3)
        found = oracle.faults(fleet, daemon) + idle(fleet, count)
        daemon.stop()
    return count, found


def stop_still(pid):
    """Out of every system call: ext4 says of a sync that is under way while
    it is shut down that it succeeded, and keeps nothing of it."""
    os.kill(pid, signal.SIGSTOP)
    harness.wait_until(lambda: harness.status_of(pid)[0] == "T", 10,
                       "the daemon does not stop")


def shut_down(directory):
    fd = os.open(directory, os.O_RDONLY)
    fcntl.ioctl(fd, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
    os.close(fd)


def remount(image, directory):
    for command in (["umount", directory], mount_command(image, directory)):
        def done():
            return subprocess.run(command, capture_output=True
                                  ).returncode == 0
        harness.wait_until(done, 10, " ".join(command))
