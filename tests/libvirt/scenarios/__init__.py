"""The scenarios by name. Each is a function of a site (hosts.py), whose tools are those under test."""

from . import life, migrate, replace, saved

SCENARIOS = {}
for part in (life, saved, migrate, replace):
    SCENARIOS |= part.SCENARIOS
