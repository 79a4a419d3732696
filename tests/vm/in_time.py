#!/usr/bin/env python3
"""How many answers come in time: Linux's TIS and CRB drivers look once, and sleep a millisecond if the answer is not there.

    in_time.py --guest DIR --timer PROGRAM --out DIR [--boots N] [--repetitions N] [--accel tcg|kvm]

Boots guests on vtpmd and on swtpm in turn, with each front end, and times commands on /dev/tpm0 inside. Writes guest.json and
guest.md. Under TCG the guest is slow, so an answer has more time to come than it would have on a real processor: shares can
be compared, not carried over. On an idle machine, and not under a real-time policy, which changes who runs when.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
from bench import Bench
from harness.daemon import VTPMD, Workplace
from harness.process import Process, SetupError, interruptible
from harness.report import CaseFailed

# Microseconds: more than an answer takes that is found at the first look, less than the driver's sleep.
IN_TIME = 500
# The same command line, with swtpm for the program.
DAEMONS = {"vtpmd": VTPMD, "swtpm": VTPMD.replace("{vtpmd}", "swtpm")}
MODELS = ("tis", "crb")


def initrd(guest, timer, work):
    """The guest's initramfs with the timer behind it."""
    root = os.path.join(work, "overlay")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(timer, os.path.join(root, "bin", "guest-timer"))
    names = b"bin\nbin/guest-timer\n"
    pack = ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"]
    overlay = subprocess.run(pack, cwd=root, input=names, stdout=subprocess.PIPE, check=True).stdout
    path = os.path.join(work, "initrd-timer.img")
    with open(os.path.join(guest, "initrd.img"), "rb") as file, open(path, "wb") as out:
        whole = file.read()
        # Archives begin at multiples of four bytes.
        out.write(whole + bytes(-len(whole) % 4) + overlay)
    return path


def boot(options, place, name, model, image):
    """One guest on one daemon: microseconds of all repetitions by command."""
    options.tpm_cmd = DAEMONS[name]
    bench = Bench(options, place, model, initrd=image)
    bench.power_on()
    try:
        output = bench.shell(f"guest-timer /dev/tpm0 {options.repetitions}")
    finally:
        bench.machine.quit()
    lines = [line.split("\t") for line in output.splitlines() if "\t" in line]
    return {command: [float(time) for time in times.split()] for command, times in lines}


def measure(options, work):
    """All times by daemon, front end and command."""
    image = initrd(options.guest, options.timer, work)
    times = {}
    for number in range(options.boots):
        for model in MODELS:
            for name in DAEMONS:
                place = Workplace(os.path.join(work, f"{name}-{model}-{number}"))
                try:
                    found = boot(options, place, name, model, image)
                finally:
                    place.close(keep=False)
                for command, values in found.items():
                    times.setdefault((model, command), {}).setdefault(name, []).extend(values)
                share = in_time([value for values in found.values() for value in values])
                print(f"  {name} {model}, boot {number + 1} of {options.boots}: {share:.0%} in time", flush=True)
    return times


def in_time(values):
    """The share of answers that were there at the driver's first look."""
    return sum(value < IN_TIME for value in values) / len(values)


def version(program):
    """The first line of --version."""
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    first = text.splitlines()[0].split(",")[0] if text else "unknown"
    return re.search(r"[0-9.]+", first).group() if re.search(r"[0-9.]+", first) else first


def table(times):
    """Lines for the documentation."""
    yield "| | " + " | ".join(f"{name} in time | median | p99" for name in DAEMONS) + " |"
    yield "|---" * (1 + 3 * len(DAEMONS)) + "|"
    lines = dict(times)
    for model in MODELS:
        together = {name: [v for (m, _), found in times.items() if m == model for v in found[name]] for name in DAEMONS}
        lines[model, "all of these"] = together
    for (model, command), found in sorted(lines.items(), key=lambda line: MODELS.index(line[0][0])):
        cells = []
        for name in DAEMONS:
            values = sorted(found[name])
            median, p99 = statistics.median(values), values[round((len(values) - 1) * 0.99)]
            cells.append(f"{in_time(values):.0%} | {median:.0f} | {p99:.0f}")
        yield f"| {model.upper()}: {command} | " + " | ".join(cells) + " |"


def main():
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", required=True, help="folder of build-guest")
    parser.add_argument("--timer", required=True, help="the program guest-timer, without shared libraries")
    parser.add_argument("--out", required=True, help="folder for guest.json and guest.md")
    parser.add_argument("--boots", type=int, default=2, help="of each daemon with each front end")
    parser.add_argument("--repetitions", type=int, default=300, help="of each command in each boot")
    parser.add_argument("--accel", choices=["tcg", "kvm"], default="tcg")
    parser.add_argument("--timeout", type=float, default=240, help="seconds for each boot and each script")
    options = parser.parse_args()
    if options.boots < 1 or options.repetitions < 10:
        parser.error("--boots is at least 1, --repetitions at least 10")
    for name in ("guest", "timer", "out"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    work = os.path.join(options.out, "guest-work")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    interruptible()
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    try:
        times = measure(options, work)
    except (CaseFailed, SetupError, OSError) as e:
        sys.exit(f"in_time.py: {e}")
    finally:
        Process.end_all()
        shutil.rmtree(work, ignore_errors=True)
    policy = {os.SCHED_OTHER: "ordinary", os.SCHED_FIFO: "FIFO"}.get(os.sched_getscheduler(0), "another")
    about = {
        "vtpmd": version(os.environ.get("VTPMD", "vtpmd")),
        "swtpm": version("swtpm"),
        "qemu": version("qemu-system-x86_64"),
        "accelerator": options.accel,
        "boots of each": options.boots,
        "repetitions in each": options.repetitions,
        "scheduling": policy,
        "load before": load,
        "in time is below, us": IN_TIME,
    }
    lines = [" · ".join(f"{name}: {value}" for name, value in about.items()), "", *table(times)]
    print("\n".join(lines))
    with open(os.path.join(options.out, "guest.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    rows = [
        {"model": model, "command": command, "daemon": name, "in_time": round(in_time(values), 3), "us": values}
        for (model, command), found in times.items()
        for name, values in found.items()
    ]
    with open(os.path.join(options.out, "guest.json"), "w", encoding="utf-8") as file:
        json.dump({"about": about, "rows": rows}, file)


if __name__ == "__main__":
    main()
