"""Tables of timings, as every benchmark prints them."""

import statistics
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0.0 to 1.0) of `values` lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def timings(values_s: Sequence[float]) -> list[str]:
    """Return p50, p99 and the maximum of `values_s` in milliseconds, and how many there are."""
    milliseconds = [1000 * value for value in values_s]
    figures = (statistics.median(milliseconds), percentile(milliseconds, 0.99), max(milliseconds))
    return [*(f"{figure:.2f}" for figure in figures), str(len(values_s))]


def print_timings(title: str, rows: Mapping[str, Sequence[float]]) -> None:
    """Print a table with a row for each measure; the values are seconds."""
    table = Table("measure", "p50 ms", "p99 ms", "max ms", "n", title=title, title_justify="left")
    for name, values_s in rows.items():
        table.add_row(name, *timings(values_s))
    Console(width=140).print(table)


def print_rows(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table."""
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)
