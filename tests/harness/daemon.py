"""A TPM daemon started from a command template.

Placeholders of a template, filled in when the daemon starts:

    {vtpmd}   the program built from this tree
    {swtpm}   the same under the name swtpm, by which it keeps its state in swtpm's format
    {state}   state directory
    {channel} options for the sockets, chosen by the test (control only for QEMU; Unix or TCP for clients)
    {key}     a file with the 256-bit key of the state, 64 hexadecimal digits, mode 0600
    {log}     log file

The same template drives stock swtpm, so any test can be compared with it:
`--tpm-cmd 'swtpm socket --tpm2 --tpmstate dir={state} {channel} --log file={log},level=1'`.
"""

import os
import secrets
import shlex
import shutil
import tempfile

from .process import Process, SetupError, free_tcp_ports, tail, wait_for
from .runner import target

VTPMD = (
    "{vtpmd} socket --tpm2 --tpmstate dir={state} {channel} "
    "--key file={key},format=hex,mode=aes-256-cbc --log file={log},level=1"
)


def vtpmd():
    """Path of the vtpmd to test: $VTPMD, or the release build, or the debug build."""
    candidates = [os.environ.get("VTPMD")] + [os.path.join(target(), kind, "vtpmd") for kind in ("release", "debug")]
    for path in candidates:
        if path and os.path.exists(path):
            return os.path.abspath(path)
    raise SetupError("vtpmd is not built: cargo build --release -p sealwright-daemon")


class Daemon:
    """One TPM with its state directory; may be started and ended many times."""

    def __init__(self, template, workdir, sockets, name="tpm"):
        """`workdir` keeps state, key and log; `sockets` is a short path for the sockets."""
        self.template, self.name = template, name
        self.dir = os.path.abspath(workdir)
        self.state = os.path.join(self.dir, name + "-state")
        self.key = os.path.join(self.dir, name + ".key")
        self.log = os.path.join(self.dir, name + ".log")
        self.ctrl = os.path.join(sockets, name + ".ctrl")
        self.data = os.path.join(sockets, name)
        self.port = None
        self.process = None
        os.makedirs(self.state, exist_ok=True)
        if not os.path.exists(self.key):
            with open(os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32) + "\n")

    def start_for_qemu(self, extra=""):
        """Start with a control socket alone; QEMU hands over the data channel and starts the TPM. `extra` are options."""
        return self._start(f"--ctrl type=unixio,path={shlex.quote(self.ctrl)} --terminate {extra}", [self.ctrl])

    def start_for_clients(self):
        """Start ready for commands on Unix sockets, as the swtpm TCTI of tpm2-tss expects them."""
        channel = (
            f"--server type=unixio,path={shlex.quote(self.data)} --ctrl type=unixio,path={shlex.quote(self.ctrl)} "
            "--flags not-need-init,startup-clear"
        )
        return self._start(channel, [self.data, self.ctrl])

    def start_for_tcp_clients(self):
        """Start ready for commands on a TCP port of the loopback interface (self.port)."""
        self.port, control = free_tcp_ports(2)
        channel = (
            f"--server type=tcp,port={self.port},bindaddr=127.0.0.1 "
            f"--ctrl type=unixio,path={shlex.quote(self.ctrl)} --flags not-need-init,startup-clear"
        )
        return self._start(channel, [self.ctrl])

    def _start(self, channel, wait_paths):
        for path in (self.ctrl, self.data):
            if os.path.exists(path):
                os.unlink(path)
        fill = {"state": shlex.quote(self.state), "key": shlex.quote(self.key), "log": shlex.quote(self.log)}
        if "{vtpmd}" in self.template:
            fill["vtpmd"] = shlex.quote(vtpmd())
        if "{swtpm}" in self.template:
            fill["swtpm"] = shlex.quote(self._by_name())
        argv = shlex.split(self.template.format(channel=channel, **fill))
        # Output of its own, so that the daemon's log file is the daemon's alone.
        self.process = Process(argv, self.log + ".out", cwd=self.dir)
        try:
            for path in wait_paths:
                wait_for(lambda: os.path.exists(path), 10, f"socket of the TPM daemon ({path})", self.process.alive)
        except SetupError as e:
            self.process.stop()
            raise SetupError(f"{e}\n--- {argv[0]}\n{tail(self.log + '.out')}\n{tail(self.log)}") from e
        return self

    def _by_name(self):
        """A link named swtpm to the program of this tree."""
        link = os.path.join(self.dir, "swtpm")
        if not os.path.islink(link):
            os.symlink(vtpmd(), link)
        return link

    def alive(self):
        """Whether the process runs."""
        return self.process is not None and self.process.alive()

    def kill(self):
        """SIGKILL: the state must be that of the last answered command."""
        return self.process.kill() if self.process else None

    def stop(self):
        """Ask it to end; the exit status."""
        return self.process.stop() if self.process else None


class Workplace:
    """A work directory that is removed on success and kept on failure, and a short one for sockets."""

    def __init__(self, path):
        self.dir = os.path.abspath(path)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.sockets = tempfile.mkdtemp(prefix="vtpm-")
        self.ends = []

    def file(self, name, size):
        """A file of zeros in the work directory."""
        path = os.path.join(self.dir, name)
        with open(path, "wb") as file:
            file.truncate(size)
        return path

    def keep(self, end):
        """Something to end with the work place, last come first."""
        self.ends.append(end)

    def close(self, keep):
        """End what runs, remove the sockets, and the files unless they are to be kept."""
        while self.ends:
            self.ends.pop()()
        shutil.rmtree(self.sockets, ignore_errors=True)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
