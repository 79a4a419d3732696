#!/usr/bin/env python3
"""UEFI and BIOS guests with a TPM under Debian's libvirtd, with our programs in PATH under swtpm's names.

    run.py --guest DIR [--with sealwright|debian] [--list] [--jobs N] [NAME...]

NAME is a part of a scenario's name. `--with debian` runs all of it on Debian's own swtpm, for comparison. Programs of
ours that are not built are Debian's; the first line says which. Needs root: each libvirtd gets name spaces of its own.
"""

import argparse
import os
import shutil
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
from harness.daemon import vtpmd
from harness.process import Process, SetupError, interruptible, repository
from harness.report import CaseFailed, Report
from hosts import TOOLS, Site
from scenarios import SCENARIOS


def tools(kind):
    """The programs of a kind by their names."""
    found = {}
    for name in TOOLS:
        found[name] = shutil.which(name, path="/usr/bin:/usr/local/bin")
        if found[name] is None:
            raise SetupError(f"{name} not found; install with: apt-get install swtpm swtpm-tools")
    if kind == "sealwright":
        daemon = vtpmd()
        found["swtpm"] = daemon
        for name in TOOLS[1:]:
            ours = os.path.join(os.path.dirname(daemon), name)
            if os.path.exists(ours):
                found[name] = ours
    return found


def run(options, name):
    """One scenario with hosts of its own."""
    site = Site(options.guest, tools)
    site.kind = options.kind
    passed = False
    try:
        SCENARIOS[name](site)
        passed = True
    except (CaseFailed, SetupError) as e:
        raise type(e)(f"{e}\n{site.logs()}\nfiles are kept in {site.dir}") from e
    finally:
        site.close(keep=not passed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(repository(), "target"))
    parser.add_argument("--guest", default=os.path.join(target, "guest"), help="folder of vm/build-guest")
    parser.add_argument("--with", dest="kind", choices=["sealwright", "debian"], default="sealwright")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="scenarios at the same time")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    options.guest = os.path.abspath(options.guest)
    if unknown := [part for part in options.names if not any(part in name for name in SCENARIOS)]:
        sys.exit(f"run.py: no scenario has {unknown[0]!r} in its name; see --list")
    chosen = [name for name in SCENARIOS if not options.names or any(part in name for part in options.names)]
    if options.list:
        print("\n".join(chosen))
        return
    if os.getuid() != 0:
        sys.exit("run.py: needs root, for the name spaces of the libvirt hosts")
    print("programs: " + ", ".join(f"{name} = {path}" for name, path in tools(options.kind).items()), flush=True)
    report = Report()
    interruptible()
    try:
        report.cases({name: lambda name=name: run(options, name) for name in chosen}, options.jobs)
    except KeyboardInterrupt:
        Process.end_all()
        for site in list(Site.sites):
            site.close(keep=False)
        sys.exit("interrupted; the libvirt hosts are ended")
    report.finish()


main()
