"""Results of a list of cases: a line for each as it ends, and counts; if wanted a table of all, Markdown and JSON."""

import concurrent.futures
import dataclasses
import json
import sys
import threading
import time
import traceback

from .process import SetupError


class CaseFailed(Exception):
    """The TPM did not do what it should."""


def expect(condition, message):
    """Fail the case unless a condition holds."""
    if not condition:
        raise CaseFailed(message)


@dataclasses.dataclass
class Result:
    """How one case ended on one program. `note` is what a case that passed had to say."""

    name: str
    program: str
    passed: bool
    seconds: float
    note: str = ""

    def short(self):
        """As a cell of the table."""
        return f"{'ok' if self.passed else 'FAILED'}, {self.seconds:.1f} s"


class Report:
    """Runs cases and remembers how they ended."""

    def __init__(self):
        self.results, self.lock = [], threading.Lock()

    def case(self, name, run, program=""):
        """Run one case: `run()` raises CaseFailed or SetupError if it fails, and may return a note. Whether it passed."""
        return self._case(name, run, program, alone=True)

    def cases(self, cases, jobs):
        """Run cases, some at the same time; each is reported when it ends. `cases` are (name, program, run)."""
        if jobs <= 1:
            for name, program, run in cases:
                self._case(name, run, program, alone=True)
            return
        pool = concurrent.futures.ThreadPoolExecutor(jobs)
        try:
            for future in [pool.submit(self._case, name, run, program, False) for name, program, run in cases]:
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _case(self, name, run, program, alone):
        title = f"  {name}{f' ({program})' if program else ''} ... "
        if alone:
            print(title, end="", flush=True)
            title = ""
        start, note, error = time.monotonic(), None, None
        try:
            note = run()
        except (CaseFailed, SetupError, OSError) as e:
            error = str(e)
        except Exception:  # a fault of the test must not hide what the others found
            error = traceback.format_exc()
        result = Result(name, program, error is None, round(time.monotonic() - start, 1), note or "")
        with self.lock:
            self.results.append(result)
            print(f"{title}{'ok' if result.passed else 'FAILED'} ({result.seconds:.1f} s)" + (f": {note}" if note else ""))
            if error is not None:
                print("    " + error.replace("\n", "\n    "))
            sys.stdout.flush()
        return result.passed

    def table(self):
        """A line for each case, a column for each program: (header, rows)."""
        programs = list(dict.fromkeys(result.program for result in self.results))
        names = list(dict.fromkeys(result.name for result in self.results))
        cells = {(result.name, result.program): result for result in self.results}
        rows, notes = [], any(result.note for result in self.results)
        for name in names:
            row = [cells[name, program].short() if (name, program) in cells else "" for program in programs]
            said = [cells[name, program].note for program in programs if (name, program) in cells]
            rows.append([name, *row, *(["; ".join(dict.fromkeys(filter(None, said)))] if notes else [])])
        return ["case", *(program or "result" for program in programs), *(["note"] if notes else [])], rows

    def show(self):
        """Print the table."""
        header, rows = self.table()
        widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
        print()
        for row in [header, *rows]:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def markdown(self, about):
        """The table for a page; `about` says what was run, by name."""
        header, rows = self.table()
        lines = [f"{name}: {value}  " for name, value in about.items()]
        lines += ["", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        return "\n".join([*lines, "", self.counts(), ""])

    def json(self, about):
        """All results for a program."""
        return json.dumps({"about": about, "results": [dataclasses.asdict(result) for result in self.results]}, indent=1) + "\n"

    def counts(self):
        """How many passed and failed."""
        passed = sum(result.passed for result in self.results)
        return f"{passed} passed, {len(self.results) - passed} failed"

    def finish(self, table=False):
        """Print the table, if wanted, and the counts and leave; the exit status is 1 if a case failed or none ran."""
        if table and len(self.results) > 1:
            self.show()
            print()
        for result in self.results:
            if not result.passed:
                print(f"failed: {result.name}" + (f" ({result.program})" if result.program else ""))
        print(self.counts())
        sys.exit(0 if self.results and all(result.passed for result in self.results) else 1)
