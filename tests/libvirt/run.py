#!/usr/bin/env python3
"""UEFI and BIOS guests with a TPM under Debian's libvirtd, with our programs in place of swtpm's.

    run.py --guest DIR [--with sealwright|debian|both] [--list] [--jobs N] [--markdown FILE] [--json FILE] [NAME...]

NAME is a part of a scenario's name. `--with debian` runs all of it on Debian's own swtpm, for comparison, `--with both` on
one after the other. The first lines say which programs are used. Needs root: each libvirtd gets name spaces of its own.
"""

import os
import shutil
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
from harness import runner
from harness.daemon import vtpmd
from harness.migration import again_if_damaged
from harness.process import SetupError
from harness.process import run as command
from harness.report import CaseFailed
from hosts import TOOLS, Site
from scenarios import BOTH, LIVE, SCENARIOS


def tools(kind):
    """The programs of a kind by their names."""
    if kind == "sealwright":
        daemon = vtpmd()
        found = {name: os.path.join(os.path.dirname(daemon), name) for name in TOOLS}
        found["swtpm"] = daemon
        # As the packages have them: one program by three names.
        found["swtpm_localca"] = found["swtpm_cert"] = found["swtpm_setup"]
        advice = "build them with: cargo build --release -p sealwright-manufacture -p sealwright-channel"
    else:
        found = {name: shutil.which(name, path="/usr/bin:/usr/local/bin") for name in TOOLS}
        advice = "install them with: apt-get install swtpm swtpm-tools"
    missing = [name for name, path in found.items() if not path or not os.path.exists(path)]
    if missing:
        raise SetupError(f"of {kind}'s programs there is no {', '.join(missing)}; {advice}")
    return found


def run(options, name, kind):
    """One scenario with hosts of its own."""
    site = Site(options.guest, tools)
    site.kind = kind
    passed = False
    try:
        note = SCENARIOS[name](site)
        passed = True
        return note
    except (CaseFailed, SetupError) as e:
        raise type(e)(f"{e}\n{site.logs()}\nfiles are kept in {site.dir}") from e
    finally:
        site.close(keep=not passed)


def case(options, name, kind):
    """One scenario as often as it needs; what is to be noted about it."""
    if name in LIVE:
        return again_if_damaged(lambda: run(options, name, kind))
    return run(options, name, kind)


def end_sites():
    """End the hosts of an interrupted run."""
    for site in list(Site.sites):
        site.close(keep=False)


def main():
    """Run the chosen scenarios."""
    parser = runner.guest_parser(__doc__)
    parser.add_argument("--with", dest="kind", choices=["sealwright", "debian", "both"], default="sealwright", help="whose programs")
    options = parser.parse_args()
    chosen = runner.choose(options, SCENARIOS)
    if os.getuid() != 0:
        sys.exit("run.py: needs root, for the name spaces of the libvirt hosts")
    kinds = ["sealwright", "debian"] if options.kind == "both" else [options.kind]
    about = {}
    try:
        for kind in kinds:
            found = tools(kind)
            about[kind] = command(found["swtpm"], "--version").splitlines()[0]
            print(f"{kind}: {about[kind]}: " + ", ".join(dict.fromkeys(found.values())), flush=True)
    except SetupError as e:
        sys.exit(f"run.py: {e}")
    cases = []
    for kind in kinds:
        for name in chosen:
            # What exchanges the programs itself runs once.
            if kind == kinds[0] or name not in BOTH:
                shown = "both" if name in BOTH else kind
                cases.append((name, shown, lambda name=name, kind=kind: case(options, name, kind)))
    runner.run(options, cases, options.jobs, about, end_sites)


main()
