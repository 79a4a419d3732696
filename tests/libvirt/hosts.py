"""Libvirt hosts on one machine, without systemd: each is a libvirtd in network, mount and host name spaces of its own.

A host has its own /run, /etc/libvirt, /var/lib/libvirt, logs and certificate authority of swtpm, so nothing of the
machine's is touched. The hosts of a site are joined by a bridge in a name space of its own. Needs root.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from harness.process import Process, SetupError, run, tail, wait_for

# What libvirt runs, and what is run by that.
TOOLS = ("swtpm", "swtpm_setup", "swtpm_ioctl", "swtpm_localca", "swtpm_cert")
START = r"""
mount --make-rprivate /
hostname "$NAME"
for place in etc-libvirt:/etc/libvirt var-lib-libvirt:/var/lib/libvirt cache:/var/cache/libvirt log/libvirt:/var/log/libvirt \
             log/swtpm:/var/log/swtpm authority:/var/lib/swtpm-localca; do
  mkdir -p "${place#*:}"; mount --bind "$DIR/${place%%:*}" "${place#*:}"
done
if [ -n "$SHARED" ]; then mkdir -p /var/lib/libvirt/swtpm; mount --bind "$SHARED" /var/lib/libvirt/swtpm; fi
mount --bind "$DIR/run" /run
mkdir -p /run/libvirt /var/lib/libvirt/qemu
chown libvirt-qemu: /var/lib/libvirt/qemu
echo $$ > "$DIR/pid"
for program in "$TOOLS"/*; do mount --bind "$program" "/usr/bin/${program##*/}"; done
export LIBVIRT_LOG_OUTPUTS=3:file:/var/log/libvirt/libvirtd.log
exec libvirtd --listen
"""


class Site:
    """Hosts, and the folder in which all their files are."""

    # All that are open, to be closed when the program is interrupted.
    sites = []

    def __init__(self, guest, tools):
        """`tools` gives for a kind ("debian" or "sealwright") the programs by the names of TOOLS."""
        self.dir = tempfile.mkdtemp(prefix="vtpm-site-")
        os.chmod(self.dir, 0o755)
        self.net = os.path.basename(self.dir)
        self.tools, self.kind, self.hosts, self.mounts = tools, None, {}, []
        Site.sites.append(self)
        # Copies, as libvirt changes their owner.
        self.guest = os.path.join(self.dir, "guest")
        os.mkdir(self.guest)
        for name in ("vmlinuz", "initrd.img", "secure-boot.img"):
            run("cp", "--sparse=always", os.path.join(guest, name), self.guest)
        run("ip", "netns", "add", self.net)
        run("ip", "-n", self.net, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.net, "link", "set", "br0", "up")

    def host(self, name, kind=None, shared=None):
        """A running host of this name, with swtpm's programs of a kind (the one under test if none is said)."""
        if name not in self.hosts:
            self.hosts[name] = Host(self, name, len(self.hosts) + 1)
        self.hosts[name].start(kind or self.kind, shared)
        return self.hosts[name]

    def programs(self, kind):
        """A folder with the programs of a kind, each as a file of its own, for any user to run."""
        folder = os.path.join(self.dir, "bin-" + kind)
        if not os.path.isdir(folder):
            os.mkdir(folder)
            copies = {}
            for name, source in self.tools(kind).items():
                path = os.path.join(folder, name)
                if source in copies:  # one program by several names
                    os.link(copies[source], path)
                else:
                    copies[source] = shutil.copy(source, path)
        return folder

    def shared_folder(self):
        """A folder that libvirt takes for one on shared storage, which it tells by the file system's type."""
        real, seen = (os.path.join(self.dir, name) for name in ("shared", "shared-seen"))
        for folder in (real, seen):
            os.mkdir(folder, 0o711)
        run("bindfs", "-o", "subtype=glusterfs,allow_other", real, seen)
        self.mounts.append(seen)
        return seen

    def file(self, name, size):
        """A file of zeros that QEMU may use."""
        path = os.path.join(self.dir, name)
        with open(path, "wb") as file:
            file.truncate(size)
        os.chmod(path, 0o666)
        return path

    def logs(self):
        """The ends of the TPMs' and QEMUs' logs and of the consoles, for who has to find a fault."""
        found = []
        for folder, _, names in os.walk(self.dir):
            for name in names:
                if name.endswith(("-swtpm.log", ".console")) or os.path.basename(folder) == "qemu" and name.endswith(".log"):
                    path = os.path.join(folder, name)
                    lines = [line[:200] for line in tail(path, 15).splitlines() if not line.startswith("-")]
                    found.append(f"--- {os.path.relpath(path, self.dir)}\n" + "\n".join(lines))
        return "\n".join(sorted(found))

    def close(self, keep):
        """End all hosts and remove everything, but the files if they are to be kept."""
        if self in Site.sites:
            Site.sites.remove(self)
        for host in self.hosts.values():
            host.stop()
        for mount in self.mounts:
            run("umount", "-l", mount, check=False)
        run("ip", "netns", "del", self.net, check=False)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class Host:
    """One libvirtd with its guests."""

    def __init__(self, site, name, number):
        self.site, self.name, self.number = site, name, number
        self.dir = os.path.join(site.dir, name)
        self.net, self.address = f"{site.net}-{name}", f"10.99.0.{number}"
        self.process = self.kind = None
        for folder in ("run", "var-lib-libvirt", "cache", "log/libvirt", "log/swtpm", "authority"):
            os.makedirs(os.path.join(self.dir, folder))
        shutil.copytree("/etc/libvirt", os.path.join(self.dir, "etc-libvirt"), ignore=shutil.ignore_patterns("secrets", "storage", "*.xml", "autostart"))
        run("chown", "tss:root", os.path.join(self.dir, "authority"))
        os.chmod(os.path.join(self.dir, "authority"), 0o750)
        self._configure("libvirtd.conf", [
            f'host_uuid = "00000000-0000-4000-8000-{number:012d}"', "listen_tls = 0", "listen_tcp = 1",
            'auth_tcp = "none"', f'listen_addr = "{self.address}"',
        ])
        # Two hosts that see the same files must not both remember who owned them.
        self._configure("qemu.conf", [
            'stdio_handler = "file"', 'security_driver = "none"', "remember_owner = 0",
            f'migration_address = "{self.address}"', f'migration_host = "{self.address}"',
        ])

    def _configure(self, name, lines):
        path = os.path.join(self.dir, "etc-libvirt", name)
        keys = {line.split()[0] for line in lines}
        with open(path, encoding="utf-8") as file:
            old = [line for line in file.read().splitlines() if not line.split(" ")[0] in keys]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(old + lines) + "\n")

    def start(self, kind, shared=None):
        """Start libvirtd, as a boot of the host does."""
        if self.process:
            return
        self.kind = kind
        shutil.rmtree(os.path.join(self.dir, "run"))
        os.mkdir(os.path.join(self.dir, "run"))
        cable = f"h{self.number}"
        run("ip", "netns", "add", self.net)
        run("ip", "-n", self.site.net, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", self.net)
        run("ip", "-n", self.site.net, "link", "set", cable, "master", "br0", "up")
        run("ip", "-n", self.net, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("eth0", "lo"):
            run("ip", "-n", self.net, "link", "set", link, "up")
        environment = {"DIR": self.dir, "NAME": self.name, "SHARED": shared or "", "TOOLS": self.site.programs(kind)}
        pid = os.path.join(self.dir, "pid")
        if os.path.exists(pid):
            os.unlink(pid)
        words = [f"{name}={value}" for name, value in environment.items()]
        self.process = Process(
            ["env", *words, "ip", "netns", "exec", self.net, "unshare", "--mount", "--uts", "bash", "-euc", START],
            os.path.join(self.dir, "log", "out"),
        )
        wait_for(lambda: os.path.exists(pid) and self._answers(), 30, f"libvirtd of host {self.name}", self.process.alive)

    def _answers(self):
        return self.try_virsh("hostname")[0] == 0

    def inside(self, *command):
        """Words that run a command in the host's name spaces."""
        with open(os.path.join(self.dir, "pid"), encoding="ascii") as file:
            return ["nsenter", "-t", file.read().strip(), "-m", "-n", "-u", *command]

    def try_virsh(self, *command, timeout=120):
        """virsh on this host: (exit status, output)."""
        words = self.inside("virsh", "-q", "-c", "qemu:///system", *command)
        try:
            done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as e:
            raise SetupError(f"virsh {' '.join(command)} does not end: {e}") from e
        return done.returncode, done.stdout.strip()

    def virsh(self, *command, timeout=120):
        """virsh on this host must succeed; its output."""
        status, output = self.try_virsh(*command, timeout=timeout)
        if status:
            raise SetupError(f"host {self.name}: virsh {' '.join(command)}: exit {status}\n{output}")
        return output

    def write(self, name, text):
        """A file for virsh to read."""
        path = os.path.join(self.dir, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def secret(self, uuid, value, usage="vm1-vtpm"):
        """Define a secret of the usage vtpm, or give it another value."""
        xml = f"<secret ephemeral='no' private='yes'><uuid>{uuid}</uuid><usage type='vtpm'><name>{usage}</name></usage></secret>"
        self.virsh("secret-define", self.write("secret.xml", xml))
        self.virsh("secret-set-value", uuid, "--file", self.write("secret.value", value), "--plain")

    def path(self, *parts):
        """A file of this host, seen from outside: path("run", "libvirt", ...)."""
        return os.path.join(self.dir, *parts)

    def state(self, uuid):
        """The folder of a domain's TPM."""
        return self.path("var-lib-libvirt", "swtpm", uuid)

    def log(self, name):
        """What the TPM of a domain has logged."""
        path = self.path("log", "swtpm", "libvirt", "qemu", f"{name}-swtpm.log")
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def pids(self):
        """The processes in this host's name space."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.net, check=False).split() if pid.isdigit()]

    def tpms(self):
        """Ids of the TPM daemons that run on this host."""
        found = []
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    name = file.read().strip()
                with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                    dead = re.search(r"\) Z ", file.read())
            except OSError:
                continue
            if name == "swtpm" and not dead:
                found.append(pid)
        return found

    def stop(self):
        """End libvirtd and its guests; domains, secrets and TPMs are kept for the next start."""
        if not self.process:
            return
        self.process.stop()
        # What libvirtd had started has left its session, but not the name space.
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + 5
            while self.pids() and time.monotonic() < end:
                time.sleep(0.05)
        # A name space goes when the kernel finds the time: the next host of this name must not find the old one's cable.
        run("ip", "-n", self.net, "link", "del", "eth0", check=False)
        run("ip", "netns", "del", self.net, check=False)
        self.process = None
