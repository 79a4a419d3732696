#!/usr/bin/env python3
"""Puts our programs in swtpm's place under Debian and takes them out again, in a copy of this machine that is thrown away.

    replace.py [FOLDER]

FOLDER holds our programs by swtpm's names; without it they are those built from this tree. The root file system is mounted a second time with an overlay in a mount
namespace of its own: nothing of this machine changes. Needs root and Debian's swtpm.
"""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from harness.daemon import vtpmd
from harness.process import SetupError

SCRIPT = os.path.join(HERE, "..", "..", "packaging", "replace-swtpm")
PROGRAMS = ["swtpm", "swtpm_setup", "swtpm_localca", "swtpm_cert", "swtpm_ioctl", "swtpm_bios"]


def run(*words, ok=True):
    """What a program prints; it must succeed, or fail if not `ok`."""
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def enter(folder, ours):
    """A root of its own: everything can be changed, and is gone at the end."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "none", folder)
    for name in ("upper", "work", "root"):
        os.mkdir(os.path.join(folder, name))
    root = os.path.join(folder, "root")
    layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
    run("mount", "-t", "overlay", "overlay", "-o", layers, root)
    for name in ("proc", "dev"):
        run("mount", "--rbind", f"/{name}", os.path.join(root, name))
    kept = os.path.join(root, "usr/lib/sealwright/swtpm")
    os.makedirs(kept)
    for name, program in ours.items():
        run("cp", program, os.path.join(kept, name))
    run("cp", SCRIPT, os.path.join(root, "usr/lib/sealwright/replace-swtpm"))
    os.chroot(root)
    os.chdir("/")
    return "/usr/lib/sealwright/replace-swtpm", sorted(os.listdir("/usr/lib/sealwright/swtpm"))


def programs():
    """Every file in /usr/bin that is swtpm's or ours, with what it is."""
    found = {}
    for name in sorted(os.listdir("/usr/bin")):
        path = os.path.join("/usr/bin", name)
        if name.startswith("swtpm"):
            found[name] = os.readlink(path) if os.path.islink(path) else run("sha256sum", path).split()[0]
    return found


def is_ours(program):
    return "Sealwright" in run(program, "--version")


def check(folder, ours):
    script, names = enter(folder, ours)
    original = programs()
    assert not is_ours("/usr/bin/swtpm") and not run("dpkg", "--verify", "swtpm", "swtpm-tools")
    assert "is unknown" in run(script, "other", ok=False)
    assert "no program" in run(script, "install", "--from", "/tmp", ok=False)
    assert "--from" in run(script, "install", ok=False)
    assert programs() == original, "a refusal changes nothing"

    install = [script, "install", "--from", "/usr/lib/sealwright/swtpm"]
    run(*install)
    assert is_ours("/usr/bin/swtpm")
    for name in names:
        # No link to another folder: AppArmor would look at where it leads.
        run("cmp", f"/usr/bin/{name}", f"/usr/lib/sealwright/swtpm/{name}")
        assert not os.path.islink(f"/usr/bin/{name}") or os.readlink(f"/usr/bin/{name}") == "swtpm_setup"
        assert programs()[f"{name}.distrib"] == original[name]
        assert f"{name}: Sealwright's" in run(script, "status")
    assert not is_ours("/usr/bin/swtpm.distrib")
    replaced = programs()
    run(*install)
    assert programs() == replaced, "twice is as good as once"

    # An update of Debian's package goes beside ours.
    package = subprocess.run("cd /tmp && apt-get download swtpm", shell=True, capture_output=True, text=True)
    if package.returncode == 0:
        run("sh", "-c", "dpkg --install /tmp/swtpm_*.deb")
        assert programs() == replaced
        print("an update of Debian's package leaves our programs in place")
    else:
        print("skipped: Debian's package cannot be downloaded here")

    run(script, "remove")
    assert programs() == original
    run(script, "remove")
    assert programs() == original and not is_ours("/usr/bin/swtpm")
    assert not run("dpkg", "--verify", "swtpm", "swtpm-tools")
    assert "sealwright" not in run("dpkg-divert", "--list", "/usr/bin/swtpm*")

    # A program in the way, of nobody: nothing is replaced, and what was done is undone.
    run("dpkg", "--remove", "--force-depends", "swtpm-tools")
    with open("/usr/bin/swtpm_bios", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    before = programs()
    if "swtpm_bios" in names:
        os.symlink("/usr/bin/true", "/usr/bin/swtpm_bios.distrib")
        before = programs()
        assert "nothing was replaced" in run(*install, ok=False)
        assert programs() == before, (before, programs())
    print("swtpm's programs were replaced and are back:", ", ".join(names))


def programs_of(folder):
    """Our programs in a folder, by swtpm's names; where cargo builds them swtpm is vtpmd."""
    found = {name: os.path.join(folder, name) for name in PROGRAMS}
    if not os.path.exists(found["swtpm"]):
        found["swtpm"] = os.path.join(folder, "vtpmd")
        # As the packages have them: one program by three names.
        found["swtpm_localca"] = found["swtpm_cert"] = found["swtpm_setup"]
    found = {name: path for name, path in found.items() if os.path.exists(path)}
    if "swtpm" not in found:
        sys.exit(f"replace.py: {folder} has neither swtpm nor vtpmd")
    return found


def main():
    if len(sys.argv) > 2 or sys.argv[1:] and sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    try:
        ours = programs_of(os.path.abspath(sys.argv[1]) if sys.argv[1:] else os.path.dirname(vtpmd()))
    except SetupError as error:
        sys.exit(f"replace.py: {error}")
    if os.geteuid() != 0:
        sys.exit("replace.py: needs root, for a mount namespace")
    if not os.path.exists("/usr/bin/swtpm"):
        sys.exit("replace.py: Debian's swtpm is not installed")
    if os.environ.get("REPLACE_INSIDE") != "yes":
        inside = dict(os.environ, REPLACE_INSIDE="yes")
        sys.exit(subprocess.run(["unshare", "--mount", sys.executable, *sys.argv], env=inside, check=False).returncode)
    with tempfile.TemporaryDirectory() as folder:
        pid = os.fork()
        if pid == 0:
            try:
                check(folder, ours)
                os._exit(0)
            except BaseException as error:
                print(f"replace.py: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        status = os.waitpid(pid, 0)[1]
        subprocess.run(["umount", "--lazy", folder], check=False)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
