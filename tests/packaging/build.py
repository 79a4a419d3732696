#!/usr/bin/env python3
"""Builds the Debian and the RPM packages of programs that are built already, and checks what comes with them.

    build.py --built FOLDER --pages FOLDER --out FOLDER

FOLDER of --built has the programs of a release, that of --pages what `cargo xtask man` writes. The packages go to --out. Checked
are: what is in the packages, lintian, the man pages (man, mandoc), completions in bash, zsh and fish, the units
(systemd-analyze), the AppArmor profile (apparmor_parser) and the SELinux module (compiled with the reference policy).
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PROGRAMS = ["swtpm", "swtpm_setup", "swtpm_localca", "swtpm_cert", "swtpm_ioctl", "swtpm_bios"]


def run(*words, ok=True, **more):
    """What a program prints; it must succeed, or fail if not `ok`."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    assert (done.returncode == 0) == ok, f"{' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def stage(folder, built):
    """The tree as a source package has it, without sources: they are built already."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "packaging"), os.path.join(folder, "packaging"))
    shutil.copytree(os.path.join(ROOT, "packaging", "debian"), os.path.join(folder, "debian"))
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        shutil.copy(os.path.join(ROOT, name), folder)
    programs = os.path.join(folder, "built")
    os.mkdir(programs)
    for name in ["vtpmd", "swtpm_setup", "swtpm_ioctl", "swtpm_bios"]:
        shutil.copy(os.path.join(built, name), programs)
    return programs


def debian(out, built, pages):
    """The two packages, and what is in them."""
    tree = os.path.join(out, "deb", "sealwright")
    programs = stage(tree, built)
    # The toolchain may be another than Debian's: its packages are not asked for.
    environment = dict(os.environ, BUILT=programs, PAGES=pages, DEB_BUILD_OPTIONS="noautodbgsym")
    run("dpkg-buildpackage", "--build=binary", "--no-sign", "--no-check-builddeps", cwd=tree, env=environment)
    packages = sorted(glob.glob(os.path.join(out, "deb", "*.deb")))
    assert len(packages) == 2, packages
    swtpm, vtpmd = packages
    has = run("dpkg-deb", "--contents", vtpmd)
    wanted = ["/usr/bin/vtpmd", "/lib/systemd/system/vtpmd@.service", "/lib/systemd/system/vtpmd@.socket"]
    wanted += ["/etc/apparmor.d/usr.bin.vtpmd", "/usr/share/man/man1/vtpmd.1.gz"]
    wanted += [f"/usr/share/man/man1/vtpmd-{name}.1.gz" for name in ("state", "convert", "passthrough")]
    wanted += ["/usr/share/bash-completion/completions/vtpmd", "/usr/share/zsh/vendor-completions/_vtpmd"]
    wanted += ["/usr/share/fish/vendor_completions.d/vtpmd.fish"]
    for path in wanted:
        assert f".{path}" in has, f"{path} is not in {vtpmd}"
    instead = run("dpkg-deb", "--contents", swtpm)
    for name in PROGRAMS:
        assert f"./usr/share/man/man1/{name}.1.gz" in instead, name
        assert f"./usr/bin/{name}" in instead and f"./usr/bin/{name}" not in has, name
    # AppArmor looks at the file that runs, so it is no link to one of another name.
    assert not any("/usr/bin/swtpm ->" in line for line in instead.splitlines()), instead
    # An upgrade stops no running TPM.
    scripts = os.path.join(out, "deb", "scripts")
    run("dpkg-deb", "--control", vtpmd, scripts)
    for name in os.listdir(scripts):
        if name in ("preinst", "prerm", "postinst", "postrm"):
            with open(os.path.join(scripts, name), encoding="utf-8") as file:
                text = file.read()
            assert not re.search(r"deb-systemd-invoke.*(start|stop)", text), f"{name}: {text}"
    if shutil.which("lintian"):
        said = run("lintian", "--allow-root", "--fail-on", "error", *packages)
        print("".join(f"  {line}\n" for line in said.splitlines()), end="")
    return packages


def rpm(out, built, pages):
    """The RPM packages. On Debian there are neither Fedora's macros nor packages of the build's tools."""
    top = os.path.join(out, "rpm")
    tree = os.path.join(top, "SOURCES", "sealwright-0.1.0")
    programs = stage(tree, built)
    run("tar", "-czf", "v0.1.0.tar.gz", "--exclude=built", "sealwright-0.1.0", cwd=os.path.join(top, "SOURCES"))
    os.rename(os.path.join(top, "SOURCES", "v0.1.0.tar.gz"), os.path.join(top, "SOURCES", "sealwright-0.1.0.tar.gz"))
    defines = {"_topdir": top, "built": programs, "pages": pages, "_unitdir": "/usr/lib/systemd/system"}
    words = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
    run("rpmbuild", "-bb", "--nodeps", *words, os.path.join(ROOT, "packaging", "rpm", "sealwright.spec"))
    packages = sorted(glob.glob(os.path.join(top, "RPMS", "*", "*.rpm")), key=os.path.basename)
    assert len(packages) == 3, packages
    selinux, swtpm, vtpmd = packages
    assert "/usr/share/selinux/packages/sealwright.pp" in run("rpm", "-qlp", selinux)
    has = run("rpm", "-qlp", vtpmd)
    for path in ["/usr/bin/vtpmd", "/usr/lib/systemd/system/vtpmd@.service", "/usr/share/man/man1/vtpmd-state.1"]:
        assert path in has, f"{path} is not in {vtpmd}"
    instead = run("rpm", "-qlp", swtpm)
    for name in PROGRAMS:
        assert f"/usr/bin/{name}\n" in instead and f"/usr/bin/{name}\n" not in has, name
    # Installed in a root of its own they run, and removed they leave nothing.
    root = os.path.join(out, "rpm-root")
    os.makedirs(root)
    in_root = ["rpm", "--root", root, "--nodeps"]
    run(*in_root, "--noscripts", "--install", *packages)
    for name in PROGRAMS:
        run("sh", "-c", f"{root}/usr/bin/{name} --help || {root}/usr/bin/{name} -h")
    run(*in_root, "--verify", "sealwright-vtpmd", "sealwright-swtpm", "sealwright-selinux")
    run(*in_root, "--noscripts", "--erase", "sealwright-vtpmd", "sealwright-swtpm", "sealwright-selinux")
    left = [os.path.join(place, name) for place, _, names in os.walk(root) for name in names]
    left = [path for path in left if "rpmdb" not in path and "/lib/rpm/" not in path]
    assert not left, left
    return packages


def pages(folder):
    """No page has anything that man or mandoc warn of; none is missing."""
    found = sorted(glob.glob(os.path.join(folder, "man1", "*.1")))
    names = [os.path.basename(path)[:-2] for path in found]
    for name in ["vtpmd", "vtpmd-state", "vtpmd-convert", "vtpmd-passthrough", *PROGRAMS]:
        assert name in names, f"there is no page of {name}"
    for path in found:
        done = subprocess.run(["man", "-l", "--warnings", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, f"{path}: {done.stderr}"
        run("mandoc", "-Tlint", "-Wwarning", path)
    return names


# Words, and what a completion must offer behind them.
OFFERS = [
    ("vtpmd ", "state"),
    ("vtpmd state ", "reseal"),
    ("vtpmd state re", "restore"),
    ("vtpmd state restore --gen", "--generation"),
    ("vtpmd state rewrap --new-key-", "--new-key-manager"),
    ("vtpmd socket --dur", "--durability"),
    ("vtpmd passthrough --pol", "--policy"),
    ("vtpmd convert --vol", "--volatile"),
    ("swtpm socket --print-cap", "--print-capabilities"),
    ("swtpm_setup --create-ek", "--create-ek-cert"),
    ("swtpm_ioctl --sa", "--save"),
    ("swtpm_cert --ecc-c", "--ecc-curveid"),
]

BASH = """
for file in "$PAGES"/bash/*; do . "$file"; done
COMP_WORDS=($LINE); case $LINE in *\\ ) COMP_WORDS+=("") ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_${COMP_WORDS[0]}
printf '%s\\n' "${COMPREPLY[@]}"
"""

# zsh completes only at a terminal: one of its own is made, and asked with the tabulator.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($PAGES/zsh \\$fpath); autoload -U compinit; compinit -u -D; LISTMAX=9999; unsetopt automenu; setopt nolistbeep"
zpty -w shell "stty columns 200; print READY"
zpty -r shell text '*READY*READY*'
zpty -n -w shell "$LINE"$'\\t\\t'
sleep 1
zpty -n -w shell $'\\C-u'"print D''ONE"$'\\n'
zpty -r shell text '*DONE*'
print -r -- $text
"""


def completions(folder):
    """Each shell loads them and completes something."""
    missing = []
    for line, offer in OFFERS:
        environment = dict(os.environ, PAGES=folder, LINE=line, TERM="xterm")
        asked = {
            "bash": ["bash", "--norc", "-c", BASH],
            "fish": ["fish", "--no-config", "-c", 'for f in $PAGES/fish/*; source $f; end; complete -C "$LINE"'],
            "zsh": ["zsh", "-f", "-c", ZSH],
        }
        for shell, words in asked.items():
            done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=60)
            said = done.stdout
            if shell == "zsh":
                # What was typed is echoed; what is completed stands behind it or in a list.
                said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace(line, "", 1)
                rest = offer[len(line.split(" ")[-1]) :]
                found = offer in said or rest + " " in said
            else:
                found = offer in re.split(r"\s", said)
            if not found:
                missing.append(f"{shell}: '{line}' does not offer {offer}: {done.stdout[-300:]!r} {done.stderr[-300:]!r}")
    assert not missing, "\n".join(missing)
    return len(OFFERS)


def confinement(out, package):
    """The profile and the module are read by their compilers; the units by systemd."""
    run("apparmor_parser", "-Q", "-K", os.path.join(ROOT, "packaging", "apparmor", "usr.bin.vtpmd"))
    module = os.path.join(out, "selinux")
    shutil.rmtree(module, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "packaging", "selinux"), module)
    run("make", "-f", "/usr/share/selinux/devel/Makefile", "sealwright.pp", cwd=module)
    assert os.path.getsize(os.path.join(module, "sealwright.pp")) > 0
    # The units as they are installed, with the program that they start.
    root = os.path.join(out, "installed")
    shutil.rmtree(root, ignore_errors=True)
    run("dpkg-deb", "--extract", package, root)
    units = glob.glob(os.path.join(root, "lib", "systemd", "system", "*"))
    environment = dict(os.environ, SYSTEMD_UNIT_PATH=os.path.join(root, "lib/systemd/system") + ":/lib/systemd/system")
    for unit in units:
        name = os.path.basename(unit).replace("@.", "@check.")
        words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name]
        said = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        # The program is not installed on this machine; everything else must be right.
        rest = [line for line in said.stderr.splitlines() if "is not executable: No such file" not in line]
        assert not rest, f"{name}: {said.stderr}"


def main():
    parser = argparse.ArgumentParser()
    for name in ("built", "pages", "out"):
        parser.add_argument(f"--{name}", required=True, type=os.path.abspath)
    words = parser.parse_args()
    shutil.rmtree(words.out, ignore_errors=True)
    os.makedirs(words.out)
    print(f"{len(pages(words.pages))} man pages without a warning")
    print(f"{completions(words.pages)} completions in bash, zsh and fish")
    built = debian(words.out, words.built, words.pages)
    print("built", *(os.path.basename(path) for path in built))
    confinement(words.out, built[1])
    print("AppArmor profile, SELinux module and units are read without a complaint")
    print("built", *(os.path.basename(path) for path in rpm(words.out, words.built, words.pages)))


try:
    main()
except (AssertionError, OSError, subprocess.SubprocessError) as error:
    sys.exit(f"build.py: {error}")
