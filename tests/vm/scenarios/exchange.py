"""A running guest goes from Debian's swtpm to vtpmd and back, with all that its TPM holds.

These compare two programs, so they always run vtpmd and swtpm, whatever --tpm-cmd says.
"""

from bench import Bench

from .move import BUSY, STILL_BUSY, arrive, live, send
from .takeover import PASSPHRASE, SWTPM, VTPMD

# vtpmd takes blobs in either format; to go on to swtpm they must leave in swtpm's.
TO_SWTPM = "--migration blobs=swtpm"


def there_and_back(model, firmware, encrypted=False):
    """Live migration swtpm, vtpmd, swtpm, vtpmd, with the TPM busy; as libvirt does it, states are encrypted by a
    passphrase on each side, and blobs by one that both sides have."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware, memory=256)
        key = PASSPHRASE if encrypted else ""
        swtpm, vtpmd = SWTPM + key, VTPMD + key
        bench.daemon = bench.add_daemon("first", swtpm)
        common = f"--migration-key pwdfile={bench.daemon.key},mode=aes-256-cbc" if encrypted else ""
        bench.power_on(common)
        bench.script("move-prepare.sh")
        bench.shell(BUSY)
        hops = [("second", vtpmd, TO_SWTPM), ("third", swtpm, ""), ("fourth", vtpmd, TO_SWTPM)]
        for name, template, more in hops:
            live(bench, name, f"{common} {more}", template=template)
            bench.script("move-contexts.sh")
            bench.shell(STILL_BUSY)
        bench.next_boot_finds_moved()

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
    # swtpm cannot read these blobs.
    bench.migration_fails("failed", 30)
    machine.kill()
    bench.next_boot_finds_moved()


SCENARIOS = {
    "move-swtpm-seabios": there_and_back("crb", "seabios"),
    "move-swtpm-sealed": there_and_back("tis", "seabios", encrypted=True),
    "move-swtpm-ovmf": there_and_back("crb", "ovmf", encrypted=True),
    "move-swtpm-refused": refused,
}
