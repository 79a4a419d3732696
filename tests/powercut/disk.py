"""A folder as a program's system calls made it, and what a power cut may leave of it.

Two rules for what the disk has when the power goes:

    promised   what POSIX and Linux promise: the data of a file after its fsync or fdatasync, names after the fsync of the
               folder. Of anything later any part may be there: any sectors of any write, and the first so many changes
               of names. XFS, and ext4 with noauto_da_alloc, are like that.
    ext4       what ext4 does as Debian mounts it: besides, a file that is renamed over another one has its data before its
               new name (auto_da_alloc). No promise, and not older than 2009, but what most hosts have.
"""

import os
import posixpath
import random

SECTOR = 512
RULES = ("promised", "ext4")


class File:
    """An inode."""

    def __init__(self):
        self.cache, self.medium = bytearray(), bytearray()
        # Changes on their way: (offset, bytes) of writes; (size, None) of a new size.
        self.moving = []

    def change(self, at, data):
        """A write, or a new size."""
        apply(self.cache, at, data)
        self.moving.append((at, data))

    def synced(self):
        """All of it is on the disk."""
        self.medium, self.moving = bytearray(self.cache), []


def apply(content, at, data):
    """A write or a new size, into these bytes."""
    end = at if data is None else at + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[at:]
    else:
        content[at:end] = data


def rename(names, change):
    """One change of names: (what, name, file or other name)."""
    what, name, other = change
    if what == "link":
        names[name] = other
    elif what == "unlink":
        names.pop(name, None)
    elif name in names:
        names[other] = names.pop(name)


class Disk:
    """The folder while a program works in it."""

    def __init__(self, folder):
        self.folder = folder
        self.names, self.names_on_medium, self.names_moving = {}, {}, []
        # Of each thread group one; a new life of the program begins with none.
        self.open = {}

    def restarted(self):
        """The program has ended and starts again."""
        self.open = {}

    def settle(self):
        """Time has passed: everything is on the disk."""
        for file in self.names.values():
            file.synced()
        self.names_on_medium, self.names_moving = dict(self.names), []

    def name(self, path):
        """The name in the folder, if the path is in it."""
        head, tail = posixpath.split(path)
        return tail if head == self.folder else None

    def _names(self, *change):
        rename(self.names, change)
        self.names_moving.append((change, len(self.names_moving)))

    def replay(self, call, cwd):
        """Take one call over; True if it changed what a power cut may leave."""
        act = getattr(self, "_" + call.name.removesuffix("64"), None)
        if act is None or call.failed:
            return False
        return bool(act(call, cwd))

    def _path(self, call, cwd, which=0):
        """A path of the arguments; calls that end with "at" name the folder that it begins in."""
        base = call.places[which] if "at" in call.name and len(call.places) > which else cwd
        return posixpath.normpath(posixpath.join(base, call.strings[which].decode()))

    def _openat(self, call, cwd):
        full = self._path(call, cwd)
        if full == self.folder:
            self.open[call.result] = (None, 0)
            return False
        name = self.name(full)
        self.open.pop(call.result, None)
        if name is None:
            return False
        changed = False
        if name not in self.names:
            if "O_CREAT" not in call.arguments:
                return False
            self._names("link", name, File())
            changed = True
        file = self.names[name]
        if "O_TRUNC" in call.arguments and file.cache:
            file.change(0, None)
            changed = True
        self.open[call.result] = (file, len(file.cache) if "O_APPEND" in call.arguments else 0)
        return changed

    _open = _creat = _openat

    def _descriptor(self, call):
        return int(call.arguments.split("<")[0].split(",")[0].split(")")[0])

    def _close(self, call, _cwd):
        self.open.pop(self._descriptor(call), None)

    def _file(self, call):
        return self.open.get(self._descriptor(call), (None, 0))

    def _write(self, call, _cwd):
        file, at = self._file(call)
        if file is None:
            return False
        file.change(at, call.strings[0][: call.result])
        self.open[self._descriptor(call)] = (file, at + call.result)
        return True

    def _read(self, call, _cwd):
        file, at = self._file(call)
        if file is not None:
            self.open[self._descriptor(call)] = (file, at + call.result)

    def _lseek(self, call, _cwd):
        file, _ = self._file(call)
        if file is not None:
            self.open[self._descriptor(call)] = (file, call.result)

    def _pwrite(self, call, _cwd):
        file, _ = self._file(call)
        if file is None:
            return False
        file.change(call.number(-1), call.strings[0][: call.result])
        return True

    def _ftruncate(self, call, _cwd):
        file, _ = self._file(call)
        if file is None:
            return False
        file.change(call.number(1), None)
        return True

    def _fsync(self, call, _cwd):
        known = self._descriptor(call) in self.open
        file, _ = self._file(call)
        if file is not None:
            file.synced()
        elif known:
            self.names_on_medium, self.names_moving = dict(self.names), []
        return known

    _fdatasync = _fsync

    def _rename(self, call, cwd):
        old, new = (self.name(self._path(call, cwd, which)) for which in (0, 1))
        if old is None or new is None:
            return False
        over = self.names.get(new)
        file = self.names.get(old)
        self._names("rename", old, new)
        if over is not None and file is not None:
            # ext4 starts to write its data now, before the name can get to the disk.
            self.names_moving[-1] += (file, bytes(file.cache), len(file.moving))
        return True

    _renameat = _renameat2 = _rename

    def _unlink(self, call, cwd):
        name = self.name(self._path(call, cwd))
        if name is None or name not in self.names:
            return False
        self._names("unlink", name, None)
        return True

    _unlinkat = _unlink

    def left(self, rule, seed):
        """What a power cut now may leave: {name: content}; the first four seeds are the extremes."""
        chance = random.Random(seed)
        count = len(self.names_moving)
        reached = {0: 0, 1: count, 2: count, 3: 0}.get(seed, chance.randint(0, count))
        data = {0: lambda: False, 1: lambda: True, 2: lambda: False, 3: lambda: True}
        reaches = data.get(seed, lambda: chance.random() < 0.5)
        names, flushed = dict(self.names_on_medium), {}
        for change in self.names_moving[:reached]:
            rename(names, change[0])
            if rule == "ext4" and len(change) > 2:
                flushed[change[2]] = change[3:]
        out = {}
        for name, file in names.items():
            content, moving = bytearray(file.medium), file.moving
            if file in flushed:
                whole, done = flushed[file]
                content, moving = bytearray(whole), moving[done:]
            for at, written in moving:
                if written is None:
                    if reaches():
                        apply(content, at, None)
                    continue
                if rule == "ext4" and at + len(written) > len(content):
                    # A file gets longer when its data are there, not before.
                    if reaches():
                        apply(content, at, written)
                    continue
                start = 0
                while start < len(written):
                    end = min(len(written), start + SECTOR - (at + start) % SECTOR)
                    if reaches():
                        apply(content, at + start, written[start:end])
                    start = end
            out[name] = bytes(content)
        return out


def put(folder, content):
    """Make a folder with these files."""
    os.mkdir(folder, 0o700)
    for name, data in content.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
