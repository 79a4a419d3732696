#!/usr/bin/env python3
"""That an encrypted state stays encrypted: real daemons, full of things that are known here, and the search for them in all
files, in every byte that the daemon wrote, in its log, command line and environment, in its memory, and in core dumps.

    run.py [--list] [--markdown FILE] [--json FILE] [NAME...]      NAME is a part of a case's name

Needs strace, and root to look into the processes. Every search is also made where it must find something.
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
import cases
import looking_in
from harness import runner

if __name__ == "__main__":
    purpose = "looking into the memory of a daemon that forbids it"
    runner.traced_cases(__doc__, purpose, {**cases.CASES, **looking_in.CASES})
