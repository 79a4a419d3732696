#!/usr/bin/env python3
"""What a power cut leaves of a TPM: the system calls of a real daemon are recorded while it works, and after each of them
the power is cut in a model of the disk (disk.py). The daemon is started on every state that this may leave.

    run.py [--commands N] [--seeds N]

vtpmd may lose nothing. vtpmd without its syncs must, or the model would be worth nothing. swtpm is reported.
Needs strace, and root to trace a daemon that forbids it. Killing processes shows none of this: what a killed process has
written the kernel still has.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, HERE)
from disk import RULES, Disk, put
from harness.daemon import vtpmd
from harness.process import Process, SetupError, interruptible
from harness.report import CaseFailed
from harness.tpm import NV_COUNTER, Refused, Tpm
from harness.trace import WRITES, WRITING, calls, traced

INDEX, COUNTER = 0x01500000, 0x01500001
# What a state turns out to be, from good to bad.
KEPT = "all that was answered is there"
UNDONE = "answered commands are undone"
NEW = "a new TPM is made in silence"
BROKEN = "the TPM does not start"
OTHER = "another state than ever was"
# Program, more options of --tpmstate, more options.
DAEMONS = {
    "vtpmd": ("vtpmd", "", []),
    "vtpmd, swtpm's format": ("vtpmd", "", ["--state-format", "swtpm"]),
    "vtpmd without syncs": ("vtpmd", ",fsync=false", []),
    "swtpm": ("swtpm", "", []),
}
# Those that may lose nothing.
JUDGED = ("vtpmd", "vtpmd, swtpm's format")
OUTCOMES = (KEPT, UNDONE, NEW, BROKEN, OTHER)


class Work:
    """A daemon at work in a folder, and what it answered."""

    def __init__(self, program, folder, options="", more=()):
        self.program, self.folder, self.options, self.more = program, folder, options, more
        self.state = os.path.join(folder, "state")
        os.mkdir(self.state, 0o700)
        self.key = os.path.join(folder, "key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex())
        # After so many commands: what the Index and the counter hold.
        self.steps = []

    def argv(self, state, sockets):
        """The command line on a folder with a state."""
        return [
            self.program, "socket", "--tpm2", "--tpmstate", f"dir={state}{self.options}", *self.more,
            "--key", f"file={self.key},format=hex,mode=aes-256-cbc", "--flags", "not-need-init,startup-clear",
            "--server", f"type=unixio,path={sockets}/s", "--ctrl", f"type=unixio,path={sockets}/c",
        ]  # fmt: skip

    def life(self, number, act):
        """One life of the daemon, traced: `act` works, and the daemon is shut down."""
        record, sockets = os.path.join(self.folder, f"trace-{number}"), self.folder
        calls_wanted = WRITING + ",read,lseek,close"
        process = Process(traced(self.argv(self.state, sockets), record, calls_wanted), os.path.join(self.folder, "log"))
        tpm = Tpm(f"{sockets}/s", f"{sockets}/c", process.alive)
        act(tpm)
        tpm.shutdown()
        if not process.wait(20):
            raise SetupError("the daemon does not end")
        return record

    def step(self, tpm):
        """The next command of the workload."""
        number = len(self.steps)
        if number == 0:
            tpm.define(INDEX, 8)
            tpm.define(COUNTER, 8, attributes=NV_COUNTER)
            tpm.nv_write(INDEX, struct.pack(">Q", 0))
            tpm.increment(COUNTER)
            self.steps.append((0, struct.unpack(">Q", tpm.nv_read(COUNTER, 8))[0]))
            return
        index, counter = self.steps[-1]
        if number % 2:
            tpm.nv_write(INDEX, struct.pack(">Q", number))
            self.steps.append((number, counter))
        else:
            tpm.increment(COUNTER)
            self.steps.append((index, counter + 1))


def found(work, state):
    """Start the daemon on a state; what it holds, or None if it does not start, or () if its TPM is a new one."""
    with tempfile.TemporaryDirectory(prefix="vtpm-") as sockets:
        process = subprocess.Popen(
            work.argv(state, sockets), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            tpm = Tpm(f"{sockets}/s", None, lambda: process.poll() is None)
            try:
                index = struct.unpack(">Q", tpm.nv_read(INDEX, 8))[0]
                return index, struct.unpack(">Q", tpm.nv_read(COUNTER, 8))[0]
            except Refused:
                return ()
        except (SetupError, ConnectionError, TimeoutError):
            return None
        finally:
            process.kill()
            process.wait()


def cuts(work, records, seeds):
    """All states that a power cut may leave: {digest: {rule: (fewest commands answered, most begun)}}, and what they hold,
    packed, as a journal is mostly zeros."""
    disk, told, points = Disk(work.state), 0, 0
    out, packed = collections.defaultdict(dict), {}
    # Commands that prepare are the first of each life; those of the workload are told by their answers.
    ready = False
    for record, marks in records:
        disk.restarted()
        answers = 0
        for call in calls(record):
            if call.name in WRITES and call.places and call.places[0].startswith("socket:"):
                # Not the control channel's.
                answers += b"".join(call.strings)[:2] in (b"\x80\x01", b"\x80\x02")
                if answers in marks:
                    if not ready:
                        # The TPM is not a new one: what it was made of is on the disk, whoever asked for that.
                        disk.settle()
                    ready, told = True, marks[answers]
                continue
            if not disk.replay(call, work.folder) or not ready:
                continue
            points += 1
            for rule in RULES:
                for seed in range(seeds):
                    content = sorted(disk.left(rule, seed).items())
                    digest = hashlib.sha256(repr([(name, hashlib.sha256(data).digest()) for name, data in content]).encode())
                    key = digest.digest()
                    if key not in packed:
                        packed[key] = [(name, zlib.compress(data, 1)) for name, data in content]
                    least, most = out[key].get(rule, (told, told + 1))
                    # If two cuts leave the same, it must do for the later one.
                    out[key][rule] = max(least, told), max(most, told + 1)
    return points, out, packed


def judge(work, what, least, most):
    """The outcome of one state."""
    if what is None:
        return BROKEN
    if what == ():
        return NEW
    if what not in work.steps:
        return OTHER
    at = work.steps.index(what) + 1
    return UNDONE if at < least else KEPT if at <= most else OTHER


def campaign(name, folder, commands, seeds):
    """Work, cut, start; the table of outcomes by rule."""
    program, options, more = DAEMONS[name]
    program = vtpmd() if program == "vtpmd" else shutil.which(program)
    if program is None:
        raise SetupError(f"{name} is not installed")
    work = Work(program, folder, options, more)
    records = []
    for life, share in enumerate((commands // 2, commands - commands // 2)):
        marks = {}

        def act(tpm, share=share, marks=marks):
            # The answers of a connection, counted; what was read in between does not change anything.
            sent = 0
            plain = tpm.raw

            def counted(data):
                nonlocal sent
                sent += 1
                return plain(data)

            tpm.raw = counted
            for _ in range(share):
                work.step(tpm)
                marks[sent] = len(work.steps)

        records.append((work.life(life, act), marks))
    points, states, packed = cuts(work, records, seeds)
    table = {rule: collections.Counter() for rule in RULES}
    examples, number, lock = {}, iter(range(10**9)), threading.Lock()

    def one(key):
        with lock:
            place = os.path.join(folder, f"cut-{next(number)}")
        content = {name: zlib.decompress(data) for name, data in packed[key]}
        put(place, content)
        what = found(work, place)
        for rule, bounds in states[key].items():
            outcome = judge(work, what, *bounds)
            with lock:
                table[rule][outcome] += 1
                examples.setdefault((rule, outcome), {name: len(data) for name, data in content.items()})
        shutil.rmtree(place)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(one, key) for key in states]:
            done.result()
    print(f"\n{name}: {len(work.steps)} commands, power cut after each of {points} calls, {len(states)} different states")
    for rule in RULES:
        print(f"  {'what is promised' if rule == 'promised' else 'what ext4 does besides'}")
        for outcome in OUTCOMES:
            sizes = examples.get((rule, outcome))
            example = f"   such as {sizes}" if sizes and outcome in (BROKEN, NEW, OTHER) else ""
            print(f"    {outcome:32} {table[rule][outcome]:6}{example}")
    sys.stdout.flush()
    return table


def main():
    """Both daemons; those of vtpmd must all be good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=10, help="states tried for each cut; the first four are the extremes")
    options = parser.parse_args()
    if os.getuid() != 0:
        sys.exit("tracing a daemon that forbids it needs root, or user namespaces (unshare --user --map-root-user)")
    interruptible()
    tables = {}
    try:
        for name in DAEMONS:
            with tempfile.TemporaryDirectory(prefix="sealwright-powercut-") as folder:
                tables[name] = campaign(name, folder, options.commands, options.seeds)
    except (SetupError, CaseFailed) as error:
        sys.exit(str(error))
    finally:
        Process.end_all()
    lost = {name: {rule: sum(table[rule].values()) - table[rule][KEPT] for rule in RULES} for name, table in tables.items()}
    print()
    for name, by_rule in lost.items():
        print(f"{name:22} losses: " + ", ".join(f"{count} ({rule})" for rule, count in by_rule.items()))
    if not lost["vtpmd without syncs"]["promised"]:
        sys.exit("the model finds no fault with a store that does not sync: it is worth nothing")
    sys.exit(1 if any(count for name in JUDGED for count in lost[name].values()) else 0)


if __name__ == "__main__":
    main()
