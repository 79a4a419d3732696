"""A domain's life on one host: define, start, reset, power off, destroy, undefine; encryption, PCR banks, kept state."""

import os

from domain import Domain
from harness.report import expect

from .common import PASSPHRASE, make_secret, no_tpm_left, refused, without_lock


def life(model, firmware, encrypted=False):
    """What the boot measured is in the TPM; a sealed secret survives each kind of restart; undefine takes the TPM away."""

    def scenario(site):
        host = site.host("a")
        secret = make_secret(host) if encrypted else None
        vm = Domain(site, model=model, firmware=firmware, secret=secret)
        vm.define(host)
        vm.start()
        vm.script("eventlog-replay.sh")
        vm.script("seal-pcr.sh")
        vm.shell("tpm2_nvread -C o -o cert 0x1c00002 && openssl x509 -inform der -in cert -noout")
        if firmware != "ovmf-secboot":  # which QEMU 7.2 emulates too slowly after a reset, on a busy machine
            host.virsh("reset", vm.name)
            vm.agent().ping(vm.timeout)
            vm.script("unseal-pcr.sh")
        vm.power_off()
        no_tpm_left(host)
        vm.start()
        vm.script("unseal-pcr.sh")
        host.virsh("suspend", vm.name)
        host.virsh("resume", vm.name)
        vm.agent().ping()
        vm.destroy()
        no_tpm_left(host)
        kept = vm.files()
        expect(kept, "no state of the TPM is left after destroy")
        expect(not encrypted or all(b"test-secret" not in data for data in kept.values()), "the secret is readable in the state")
        host.virsh("undefine", vm.name, "--nvram", "--keep-tpm")
        expect(vm.files() == kept, "undefine --keep-tpm did not keep the TPM as it was")
        vm.define(host)
        vm.start()
        # The UEFI variables are new, and what is measured into PCR 7 is the same.
        vm.script("unseal-pcr.sh", BREAK="0")
        vm.destroy()
        host.virsh("undefine", vm.name, "--nvram")
        expect(not os.path.exists(host.state(vm.uuid)), "undefine has left the TPM's state")

    return scenario


def passphrase(site):
    """Another passphrase, and none, opens nothing and changes nothing, and our log says why; the right one opens it."""
    host = site.host("a")
    secret = make_secret(host)
    vm = Domain(site, secret=secret)
    vm.define(host)
    vm.start()
    vm.script("seal-pcr.sh")
    vm.power_off()
    kept = without_lock(vm.files())
    host.secret(secret, "another pass phrase")
    for what, reason in (("another passphrase", "with another key than the one given"), ("no passphrase", "no key was given")):
        vm.secret = secret if what == "another passphrase" else None
        vm.define(host)
        refused(host, ["start", vm.name], ["TPM", "tpm"])
        no_tpm_left(host)
        expect(site.kind == "debian" or reason in host.log(vm.name), f"the log does not say {reason!r} after a start with {what}")
        expect(without_lock(vm.files()) == kept, f"a start with {what} changed the state")
    host.secret(secret, PASSPHRASE)
    vm.secret = secret
    vm.define(host)
    vm.start()
    vm.script("unseal-pcr.sh")
    vm.destroy()


def no_value(site):
    """A secret that is not there is an error before anything starts, and leaves no half-made TPM that stops the next."""
    host = site.host("a")
    vm = Domain(site, secret="6dd3e4a5-1d76-44ce-961f-f119f5aad935")
    vm.define(host)
    refused(host, ["start", vm.name], ["ecret"])
    no_tpm_left(host)
    host.secret(vm.secret, PASSPHRASE)
    vm.start()
    vm.script("seal-pcr.sh")
    vm.destroy()


def banks(site):
    """active_pcr_banks chooses the banks at each cold start, and keys and NV stay."""
    host = site.host("a")
    vm = Domain(site, banks=("sha256", "sha384"), secret=make_secret(host))
    vm.define(host)
    vm.start()
    found = lambda: vm.shell("cd /sys/class/tpm/tpm0; echo pcr-*").split()
    expect(found() == ["pcr-sha256", "pcr-sha384"], f"the active banks are {found()}")
    vm.shell("tpm2_nvdefine -Q -C o -s 4 0x1500050 && printf kept | tpm2_nvwrite -Q -C o -i - 0x1500050")
    vm.power_off()
    vm.banks = ("sha1", "sha256", "sha512")
    vm.define(host)
    vm.start()
    expect(found() == ["pcr-sha1", "pcr-sha256", "pcr-sha512"], f"the active banks are now {found()}")
    vm.script("eventlog-replay.sh")
    vm.shell('[ "$(tpm2_nvread -C o 0x1500050)" = kept ]')
    vm.destroy()


def persistent_state(site):
    """A transient domain's TPM goes with it, unless persistent_state says otherwise."""
    host = site.host("a")
    for keep in (True, False):
        vm = Domain(site, name="kept" if keep else "gone", persistent_state=keep)
        vm.host = host
        host.virsh("create", host.write("domain.xml", vm.xml()))
        vm.connect(booting=True)
        vm.script("seal-pcr.sh")
        vm.destroy()
        no_tpm_left(host)
        expect(bool(vm.files()) == keep, f"the TPM's state is {'gone' if keep else 'still there'}")
        if keep:
            host.virsh("create", host.write("domain.xml", vm.xml()))
            vm.connect(booting=True)
            vm.script("unseal-pcr.sh")
            vm.destroy()


def undefine(site):
    """What becomes of the TPM of a domain that is undefined: it goes, unless persistent_state keeps it; --keep-tpm and --tpm
    say otherwise."""
    host = site.host("a")
    for persistent, options, stays in ((False, [], False), (False, ["--keep-tpm"], True), (True, [], True), (True, ["--tpm"], False)):
        vm = Domain(site, persistent_state=persistent)
        vm.define(host)
        host.virsh("start", vm.name, "--paused")
        vm.destroy()
        no_tpm_left(host)
        before = vm.files()
        expect(before, "no state of the TPM is left after destroy")
        refused(host, ["undefine", vm.name, "--tpm", "--keep-tpm"], ["mutually exclusive"])
        host.virsh("undefine", vm.name, *options)
        case = f"undefine {' '.join(options)} of a domain {'with' if persistent else 'without'} persistent_state"
        expect(vm.files() == (before if stays else {}), f"{case}: the TPM's state is {'changed or gone' if stays else 'still there'}")


def version_12(site):
    """A TPM 1.2 works, or libvirt says in plain words that there is none."""
    host = site.host("a")
    vm = Domain(site, model="tis", version="1.2")
    offered = host.virsh("domcapabilities", "--virttype", "qemu", "--machine", "q35")
    if "<value>1.2</value>" in offered:
        vm.define(host)
        vm.start()
        vm.shell("[ $(cat /sys/class/tpm/tpm0/tpm_version_major) = 1 ]")
        vm.destroy()
        return
    status, output = host.try_virsh("define", host.write("domain.xml", vm.xml()))
    if not status:
        status, output = host.try_virsh("start", vm.name)
    expect(status, "a TPM 1.2 was started although libvirt does not offer it")
    expect("1.2" in output, f"the message does not say what is wrong:\n{output}")
    return output.splitlines()[-1]


SCENARIOS = {
    "life-crb-ovmf": life("crb", "ovmf"),
    "life-tis-seabios": life("tis", "seabios"),
    "life-tis-ovmf-encrypted": life("tis", "ovmf", encrypted=True),
    "life-crb-secboot-encrypted": life("crb", "ovmf-secboot", encrypted=True),
    "passphrase-wrong": passphrase,
    "passphrase-missing": no_value,
    "banks": banks,
    "persistent-state": persistent_state,
    "undefine": undefine,
    "version-1.2": version_12,
}
