#!/usr/bin/env python3
"""Real guests on a TPM daemon: boots, event logs, disk encryption, sleep, migration, power cuts.

    run.py --guest DIR [--quick | --long] [--list] [--jobs N] [--accel tcg|kvm] [--tpm-cmd TEMPLATE]
           [--markdown FILE] [--json FILE] [NAME...]

NAME is a part of a scenario's name. --quick runs what guards every change, --long all the rest; all scenarios run when
none of them is said. Without --tpm-cmd it tests the vtpmd of this tree; see harness/daemon.py for templates.
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
from harness import runner
from harness.daemon import VTPMD, Workplace
from harness.migration import again_if_damaged
from harness.process import SetupError, tail
from harness.report import CaseFailed
from scenarios import LIVE, QUICK, SCENARIOS


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


def case(options, name):
    """One scenario as often as it needs; what is to be noted about it."""
    if name in LIVE:
        return again_if_damaged(lambda: run(options, name), options.accel)
    return run(options, name)


def main():
    """Run the chosen scenarios."""
    parser = runner.guest_parser(__doc__)
    parser.add_argument("--dir", type=os.path.abspath, default=os.path.join(runner.target(), "vm"), help="work folder")
    parser.add_argument("--tpm-cmd", default=VTPMD, metavar="TEMPLATE", help="another TPM daemon, for comparison")
    parser.add_argument("--timeout", type=float, default=240, help="seconds for each boot and each script")
    parser.add_argument("--accel", choices=["tcg", "kvm"], default="tcg", help="QEMU's accelerator (default: tcg)")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true")
    group.add_argument("--long", action="store_true")
    options = parser.parse_args()
    names = QUICK if options.quick else [name for name in SCENARIOS if not (options.long and name in QUICK)]
    cases = [(name, "", lambda name=name: case(options, name)) for name in runner.choose(options, names)]
    runner.run(options, cases, options.jobs, {"TPM": f"`{options.tpm_cmd}`"})


main()
