"""Sleep: suspend to RAM goes through TPM2_Shutdown(STATE) and TPM2_Startup(STATE), suspend to disk through CLEAR."""

from bench import Bench
from harness.process import SetupError, wait_for
from harness.report import expect

# Kept by Startup(STATE): PCR 0 to 15.
READ_PCRS = "cat /sys/class/tpm/tpm0/pcr-sha256/0 /sys/class/tpm/tpm0/pcr-sha256/7 /sys/class/tpm/tpm0/pcr-sha256/10"
EXTEND = "tpm2_pcrextend 10:sha256=" + "ab" * 32 + " 16:sha256=" + "cd" * 32
RESETTABLE = "cat /sys/class/tpm/tpm0/pcr-sha256/16"
SESSION = (
    "export TPM2TOOLS_TCTI=device:/dev/tpm0; cd /tmp; tpm2_createprimary -Q -C o -G ecc -c p.ctx && "
    "tpm2_startauthsession -S s.ctx && tpm2_policypcr -Q -S s.ctx -l sha256:10 -L policy.dat && tpm2_flushcontext -t"
)
SESSION_GOES_ON = (
    "export TPM2TOOLS_TCTI=device:/dev/tpm0; cd /tmp; tpm2_readpublic -Q -c p.ctx && "
    "tpm2_policypcr -Q -S s.ctx -l sha256:10 -L again.dat && tpm2_flushcontext s.ctx && tpm2_flushcontext -t"
)


def sleep(firmware):
    """Suspend to RAM: PCR 0 to 15 are kept, PCR 16 begins anew, saved contexts of objects and sessions load."""
    # After the first sleep with SeaBIOS on q35 ACPI's other ways to sleep, power-off too, have no effect.
    sleeps = 1 if firmware == "seabios" else 3

    def scenario(options, place):
        bench = Bench(options, place, firmware=firmware)
        bench.power_on()
        bench.shell(EXTEND)
        bench.shell(SESSION)
        before = bench.shell(READ_PCRS)
        for number in range(sleeps):
            bench.script("startup-state.sh", WANT_RESTARTS=str(number))
            bench.machine.suspend(options.timeout)
            bench.script("startup-state.sh", WANT_RESTARTS=str(number + 1))
            after = bench.shell(READ_PCRS)
            expect(before == after, f"PCRs changed by sleeping:\n{before}\n{after}")
            expect(set(bench.shell(RESETTABLE).strip()) == {"0"}, "PCR 16 outlived the sleep")
        bench.shell(SESSION_GOES_ON)
        bench.power_off()

    return scenario


def hibernate(options, place):
    """Suspend to disk: the daemon and QEMU end, the kernel comes back on a TPM that has restarted."""
    disk = place.file("swap.img", 600 << 20)
    bench = Bench(options, place, disks=(disk,), memory=384)
    bench.power_on()
    bench.shell(
        "echo kept > /tmp/marker; for s in /sys/block/vd*/serial; do [ $(cat $s) = disk0 ] && "
        "D=/dev/$(echo $s | cut -d/ -f4); done; mkswap $D >/dev/null && swapon $D && "
        "cat /sys/block/${D#/dev/}/dev > /sys/power/resume && echo platform > /sys/power/disk"
    )
    bench.script("startup-state.sh", WANT_RESTARTS="0")
    bench.agent().run("(sleep 0.3; echo disk > /sys/power/state) >/dev/null 2>&1 &")
    expect(bench.machine.process.wait(options.timeout), "the guest did not switch itself off")
    bench.daemon_ends()
    bench.power_on()
    # The fresh kernel loads the image and is replaced by the one that slept.
    bench.agent().run(
        "(for s in /sys/block/vd*/serial; do [ $(cat $s) = disk0 ] && D=$(echo $s | cut -d/ -f4); done; "
        "sleep 0.3; cat /sys/block/$D/dev > /sys/power/resume) >/dev/null 2>&1 &"
    )
    wait_for(lambda: came_back(bench), options.timeout, "guest from the image")
    bench.script("startup-state.sh", WANT_RESTARTS="1")
    bench.shell("tpm2_getrandom --hex 8")
    bench.machine.quit()


def came_back(bench):
    """Whether the kernel that slept answers, not the one that loads its image."""
    try:
        bench.agent().ping(5)
        return bench.agent().run("[ -e /tmp/marker ]", timeout=5)[0] == 0
    except SetupError:
        return False


SCENARIOS = {
    "power-sleep-seabios": sleep("seabios"),
    "power-sleep-ovmf": sleep("ovmf"),
    "power-hibernate": hibernate,
}
