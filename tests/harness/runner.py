"""The command line of a list of named cases: which to run, how many at the same time, and what is written about them."""

import argparse
import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile

from .process import Process, interruptible, repository
from .report import Report


def target():
    """Cargo's build folder, where tests keep their files."""
    return os.environ.get("CARGO_TARGET_DIR", os.path.join(repository(), "target"))


def parser(doc):
    """Arguments that all lists of cases have. `doc` is the program's description."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--list", action="store_true", help="name the cases and end")
    made.add_argument("--markdown", metavar="FILE", help="write the table of results to a file")
    made.add_argument("--json", metavar="FILE", help="write the results to a file")
    made.add_argument("names", nargs="*", metavar="NAME", help="a part of the names of cases to run; without it all")
    return made


def guest_parser(doc):
    """The same for cases with guests, of which several may run at the same time."""
    made = parser(doc)
    made.add_argument("--guest", type=os.path.abspath, default=os.path.join(target(), "guest"), help="folder of vm/build-guest")
    made.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="scenarios at the same time")
    return made


def choose(options, cases):
    """The names that were asked for, of `cases`. Ends the program if there is none, or after a list."""
    program = os.path.basename(sys.argv[0])
    if unknown := [part for part in options.names if not any(part in name for name in cases)]:
        sys.exit(f"{program}: no case has {unknown[0]!r} in its name; see --list")
    chosen = [name for name in cases if not options.names or any(part in name for part in options.names)]
    if options.list:
        print("\n".join(chosen))
        sys.exit(0)
    return chosen


def run(options, cases, jobs=1, about=None, interrupted=lambda: None):
    """Run the cases, (name, program, run) each, write what was asked for, and leave. `interrupted` is called before an
    interrupted program ends; all processes are ended then."""
    check_places(options)
    report = Report()
    interruptible()
    try:
        report.cases(cases, jobs)
    except KeyboardInterrupt:
        Process.end_all()
        interrupted()
        sys.exit("interrupted; all that was started is ended")
    write(options, report, about)
    # Guests end in another order than they are listed.
    report.finish(table=hasattr(options, "guest"))


def check_places(options):
    """Files of results must be where they can be made, which is better known before the run than after it."""
    for path in filter(None, (options.markdown, options.json)):
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            sys.exit(f"{os.path.basename(sys.argv[0])}: there is no folder {folder} for {os.path.basename(path)}")


def write(options, report, about):
    """The files of results."""
    if options.markdown or options.json:
        about = {**(about or {}), **surroundings(hasattr(options, "guest"))}
    for path, form in ((options.markdown, report.markdown), (options.json, report.json)):
        if path:
            with open(path, "w", encoding="utf-8") as file:
                file.write(form(about))


def surroundings(guests):
    """What the results are of besides the programs under test; `guests` if there are some."""
    ask = lambda *command: subprocess.run(command, capture_output=True, text=True, cwd=repository(), check=False).stdout.strip()
    found = {"tree": ask("git", "describe", "--always", "--dirty", "--abbrev=12")}
    for name, *command in (("QEMU", "qemu-system-x86_64", "--version"), ("libvirt", "libvirtd", "--version")):
        if guests and shutil.which(command[0]):
            found[name] = ask(*command).splitlines()[0]
    found["machine"] = f"{os.cpu_count()} processors, Linux {platform.release()}"
    return found


def traced_cases(doc, purpose, cases):
    """A whole program of cases that look into processes: each is a function of an empty folder. `purpose` says for what
    it needs root, and names the folder."""
    options = parser(doc).parse_args()
    chosen = choose(options, cases)
    if os.getuid() != 0:
        sys.exit(f"{purpose} needs root, or user namespaces (unshare --user --map-root-user)")

    def case(name):
        place = os.path.join(folder, name)
        os.mkdir(place, 0o755)
        return cases[name](place)

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sealwright-test-"))
        stack.callback(Process.end_all)
        run(options, [(name, "", lambda name=name: case(name)) for name in chosen])
