#!/usr/bin/env python3
"""The Debian packages on a Debian of their own, which systemd runs as process 1 of a container.

    system.py --packages FOLDER --system FOLDER

The packages are those that build.py makes. The system is a root file system with systemd and Debian's swtpm; mmdebstrap makes it
if it is not there. It is not changed: the container works on an overlay, which is thrown away. Shown are the way from swtpm to vtpmd and back with the packages, and
the units: a TPM that starts with the first connection, says when it is ready, and keeps its state through stops, kills and
restarts, confined as the unit says. Needs root and systemd-nspawn.
"""

import argparse
import array
import glob
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
from harness.process import SetupError, unix_connect, wait_for  # noqa: E402
from harness.report import CaseFailed  # noqa: E402
from harness.tpm import Tpm  # noqa: E402

PACKAGES = "systemd,systemd-sysv,dbus,swtpm,swtpm-tools,tpm2-tools,libtss2-tcti-swtpm0,man-db,procps"
PROGRAMS = ["swtpm", "swtpm_setup", "swtpm_localca", "swtpm_cert", "swtpm_ioctl", "swtpm_bios"]
INDEX, SAVED = 0x01500001, b"through all restarts"


class Container:
    """A Debian that boots in a copy of the root file system."""

    def __init__(self, folder, lower):
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(folder, name))
        self.root = os.path.join(folder, "root")
        layers = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        words = ["systemd-nspawn", "-D", self.root, "--register=no", "--keep-unit", "--console=pipe", "--machine=packages"]
        # Containers may not take over descriptors of processes, hosts may; vtpmd takes its own listening socket so.
        words.append("--system-call-filter=pidfd_getfd")
        with open(os.path.join(folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                [*words, "--boot"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.leader = wait_for(self._leader, 30, "systemd of the container", self.alive)
            wait_for(self._is_up, 180, "system of the container", self.alive)
        except SetupError:
            self.stop()
            raise

    def alive(self):
        """Whether it still runs."""
        return self.process.poll() is None

    def _leader(self):
        # nspawn has another child for a moment, which makes the container.
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as file:
            children = file.read().split()
        for child in children:
            with open(f"/proc/{child}/status", encoding="ascii") as file:
                status = file.read()
            if status.startswith("Name:\tsystemd\n") and "\t1\n" in status[status.index("NSpid:") :]:
                return int(child)
        return None

    def _is_up(self):
        return self.run("systemctl", "is-system-running", ok=None).strip() in ("running", "degraded")

    def run(self, *words, ok=True):
        """What a program in it prints; it must succeed, or fail if not `ok`."""
        enter = ["nsenter", "--target", str(self.leader), "-m", "-p", "-u", "-i", "-n", "--root", "--wd=/"]
        done = subprocess.run([*enter, *words], capture_output=True, text=True, check=False)
        if ok is not None and (done.returncode == 0) != ok:
            raise CaseFailed(f"{' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def sh(self, script, ok=True):
        """The same of a shell's script."""
        return self.run("sh", "-ec", script, ok=ok)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def path(self, path):
        """A path of its, seen from here."""
        return f"/proc/{self.leader}/root{path}"

    def stop(self):
        """Power off, and forget what was changed."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["umount", "--lazy", self.root], check=False)


class Handed(Tpm):
    """A TPM that gets its data channel by the control channel, as from QEMU."""

    def __init__(self, control):
        # pylint: disable=super-init-not-called
        self.control_socket = unix_connect(control, 20)
        self.socket, theirs = socket.socketpair()
        for s in (self.socket, self.control_socket):
            s.settimeout(60)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
        self.control_socket.sendmsg([struct.pack(">I", 16)], rights)
        theirs.close()
        if self._read(self.control_socket, 4) != bytes(4):
            raise CaseFailed("CMD_SET_DATAFD was refused")
        self.power_on()
        self.startup()


def expect(condition, what):
    """A sentence of this test."""
    if not condition:
        raise CaseFailed(what)


def is_ours(system, program="swtpm"):
    """Whether the program by swtpm's name is vtpmd."""
    return "Sealwright" in system.run(program, "--version", ok=None)


def replace(system):
    """Both packages on a machine that has swtpm and a state; both go again."""
    expect(not is_ours(system), "Debian's swtpm is there first")
    system.sh("mkdir -p /srv/state /srv/ca; swtpm_setup --tpm2 --tpm-state /srv/state --createek --create-ek-cert "
              "--create-platform-cert --lock-nvram --vmid vm:1 --pcr-banks sha256")  # fmt: skip
    before = system.run("sha256sum", "/srv/state/tpm2-00.permall")
    system.sh("dpkg --install /srv/*.deb")
    expect(is_ours(system) and is_ours(system, "swtpm_setup"), "the programs are ours after the installation")
    expect(not is_ours(system, "swtpm.distrib"), "Debian's program is beside ours")
    expect(not system.run("dpkg", "--verify", "sealwright-vtpmd", "sealwright-swtpm"), "each file is as in its package")
    expect(system.run("sha256sum", "/srv/state/tpm2-00.permall") == before, "installing touches no state")
    for name in ("vtpmd", "vtpmd-state"):
        system.run("man", "--where", "1", name)
    certificate = use(system)
    system.run("dpkg", "--install", *inside(system, "sealwright-*.deb"))
    expect(is_ours(system) and not is_ours(system, "swtpm.distrib"), "an upgrade leaves it as it is")
    state = system.run("sha256sum", "/srv/state/tpm2-00.permall")
    system.run("dpkg", "--remove", "sealwright-swtpm")
    expect(not is_ours(system) and not is_ours(system, "swtpm_setup"), "the removal puts Debian's programs back")
    expect(not system.run("dpkg", "--verify", "swtpm", "swtpm-tools"), "Debian's packages are whole")
    expect("sealwright" not in system.run("dpkg-divert", "--list", "*swtpm*"), "no diversion is left")
    expect(system.run("sha256sum", "/srv/state/tpm2-00.permall") == state, "the removal touches no state")
    expect(use(system) == certificate, "Debian's swtpm goes on with the state")


def inside(system, pattern):
    """Files in /srv of the container, by their paths there."""
    return [os.path.join("/srv", os.path.basename(path)) for path in glob.glob(system.path(f"/srv/{pattern}"))]


def use(system):
    """Starts swtpm on the state, reads the certificate of the endorsement key, and ends it."""
    return system.sh("""
        swtpm socket --tpm2 --tpmstate dir=/srv/state --server type=tcp,port=2321 --ctrl type=tcp,port=2322 \
            --flags not-need-init,startup-clear --daemon
        TPM2TOOLS_TCTI=swtpm:port=2321 tpm2_nvread 0x1c00002 | sha256sum
        swtpm_ioctl --tcp 127.0.0.1:2322 -s
        while swtpm_ioctl --tcp 127.0.0.1:2322 -c >/dev/null 2>&1; do sleep 0.1; done
    """)


def units(system):
    """The TPM of a VM that no manager starts."""
    service, control = "vtpmd@vm1.service", system.path("/run/vtpmd/vm1.sock")
    system.run("systemctl", "enable", "--now", "vtpmd@vm1.socket")
    expect(system.show(service, "ActiveState") == "inactive", "nothing runs before the first connection")
    start = time.monotonic()
    tpm = Handed(control)
    first = time.monotonic() - start
    wait_for(lambda: system.show(service, "ActiveState") == "active", 10, "service to be ready")
    expect(system.show(service, "Type") == "notify", "readiness is what vtpmd says, not that it was started")
    tpm.define(INDEX, len(SAVED))
    tpm.nv_write(INDEX, SAVED)
    confined(system, service)
    state = system.path("/var/lib/private/vtpmd/vm1")
    expect("tpm.state" in os.listdir(state), "the state is in the unit's folder")
    expect(os.stat(state).st_uid >= 60000, "the state belongs to the unit's own user")

    def goes_on(what):
        end = time.monotonic() + 10
        while True:
            try:
                again = Handed(control)
                break
            except (ConnectionError, OSError):
                expect(time.monotonic() < end, f"no TPM after {what}")
                time.sleep(0.1)
        expect(again.nv_read(INDEX, len(SAVED)) == SAVED, f"the state is intact after {what}")
        return again

    tpm.close()
    system.run("systemctl", "restart", service)
    tpm = goes_on("a restart")
    system.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", service)
    tpm.close()
    tpm = goes_on("SIGKILL")
    expect(int(system.show(service, "NRestarts")) == 1, "systemd started it again by itself")
    # An upgrade of the package while the VM runs: its TPM is the same process.
    pid = system.show(service, "MainPID")
    system.run("dpkg", "--install", *inside(system, "sealwright-vtpmd_*.deb"))
    expect(system.show(service, "MainPID") == pid != "0", "an upgrade stops no TPM")
    expect(tpm.nv_read(INDEX, len(SAVED)) == SAVED, "the TPM answers after the upgrade")
    tpm.close()
    system.run("systemctl", "stop", service)
    expect(system.show(service, "Result") == "success", "it stops when it is told to")
    wait_for(lambda: system.show(service, "ActiveState") == "inactive", 10, "service to end")
    goes_on("a stop").close()
    # VTPMD_OPTIONS and a credential: the state of another VM is encrypted.
    system.sh("""
        mkdir -p /etc/vtpmd /etc/systemd/system/vtpmd@vm2.service.d
        head -c 32 /dev/urandom > /etc/vtpmd/vm2.key; chmod 600 /etc/vtpmd/vm2.key
        echo 'VTPMD_OPTIONS=--key-manager credential:vtpmd-key' > /etc/vtpmd/vm2.conf
        printf '[Service]\\nLoadCredential=vtpmd-key:/etc/vtpmd/vm2.key\\n' \
            > /etc/systemd/system/vtpmd@vm2.service.d/key.conf
        systemctl daemon-reload
        systemctl start vtpmd@vm2.socket
    """)
    tpm = Handed(system.path("/run/vtpmd/vm2.sock"))
    tpm.define(INDEX, len(SAVED))
    tpm.nv_write(INDEX, SAVED)
    tpm.close()
    shown = system.run("vtpmd", "state", "show", "--tpmstate", "dir=/var/lib/private/vtpmd/vm2")
    expect("encrypted" in shown and "not encrypted" not in shown, f"the state of vm2 is encrypted: {shown}")
    for name in ("vm1", "vm2"):
        system.run("systemctl", "stop", f"vtpmd@{name}.socket", f"vtpmd@{name}.service")
    system.run("dpkg", "--purge", "sealwright-vtpmd", "sealwright-swtpm")
    expect("tpm.state" in os.listdir(state), "not even a purge touches states")
    return first


def confined(system, service):
    """What the unit takes away from the process, and what vtpmd gives up itself."""
    with open(system.path(f"/proc/{system.show(service, 'MainPID')}/status"), encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    expect(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", f"no new rights, and a filter of calls: {status}")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[name], 16) == 0, f"{name} is {status[name]}")
    expect(int(status["Uid"].split()[0]) >= 60000, "it has a user of its own")
    expect(int(status["Seccomp_filters"]) > 1, "the unit's filter and vtpmd's own")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", required=True)
    parser.add_argument("--system", required=True, type=os.path.abspath)
    words = parser.parse_args()
    if not os.path.exists(words.system):
        print(f"making {words.system}", flush=True)
        make = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "--format=directory", "bookworm"]
        subprocess.run([*make, f"{words.system}.new"], check=True)
        os.rename(f"{words.system}.new", words.system)
    # An overlay cannot lie on another one: a folder of its own, where the system is.
    with tempfile.TemporaryDirectory(prefix="packages-", dir=os.path.dirname(words.system)) as folder:
        system = Container(folder, words.system)
        try:
            for package in glob.glob(os.path.join(words.packages, "*.deb")):
                shutil.copy(package, system.path("/srv"))
            replace(system)
            print("from swtpm to vtpmd and back by the packages: states and Debian's programs are as they were", flush=True)
            system.sh("dpkg --install /srv/*.deb")
            first = units(system)
            print(f"units: the first connection starts the TPM, which answers after {first * 1000:.0f} ms; "
                  "restart, SIGKILL, upgrade and stop keep its state; it is confined")  # fmt: skip
        except (CaseFailed, SetupError, OSError) as error:
            said = system.run("journalctl", "--no-pager", "--lines=40", ok=None) if system.alive() else ""
            sys.exit(f"system.py: {error}\n{said}")
        finally:
            system.stop()


main()
