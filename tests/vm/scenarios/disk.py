"""Disk encryption: a LUKS volume that the TPM unlocks."""

from bench import Bench
from harness.report import expect


def luks(firmware):
    """systemd-cryptenroll binds a volume to the TPM and PCR 7. It opens after a power cut and after an orderly power
    cycle, not after PCR 7 has changed, and not on another TPM."""

    def scenario(options, place):
        disk = place.file("data.img", 48 << 20)
        bench = Bench(options, place, firmware=firmware, disks=(disk,))
        bench.power_on()
        bench.script("luks-enroll.sh")
        bench.cut_power()
        bench.power_on()
        bench.script("luks-unlock.sh")
        bench.power_off()
        bench.power_on()
        bench.script("luks-unlock.sh")
        bench.shell("tpm2_pcrextend 7:sha256=" + "01" * 32)
        refused(bench, "after PCR 7 changed", ("policy", "Failed to unseal"))
        bench.power_off()
        bench.daemon = bench.add_daemon("other")
        bench.power_on()
        # The key of the volume is wrapped by the first TPM's storage key.
        refused(bench, "on another TPM", ("integrity check failed",))
        bench.power_off()

    return scenario


def refused(bench, when, reasons):
    """The volume must not open, for the right reason."""
    status, output = bench.try_shell(
        "for s in /sys/block/vd*/serial; do [ $(cat $s) = disk0 ] && D=/dev/$(echo $s | cut -d/ -f4); done\n"
        "mkdir -p /run/cryptsetup; modprobe dm-crypt; cryptsetup open --token-only $D data"
    )
    expect(status, f"the volume opened {when}")
    expect(any(reason in output for reason in reasons), f"refused {when} for an unexpected reason:\n{output.strip()}")


SCENARIOS = {"disk-luks-seabios": luks("seabios"), "disk-luks-ovmf": luks("ovmf")}
