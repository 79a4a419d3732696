"""What a scenario works with: TPM daemons and machines that all end with it."""

import os

from harness.daemon import Daemon
from harness.machine import Machine
from harness.report import CaseFailed

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest-scripts")


def script(name):
    """The text of one of guest-scripts/."""
    with open(os.path.join(SCRIPTS, name), encoding="utf-8") as file:
        return file.read()


class Bench:
    """One machine with its TPM, that is switched on and off; and others that a scenario adds."""

    def __init__(self, options, place, model="crb", firmware="seabios", **shape):
        """`shape` is passed on to Machine: disks, memory and so on."""
        self.options, self.place = options, place
        self.shape = {"model": model, "firmware": firmware, "accel": options.accel, **shape}
        self.daemon, self.machine = self.add_daemon("tpm"), None

    def add_daemon(self, name, template=None):
        """A TPM daemon with a state of its own; it ends with the scenario. Without a template that of run.py."""
        daemon = Daemon(template or self.options.tpm_cmd, self.place.dir, self.place.sockets, name=name)
        self.place.keep(daemon.stop)
        return daemon

    def add_machine(self, daemon, name="vm", **shape):
        """Switch on a machine on a daemon that listens; it ends with the scenario."""
        machine = Machine(
            self.options.guest, self.place.dir, self.place.sockets, daemon.ctrl, name=name, **{**self.shape, **shape}
        )
        self.place.keep(machine.kill)
        return machine.start()

    def power_on(self):
        """Start the TPM daemon and the machine and wait for Linux."""
        self.daemon.start_for_qemu()
        self.machine = self.add_machine(self.daemon)
        self.machine.wait_boot(self.options.timeout)

    def power_off(self):
        """Orderly power-off; the daemon must end with QEMU."""
        self.machine.power_off()
        if not self.daemon.process.wait(10):
            raise CaseFailed("the TPM daemon still runs 10 s after QEMU has ended")
        status = self.daemon.process.popen.returncode
        if status:
            raise CaseFailed(f"the TPM daemon has ended with status {status}")

    def cut_power(self):
        """SIGKILL to QEMU and the daemon at once."""
        self.machine.kill()
        self.daemon.kill()

    def reset(self):
        """The reset button."""
        self.machine.reset(self.options.timeout)

    def script(self, name, **env):
        """Run one of guest-scripts/ in the guest; its output."""
        return self.shell(script(name), name, **env)

    def shell(self, text, name=None, **env):
        """Run shell commands in the guest; their output."""
        status, output = self.machine.agent.run(text, timeout=self.options.timeout, env=env)
        if status:
            raise CaseFailed(f"{name or text}: exit {status} in the guest\n{output.strip()}")
        return output


def expect(condition, message):
    """Fail the scenario unless a condition holds."""
    if not condition:
        raise CaseFailed(message)
