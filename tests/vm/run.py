#!/usr/bin/env python3
"""Real guests on a TPM daemon: boots, event logs, disk encryption, reset, sleep.

    run.py --guest DIR [--quick] [--list] [--tpm-cmd TEMPLATE] [NAME...]

NAME is a part of a scenario's name. --quick runs one boot with SeaBIOS (some seconds).
Without --tpm-cmd it tests the vtpmd of this tree; see harness/daemon.py for templates.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from harness.daemon import VTPMD, Daemon, Workplace
from harness.machine import Machine
from harness.process import SetupError, repository, tail
from harness.report import CaseFailed, Report


class Bench:
    """One TPM and one guest on it, for one scenario."""

    def __init__(self, options, place, model, firmware, disks=(), memory=512):
        self.options, self.place = options, place
        self.shape = {"model": model, "firmware": firmware, "disks": disks, "memory": memory}
        self.daemon = Daemon(options.tpm_cmd, place.dir, place.sockets)
        self.machine = None

    def power_on(self):
        """Start the TPM daemon and the guest and wait for Linux."""
        self.daemon.start_for_qemu()
        self.machine = Machine(self.options.guest, self.place.dir, self.place.sockets, self.daemon.ctrl, **self.shape)
        self.machine.start()
        self.machine.wait_boot(self.options.timeout)

    def power_off(self):
        """Orderly power-off; the daemon must end with QEMU."""
        self.machine.power_off()
        if not self.daemon.process.wait(10):
            raise CaseFailed("the TPM daemon still runs 10 s after QEMU has ended")

    def cut_power(self):
        """Kill QEMU and the daemon."""
        self.machine.kill()
        self.daemon.kill()

    def script(self, name, **env):
        """Run one of guest-scripts/ in the guest; its output."""
        with open(os.path.join(HERE, "guest-scripts", name), encoding="utf-8") as file:
            text = file.read()
        return self.shell(text, name, **env)

    def shell(self, text, name=None, **env):
        """Run shell commands in the guest; their output."""
        status, output = self.machine.agent.run(text, timeout=self.options.timeout, env=env)
        if status:
            raise CaseFailed(f"{name or text}: exit {status} in the guest\n{output.strip()}")
        return output

    def close(self):
        """End whatever still runs."""
        if self.machine:
            self.machine.kill()
        self.daemon.stop()


def boot(model, firmware):
    """Boot; the firmware's event log replays to the TPM's PCRs; orderly power-off."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware)
        try:
            bench.power_on()
            bench.script("pcrs.sh")
            bench.script("eventlog-replay.sh")
            bench.power_off()
        finally:
            bench.close()

    return scenario


def seal(model, firmware):
    """A sealed secret survives reset, power-off and power cut; a changed PCR 7 does not release it."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware)
        try:
            bench.power_on()
            bench.script("seal-pcr.sh")
            bench.machine.reset(options.timeout)
            bench.script("unseal-pcr.sh")
            bench.power_off()
            bench.power_on()
            bench.script("unseal-pcr.sh")
            bench.cut_power()
            bench.power_on()
            bench.script("unseal-pcr.sh", BREAK="0")
            bench.power_off()
        finally:
            bench.close()

    return scenario


def luks(firmware):
    """A LUKS volume is unlocked by the TPM alone after a power cycle, and not on another TPM."""

    def scenario(options, place):
        disk = os.path.join(place.dir, "data.img")
        with open(disk, "wb") as file:
            file.truncate(48 << 20)
        bench = Bench(options, place, "crb", firmware, disks=(disk,))
        other = None
        try:
            bench.power_on()
            bench.script("luks-enroll.sh")
            bench.power_off()
            bench.power_on()
            bench.script("luks-unlock.sh")
            bench.power_off()
            other = Bench(options, place, "crb", firmware, disks=(disk,))
            other.daemon = Daemon(options.tpm_cmd, place.dir, place.sockets, name="other")
            other.power_on()
            status, output = other.machine.agent.run(
                "for s in /sys/block/vd*/serial; do [ $(cat $s) = disk0 ] && D=/dev/$(echo $s | cut -d/ -f4); done\n"
                "mkdir -p /run/cryptsetup; modprobe dm-crypt; cryptsetup open --token-only $D data",
                timeout=options.timeout,
            )
            if status == 0:
                raise CaseFailed("another TPM unlocked the volume")
            if "integrity check failed" not in output:  # the volume's key is wrapped by the first TPM's storage key
                raise CaseFailed(f"refused for an unexpected reason:\n{output.strip()}")
        finally:
            bench.close()
            if other:
                other.close()

    return scenario


def sleep(firmware):
    """Suspend to RAM: the TPM resumes by Startup(STATE), PCRs are kept."""

    def scenario(options, place):
        bench = Bench(options, place, "crb", firmware)
        try:
            bench.power_on()
            bench.shell("tpm2_pcrextend 10:sha256=" + "ab" * 32)
            read = "cat /sys/class/tpm/tpm0/pcr-sha256/{0,7,10} 2>/dev/null || for i in 0 7 10; do " \
                   "cat /sys/class/tpm/tpm0/pcr-sha256/$i; done"
            before = bench.shell(read)
            bench.script("startup-state.sh", WANT_RESTARTS="0")
            bench.machine.suspend(options.timeout)
            bench.script("startup-state.sh", WANT_RESTARTS="1")
            after = bench.shell(read)
            if before != after:
                raise CaseFailed(f"PCRs changed by sleeping:\n{before}\n{after}")
            bench.power_off()
        finally:
            bench.close()

    return scenario


SCENARIOS = {
    "boot-tis-seabios": boot("tis", "seabios"),
    "boot-crb-seabios": boot("crb", "seabios"),
    "boot-tis-ovmf": boot("tis", "ovmf"),
    "boot-crb-ovmf": boot("crb", "ovmf"),
    "seal-crb-ovmf": seal("crb", "ovmf"),
    "seal-tis-seabios": seal("tis", "seabios"),
    "luks-ovmf": luks("ovmf"),
    "sleep-seabios": sleep("seabios"),
}
QUICK = ["boot-crb-seabios"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", default=os.path.join(repository(), "target", "guest"), help="folder of build-guest")
    parser.add_argument("--dir", default=os.path.join(repository(), "target", "vm"), help="work folder")
    parser.add_argument("--tpm-cmd", default=VTPMD, metavar="TEMPLATE", help="another TPM daemon, for comparison")
    parser.add_argument("--timeout", type=float, default=90, help="seconds for each boot and each script")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    chosen = [name for name in SCENARIOS if any(part in name for part in options.names)] if options.names else \
        QUICK if options.quick else list(SCENARIOS)
    if options.list:
        print("\n".join(chosen))
        return
    report = Report()
    for name in chosen:
        place = Workplace(os.path.join(options.dir, name))

        def scenario(name=name, place=place):
            try:
                SCENARIOS[name](options, place)
            except (CaseFailed, SetupError) as e:
                raise type(e)(f"{e}\n--- TPM daemon\n{tail(os.path.join(place.dir, 'tpm.log'))}\n"
                              f"files are kept in {place.dir}") from e

        place.close(keep=not report.case(name, scenario))
    report.finish()


main()
