"""Runs scripts in a guest over its second serial port. The other side is the init script of vm/build-guest.

One line each way, payloads in base64:

    P <id> <path> <data>    append bytes to a file     D <id> <status>
    R <id> <script>         run a shell script         D <id> <status> <output>
    G <id> <path>           read a file                D <id> <status> <content>
"""

import base64
import os
import select
import shlex
import time

from .process import SetupError, unix_connect

# A serial port has no flow control towards the guest: longer lines are sent as a file in pieces.
PIECE = 1536


def decode(line):
    """A line from the serial port as text."""
    return line.replace(b"\0", b"").decode("utf-8", "replace").strip()


class Agent:
    """The command channel of one guest."""

    def __init__(self, path, alive=None):
        self.alive, self.number, self.buffer = alive, 0, b""
        self.socket = unix_connect(path, 20, alive)
        self.kernel = None

    def line(self, end):
        """The next line from the guest, which must come before the time `end`."""
        while b"\n" not in self.buffer:
            if self.alive is not None and not self.alive():
                raise SetupError("QEMU ended while the guest was working")
            left = end - time.monotonic()
            if left <= 0:
                raise SetupError("the guest did not answer in time")
            if select.select([self.socket], [], [], min(left, 0.5))[0]:
                data = self.socket.recv(65536)
                if not data:
                    raise SetupError("the guest's command channel was closed")
                self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return decode(line)

    def rest(self):
        """What is left to read after QEMU has ended: complete lines."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:  # QEMU had not read everything; what it wrote comes after this
                continue
            if not data:
                break
            self.buffer += data
        lines, self.buffer = self.buffer.split(b"\n")[:-1], b""
        return [decode(line) for line in lines]

    def wait_ready(self, timeout):
        """Wait for the guest's boot message."""
        end = time.monotonic() + timeout
        while True:
            line = self.line(end)
            if "GUEST-READY" in line:
                self.kernel = line[line.index("GUEST-READY") :].split()[1]
                return

    def forget(self):
        """Drop what an earlier boot of the guest has said."""
        self.buffer = b""

    def _send(self, op, *arguments):
        self.number += 1
        ident = f"{os.getpid()}.{self.number}"
        self.socket.sendall((" ".join([op, ident, *arguments]) + "\n").encode())
        return ident

    def _call(self, op, *arguments, timeout=60):
        ident = self._send(op, *arguments)
        end = time.monotonic() + timeout
        while True:
            fields = self.line(end).split()
            if len(fields) >= 3 and fields[0] == "D" and fields[1] == ident:
                return int(fields[2]), base64.b64decode(fields[3]) if len(fields) > 3 else b""

    def ping(self, timeout=20):
        """Wait until the guest answers again. Bytes sent while it sleeps are lost, so this repeats itself."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket.sendall(b"\n")
                return self._call("R", base64.b64encode(b":").decode(), timeout=2)[0] == 0
            except SetupError:
                if time.monotonic() > end:
                    raise

    def put(self, path, data):
        """Append bytes to a file in the guest."""
        for start in range(0, len(data), PIECE):
            status, _ = self._call("P", path, base64.b64encode(data[start : start + PIECE]).decode())
            if status:
                raise SetupError(f"guest: cannot write {path}")

    def get(self, path, timeout=60):
        """The content of a file in the guest."""
        status, data = self._call("G", path, timeout=timeout)
        if status:
            raise SetupError(f"guest: cannot read {path}")
        return data

    def run(self, script, timeout=60, env=None):
        """Run a shell script in the guest; (exit status, output)."""
        status, output = self._call("R", self._script(script, env), timeout=timeout)
        return status, output.decode("utf-8", "replace")

    def start(self, script, env=None):
        """Start a shell script that does not end; what it writes to its port comes by line()."""
        self._send("R", self._script(script, env))

    def _script(self, script, env):
        text = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in (env or {}).items()).encode() + script.encode()
        if len(text) > PIECE - 36:
            name = f"/run/script.{self.number}"
            self.put(name, text)
            text = f". {name}; ".encode()
        return base64.b64encode(text).decode()
