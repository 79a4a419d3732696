"""Live migrations that QEMU itself spoils.

Under software emulation (TCG) QEMU before 9.0 may forget pages that the guest writes while it is moved: after a dirty bitmap
was read, the processor's translation cache was not told, so that the next writes went unnoticed (fixed by QEMU commit
03bfc2188f06, "physmem: Fix migration dirty bitmap coherency with TCG memory access"; not in Debian's 7.2.22). The guest then
finds old memory: its kernel panics, or a process of it dies. It comes with any TPM, and no TPM can cause it, which never
writes to the guest's memory. KVM is not concerned.
"""

import re

from .process import SetupError, run
from .report import CaseFailed

# What a Linux guest says when its memory is not what it wrote.
DAMAGE = ("Kernel panic", "Oops:", "general protection fault", "segfault at", "BUG: unable to handle", "BUG: kernel NULL pointer")
ATTEMPTS = 3


def forgets_pages(accel="tcg"):
    """Whether this machine's QEMU has the fault."""
    version = re.search(r"version (\d+)\.", run("qemu-system-x86_64", "--version"))
    return accel == "tcg" and version is not None and int(version[1]) < 9


def again_if_damaged(scenario, accel="tcg"):
    """Run a scenario with live migrations. When the guest was damaged and this QEMU does that, it is run again, twice at most;
    a note says so. What the guest said last is looked for in the text of the failure."""
    damages = []
    while True:
        try:
            note = scenario()
            break
        except (CaseFailed, SetupError) as e:
            found = next((sign for sign in DAMAGE if sign in str(e)), None)
            if found is None or len(damages) + 1 == ATTEMPTS or not forgets_pages(accel):
                raise
            damages.append(found.rstrip(":"))
    if not damages:
        return note
    return f"run again: QEMU's migration had damaged the guest ({', '.join(damages)})" + (f"; {note}" if note else "")
