"""In swtpm's place: the programs are exchanged under guests that are there. These use both kinds of programs."""

import os
import pwd

from domain import Domain
from harness.process import Process, wait_for
from harness.report import expect

from .common import PASSPHRASE, make_secret, refused
from .migrate import there_and_back


def installed(encrypted):
    """Debian's programs, then ours, then Debian's again, as who installs us and takes us away: the guest's secret opens
    each time."""

    def scenario(site):
        host = site.host("a", "debian")
        vm = Domain(site, firmware="ovmf", secret=make_secret(host) if encrypted else None)
        vm.define(host)
        vm.start()
        vm.script("seal-pcr.sh")
        vm.power_off()
        for kind in ("sealwright", "debian", "sealwright"):
            host.stop()
            site.host("a", kind)
            if encrypted:
                host.secret(vm.secret, PASSPHRASE)
            vm.start()
            vm.script("unseal-pcr.sh")
            vm.shell("tpm2_getrandom --hex 8")
            vm.power_off()

    return scenario


def between(encrypted):
    """A running guest goes from a host with Debian's programs to one with ours, back, and again; contexts that the TPM gave
    out before still load."""
    return there_and_back("crb", "ovmf", encrypted, ("debian", "sealwright"), "move-contexts.sh")


def version_12(site):
    """A domain that has a TPM 1.2 of Debian's swtpm is refused by name under our programs, which leave its state alone, and
    runs again under Debian's."""
    host = site.host("a", "debian")
    vm = Domain(site, model="tis", version="1.2")
    vm.define(host)
    host.virsh("start", vm.name, "--paused")
    vm.destroy()
    kept = vm.files()
    host.stop()
    site.host("a", "sealwright")
    message = refused(host, ["start", vm.name], ["TPM version '1.2' is not supported"])
    expect(vm.files() == kept, "the state of a TPM 1.2 has changed")
    host.stop()
    site.host("a", "debian")
    host.virsh("start", vm.name, "--paused")
    vm.destroy()
    return message.splitlines()[-1]


def external(site):
    """A TPM that libvirt has not started: it only connects, and a managed save carries the TPM."""
    host = site.host("a")
    vm = Domain(site, external="/run/libvirt/external.sock")
    vm.define(host)
    tpm = ExternalTpm(site, host)
    tpm.start()
    vm.start()
    vm.script("move-prepare.sh")
    host.virsh("managedsave", vm.name)
    expect(tpm.process.wait(10), "the daemon still runs although its QEMU has ended")
    tpm.start()
    host.virsh("start", vm.name)
    vm.connect()
    vm.script("move-check.sh")
    vm.destroy()
    expect(tpm.process.wait(10), "the daemon still runs although its QEMU has ended")


class ExternalTpm:
    """A daemon on a socket that QEMU may use, as whoever manages TPMs without libvirt starts it."""

    def __init__(self, site, host):
        self.state, self.log = host.path("external-tpm"), host.path("external-tpm.log")
        self.socket = host.path("run", "libvirt", "external.sock")
        self.program = os.path.join(site.programs(host.kind), "swtpm")
        self.process = None
        os.mkdir(self.state)

    def start(self):
        """Start it on its state; it ends with QEMU."""
        owner = pwd.getpwnam("libvirt-qemu").pw_uid
        self.process = Process(
            [self.program, "socket", "--tpm2", "--tpmstate", f"dir={self.state}", "--ctrl",
             f"type=unixio,path={self.socket},mode=0600,uid={owner}", "--log", f"file={self.log}", "--terminate"],
            self.log + ".out",
        )
        wait_for(lambda: os.path.exists(self.socket), 10, "socket of the TPM daemon", self.process.alive)


BOTH = {
    "replace-installed": installed(encrypted=False),
    "replace-installed-encrypted": installed(encrypted=True),
    "replace-between": between(encrypted=False),
    "replace-between-encrypted": between(encrypted=True),
    "replace-version-1.2": version_12,
}
SCENARIOS = {**BOTH, "external": external}
