"""A libvirt domain with the test guest and a TPM."""

import os
import shutil
import time
import uuid
from xml.sax.saxutils import quoteattr

from harness.agent import Agent
from harness.guest import Shell
from harness.process import SetupError, tail


class Domain(Shell):
    """The same domain on whichever host it is."""

    def __init__(self, site, name="vm1", model="crb", firmware="seabios", version="2.0", secret=None, banks=(), persistent_state=False,
                 external=None, disks=(), memory=320, timeout=240):
        """`secret` is the UUID of a libvirt secret, `external` the socket of a daemon that libvirt does not start."""
        self.site, self.name, self.timeout = site, name, timeout
        self.model, self.firmware, self.version, self.secret = model, firmware, version, secret
        self.banks, self.persistent_state, self.external, self.disks = banks, persistent_state, external, list(disks)
        self.memory = 512 if firmware == "ovmf-secboot" else memory
        self.uuid = str(uuid.uuid4())
        self.host = self.channel = None

    def xml(self):
        """Its description. Software emulation, so that it runs everywhere."""
        guest = self.site.guest
        boot = f"<kernel>{guest}/vmlinuz</kernel><initrd>{guest}/initrd.img</initrd><cmdline>console=ttyS0 panic=-1 quiet no_timer_check</cmdline>"
        attribute, firmware, features, disks = "", "", "<acpi/>", ""
        if self.firmware == "ovmf":
            attribute, firmware = " firmware='efi'", "<firmware><feature enabled='no' name='secure-boot'/></firmware>"
        elif self.firmware == "ovmf-secboot":
            attribute, boot, features = " firmware='efi'", "", "<acpi/><smm state='on'/>"
            firmware = "<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='yes' name='enrolled-keys'/></firmware>"
            image = os.path.join(self.site.dir, f"{self.name}-boot.img")
            if not os.path.exists(image):
                shutil.copy(os.path.join(guest, "secure-boot.img"), image)
                os.chmod(image, 0o666)
            disks = (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file={quoteattr(image)}/>"
                     "<target dev='vda' bus='virtio'/><boot order='1'/></disk>")
        for index, disk in enumerate(self.disks):
            kind = "qcow2" if disk.endswith(".qcow2") else "raw"
            disks += (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file={quoteattr(disk)}/>"
                      f"<target dev='vd{chr(98 + index)}' bus='virtio'/><serial>disk{index}</serial></disk>")
        if self.external:
            tpm = f"<backend type='external'><source type='unix' mode='connect' path={quoteattr(self.external)}/></backend>"
        else:
            inner = f"<encryption secret='{self.secret}'/>" if self.secret else ""
            if self.banks:
                inner += "<active_pcr_banks>" + "".join(f"<{bank}/>" for bank in self.banks) + "</active_pcr_banks>"
            keep = " persistent_state='yes'" if self.persistent_state else ""
            tpm = f"<backend type='emulator' version='{self.version}'{keep}>{inner}</backend>"
        return f"""<domain type='qemu'>
  <name>{self.name}</name><uuid>{self.uuid}</uuid>
  <memory unit='MiB'>{self.memory}</memory><vcpu>1</vcpu>
  <os{attribute}><type arch='x86_64' machine='q35'>hvm</type>{firmware}{boot}</os>
  <features>{features}</features>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>{disks}
    <serial type='file'><source path='/var/log/libvirt/{self.name}.console'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='/run/libvirt/{self.name}.agent'/><target port='1'/></serial>
    <tpm model='tpm-{self.model}'>{tpm}</tpm>
    <memballoon model='none'/>
  </devices>
</domain>"""

    def define(self, host):
        """Make it known to a host."""
        self.host = host
        host.virsh("define", host.write("domain.xml", self.xml()))

    def start(self, host=None):
        """Switch it on and wait for Linux."""
        self.host = host or self.host
        self.host.virsh("start", self.name, timeout=self.timeout)
        self.connect(booting=True)

    def begin(self, host):
        """Make it known to a host, switch it on, and leave something of every kind in its TPM."""
        self.define(host)
        self.start()
        self.script("move-prepare.sh")

    def next_boot_finds_it(self):
        """What begin() has left in the TPM is stored: the next boot finds it."""
        if self.state() != "shut off":
            self.destroy()
        self.start()
        self.script("move-check-boot.sh")
        self.destroy()

    def connect(self, booting=False):
        """Talk to the guest on the host where it is now."""
        path = self.host.path("run", "libvirt", f"{self.name}.agent")
        try:
            self.channel = Agent(path)
            self.channel.ping(self.timeout if booting else 60)
        except SetupError as e:
            console = self.host.path("log", "libvirt", f"{self.name}.console")
            raise SetupError(f"the guest does not answer: {e}\n--- console\n{tail(console)}") from e

    def agent(self):
        """The guest's command channel."""
        return self.channel

    def destroy(self):
        """Cut its power; its TPM daemon must end."""
        self.host.virsh("destroy", self.name)

    def power_off(self):
        """Orderly power-off from inside."""
        self.agent().start("(sleep 0.2; poweroff -f) >/dev/null 2>&1 &")
        if not self._off(60):
            raise SetupError("the guest does not power off")

    def _off(self, timeout):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.state() == "shut off":
                return True
            time.sleep(0.2)
        return False

    def state(self):
        """running, paused, shut off, or nothing if the host does not know it."""
        status, output = self.host.try_virsh("domstate", self.name)
        return None if status else output

    def files(self, host=None):
        """Names and contents of its TPM's files on a host, the one where it is if none is said."""
        found = {}
        for folder, _, names in os.walk((host or self.host).state(self.uuid)):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    found[name] = file.read()
        return found
