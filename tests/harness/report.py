"""Results of a list of cases: a line for each, and counts at the end."""

import sys
import time

from .process import SetupError


class CaseFailed(Exception):
    """The TPM did not do what it should."""


class Report:
    """Runs cases one after the other and remembers how they ended."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def case(self, name, run):
        """Run one case: `run()` raises CaseFailed or SetupError if it fails."""
        print(f"  {name} ... ", end="", flush=True)
        start = time.monotonic()
        try:
            run()
        except (CaseFailed, SetupError, OSError) as e:
            print(f"FAILED ({time.monotonic() - start:.1f} s)")
            print("    " + str(e).replace("\n", "\n    "), flush=True)
            self.failed.append(name)
            return False
        print(f"ok ({time.monotonic() - start:.1f} s)", flush=True)
        self.passed += 1
        return True

    def finish(self):
        """Print the counts and leave; the exit status is 1 if a case failed or none ran."""
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
