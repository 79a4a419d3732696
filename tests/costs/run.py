#!/usr/bin/env python3
"""What a TPM's state costs: the system calls of a commit, as strace shows them, and the memory of a daemon with an open,
encrypted state. Figures of swtpm are printed beside, and not judged.

    run.py [--list] [--markdown FILE] [--json FILE] [NAME...]      NAME is a part of a case's name

Time is not judged either: that is `cargo xtask bench`. Needs strace, and root to trace a daemon that forbids it.
"""

import os
import secrets
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from harness import runner
from harness.daemon import vtpmd
from harness.process import Process, tail
from harness.report import CaseFailed
from harness.tpm import NV_COUNTER, Tpm, command, sized
from harness.trace import EVERYTHING, WRITES, calls, traced

INDEX, COUNTER = 0x01500000, 0x01500001
COMMITS = 400
# Bytes of a record with a small state: a page.
PAGE = 4096
# Calls that change what a file or folder holds, or what is on the disk.
CHANGING = WRITES | {
    "open", "openat", "creat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "mkdir", "mkdirat",
    "truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync", "mmap", "chmod",
    "fchmod", "fchmodat", "utimensat", "symlink", "symlinkat", "copy_file_range", "sendfile",
}  # fmt: skip


class Place:
    """A daemon in a folder."""

    def __init__(self, folder, program, state="", more=()):
        self.folder = folder
        self.state = os.path.join(folder, "state")
        os.makedirs(self.state, exist_ok=True)
        key = os.path.join(folder, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        self.paths = [os.path.join(folder, name) for name in ("s", "c")]
        self.pid = os.path.join(folder, "pid")
        self.argv = [program, "socket", "--tpm2", "--tpmstate", f"dir={self.state}{state}", *more]
        self.argv += ["--key", f"file={key},format=hex,mode=aes-256-cbc", "--pid", f"file={self.pid}"]
        self.argv += ["--server", f"type=unixio,path={self.paths[0]}", "--flags", "not-need-init,startup-clear"]
        self.argv += ["--ctrl", f"type=unixio,path={self.paths[1]}"]

    def start(self, record=None):
        """The process, and a connection."""
        argv = traced(self.argv, record, EVERYTHING) if record else self.argv
        self.process = Process(argv, os.path.join(self.folder, "log"))
        return Tpm(*self.paths, self.process.alive)

    def end(self, tpm):
        """A clean end."""
        tpm.shutdown()
        if not self.process.wait(20):
            raise CaseFailed("the daemon does not end")


def commits(folder, program, state="", more=()):
    """The calls of each of many small commits, between the command's arrival and its answer."""
    place, record = Place(folder, program, state, more), os.path.join(folder, "trace")
    tpm = place.start(record)
    tpm.define(INDEX, 32)
    tpm.define(COUNTER, 8, attributes=NV_COUNTER)
    sent = []
    for number in range(COMMITS):
        if number % 2:
            sent.append(command("NV_Increment", [COUNTER, COUNTER], [b""]))
        else:
            sent.append(command("NV_Write", [INDEX, INDEX], [b""], sized(secrets.token_bytes(32)) + b"\0\0"))
        answer = tpm.raw(sent[-1])
        if answer[6:10] != bytes(4):
            raise CaseFailed(f"a commit was refused: {answer.hex()}")
    place.end(tpm)
    wanted, current, out = iter(sent), None, []
    expected = next(wanted)
    for call in calls(record):
        if current is None:
            if call.name in ("read", "recvfrom", "recvmsg") and expected in call.strings:
                current = []
        elif call.name in WRITES and call.places and call.places[0].startswith("socket:"):
            out.append(current)
            current, expected = None, next(wanted, None)
        else:
            current.append(call)
    if len(out) != COMMITS:
        raise CaseFailed(f"of {COMMITS} commits {len(out)} were found in the trace; the last log: {tail(place.process.log)}")
    return place, out


def changing(calls_of_one):
    """Those that change something, but for memory."""
    for call in calls_of_one:
        reading = call.name in ("open", "openat") and "O_RDONLY" in call.arguments and "O_CREAT" not in call.arguments
        private = call.name == "mmap" and "MAP_SHARED" not in call.arguments
        if call.name in CHANGING and not reading and not private:
            yield call


def judged(place, found, *syncs):
    """Each commit is one append and one sync, but those that begin a new journal."""
    path = os.path.join(place.state, "tpm.state")
    usual_calls = [("pwrite64", path), *zip(syncs, (path, place.state))]
    usual, fresh, others = 0, 0, {}
    for one in found:
        names = [(call.name, call.places[0] if call.places else "") for call in changing(one)]
        if names == usual_calls:
            usual += 1
            size = next(call.number(2) for call in changing(one))
            if size % PAGE:
                raise CaseFailed(f"an append has {size} bytes, which are no whole pages")
        elif any(name.startswith("rename") for name, _ in names):
            fresh += 1
        else:
            raise CaseFailed(f"a commit made these calls: {list(changing(one))}")
        for call in one:
            others[call.name] = others.get(call.name, 0) + 1
    shown = " and ".join(f"one {name}" for name, _ in usual_calls)
    print(f"\n    {usual} of {len(found)} commits: {shown}, and nothing else; {fresh} began a new journal")
    each = ", ".join(f"{name} {count / len(found):.1f}" for name, count in sorted(others.items(), key=lambda x: -x[1])[:8])
    print(f"    all calls for each commit: {each}", end="\n    ")
    if fresh > len(found) // 20:
        raise CaseFailed(f"{fresh} of {len(found)} commits wrote a new journal")
    return usual


def synced(folder):
    """The usual way: data are on the disk before the answer."""
    judged(*commits(folder, vtpmd()), "fdatasync")


def unsynced(folder):
    """fsync=false: the same without the sync."""
    judged(*commits(folder, vtpmd(), ",fsync=false"))


def full(folder):
    """--durability full: fsync in place of fdatasync, and one of the folder."""
    judged(*commits(folder, vtpmd(), more=["--durability", "full"]), "fsync", "fsync")


def theirs(folder):
    """swtpm: its whole state into a new file and over the old one."""
    if shutil.which("swtpm") is None:
        print("\n    swtpm is not installed", end="\n    ")
        return
    version = subprocess.run(["swtpm", "--version"], capture_output=True, text=True, check=False).stdout.split(",")[0]
    show(version, commits(folder, "swtpm")[1])


def in_their_format(folder):
    """--state-format swtpm: the whole state into a new file, on the disk before its name."""
    found = commits(folder, vtpmd(), more=["--state-format", "swtpm"])[1]
    show("vtpmd", found)
    for one in found:
        names = [call.name for call in changing(one)]
        moved = next((at for at, name in enumerate(names) if name.startswith("rename")), None)
        syncs = [at for at, name in enumerate(names) if name in ("fsync", "fdatasync")]
        if moved is None or not syncs or not syncs[0] < moved < syncs[-1]:
            raise CaseFailed(f"a commit made these calls: {names}")


def show(who, found):
    """The ways of commits, by how often they were gone."""
    ways = {}
    for one in found:
        way = " ".join(call.name for call in changing(one))
        ways[way] = ways.get(way, 0) + 1
    print(f"\n    {who}")
    for way, count in sorted(ways.items(), key=lambda one: -one[1])[:3]:
        print(f"    {count} of {len(found)} commits: {way}", end="\n    ")


def kind(name, flags):
    """Whose memory a mapping is."""
    if name.endswith(".so") or ".so." in name:
        return "shared libraries"
    if name.startswith("/"):
        return "code and constants" if "w" not in flags else "data of the program"
    return {"[heap]": "heap", "[stack]": "stack of the first thread"}.get(name, name if name.startswith("[v") else "other heaps and stacks")


def pss(pid):
    """KiB of the proportional set size by kind; what is shared with other processes counts in proportion."""
    sizes = {}
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            fields = line.split(maxsplit=5)
            if not fields[0].endswith(":"):
                what = kind(fields[5].strip() if len(fields) > 5 else "", fields[1])
            elif fields[0] == "Pss:":
                sizes[what] = sizes.get(what, 0) + int(fields[1])
    return sizes


def thousand(tpm):
    """1,000 commands of all kinds."""
    done = 0
    tpm.define(INDEX, 512)
    tpm.define(COUNTER, 8, attributes=NV_COUNTER)
    parent = tpm.create_primary()
    done += 3
    while done < 1000:
        tpm.random(32)
        tpm.extend(10, secrets.token_bytes(32))
        tpm.pcr(10)
        tpm.nv_write(INDEX, secrets.token_bytes(512))
        tpm.nv_read(INDEX, 512)
        tpm.increment(COUNTER)
        sealed = tpm.seal(parent, secrets.token_bytes(64))
        tpm.unseal(sealed)
        tpm.flush(sealed)
        done += 10
    tpm.flush(parent)


def own(sizes):
    """KiB beyond shared libraries."""
    return sum(size for what, size in sizes.items() if what != "shared libraries")


def memory(folder):
    """A daemon with an open, encrypted state stays under 4 MiB beyond shared libraries: alone on its host when it has started,
    and with a second one beside it, which shares its code, after 1,000 commands. Of its own it takes less than 1 MiB."""
    figures = {}
    for name, program in (("vtpmd", vtpmd()), ("swtpm", shutil.which("swtpm"))):
        if program is None:
            continue
        places = [Place(os.path.join(folder, f"{name}-{number}"), program) for number in (0, 1)]
        tpms = [places[0].start()]

        def measure(when, name=name, place=places[0]):
            with open(place.pid, encoding="ascii") as file:
                figures[name, when] = pss(int(file.read()))

        tpms[0].random(1)  # sockets are there before all else is
        measure("started")
        thousand(tpms[0])
        measure("after 1,000 commands")
        tpms.append(places[1].start())
        thousand(tpms[1])
        measure("with a second one")
        for place, tpm in zip(places, tpms):
            place.end(tpm)
    print()
    for (name, when), sizes in figures.items():
        parts = [f"{what} {size}" for what, size in sorted(sizes.items(), key=lambda x: -x[1]) if size]
        print(f"    {name}, {when}: {own(sizes)} KiB beyond shared libraries ({', '.join(parts)})")
    print("    ", end="")
    for when in ("started", "with a second one"):
        if own(figures["vtpmd", when]) >= 4096:
            raise CaseFailed(f"vtpmd, {when}, takes {own(figures['vtpmd', when])} KiB beyond shared libraries")
    after = figures["vtpmd", "after 1,000 commands"]
    private = own(after) - after.get("code and constants", 0)
    if private >= 1024:
        raise CaseFailed(f"vtpmd takes {private} KiB of its own")


def long_journal(folder):
    """A start on a journal of half a megabyte: what was read is not kept."""
    place = Place(folder, vtpmd())
    tpm = place.start()
    tpm.define(INDEX, 512)
    for _ in range(100):
        tpm.nv_write(INDEX, secrets.token_bytes(512))
    place.end(tpm)
    journal = os.path.getsize(os.path.join(place.state, "tpm.state")) // 1024
    tpm = place.start()
    # Read once more, as after a start that only looked at it.
    tpm.power_on()
    tpm.startup()
    with open(place.pid, encoding="ascii") as file:
        heap = pss(int(file.read()))["heap"]
    place.end(tpm)
    print(f"\n    a journal of {journal} KiB, a heap of {heap} KiB", end="\n    ")
    if journal < 400:
        raise CaseFailed(f"the journal has {journal} KiB, which shows nothing")
    if heap >= 256:
        raise CaseFailed(f"the heap has {heap} KiB")


CASES = {
    "commit-synced": synced,
    "commit-unsynced": unsynced,
    "commit-durability-full": full,
    "commit-in-swtpms-format": in_their_format,
    "commit-of-swtpm": theirs,
    "memory": memory,
    "memory-after-a-long-journal": long_journal,
}


if __name__ == "__main__":
    runner.traced_cases(__doc__, "tracing a daemon that forbids it", CASES)
