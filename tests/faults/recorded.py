"""The disk as a cut of the power would leave it, from a record of
tests/tools/record_shim.c: what was synced is there; of the rest nothing,
everything, a beginning or an arbitrary part."""
import os
import struct

ENTRY = struct.Struct("=qQqIIII")
CREATE, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, LINK, MKDIR = range(
    1, 9)
SECTOR = 512
MODES = "nothing", "everything", "a beginning", "any part"


class Entry:
    def __init__(self, data, at):
        (self.ns, self.inode, self.offset, self.op, path, length,
         _) = ENTRY.unpack_from(data, at)
        at += ENTRY.size
        self.path = data[at:at + path].decode()
        self.data = data[at + path:at + path + length]
        self.end = at + path + length


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    entries, at = [], 0
    while at + ENTRY.size <= len(data):
        entry = Entry(data, at)
        if entry.end > len(data):
            break
        at = entry.end
        entries.append(entry)
    return entries


class File:
    def __init__(self):
        self.octets, self.pending = bytearray(), []

    @staticmethod
    def apply(octets, change):
        op, offset, data = change
        if op == TRUNCATE:
            del octets[offset:]
            octets.extend(bytes(max(0, offset - len(octets))))
        else:
            octets.extend(bytes(max(0, offset - len(octets))))
            octets[offset:offset + len(data)] = data

    def sync(self):
        for change in self.pending:
            self.apply(self.octets, change)
        self.pending = []

    def left(self, mode, random):
        octets = bytearray(self.octets)
        for change in chosen(self.sectors(), mode, random):
            self.apply(octets, change)
        return octets

    def sectors(self):
        """A write may arrive in part: sector by sector."""
        for op, offset, data in self.pending:
            if op == TRUNCATE:
                yield op, offset, data
                continue
            for at in range(0, len(data), SECTOR):
                yield op, offset + at, data[at:at + SECTOR]


class Directory:
    """Names, in the order of their changes: no journal reorders those."""

    def __init__(self):
        self.names, self.pending = {}, []

    @staticmethod
    def apply(names, change):
        op, name, what = change
        if op == UNLINK:
            names.pop(name, None)
        else:
            names[name] = what

    def sync(self):
        for change in self.pending:
            self.apply(self.names, change)
        self.pending = []

    def left(self, mode, random):
        names = dict(self.names)
        if mode == "any part":
            mode = "a beginning"
        for change in chosen(self.pending, mode, random):
            self.apply(names, change)
        return names


def chosen(changes, mode, random):
    changes = list(changes)
    if mode == "nothing":
        return []
    if mode == "a beginning":
        return changes[:random.randint(0, len(changes))]
    if mode == "any part":
        part = random.choice((0.1, 0.5, 0.9))
        return [c for c in changes if random.random() < part]
    return changes


class Disk:
    def __init__(self, *directories):
        """Directories that were there, empty, before the record began."""
        self.directories = {path: Directory() for path in directories}
        self.current = {}       # path: File, as a running process sees it
        self.inodes = {}

    def change(self, path, op, what=None):
        self.directories[os.path.dirname(path)].pending.append(
            (op, os.path.basename(path), what))

    def step(self, entry):
        op, path = entry.op, entry.path.removesuffix(" (deleted)")
        if op == CREATE:
            self.current[path] = self.inodes[entry.inode] = File()
            self.change(path, CREATE, self.current[path])
        elif op in (WRITE, TRUNCATE):
            self.inodes[entry.inode].pending.append(
                (op, entry.offset, entry.data))
        elif op == SYNC and path in self.directories:
            self.directories[path].sync()
        elif op == SYNC:
            self.inodes[entry.inode].sync()
        elif op == UNLINK:
            self.current.pop(path, None)
            self.change(path, UNLINK)
        elif op == RENAME:
            to = entry.data.decode()
            file = self.current.pop(path)
            self.current[to] = file
            self.change(to, CREATE, file)
            self.change(path, UNLINK)
        elif op == LINK:
            to = entry.data.decode()
            self.current[to] = self.current[path]
            self.change(to, CREATE, self.current[path])
        elif op == MKDIR:
            # Only known names matter: an empty one is made again.
            self.directories.setdefault(path, Directory())

    def write(self, mode, random, place):
        """Put what is left where place(path) says."""
        for path, directory in self.directories.items():
            os.makedirs(place(path), mode=0o700, exist_ok=True)
            for name, file in directory.left(mode, random).items():
                target = os.path.join(place(path), name)
                with open(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600),
                          "wb") as f:
                    f.write(file.left(mode, random))


def disk_after(entries, count, *directories):
    disk = Disk(*directories)
    for entry in entries[:count]:
        disk.step(entry)
    return disk
