"""Results of a list of cases: a line for each, and counts at the end."""

import concurrent.futures
import sys
import threading
import time
import traceback

from .process import SetupError


class CaseFailed(Exception):
    """The TPM did not do what it should."""


class Report:
    """Runs cases one after the other and remembers how they ended."""

    def __init__(self):
        self.passed, self.failed, self.lock = 0, [], threading.Lock()

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

    def cases(self, cases, jobs):
        """Run named cases, some at the same time; each is reported when it ends."""
        if jobs <= 1:
            for name, run in cases.items():
                self.case(name, run)
            return

        def timed(name, run):
            start, error = time.monotonic(), None
            try:
                run()
            except (CaseFailed, SetupError, OSError) as e:
                error = e
            except Exception:  # a fault of the test must not hide what the others found
                error = traceback.format_exc()
            took = f"({time.monotonic() - start:.1f} s)"
            with self.lock:
                if error is None:
                    self.passed += 1
                    print(f"  {name} ... ok {took}", flush=True)
                else:
                    self.failed.append(name)
                    print(f"  {name} ... FAILED {took}\n    " + str(error).replace("\n", "\n    "), flush=True)

        pool = concurrent.futures.ThreadPoolExecutor(jobs)
        try:
            for future in [pool.submit(timed, name, run) for name, run in cases.items()]:
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def finish(self):
        """Print the counts and leave; the exit status is 1 if a case failed or none ran."""
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
