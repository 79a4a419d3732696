"""Daemons with a state under each kind of key, traced, and searched while they run and afterwards."""

import os
import resource
import secrets
import shutil
import subprocess

import work
from harness.daemon import vtpmd
from harness.process import SetupError, tail
from harness.report import CaseFailed
from harness.tpm import Tpm
from harness.trace import traced, written
from work import Known

PASSPHRASE, KEY = "the passphrase", "the key"
# The header of a state blob: it holds a salt, which is not secret.
HEADER = 80
# What the environment and the command line are known to hold, so that a search there can find something.
MARK = "SEALWRIGHT_SECRETS_MARK"


class Setting:
    """How one case gives its key."""

    def __init__(self, place):
        self.place, self.known = place, Known()
        self.state = os.path.join(place, "state")
        self.keys = os.path.join(place, "keys")
        self.socket, self.ctrl = os.path.join(place, "s"), os.path.join(place, "c")
        self.pid, self.log = os.path.join(self.state, "vtpmd.pid"), os.path.join(place, "log")
        self.descriptors, self.secrets = [], {}
        os.makedirs(place, exist_ok=True)
        for folder in (self.state, self.keys):
            os.mkdir(folder, 0o700)

    def secret(self, name, data):
        """A key or passphrase, which must be nowhere."""
        self.secrets[name] = data
        for shape, content in work.shapes(name, data):
            self.known.add(shape, content)
        return data

    def passphrase(self, name=PASSPHRASE):
        """A new passphrase."""
        return self.secret(name, work.word("PASSPHRASE", 40))

    def key(self, name=KEY):
        """A new key of 32 bytes."""
        return self.secret(name, secrets.token_bytes(32))

    def file(self, name, content):
        """A file outside of the state with a key, which is the caller's."""
        path = os.path.join(self.keys, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        return path

    def pipe(self, content):
        """The number of a descriptor from which the content can be read once."""
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        self.descriptors.append(reading)
        return reading

    def start(self, options, record=None, state=None, again=False):
        """Start vtpmd, under strace if there is a record to write; `again` on a volatile state, which has had its Startup."""
        argv = [vtpmd(), "socket", "--tpm2", "--tpmstate", state or f"dir={self.state}", *options]
        argv += ["--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.ctrl},terminate"]
        argv += ["--flags", "not-need-init,disable-auto-shutdown" + ("" if again else ",startup-clear")]
        argv += ["--pid", f"file={self.pid}", "--log", f"file={self.log},level=20"]
        with open(self.log + ".out", "ab") as out:
            process = subprocess.Popen(
                traced(argv, record) if record else argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=self.descriptors, cwd=self.place, env={**os.environ, MARK: self.place},
            )  # fmt: skip
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
        try:
            tpm = Tpm(self.socket, self.ctrl, lambda: process.poll() is None)
        except SetupError as error:
            process.kill()
            process.wait()
            raise SetupError(f"{error}\n{tail(self.log + '.out')}\n{tail(self.log)}") from error
        return process, tpm

    def process_id(self):
        """The daemon's own id, whoever started it."""
        with open(self.pid, encoding="ascii") as file:
            return int(file.read())


def expect_nothing(what, known, data):
    """Fail if any of it is in these bytes."""
    if names := known.found(data):
        raise CaseFailed(f"{what} holds {', '.join(sorted(set(names)))}")


def expect(what, condition):
    """Fail if a search finds nothing where there is something."""
    if not condition:
        raise CaseFailed(f"the search is worth nothing: {what}")


def look_at_process(setting, pid, stays):
    """Command line, environment and memory of a daemon that runs; `stays` are secrets that it must keep."""
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            content = file.read()
        expect(f"{name} does not hold the path of the state", setting.place.encode() in content)
        expect_nothing(f"/proc/PID/{name}", setting.known, content)
    lives = {name: 0 for name in setting.secrets}
    shapes = {name: list(work.shapes(name, secret)) for name, secret in setting.secrets.items()}
    contents = 0
    for region, content in work.memory(pid):
        contents += content.count(setting.known.things["the content of an NV Index"])
        for name, forms in shapes.items():
            for shape, secret in forms:
                count = content.count(secret)
                lives[name] += count
                if count and name not in stays:
                    raise CaseFailed(f"memory ({region}) holds {shape}")
    expect("memory does not hold the content of an NV Index", contents)
    for name in stays:
        # One copy, which is wiped at the end.
        if lives[name] != 1:
            raise CaseFailed(f"memory holds {name} {lives[name]} times")


def lockable():
    """Whether the memory of a program can be locked here: no limit, or root of the machine and not of a container."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        machine = file.read().split() == ["0", "0", "4294967295"]
    return machine or resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY


def loose_memory(pid):
    """KiB of writable private memory that can be swapped out."""
    loose = size = 0
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            fields = line.split()
            if not fields[0].endswith(":"):
                writable = fields[1].startswith("rw-p")
            elif fields[0] == "Size:":
                size = int(fields[1])
            elif fields[0] == "VmFlags:" and writable and "lo" not in fields:
                loose += size
    return loose


def play(setting, options, stays=(), sealed_blobs=True, migration=False, state=None, restart=True):
    """One life of a daemon, traced: work, searches while it runs, its end, and searches in all that is left."""
    record = os.path.join(setting.place, "trace")
    process, tpm = setting.start(options(), record, state)
    known = setting.known
    work.fill(tpm, known)
    tpm.store_volatile()
    inside = {1: "the content of an NV Index", 2: "the message of a hash sequence"}
    for kind, name in ((1, "the permanent state"), (2, "the volatile state")):
        if not migration:
            _, plain = tpm.state_blob(kind, decrypted=True)
            expect(f"{name} does not hold {inside[kind]}", inside[kind] in known.found(plain))
            known.add_state(name, plain[HEADER:])
        _, blob = tpm.state_blob(kind)
        if sealed_blobs:
            expect_nothing(f"the state blob of {name}", known, blob)
        else:
            expect(f"the blob of {name} is sealed with no key", inside[kind] in known.found(blob))
    for number in range(40):  # more than one journal
        tpm.nv_write(work.INDEX, known.things["the content of an NV Index"], known.things["an NV Index's authorization"])
        if number % 10 == 0:
            tpm.store_volatile()
    expect("the TPM has lost its content", work.still_there(tpm, known))
    pid = setting.process_id()
    look_at_process(setting, pid, stays)
    if (loose := loose_memory(pid)) and lockable():
        raise CaseFailed(f"{loose} KiB of memory are not locked")
    tpm.close()  # with ",terminate" that ends it
    if process.wait(20):
        raise CaseFailed(f"vtpmd ended with {process.returncode}: {tail(setting.log)}")
    count = search_writes(setting, record)
    if restart:
        process, tpm = setting.start(options(), state=state, again=True)
        expect("the state is gone after a restart", work.still_there(tpm, known))
        tpm.shutdown()
        if process.wait(20):
            raise CaseFailed(f"vtpmd ended with {process.returncode}: {tail(setting.log)}")
    search_files(setting)
    return count


def search_writes(setting, record):
    """Everything that went to files, and to the terminal."""
    parts, files = set(), set()
    for place, content in written(record):
        if not place.startswith("socket:"):
            parts.add(content)
            files.add(place)
    expect("no write to the state was recorded", any(place.startswith(setting.state) for place in files))
    expect("no write to the log was recorded", setting.log in files)
    expect_nothing("what the daemon wrote", setting.known, b"\0".join(parts))
    return sum(len(part) for part in parts)


def search_files(setting):
    """What is left in all folders but that of the caller's keys."""
    seen = 0
    for path, content in work.files(setting.place):
        if path.startswith(setting.keys) or path.endswith("/trace"):
            continue
        if path in (setting.pid, setting.socket, setting.ctrl):
            raise CaseFailed(f"{os.path.basename(path)} stays after the end")
        expect_nothing(os.path.relpath(path, setting.place), setting.known, content)
        seen += len(content)
    expect("there are no files", seen)


def plain(place):
    """Without a key the same searches find everything: in the files, in what was written."""
    setting = Setting(place)
    record = os.path.join(place, "trace")
    process, tpm = setting.start([], record)
    work.fill(tpm, setting.known)
    tpm.store_volatile()
    tpm.close()
    process.wait(20)
    left = b"".join(content for path, content in work.files(setting.state))
    sent = b"".join(content for where, content in written(record) if where.startswith(setting.state))
    for what, data in (("the files", left), ("the recorded writes", sent)):
        missing = set(setting.known.things) - set(setting.known.found(data))
        expect(f"{what} of a state without a key lack {', '.join(missing)}", not missing)


def by_descriptor_passphrase(place):
    """--key pwdfd, with PBKDF2."""
    setting = Setting(place)
    passphrase = setting.passphrase()
    play(setting, lambda: ["--key", f"pwdfd={setting.pipe(passphrase)}"])


def by_descriptor_digest(place):
    """--key pwdfd with swtpm's other derivation, and blobs in swtpm's format."""
    setting = Setting(place)
    passphrase = setting.passphrase()
    more = ["--migration", "blobs=swtpm"]
    play(setting, lambda: ["--key", f"pwdfd={setting.pipe(passphrase)},kdf=sha512", *more])


def by_descriptor_key(place):
    """--key fd: the key itself stays, in one place, because state blobs are sealed with it."""
    setting = Setting(place)
    key = setting.key()
    options = "format=hex,mode=aes-256-cbc"
    play(setting, lambda: ["--key", f"fd={setting.pipe(key.hex().encode())},{options}"], stays=[KEY])


def by_file_passphrase(place):
    """--key pwdfile with remove: the file is gone, too."""
    setting = Setting(place)
    passphrase = setting.passphrase()

    def options():
        return ["--key", f"pwdfile={setting.file('passphrase', passphrase)},remove"]

    play(setting, options)
    if os.listdir(setting.keys):
        raise CaseFailed("the file with the passphrase was not removed")


def by_manager_file(place):
    """--key-manager file: the key does not stay. State blobs have no key then, unless there is one for migration."""
    setting = Setting(place)
    path = setting.file("master", setting.key())
    play(setting, lambda: ["--key-manager", f"file:{path}"], sealed_blobs=False)


def by_manager_passphrase(place):
    """--key-manager pwdfile, with Argon2id, and a passphrase for state blobs."""
    setting = Setting(place)
    path = setting.file("passphrase", setting.passphrase())
    other = setting.passphrase("the migration passphrase")
    keys = lambda: ["--key-manager", f"pwdfile:{path}", "--migration-key", f"pwdfd={setting.pipe(other)}"]
    play(setting, keys, migration=True)


def single_file(place):
    """The state in a single file."""
    setting = Setting(place)
    passphrase = setting.passphrase()
    path = os.path.join(setting.state, "one.file")
    play(setting, lambda: ["--key", f"pwdfd={setting.pipe(passphrase)}"], state=f"backend-uri=file://{path}")


def in_swtpms_format(place):
    """The state in swtpm's format, as by the name of swtpm."""
    setting = Setting(place)
    passphrase = setting.passphrase()
    play(setting, lambda: ["--state-format", "swtpm", "--key", f"pwdfd={setting.pipe(passphrase)}"])


def converted(place):
    """vtpmd convert to swtpm's format and back, and a start on a folder of swtpm's."""
    setting = Setting(place)
    passphrase, other = setting.passphrase(), setting.passphrase("the new passphrase")
    play(setting, lambda: ["--key", f"pwdfd={setting.pipe(passphrase)}"], restart=False)
    theirs = os.path.join(place, "theirs")
    os.mkdir(theirs, 0o700)
    steps = [
        (f"vtpmd:{setting.state}", passphrase, f"swtpm:{theirs}", other),
        (f"swtpm:{theirs}", other, f"swtpm:{theirs}", passphrase),
        (f"swtpm:{theirs}", passphrase, f"vtpmd:{os.path.join(place, 'ours')}", other),
    ]
    os.mkdir(os.path.join(place, "ours"), 0o700)
    record = os.path.join(place, "trace")
    for source, old, target, new in steps:
        keys = ["--key", f"pwdfd={setting.pipe(old)}", "--new-key", f"pwdfd={setting.pipe(new)}"]
        argv = [vtpmd(), "convert", "--from", source, "--to", target, *keys]
        done = subprocess.run(traced(argv, record), pass_fds=setting.descriptors, capture_output=True, check=False)
        for descriptor in setting.descriptors:
            os.close(descriptor)
        setting.descriptors = []
        if done.returncode:
            raise CaseFailed(f"vtpmd convert to {target}: {done.stderr.decode()}")
        parts = [content for where, content in written(record) if not where.startswith("socket:")]
        expect("convert wrote nothing", sum(map(len, parts)) > 1000)
        expect_nothing("what vtpmd convert wrote", setting.known, b"\0".join(parts))
        expect_nothing("what vtpmd convert said", setting.known, done.stdout + done.stderr)
    search_files(setting)
    # On swtpm's folder: taken over, and the original kept.
    shutil.rmtree(setting.state)
    os.rename(theirs, setting.state)
    process, tpm = setting.start(["--key", f"pwdfd={setting.pipe(passphrase)}"], record, again=True)
    expect("the converted state has lost its content", work.still_there(tpm, setting.known))
    look_at_process(setting, setting.process_id(), ())
    tpm.shutdown()
    process.wait(20)
    search_writes(setting, record)
    search_files(setting)


CASES = {
    "control-without-key": plain,
    "key-pwdfd": by_descriptor_passphrase,
    "key-pwdfd-sha512-swtpm-blobs": by_descriptor_digest,
    "key-fd": by_descriptor_key,
    "key-pwdfile-remove": by_file_passphrase,
    "key-manager-file": by_manager_file,
    "key-manager-pwdfile": by_manager_passphrase,
    "single-file": single_file,
    "swtpm-format": in_swtpms_format,
    "convert": converted,
}
