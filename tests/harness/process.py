"""Child processes, waiting, and Unix sockets."""

import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import time


class SetupError(Exception):
    """The test could not be carried out; says nothing about the TPM's answers."""


def wait_for(condition, timeout, what, alive=None):
    """Wait until `condition()` is true; its value. `alive()` ends the wait early when it turns false."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if alive is not None and not alive():
            raise SetupError(f"a process ended while waiting for {what}")
        if time.monotonic() > end:
            raise SetupError(f"no {what} within {timeout:g} s")
        time.sleep(0.02)


def tail(path, lines=15):
    """The last lines of a file, or nothing if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return b"\n".join(file.read().splitlines()[-lines:]).decode("utf-8", "replace")
    except OSError:
        return ""


def unix_connect(path, timeout=10, alive=None):
    """Connect to a Unix socket that may not exist yet."""
    if len(path.encode()) > 107:
        raise SetupError(f"Unix socket path longer than 107 bytes: {path}")

    def attempt():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
            return None

    return wait_for(attempt, timeout, f"socket {path}", alive)


def interruptible():
    """Let SIGTERM and SIGHUP end this program as Ctrl-C does: with everything cleaned up. A shell starts background
    jobs with SIGINT ignored, but who sends one means it; with SIGHUP it may be nohup."""

    def interrupt(number, _frame):
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)


def run(*command, check=True, **more):
    """A command on this machine; its output. Raises SetupError when it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more
    )
    output = done.stdout.decode("utf-8", "replace")
    if check and done.returncode:
        raise SetupError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{output.strip()}")
    return output


class Process:
    """A child process whose output goes to a log file."""

    # All that were started, and whether more may be.
    started, closed = [], False

    @classmethod
    def end_all(cls):
        """SIGKILL to every process that was started; no more can be."""
        cls.closed = True
        for process in cls.started:
            process.kill()

    def __init__(self, argv, log, cwd=None):
        if Process.closed:
            raise SetupError("interrupted")
        self.argv, self.log = argv, log
        if shutil.which(argv[0]) is None:
            raise SetupError(f"program not found: {argv[0]}")
        with open(log, "ab") as file:
            file.write(("+ " + shlex.join(argv) + "\n").encode())
            file.flush()
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=cwd
            )
        Process.started.append(self)
        if Process.closed:
            self.kill()

    def alive(self):
        """Whether it still runs."""
        return self.popen.poll() is None

    def wait(self, timeout):
        """Wait until it ends by itself; whether it did."""
        try:
            self.popen.wait(timeout)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        """End it at once with SIGKILL, as a power cut would."""
        if self.alive():
            self.popen.kill()
        return self.popen.wait()

    def stop(self, grace=5):
        """End it with SIGTERM, and SIGKILL if it does not go; its exit status."""
        if self.alive():
            self.popen.send_signal(signal.SIGTERM)
            if not self.wait(grace):
                self.popen.kill()
        return self.popen.wait()


def free_tcp_ports(count):
    """Numbers of TCP ports of the loopback interface that nobody listens on now. They are below those that the system
    gives to clients, so that none is taken before it is used."""
    free = []
    for port in random.sample(range(10240, 32768), 1000):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise OSError("no TCP port of the loopback interface is free")


def repository():
    """The root of the source tree."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
