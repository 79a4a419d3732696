"""A TPM passed through, one floor deeper: the guest's /dev/tpm0 is a vtpmd of this host, and inside the guest another vtpmd
gives that device to a VM, which a script plays."""

import os
import subprocess
import tarfile

from bench import Bench
from harness.daemon import vtpmd
from harness.report import expect


def programs(place):
    """vtpmd and the libraries that it needs, as a disk: an archive without a file system."""
    program = os.path.join(place.dir, "vtpmd")
    subprocess.run(["strip", "-o", program, vtpmd()], check=True)
    needed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    libraries = [line.split()[2] for line in needed.splitlines() if "=> /" in line]
    disk = os.path.join(place.dir, "programs.img")
    with tarfile.open(disk, "w", dereference=True) as archive:
        archive.add(program, "vtpmd")
        for library in libraries:
            archive.add(library, "lib/" + os.path.basename(library))
    with open(disk, "r+b") as file:
        file.truncate((os.path.getsize(disk) + 0xFFFFF) & ~0xFFFFF)
    return disk


def scenario(options, place):
    """Commands, a refused Clear, an exclusive device, resets of the inner VM, and no state for a migration."""
    bench = Bench(options, place, model="crb", disks=(programs(place),))
    bench.power_on()
    output = bench.script("passthrough.sh")
    for part in (
        "exclusive: ok",
        "startup: ok",
        "random: ok",
        "clear refused: ok",
        "measured: ok",
        "reset keeps PCR: ok",
        "sessions flushed: ok",
        "no state: ok",
        "device is free again: ok",
    ):
        expect(part in output, f"no '{part}' in\n{output}")
    # What the inner VM measured is in the TPM that the outer guest sees.
    pcr = {line.split(":")[0]: line.split("0x")[1] for line in output.splitlines() if line.startswith("PCR ")}
    expect(int(pcr["PCR before"], 16) == 0 and int(pcr["PCR after"], 16) != 0, output)
    bench.power_off()


SCENARIOS = {"passthrough-device": scenario}
