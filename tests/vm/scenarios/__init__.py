"""The scenarios by name. Each is a function of the options of run.py and a work place; it raises when it fails."""

from . import boot, control, crash, disk, exchange, move, passthrough, power, software, takeover

SCENARIOS = {}
for part in (boot, power, disk, move, crash, software, takeover, exchange, control, passthrough):
    SCENARIOS |= part.SCENARIOS

# Those with live migrations.
LIVE = [name for name in SCENARIOS if name.startswith(("move-live", "move-failed", "move-shared", "move-swtpm"))]

# What guards every change: each front end, each firmware, and each way the TPM's state can go, once.
QUICK = [
    "boot-crb-ovmf",
    "boot-tis-ovmf",
    "boot-tis-seabios",
    "disk-luks-seabios",
    "power-sleep-seabios",
    "move-live-seabios",
    "move-snapshot-seabios",
    "crash-nv",
    "takeover-plain",
]
