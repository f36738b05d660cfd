"""`python -m tests.mutants`: plants faults in copies of the source; exit status 1 when the tests miss one.

`--only WORD` plants those whose name contains it; `--tests PATH` lets other tests judge, such as tests/jobs/machine.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console
from rich.table import Column, Table

from tests.mutants.faults import FAULTS
from tests.mutants.planting import NOTHING, Verdict, judge

# Each brings a PostgreSQL of its own; more only compete for the machine.
AT_ONCE = 2


def main() -> int:
    """Judge every fault and print a table."""
    asked = _arguments()
    chosen = [fault for fault in FAULTS if asked.only in fault.name]
    every = sorted({test for fault in chosen for test in fault.tests})
    console = Console(width=140)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        judged = [pool.submit(judge, fault, asked.tests or fault.tests or every) for fault in [NOTHING, *chosen]]
        for number, done in enumerate(as_completed(judged), start=1):
            verdict = done.result()
            console.print(f"{number} of {len(judged)}: {verdict.outcome}: {verdict.name}", markup=False)
    verdicts = [each.result() for each in judged]
    console.print(_table(verdicts))
    for verdict in verdicts:
        if not verdict.expected:
            console.print(f"\n{verdict.name}: {verdict.outcome}\n{verdict.output}", markup=False, highlight=False)
    killed = sum(verdict.outcome == "killed" for verdict in verdicts if verdict.name != NOTHING.name)
    console.print(f"{len(chosen)} faults planted, {killed} killed.")
    return int(not all(verdict.expected for verdict in verdicts))


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("planted fault", "outcome", Column("by", overflow="fold"), "seconds")
    for verdict in verdicts:
        table.add_row(verdict.name, verdict.outcome, verdict.test, f"{verdict.seconds:.1f}")
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="plant the faults whose name contains this")
    parser.add_argument("--tests", action="append", help="let these tests judge instead of those that a fault names")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
