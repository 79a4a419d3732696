"""Save, restore, managed save and snapshots: the TPM of the moment is in what libvirt saves."""

import os

from domain import Domain
from harness.disk import make_qcow2
from harness.report import expect

from .common import make_secret, no_tpm_left


def save(model, firmware, encrypted, managed):
    """The guest is saved and comes back; what the TPM held in memory is there, and the next boot finds what is stored."""

    def scenario(site):
        host = site.host("a")
        vm = Domain(site, model=model, firmware=firmware, secret=make_secret(host) if encrypted else None)
        vm.begin(host)
        file = host.path("saved")
        host.virsh(*(["managedsave", vm.name] if managed else ["save", vm.name, file]))
        no_tpm_left(host)
        if encrypted and not managed:
            with open(file, "rb") as saved:
                expect(b"0123456789abcdef" not in tpm_section(saved.read()), "the TPM's NV is readable in the saved guest")
        host.virsh(*(["start", vm.name] if managed else ["restore", file]))
        vm.connect()
        vm.script("move-check.sh")
        vm.next_boot_finds_it()

    return scenario


def tpm_section(saved):
    """The part of a saved guest from the TPM's section on; before it is the guest's memory, which has all in plain."""
    at = saved.rfind(b"\x0ctpm-emulator")  # a section's name with its length before it
    expect(at >= 0, "there is no TPM in the saved guest")
    return saved[at:]


def internal(site):
    """A snapshot in the disk: to go back to it takes PCRs, NV and keys back."""
    host = site.host("a")
    disk = site.file("disk.qcow2", 0)
    make_qcow2(disk, 64 << 20)
    vm = Domain(site, disks=(disk,))
    vm.begin(host)
    host.virsh("snapshot-create-as", vm.name, "before")
    vm.script("move-change.sh")
    host.virsh("snapshot-revert", vm.name, "before", "--running")
    vm.connect()
    vm.script("move-check.sh")
    vm.next_boot_finds_it()


def external(site):
    """A snapshot with the memory in a file, of a UEFI guest: the guest goes on, and the file restores it with its TPM."""
    host = site.host("a")
    disk = site.file("disk.qcow2", 0)
    make_qcow2(disk, 64 << 20)
    vm = Domain(site, firmware="ovmf", disks=(disk,), secret=make_secret(host))
    vm.begin(host)
    memory = host.path("var-lib-libvirt", "memory")
    inside = "/var/lib/libvirt/memory"
    host.virsh("snapshot-create-as", vm.name, "s1", "--memspec", f"file={inside},snapshot=external", "--diskspec",
               f"vdb,snapshot=external,file={os.path.join(site.dir, 'overlay.qcow2')}")
    vm.agent().ping()
    vm.script("move-check.sh")
    vm.script("move-change.sh")
    expect(os.path.getsize(memory) > 1 << 20, "the snapshot has no memory")
    vm.destroy()
    host.virsh("restore", inside)
    vm.connect()
    vm.script("move-check.sh")
    vm.destroy()


SCENARIOS = {
    "save-crb-ovmf-encrypted": save("crb", "ovmf", encrypted=True, managed=False),
    "save-tis-seabios": save("tis", "seabios", encrypted=False, managed=False),
    "managedsave-crb-ovmf-encrypted": save("crb", "ovmf", encrypted=True, managed=True),
    "managedsave-tis-seabios": save("tis", "seabios", encrypted=False, managed=True),
    "snapshot-internal": internal,
    "snapshot-external": external,
}
