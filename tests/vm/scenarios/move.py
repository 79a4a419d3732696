"""Moving a running guest: QEMU takes the TPM along as state blobs (GET_STATEBLOB, SET_STATEBLOB, INIT)."""

import os
import shlex

from bench import Bench
from harness.disk import make_qcow2
from harness.process import SetupError

BUSY = "(while :; do tpm2_getrandom --hex 16; echo; done > /tmp/busy 2>&1 &)"
STILL_BUSY = (
    "a=$(wc -l < /tmp/busy); i=0; until [ $(wc -l < /tmp/busy) -gt $((a + 2)) ]; do sleep 1; i=$((i + 1)); "
    "[ $i -lt 60 ] || { echo 'the TPM commands stopped'; exit 1; }; done; "
    "grep -i error /tmp/busy && exit 1; exit 0"
)


def key_option(daemon):
    """The state blobs are sealed on their way with a key that both sides have."""
    return f"--migration-key file={shlex.quote(daemon.key)},format=hex,mode=aes-256-cbc"


def send(machine, uri, slow=False):
    """Start an outgoing migration. The source hears by the return path how it ended on the other side."""
    if not uri.startswith("exec:"):
        machine.qmp.cmd("migrate-set-capabilities", capabilities=[{"capability": "return-path", "state": True}])
    machine.qmp.cmd("migrate-set-parameters", max_bandwidth=1 << (20 if slow else 33), downtime_limit=300)
    machine.qmp.cmd("migrate", uri=uri)


def arrive(bench, name, extra="", shared=None, template=None):
    """A second machine that waits for the guest, on a TPM of its own; both, and where to send the guest."""
    daemon = bench.add_daemon(name, template)
    if shared:
        daemon.state, daemon.key = shared.state, shared.key
    daemon.start_for_qemu(extra)
    socket = os.path.join(bench.place.sockets, name + ".mig")
    uri = f"unix:{socket}"
    return daemon, bench.add_machine(daemon, name, incoming=uri, variables=bench.machine.variables), uri


def live(bench, name, extra="", shared=None, template=None):
    """Move the guest to a second machine, which the bench then has; all that the TPM held is there."""
    daemon, machine, uri = arrive(bench, name, extra, shared, template)
    send(bench.machine, uri)
    bench.machine.qmp.wait_migration(bench.timeout)
    machine.qmp.wait_event("RESUME", 20)
    bench.quit()
    bench.machine, bench.daemon = machine, daemon
    bench.agent().ping()
    bench.script("move-check.sh")


def save(bench):
    """Stop the guest and save it to a file; the file."""
    saved = os.path.join(bench.place.dir, "saved")
    bench.machine.qmp.cmd("stop")
    send(bench.machine, f"exec:cat > {shlex.quote(saved)}")
    bench.machine.qmp.wait_migration(bench.timeout)
    return saved


def restore(bench, saved):
    """Let the guest of a file go on in a machine that waits for it."""
    bench.machine.qmp.cmd("migrate-incoming", uri=f"exec:cat {shlex.quote(saved)}")
    bench.machine.qmp.wait_migration(bench.timeout)
    bench.machine.qmp.cmd("cont")


def live_move(model, firmware, with_key=False, back=False, memory=256):
    """Live migration with the TPM busy, if wanted with sealed blobs, if wanted to a third machine afterwards."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware, memory=memory)
        key = key_option(bench.daemon) if with_key else ""
        bench.power_on(key)
        bench.script("move-prepare.sh")
        bench.shell(BUSY)
        for name in ("second", "third") if back else ("second",):
            live(bench, name, key)
            bench.shell(STILL_BUSY)
        bench.next_boot_finds_moved()

    return scenario


def failed(options, place):
    """A migration that is cancelled, and one whose target has no TPM any more: the source goes on; then it works."""
    bench = Bench(options, place, memory=256)
    bench.power_on()
    bench.script("move-prepare.sh")

    _, machine, uri = arrive(bench, "slow")
    send(bench.machine, uri, slow=True)
    bench.machine.qmp.cmd("migrate_cancel")
    bench.migration_fails("cancelled")
    machine.quit()

    daemon, machine, uri = arrive(bench, "dead")
    daemon.kill()
    send(bench.machine, uri)
    bench.migration_fails("failed")
    machine.kill()

    live(bench, "second")
    bench.power_off()


def shared(options, place):
    """Both daemons on one state folder, as with shared storage, over and over: the lock goes along."""
    bench = Bench(options, place, memory=256)
    first = bench.daemon
    bench.power_on("--migration release-lock-outgoing")
    bench.script("move-prepare.sh")
    for number in range(6):
        live(bench, f"hop{number}", "--migration incoming,release-lock-outgoing", first)
    bench.next_boot_finds_moved()


def to_file(model, firmware):
    """The guest is saved to a file; QEMU and the daemon end; both come back from the file."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware, memory=256)
        bench.power_on()
        bench.script("move-prepare.sh")
        saved = save(bench)
        bench.quit()
        variables = bench.machine.variables
        bench.daemon = bench.add_daemon("restored")
        bench.daemon.start_for_qemu()
        bench.machine = bench.add_machine(bench.daemon, "restored", incoming="defer", variables=variables)
        restore(bench, saved)
        bench.script("move-check.sh")
        bench.power_off()

    return scenario


def snapshot(options, place):
    """savevm, then other PCRs, NV and keys, then loadvm: the TPM is as it was, and a power cut leaves it so."""
    disk = place.file("snapshot.qcow2", 0)
    bench = Bench(options, place, memory=256, disks=(disk,), disk_format="qcow2")
    make_qcow2(disk, 64 << 20)
    bench.power_on()
    bench.script("move-prepare.sh")
    monitor(bench, "savevm s1")
    bench.script("move-change.sh")
    monitor(bench, "loadvm s1")
    bench.machine.qmp.cmd("cont")
    bench.script("move-check.sh")
    bench.cut_power()
    bench.power_on()
    bench.script("move-check-boot.sh")
    bench.power_off()


def monitor(bench, line):
    """A command of QEMU's human monitor, which answers only to complain."""
    answer = bench.machine.qmp.cmd("human-monitor-command", command_line=line).strip()
    if answer:
        raise SetupError(f"{line}: {answer}")


SCENARIOS = {
    "move-live-seabios": live_move("crb", "seabios", with_key=True),
    "move-live-tis-ovmf": live_move("tis", "ovmf", back=True),
    "move-live-crb-ovmf-secboot": live_move("crb", "ovmf-secboot", memory=512),
    "move-failed": failed,
    "move-shared": shared,
    "move-file-tis-seabios": to_file("tis", "seabios"),
    "move-file-crb-ovmf": to_file("crb", "ovmf"),
    "move-snapshot-seabios": snapshot,
}
