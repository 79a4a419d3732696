"""A QEMU process with a TPM.

By default by software emulation (TCG): it works on every host, needs no rights, and a guest is up in 3 to 15 seconds.
The accelerator is a setting because KVM is faster where it works, and not there on many machines that run tests.
"""

import os
import shutil
import time

from .agent import Agent
from .process import Process, SetupError, tail
from .qmp import Qmp

OVMF = "/usr/share/OVMF"
FIRMWARE = {
    "seabios": None,
    "ovmf": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    "ovmf-secboot": ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
}


class Machine:
    """A guest: `model` is tis or crb, `firmware` one of FIRMWARE."""

    def __init__(
        self, guest, workdir, sockets, tpm_ctrl, name="vm", model="crb", firmware="seabios", memory=512, disks=(),
        disk_format="raw", accel="tcg", incoming=None, variables=None, initrd="initrd.img",
    ):
        """`incoming` is where a migration comes from, `variables` the file of the UEFI variables if not its own."""
        path = lambda suffix: os.path.join(workdir, f"{name}.{suffix}")
        self.console, self.log, self.variables = path("console"), path("log"), variables or path("vars.fd")
        self.qmp_path, self.agent_path = os.path.join(sockets, name + ".qmp"), os.path.join(sockets, name + ".agent")
        self.qmp = self.agent = self.process = None
        self.slept, self.firmware = False, firmware
        for part in ("vmlinuz", initrd, "secure-boot.img"):
            if not os.path.exists(os.path.join(guest, part)):
                raise SetupError(f"no {part} in {guest}: run tests/vm/build-guest --out {guest}")
        machine = f"q35,accel={accel}"
        argv = ["qemu-system-x86_64", "-name", name, "-nodefaults", "-display", "none", "-m", str(memory)]
        argv += ["-qmp", f"unix:{self.qmp_path},server=on,wait=off"]
        argv += ["-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console"]
        argv += ["-chardev", f"socket,id=agent,path={self.agent_path},server=on,wait=off", "-serial", "chardev:agent"]
        if FIRMWARE[firmware]:
            code, template = (os.path.join(OVMF, name) for name in FIRMWARE[firmware])
            if not os.path.exists(code):
                raise SetupError(f"{code} not found; install with: apt-get install ovmf")
            if not os.path.exists(self.variables):
                shutil.copy(template, self.variables)
            argv += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"]
            argv += ["-drive", f"if=pflash,unit=1,format=raw,file={self.variables}"]
        if firmware == "ovmf-secboot":
            # The firmware with Secure Boot protects its variables by SMM. The Microsoft keys in the template do not
            # cover a kernel passed with -kernel, so the guest boots from a disk with shim and GRUB.
            machine += ",smm=on"
            argv += ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"]
            image = os.path.join(guest, "secure-boot.img")
            argv += ["-drive", f"if=none,id=boot,format=raw,file={image},snapshot=on"]
            argv += ["-device", "virtio-blk-pci,drive=boot,bootindex=1"]
        else:
            argv += ["-kernel", os.path.join(guest, "vmlinuz"), "-initrd", os.path.join(guest, initrd)]
            argv += ["-append", "console=ttyS0 panic=-1 quiet no_timer_check"]
        argv += ["-machine", machine]
        for index, disk in enumerate(disks):
            argv += ["-drive", f"if=none,id=disk{index},format={disk_format},file={disk}"]
            argv += ["-device", f"virtio-blk-pci,drive=disk{index},serial=disk{index}"]
        argv += ["-chardev", f"socket,id=chrtpm,path={tpm_ctrl}"]
        argv += ["-tpmdev", "emulator,id=tpm0,chardev=chrtpm", "-device", f"tpm-{model},tpmdev=tpm0"]
        if incoming:
            argv += ["-incoming", incoming]
        self.argv = argv

    def alive(self):
        """Whether QEMU runs."""
        return self.process is not None and self.process.alive()

    def start(self):
        """Switch the machine on."""
        for path in (self.qmp_path, self.agent_path):
            if os.path.exists(path):
                os.unlink(path)
        self.started = time.monotonic()
        self.process = Process(self.argv, self.log)
        try:
            self.qmp = Qmp(self.qmp_path, alive=self.alive)
            self.agent = Agent(self.agent_path, alive=self.alive)
        except SetupError as e:
            self.process.stop()
            raise SetupError(f"QEMU did not start: {e}\n--- {self.log}\n{tail(self.log)}") from e
        return self

    def wait_boot(self, timeout=90):
        """Wait until the guest answers; seconds since it was switched on or reset."""
        try:
            self.agent.wait_ready(timeout)
        except SetupError as e:
            details = f"--- QEMU\n{tail(self.log)}\n--- console\n{tail(self.console)}"
            raise SetupError(f"the guest did not come up: {e}\n{details}") from e
        return time.monotonic() - self.started

    def reset(self, timeout=90):
        """The reset button; waits for the next boot."""
        self.started = time.monotonic()
        self.agent.forget()
        self.qmp.cmd("system_reset")
        return self.wait_boot(timeout)

    def suspend(self, timeout=30):
        """Suspend to RAM (ACPI S3) from inside the guest, then wake it up."""
        self.agent.run("(sleep 0.3; echo mem > /sys/power/state) >/dev/null 2>&1 &")
        self.qmp.wait_event("SUSPEND", timeout)
        time.sleep(0.5)
        self.qmp.cmd("system_wakeup")
        self.qmp.wait_event("WAKEUP", timeout)
        time.sleep(1)
        self.agent.ping(timeout)
        self.slept = True

    def kill(self):
        """Cut the power: SIGKILL to QEMU, nothing is said to guest or TPM."""
        if self.process:
            self.process.kill()

    def quit(self):
        """End QEMU in order (which says CMD_SHUTDOWN to the TPM daemon), with the guest still running."""
        if not self.alive():
            return
        try:
            self.qmp.cmd("quit")
            self.process.wait(10)
        except (SetupError, OSError):
            pass
        self.process.stop()

    def power_off(self, timeout=30):
        """Orderly power-off from inside the guest: its driver sends TPM2_Shutdown."""
        if self.slept and self.firmware == "seabios":
            timeout = 3  # after S3 with SeaBIOS on q35 the ACPI power-off has no effect
        try:
            self.agent.run("(sleep 0.2; poweroff -f) >/dev/null 2>&1 &", timeout=timeout)
            self.process.wait(timeout)
        except (SetupError, OSError):
            pass
        self.quit()
