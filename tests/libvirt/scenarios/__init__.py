"""The scenarios by name. Each is a function of a site (hosts.py), whose tools are those under test; it may return a note."""

from . import life, migrate, replace, saved

SCENARIOS = {}
for part in (life, saved, migrate, replace):
    SCENARIOS |= part.SCENARIOS

# Those with live migrations.
LIVE = [name for name in SCENARIOS if name.startswith(("migrate-", "replace-between"))]

# Those that use Debian's programs and ours.
BOTH = replace.BOTH
