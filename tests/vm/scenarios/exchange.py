"""A running guest goes from Debian's swtpm to vtpmd and back, with all that its TPM holds.

These compare two programs, so they always run vtpmd and swtpm, whatever --tpm-cmd says.
"""

from bench import Bench, expect
from harness.process import SetupError

from .move import BUSY, STILL_BUSY, arrive, live, send
from .takeover import SWTPM, VTPMD

# vtpmd takes blobs in either format; to go on to swtpm they must leave in swtpm's.
TO_SWTPM = "--migration blobs=swtpm"


def state_key(encrypted):
    """Options for the state of each side, which has a passphrase of its own."""
    return " --key pwdfile={key},mode=aes-256-cbc" if encrypted else ""


def there_and_back(model, firmware, encrypted=False):
    """Live migration swtpm, vtpmd, swtpm, vtpmd, with the TPM busy; as libvirt does it, states are encrypted by a
    passphrase on each side, and blobs by one that both sides have."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware, memory=256)
        swtpm, vtpmd = SWTPM + state_key(encrypted), VTPMD + state_key(encrypted)
        bench.daemon = bench.add_daemon("first", swtpm)
        common = f"--migration-key pwdfile={bench.daemon.key},mode=aes-256-cbc" if encrypted else ""
        bench.daemon.start_for_qemu(common)
        bench.machine = bench.add_machine(bench.daemon)
        bench.machine.wait_boot(options.timeout)
        bench.script("move-prepare.sh")
        bench.shell(BUSY)
        hops = [("second", vtpmd, TO_SWTPM), ("third", swtpm, ""), ("fourth", vtpmd, TO_SWTPM)]
        for name, template, more in hops:
            live(bench, name, f"{common} {more}", template=template)
            bench.machine.agent.ping()
            bench.script("move-check.sh")
            bench.script("move-contexts.sh")
            bench.shell(STILL_BUSY)
        bench.power_off()
        bench.power_on()
        bench.script("move-check-boot.sh")
        bench.power_off()

    return scenario


def refused(options, place):
    """vtpmd's own blobs are not swtpm's: without blobs=swtpm the migration to swtpm fails, nothing is lost, and the
    guest goes on where it is."""
    bench = Bench(options, place, memory=256)
    bench.daemon = bench.add_daemon("first", VTPMD)
    bench.power_on()
    bench.script("move-prepare.sh")
    _, machine, uri = arrive(bench, "second", template=SWTPM)
    send(bench.machine, uri)
    try:
        bench.machine.qmp.wait_migration(30, wanted="failed")
    except SetupError as e:
        expect(False, f"swtpm has taken blobs that it cannot read: {e}")
    if bench.machine.qmp.cmd("query-status")["status"] != "running":
        bench.machine.qmp.cmd("cont")
    machine.kill()
    bench.script("move-check.sh")
    bench.power_off()
    bench.power_on()
    bench.script("move-check-boot.sh")
    bench.power_off()


SCENARIOS = {
    "move-swtpm-seabios": there_and_back("crb", "seabios"),
    "move-swtpm-sealed": there_and_back("tis", "seabios", encrypted=True),
    "move-swtpm-ovmf": there_and_back("crb", "ovmf", encrypted=True),
    "move-swtpm-refused": refused,
}
