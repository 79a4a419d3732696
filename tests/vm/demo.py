#!/usr/bin/env python3
"""The demo: a secret sealed to a TPM survives a power cut, and only the right PCRs release it.

Boots a Linux guest with UEFI Secure Boot on a TPM whose state is encrypted, seals a secret to PCR 7 inside the guest,
kills QEMU and the TPM daemon without warning, boots again on the same state, and unseals.
Called by `cargo xtask demo`, which builds and installs what this needs.
"""

import argparse
import os
import secrets
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness.daemon import VTPMD, Daemon, Workplace
from harness.guest import script
from harness.machine import Machine
from harness.process import Process, SetupError, interruptible, tail

HANDLE = "0x81010020"


class Story:
    """Prints what happens, with the time since the start; on a terminal the running step counts its seconds."""

    def __init__(self):
        self.start, self.live = time.monotonic(), sys.stdout.isatty()

    def _stamp(self):
        return f"[{time.monotonic() - self.start:5.1f} s]"

    def say(self, text):
        """One finished step."""
        print(f"{self._stamp()} {text}", flush=True)

    def during(self, text, work, hint=lambda: ""):
        """A step that takes a while: announce it, run it, show that it is alive; `work()`'s result."""
        self.say(text)
        done = threading.Event()

        def tick():
            shown = None
            while not done.wait(0.5 if self.live else 5):
                now = hint()
                if self.live:
                    print(f"\r\033[K{self._stamp()}   … {now}", end="", flush=True)
                elif now and now != shown:
                    self.say(f"  … {now}")
                shown = now
            if self.live:
                print("\r\033[K", end="", flush=True)

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            return work()
        finally:
            done.set()
            thread.join()


def boot_stage(console):
    """What the guest's console shows it to be doing."""
    try:
        with open(console, "rb") as file:
            text = file.read()
    except OSError:
        text = b""
    for mark, stage in ((b"guest: up", "Linux is up"), (b"Linux version", "Linux starts"), (b"Booting", "GRUB"),
                        (b"BdsDxe: starting", "the firmware starts the signed boot loader")):
        if mark in text:
            return stage
    return "the firmware measures itself into the TPM"


def in_guest(machine, script, what, env=None):
    """Run a script in the guest; its output."""
    status, output = machine.agent.run(script, timeout=60, env=env)
    if status:
        raise SetupError(f"{what} failed in the guest (exit {status}):\n{output.strip()}")
    return output


def pcr7(machine):
    """PCR 7 of the SHA-256 bank: the Secure Boot policy that the guest was booted with."""
    output = in_guest(machine, "cat /sys/class/tpm/tpm0/pcr-sha256/7", "reading PCR 7")
    return output.strip().lower()


def boot(story, options, place, daemon, number):
    """Start the TPM daemon and the machine and wait for Linux; the machine."""
    daemon.start_for_qemu()
    machine = Machine(options.guest, place.dir, place.sockets, daemon.ctrl, model=options.model, firmware="ovmf-secboot",
                      accel=options.accel)
    if os.path.exists(machine.console):
        os.rename(machine.console, f"{machine.console}.{number - 1}")
    machine.start()
    story.during(f"Boot {number}: QEMU with UEFI Secure Boot and tpm-{options.model} ({options.accel})",
                 lambda: machine.wait_boot(options.timeout), lambda: boot_stage(machine.console))
    secure = in_guest(machine, "tail -c1 /sys/firmware/efi/efivars/SecureBoot-* | hexdump -e '1/1 \"%d\"'", "Secure Boot")
    story.say(f"  Linux {machine.agent.kernel} is up, Secure Boot is {'on' if secure.strip() == '1' else 'OFF'}")
    if secure.strip() != "1":
        raise SetupError("the guest was booted without Secure Boot")
    return machine


def run(story, options, place, daemon):
    """The whole story; raises SetupError when anything is not as it must be."""
    secret = secrets.token_hex(16)
    story.say(f"TPM state: a new one in {os.path.relpath(daemon.state)}, encrypted with the key in "
              f"{os.path.relpath(daemon.key)}")
    machine = boot(story, options, place, daemon, 1)
    output = in_guest(machine, script("eventlog-replay.sh"), "event log replay")
    story.say(f"  measured boot: {output.strip().splitlines()[-1]}")
    first = pcr7(machine)
    story.during(f"Seal the secret {secret} to PCR 7, at handle {HANDLE}",
                 lambda: in_guest(machine, script("seal-pcr.sh"), "sealing", {"SECRET": secret, "HANDLE": HANDLE}))
    machine.kill()
    daemon.kill()
    story.say("Power cut: QEMU and the TPM daemon are killed (SIGKILL), nobody was told")
    plain = [name for name, data in files(daemon.state) if secret.encode() in data or bytes.fromhex(secret) in data]
    if plain:
        raise SetupError(f"the secret is readable in the state: {', '.join(plain)}")
    machine = boot(story, options, place, daemon, 2)
    second = pcr7(machine)
    unsealed = story.during("Unseal", lambda: in_guest(
        machine, f"tpm2_unseal -c {HANDLE} -p pcr:sha256:7", "unsealing")).strip()
    if unsealed != secret:
        raise SetupError(f"unsealed {unsealed!r}, but {secret!r} was sealed")
    story.say(f"  the TPM released {unsealed}: it is the same secret")
    refused = in_guest(machine, script("unseal-pcr.sh"), "the check that a changed PCR 7 is refused",
                       {"SECRET": secret, "HANDLE": HANDLE}).strip().splitlines()[-1]
    story.say(f"  {refused}")
    machine.power_off()
    if not daemon.process.wait(10):
        raise SetupError("the TPM daemon still runs 10 s after QEMU said that it ends")
    story.say("Powered off; the TPM daemon ended with QEMU")
    return first, second


def files(folder):
    """Names and contents of the files below a folder."""
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                yield name, file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", required=True, help="folder made by build-guest")
    parser.add_argument("--dir", required=True, help="folder for state, key, logs and console (emptied first)")
    parser.add_argument("--tpm-cmd", default=VTPMD, metavar="TEMPLATE", help="another TPM daemon, for comparison")
    parser.add_argument("--model", choices=["crb", "tis"], default="crb")
    parser.add_argument("--accel", choices=["tcg", "kvm"], default="tcg", help="QEMU's accelerator")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one boot")
    options = parser.parse_args()
    interruptible()
    story = Story()
    place = Workplace(options.dir)
    daemon = Daemon(options.tpm_cmd, place.dir, place.sockets)
    try:
        first, second = run(story, options, place, daemon)
    except (SetupError, OSError) as e:
        print(f"\nThe demo failed: {e}", file=sys.stderr)
        print(f"--- the TPM daemon's last words\n{tail(daemon.log + '.out')}\n{tail(daemon.log)}", file=sys.stderr)
        print(f"Everything is kept in {os.path.relpath(place.dir)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. QEMU and the TPM daemon are ended, everything is kept in {os.path.relpath(place.dir)}",
              file=sys.stderr)
        return 130
    finally:
        Process.end_all()
        place.close(keep=True)
    show = os.path.relpath
    state = ", ".join(f"{name} ({len(data)} bytes)" for name, data in files(daemon.state))
    print(f"""
What happened
  A secret was sealed to PCR 7 (the Secure Boot policy) by a TPM, the power was cut, and after the next boot the
  same TPM released it; once PCR 7 was changed, it refused.
  PCR 7, boot 1   {first}
  PCR 7, boot 2   {second}
Where to look
  TPM state       {show(daemon.state)}: {state}
  state key       {show(daemon.key)}
  TPM log         {show(daemon.log)}
  guest console   {show(os.path.join(place.dir, 'vm.console'))} (first boot: vm.console.1)
  QEMU log        {show(os.path.join(place.dir, 'vm.log'))}
Done in {time.monotonic() - story.start:.0f} s.""")
    return 0


sys.exit(main())
