"""What QEMU says to a TPM daemon on the control channel, and what it hears: a proxy that notes both."""

import os
import select
import socket
import struct
import threading

from .process import SetupError, unix_connect

NAMES = {
    1: "GET_CAPABILITY", 2: "INIT", 3: "SHUTDOWN", 4: "GET_TPMESTABLISHED", 5: "SET_LOCALITY", 6: "HASH_START",
    7: "HASH_DATA", 8: "HASH_END", 9: "CANCEL_TPM_CMD", 10: "STORE_VOLATILE", 11: "RESET_TPMESTABLISHED",
    12: "GET_STATEBLOB", 13: "SET_STATEBLOB", 14: "STOP", 15: "GET_CONFIG", 16: "SET_DATAFD", 17: "SET_BUFFERSIZE",
    18: "GET_INFO", 19: "LOCK_STORAGE",
}
BLOBS = {1: "permanent", 2: "volatile", 3: "savestate"}


def word(data, index):
    """The 32-bit number at an index, or None."""
    return struct.unpack_from(">I", data, 4 * index)[0] if len(data) >= 4 * index + 4 else None


class Exchange:
    """One command and its answer."""

    def __init__(self, request, descriptors):
        self.request, self.descriptors, self.answer, self.more = request, descriptors, b"", 0
        self.name = NAMES.get(word(request, 0), hex(word(request, 0) or 0))

    def arguments(self):
        """What the command says, as far as it is the same for all TPMs."""
        if self.name in ("INIT", "SET_BUFFERSIZE", "LOCK_STORAGE"):
            return f" {word(self.request, 1)}"
        if self.name == "SET_LOCALITY":
            return f" {self.request[4]}"
        if self.name in ("GET_STATEBLOB", "SET_STATEBLOB"):
            return f" {BLOBS.get(word(self.request, 2))} {word(self.request, 1)}"
        return " with a descriptor" if self.descriptors else ""

    def result(self):
        """The result code."""
        return word(self.answer, 0)

    def length(self):
        """How many bytes the answer has, without a blob."""
        return 16 if self.name == "GET_STATEBLOB" else len(self.answer)

    def __str__(self):
        return f"{self.name}{self.arguments()} -> {self.result()}, {self.length()} bytes"


class ControlLog:
    """Listens on `front`, passes everything on to the daemon's socket `back`, and keeps the exchanges.

    QEMU waits for each answer before its next command, so that what comes from it before an answer is one command.
    """

    def __init__(self, front, back):
        self.exchanges, self.fault = [], None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(front)
        self.listener.listen(1)
        self.back = back
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def names(self):
        """The commands so far, without what is asked again and again while the guest runs."""
        return [f"{e.name}{e.arguments()}" for e in self.exchanges if e.name not in ("SET_LOCALITY", "GET_TPMESTABLISHED")]

    def take(self):
        """The exchanges since the last call."""
        taken, self.exchanges = self.exchanges, []
        return taken

    def close(self):
        """Wait for the end of the connection, which the end of QEMU or the daemon brings."""
        self.thread.join(10)
        self.listener.close()
        if self.fault:
            raise SetupError(f"the proxy of the control channel failed: {self.fault}")

    def _run(self):
        try:
            client, _ = self.listener.accept()
            with client, unix_connect(self.back) as daemon:
                while self._pass(client, daemon):
                    pass
        except (OSError, SetupError) as e:
            self.fault = e

    def _pass(self, client, daemon):
        """Pass on what has come from either side; whether both are still there."""
        for side in select.select([client, daemon], [], [])[0]:
            try:
                data, descriptors, _, _ = socket.recv_fds(side, 1 << 16, 4)
            except ConnectionResetError:
                data, descriptors = b"", []
            if not data:
                return False
            last = self.exchanges[-1] if self.exchanges else None
            if side is daemon and last:
                last.answer += data
            elif last and not last.answer and last.name == "SET_STATEBLOB":
                last.more += len(data)
            else:
                self.exchanges.append(Exchange(data, len(descriptors)))
            socket.send_fds(daemon if side is client else client, [data], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        return True
