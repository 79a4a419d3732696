"""Live migration between two hosts."""

import concurrent.futures
import os

from domain import Domain
from harness.process import wait_for
from harness.report import expect

from .common import PASSPHRASE, make_secret, no_tpm_left


def migrate(vm, target, *more):
    """Move a running domain to another host; (exit status, output) of virsh."""
    uri = f"qemu+tcp://{target.address}/system"
    # The disks and variables are on one machine, which libvirt cannot know to be safe.
    return vm.host.try_virsh("migrate", "--live", "--p2p", "--unsafe", "--persistent", "--undefinesource", *more, vm.name, uri, timeout=vm.timeout)


def move(vm, target, *more):
    """The same, and it must work: the guest is there with its TPM, and nothing is left behind."""
    source = vm.host
    status, output = migrate(vm, target, *more)
    expect(not status, f"from {source.name} to {target.name}: {output}\n{source.log(vm.name)[-600:]}")
    vm.host = target
    vm.connect()
    vm.script("move-check.sh")
    no_tpm_left(source)
    expect(vm.state() == "running", f"the guest is {vm.state()} on the target")


def there_and_back(model, firmware, encrypted, kinds=(None, None), more=None):
    """To a second host, back, and to the second again; `kinds` of programs on the hosts, the ones under test if none are said,
    and one more script that the guest must pass after each hop."""

    def scenario(site):
        a, b = (site.host(name, kind) for name, kind in zip("ab", kinds))
        vm = Domain(site, model=model, firmware=firmware, secret=make_secret(a, b) if encrypted else None)
        vm.begin(a)
        for source, target in ((a, b), (b, a), (a, b)):
            move(vm, target)
            if more:
                vm.script(more)
            expect(not vm.files(source), f"the TPM's state is still on host {source.name}")
        vm.power_off()
        vm.next_boot_finds_it()

    return scenario


def failed(site):
    """The target has another passphrase: the migration fails, the guest goes on at the source with all it had; with the
    right one it works."""
    a, b = site.host("a"), site.host("b")
    secret = make_secret(a, b)
    vm = Domain(site, secret=secret)
    vm.begin(a)
    b.secret(secret, "another pass phrase")
    status, output = migrate(vm, b)
    expect(status, "the migration to a host with another passphrase succeeded")
    expect(vm.state() == "running", f"the source is {vm.state()} after a failed migration: {output}")
    vm.agent().ping()
    vm.script("move-check.sh")
    no_tpm_left(b)
    b.secret(secret, PASSPHRASE)
    move(vm, b)
    vm.next_boot_finds_it()


def cancelled(site):
    """A migration is aborted on its way: the source goes on, and the next one works."""
    a, b = site.host("a"), site.host("b")
    vm = Domain(site, secret=make_secret(a, b))
    vm.begin(a)
    status, output = aborted(vm, b)
    expect(status, "the migration was not aborted")
    expect(vm.state() == "running", f"the source is {vm.state()} after an aborted migration: {output}")
    vm.agent().ping()
    vm.script("move-check.sh")
    no_tpm_left(b)
    move(vm, b)
    vm.destroy()


def aborted(vm, target):
    """A slow migration that is aborted on its way; (exit status, output) of virsh."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(migrate, vm, target, "--bandwidth", "1")
        wait_for(lambda: "Data processed" in vm.host.try_virsh("domjobinfo", vm.name)[1], 60, "migration under way")
        vm.host.virsh("domjobabort", vm.name)
        return running.result()


def shared(site):
    """The TPM's folder is on shared storage: the lock goes along, hop by hop. A swtpm that cannot do it is refused by
    libvirt before anything happens, and the guest goes on."""
    folder = site.shared_folder()
    a, b = (site.host(name, shared=folder) for name in ("a", "b"))
    vm = Domain(site, secret=make_secret(a, b))
    vm.define(a)
    vm.start()
    # libvirt sees the sharing once the domain's folder exists.
    vm.power_off()
    vm.start()
    vm.script("move-prepare.sh")
    status, output = migrate(vm, b)
    if "does not support migration with shared storage" in output:
        expect(site.kind == "debian", f"libvirt does not see that the TPM can be moved on shared storage:\n{output}")
        vm.script("move-check.sh")
        vm.destroy()
        return "libvirt refuses it, the guest goes on"
    expect(not status, f"to the second host: {output}\n{a.log(vm.name)[-600:]}")
    vm.host = b
    vm.connect()
    vm.script("move-check.sh")
    no_tpm_left(a)
    for target in (a, b, a):
        move(vm, target)
        expect(os.listdir(os.path.join(folder, vm.uuid, "tpm2")), "the state on the shared storage is gone")
    vm.power_off()
    vm.next_boot_finds_it()


SCENARIOS = {
    "migrate-crb-ovmf-encrypted": there_and_back("crb", "ovmf", encrypted=True),
    "migrate-tis-seabios": there_and_back("tis", "seabios", encrypted=False),
    "migrate-failed": failed,
    "migrate-cancelled": cancelled,
    "migrate-shared": shared,
}
