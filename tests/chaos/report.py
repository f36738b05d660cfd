"""What one storm came to, as a table."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.chaos.storm import Outcome

_SHOWN: Final = 25


def print_outcome(outcome: Outcome) -> None:
    """Print the table of one storm, and below it each violation."""
    table = Table(show_header=False, title=outcome.title, title_justify="left")
    for name, value in _rows(outcome):
        table.add_row(name, value)
    console = Console(width=120)
    console.print(table)
    for line in outcome.violations[:_SHOWN]:
        console.print(f"  ! {line}", markup=False, highlight=False)
    if len(outcome.violations) > _SHOWN:
        console.print(f"  ! ... and {len(outcome.violations) - _SHOWN} more")
    if outcome.folder:
        console.print(f"Logs, database and store are kept in {outcome.folder}")


def _rows(outcome: Outcome) -> Iterator[tuple[str, str]]:
    verdict = outcome.verdict
    yield "acknowledged", f"{verdict.acknowledged} (of {outcome.tries} requests sent)"
    yield "READY", str(verdict.ready)
    yield "FAILED with a right reason", f"{verdict.reasons.total()} ({_told(verdict.reasons)})"
    yield "lost", str(len(verdict.lost))
    yield "doubled", str(len(verdict.doubled))
    yield "wrong bytes", str(len(verdict.wrong_bytes))
    yield "stuck", str(len(verdict.stuck))
    yield "READY or FAILED wrongly", str(len(verdict.misjudged))
    yield "invariants broken", str(len(verdict.broken))
    yield "defects in logs, odd answers", f"{len(verdict.defects)}, {outcome.surprises.total()}"
    yield "drained within", "not drained" if outcome.drain_s is None else f"{outcome.drain_s:.1f} s"
    yield "jobs", f"{outcome.jobs}; by attempts: " + ", ".join(f"{n}: {c}" for n, c in sorted(outcome.attempts.items()))
    yield "faults", f"{outcome.faults.total()} ({_told(outcome.faults)})"


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
