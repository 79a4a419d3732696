#!/usr/bin/env python3
"""Real guests on a TPM daemon: boots, event logs, disk encryption, sleep, migration, power cuts.

    run.py --guest DIR [--quick | --long] [--list] [--jobs N] [--accel tcg|kvm] [--tpm-cmd TEMPLATE] [NAME...]

NAME is a part of a scenario's name. --quick runs what guards every change, --long all the rest; all scenarios run when
none of them is said. Without --tpm-cmd it tests the vtpmd of this tree; see harness/daemon.py for templates.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
from harness.daemon import VTPMD, Workplace
from harness.process import Process, SetupError, interruptible, repository, tail
from harness.report import CaseFailed, Report
from scenarios import QUICK, SCENARIOS


def choose(options):
    """Names of the scenarios to run."""
    if unknown := [part for part in options.names if not any(part in name for name in SCENARIOS)]:
        sys.exit(f"run.py: no scenario has {unknown[0]!r} in its name; see --list")
    names = QUICK if options.quick else [name for name in SCENARIOS if not (options.long and name in QUICK)]
    return [name for name in names if not options.names or any(part in name for part in options.names)]


def run(options, name):
    """One scenario with a work place of its own."""
    place = Workplace(os.path.join(options.dir, name))
    passed = False
    try:
        SCENARIOS[name](options, place)
        passed = True
    except (CaseFailed, SetupError) as e:
        logs = "".join(f"\n--- {log}\n{tail(os.path.join(place.dir, log))}" for log in sorted(os.listdir(place.dir))
                       if log.endswith((".log", ".console")) and not log.startswith("vm.log"))
        raise type(e)(f"{e}{logs}\nfiles are kept in {place.dir}") from e
    finally:
        place.close(keep=not passed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(repository(), "target"))
    parser.add_argument("--guest", default=os.path.join(target, "guest"), help="folder of build-guest")
    parser.add_argument("--dir", default=os.path.join(target, "vm"), help="work folder")
    parser.add_argument("--tpm-cmd", default=VTPMD, metavar="TEMPLATE", help="another TPM daemon, for comparison")
    parser.add_argument("--timeout", type=float, default=240, help="seconds for each boot and each script")
    parser.add_argument("--accel", choices=["tcg", "kvm"], default="tcg", help="QEMU's accelerator (default: tcg)")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="scenarios at the same time")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true")
    group.add_argument("--long", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    options.guest, options.dir = os.path.abspath(options.guest), os.path.abspath(options.dir)
    chosen = choose(options)
    if options.list:
        print("\n".join(chosen))
        return
    report = Report()
    interruptible()
    try:
        report.cases({name: lambda name=name: run(options, name) for name in chosen}, options.jobs)
    except KeyboardInterrupt:
        Process.end_all()
        sys.exit("interrupted; all guests and TPM daemons are ended")
    report.finish()


main()
