#!/usr/bin/env python3
"""That an encrypted state stays encrypted: real daemons, full of things that are known here, and the search for them in all
files, in every byte that the daemon wrote, in its log, command line and environment, in its memory, and in core dumps.

    run.py [--list] [NAME...]      NAME is a part of a case's name

Needs strace, and root to look into the processes. Every search is also made where it must find something.
"""

import argparse
import os
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, HERE)
import cases
import looking_in
from harness.process import Process, interruptible
from harness.report import Report


def main():
    """Run the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    every = {**cases.CASES, **looking_in.CASES}
    chosen = {name: run for name, run in every.items() if not options.name or any(n in name for n in options.name)}
    if options.list:
        print("\n".join(chosen))
        return
    if os.getuid() != 0:
        sys.exit("looking into the memory of a daemon that forbids it needs root, or user namespaces (unshare --user --map-root-user)")
    interruptible()
    report = Report()
    try:
        with tempfile.TemporaryDirectory(prefix="sealwright-secrets-") as folder:
            for name, run in chosen.items():
                place = os.path.join(folder, name)
                os.mkdir(place, 0o755)
                report.case(name, lambda run=run, place=place: run(place))
    finally:
        Process.end_all()
    report.finish()


if __name__ == "__main__":
    main()
