"""A QMP client: Qmp(path).cmd('query-status')."""

import json
import select
import time

from .process import SetupError, unix_connect


class Qmp:
    """One connection to QEMU's machine protocol."""

    def __init__(self, path, timeout=20, alive=None):
        self.socket = unix_connect(path, timeout, alive)
        self.buffer, self.events, self.number = b"", [], 0
        self._receive(timeout)
        self.cmd("qmp_capabilities")

    def _receive(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise SetupError("QMP: no answer in time")
            data = self.socket.recv(65536)
            if not data:
                raise SetupError("QMP: connection closed (QEMU ended)")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def cmd(self, name, timeout=60, **arguments):
        """Run one command and return its result. Underscores in argument names become dashes."""
        self.number += 1
        request = {"execute": name, "id": self.number}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        end = time.monotonic() + timeout
        while True:
            message = self._receive(end - time.monotonic())
            if "event" in message:
                self.events.append(message)
            elif message.get("id") == self.number:
                if "error" in message:
                    raise SetupError(f"QMP {name}: {message['error'].get('desc')}")
                return message["return"]

    def wait_event(self, name, timeout=60):
        """Wait for an event that has come or will come."""
        end = time.monotonic() + timeout
        while True:
            for index, event in enumerate(self.events):
                if event["event"] == name:
                    return self.events.pop(index)
            message = self._receive(end - time.monotonic())
            if "event" in message:
                self.events.append(message)

    def wait_migration(self, timeout, wanted="completed"):
        """Wait until a migration, outgoing or incoming, ends as wanted."""
        end = time.monotonic() + timeout
        while True:
            info = self.cmd("query-migrate")
            status = info.get("status")
            if status == wanted:
                return
            if status in ("completed", "failed", "cancelled"):
                raise SetupError(f"the migration is {status}, not {wanted}: {info.get('error-desc', '')}")
            if time.monotonic() > end:
                raise SetupError(f"the migration is still {status} after {timeout:g} s")
            time.sleep(0.02)
