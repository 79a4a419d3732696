"""Core dumps, and other processes of the same user that try to look in."""

import json
import os
import pwd
import resource
import signal
import subprocess
import sys
import time

import work
from cases import Setting, expect
from harness.daemon import vtpmd
from harness.process import SetupError, wait_for
from harness.report import CaseFailed
from harness.tpm import Tpm

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
INFINITE = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def end_with_core(argv, folder, ready, lift):
    """Start a program where a core dump is possible, end it by SIGABRT, and say whether there was one."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, INFINITE)
            os.chdir(folder)
            os.execv(argv[0], argv)
        finally:
            os._exit(127)
    try:
        ready()
        if lift:
            resource.prlimit(child, resource.RLIMIT_CORE, INFINITE)
    finally:
        os.kill(child, signal.SIGABRT)
        _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGABRT:
        raise SetupError(f"{argv[0]} ended otherwise than by SIGABRT: {status:#x}")
    return os.WCOREDUMP(status)


def cores(place):
    """A daemon that is made to crash leaves no core, not even if root lifts its limit."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise SetupError("no program may leave core dumps here (ulimit -Hc is 0), so nothing can be shown")
    # What is possible here.
    control = os.path.join(place, "control")
    os.mkdir(control)
    ready = os.path.join(control, "ready")
    code = f"import time; secret = bytes.fromhex({b'KNOWN-CONTENT'.hex()!r}); open({ready!r}, 'w').close(); time.sleep(60)"
    wait = lambda: wait_for(lambda: os.path.exists(ready), 20, "the other program")
    dumped = end_with_core([sys.executable, "-c", code], control, wait, lift=False)
    expect("another program leaves no core dump here", dumped)
    left = b"".join(content for path, content in work.files(control))
    # Where the kernel hands dumps to a program there is no file.
    expect("its core dump does not hold its memory", b"KNOWN-CONTENT" in left or piped())
    for lift in (False, True) if may_lift() else (False,):
        setting = Setting(os.path.join(place, f"lift-{lift}"))
        passphrase = setting.file("passphrase", setting.passphrase())
        argv = [vtpmd(), "socket", "--tpm2", "--tpmstate", f"dir={setting.state}", "--key", f"pwdfile={passphrase}"]
        argv += ["--server", f"type=unixio,path={setting.socket}", "--flags", "not-need-init,startup-clear"]

        def ready():
            work.fill(Tpm(setting.socket), setting.known)

        before = set(os.listdir(setting.place))
        if end_with_core(argv, setting.place, ready, lift):
            raise CaseFailed(f"vtpmd left a core dump (limit lifted by root: {lift})")
        new = set(os.listdir(setting.place)) - before - {"s"}
        if new:
            raise CaseFailed(f"after a crash there are {new}")


def may_lift():
    """Whether this process may raise hard limits of others (CAP_SYS_RESOURCE)."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(child.pid, resource.RLIMIT_CORE, INFINITE)
        return True
    except PermissionError:
        print("(root may not lift limits here) ", end="")
        return False
    finally:
        child.kill()
        child.wait()


def piped():
    """Whether core dumps go to a program."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        return file.read().startswith("|")


# What somebody tries on a process of the same user.
ATTEMPTS = r"""
import ctypes, json, os, sys
pid, done = int(sys.argv[1]), {}
def attempt(name, act):
    try:
        act()
        done[name] = True
    except OSError:
        done[name] = False
def read(name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        file.read(1)
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *arguments):
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "")
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def peek():
    # An address that no program has: EFAULT says that looking was allowed.
    here = ctypes.create_string_buffer(8)
    ours, theirs = Vector(ctypes.addressof(here), 8), Vector(4096, 8)
    if libc.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) == -1 and ctypes.get_errno() != 14:
        raise OSError(ctypes.get_errno(), "")
for name in ("environ", "maps", "auxv"):
    attempt(f"/proc/PID/{name}", lambda: read(name))
attempt("/proc/PID/mem", lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY)))
attempt("/proc/PID/fd", lambda: os.listdir(f"/proc/{pid}/fd"))
attempt("process_vm_readv", peek)
def attach():
    call(libc.ptrace, 16, pid, None, None)
    os.waitpid(pid, 0x40000000)
    call(libc.ptrace, 17, pid, None, None)
attempt("PTRACE_ATTACH", attach)
print(json.dumps(done))
"""


def has_users():
    """Whether there are other users than this one: not so in the user namespace of an ordinary user."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return sum(int(line.split()[2]) for line in file) > 1


def attempts(pid, user):
    """What another process of this user may do to the process."""
    # The Python that runs this may lie where that user may not look.
    argv = [PYTHON, "-c", ATTEMPTS, str(pid)]
    done = subprocess.run(argv, user=user.pw_uid, group=user.pw_gid, extra_groups=[], capture_output=True, check=False)
    if done.returncode:
        raise SetupError(f"the attempts did not end: {done.stderr.decode()}")
    return json.loads(done.stdout)


def same_user(place):
    """Another process of the user that runs vtpmd cannot look in; in other processes it can."""
    user = pwd.getpwnam("nobody")
    if not has_users():
        print("(this user namespace has one user: not shown) ", end="")
        return
    sleeper = subprocess.Popen(["sleep", "60"], user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    try:
        time.sleep(0.1)
        allowed = attempts(sleeper.pid, user)
    finally:
        sleeper.kill()
        sleeper.wait()
    expect(f"another process could not be looked into either: {allowed}", all(allowed.values()))
    for number, way in enumerate(("started as that user", "--runas")):
        setting = Setting(os.path.join(place, str(number)))
        passphrase = setting.file("passphrase", setting.passphrase())
        for path in (place, os.path.dirname(place)):
            os.chmod(path, 0o755)
        for path in (setting.place, setting.state, setting.keys, passphrase):
            os.chown(path, user.pw_uid, user.pw_gid)
        argv = [vtpmd(), "socket", "--tpm2", "--tpmstate", f"dir={setting.state}", "--key", f"pwdfile={passphrase}"]
        argv += ["--server", f"type=unixio,path={setting.socket}", "--flags", "not-need-init,startup-clear"]
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if number == 0 else {}
        process = subprocess.Popen(argv + ([] if who else ["--runas", user.pw_name]), **who)
        try:
            work.fill(Tpm(setting.socket, alive=lambda: process.poll() is None), setting.known)
            with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                ids = next(line.split()[1:] for line in file if line.startswith("Uid:"))
            expect(f"vtpmd runs as {ids}", set(ids) == {str(user.pw_uid)})
            worked = [name for name, could in attempts(process.pid, user).items() if could]
            if worked:
                raise CaseFailed(f"vtpmd, {way}: another process of its user can do {', '.join(worked)}")
            with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
                limit = next(line.split()[4:6] for line in file if line.startswith("Max core file size"))
            if limit != ["0", "0"]:
                raise CaseFailed(f"vtpmd, {way}: core files may have {limit}")
        finally:
            process.terminate()
            process.wait(20)


CASES = {"core-dump": cores, "same-user": same_user}
