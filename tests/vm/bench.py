"""What a scenario works with: TPM daemons and machines that all end with it."""

from harness.daemon import Daemon
from harness.guest import Shell
from harness.machine import Machine
from harness.process import SetupError
from harness.report import expect


class Bench(Shell):
    """One machine with its TPM, that is switched on and off; and others that a scenario adds."""

    def __init__(self, options, place, model="crb", firmware="seabios", **shape):
        """`shape` is passed on to Machine: disks, memory and so on."""
        self.options, self.place, self.timeout = options, place, options.timeout
        self.shape = {"model": model, "firmware": firmware, "accel": options.accel, **shape}
        self.daemon, self.machine = self.add_daemon("tpm"), None

    def agent(self):
        """The guest's command channel."""
        return self.machine.agent

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

    def power_on(self, extra=""):
        """Start the TPM daemon, if wanted with more options, and the machine, and wait for Linux."""
        self.daemon.start_for_qemu(extra)
        self.machine = self.add_machine(self.daemon)
        self.machine.wait_boot(self.timeout)

    def power_off(self):
        """Orderly power-off; the daemon must end with QEMU."""
        self.machine.power_off()
        self.daemon_ends()
        status = self.daemon.process.popen.returncode
        expect(not status, f"the TPM daemon has ended with status {status}")

    def quit(self):
        """End QEMU with the guest still running; the daemon must end with it."""
        self.machine.quit()
        self.daemon_ends()

    def daemon_ends(self):
        """QEMU has ended, so the daemon must."""
        expect(self.daemon.process.wait(10), "the TPM daemon still runs 10 s after QEMU has ended")

    def cut_power(self):
        """SIGKILL to QEMU and the daemon at once."""
        self.machine.kill()
        self.daemon.kill()

    def reset(self):
        """The reset button."""
        self.machine.reset(self.timeout)

    def next_boot_finds_moved(self):
        """A power cycle: what move-prepare.sh has left in the TPM is stored where the guest is now."""
        self.power_off()
        self.power_on()
        self.script("move-check-boot.sh")
        self.power_off()

    def migration_fails(self, wanted, timeout=20):
        """The migration that was started must not succeed, but end as `wanted`; the guest goes on here."""
        try:
            self.machine.qmp.wait_migration(timeout, wanted=wanted)
        except SetupError as e:
            expect(False, f"the migration has not {wanted}: {e}")
        if self.machine.qmp.cmd("query-status")["status"] != "running":
            self.machine.qmp.cmd("cont")
        self.script("move-check.sh")
