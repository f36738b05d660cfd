"""What attempts of jobs add to the figures of `/metrics`. No I/O.

A figure is a name with the values of its labels, joined by commas as the table `counters` keeps them. Figures are whole
numbers and only grow: a sum of seconds in floating point, added up in another order, would fall by a hair, and a
monitor would take that for a restart.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Figure: TypeAlias = tuple[str, str]
Figures: TypeAlias = Mapping[Figure, int]

ATTEMPTS = "job_attempts"
RETRIES = "job_retries"
RUN_MS = "job_run_ms"
WAIT_MS = "job_wait_ms"
LOST_CLAIMS = "lost_claims"
COPIED_BYTES = "copied_bytes"
SWEEPS = "sweeps"
REAPS = "reaps"
RINGS = "rings"

# Upper bounds of buckets: a probe takes milliseconds, a copy hours.
RUN_BOUNDS_MS = (50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000)
WAIT_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
BEYOND = "+Inf"


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """What is counted of an attempt. `waited_ms` is from the job's creation to this attempt's beginning; `ran_ms` and
    `outcome` are None while it runs."""

    kind: str
    queue: str
    attempt: int
    waited_ms: int
    ran_ms: int | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations as Prometheus writes them: (upper bound in seconds, how many up to it), and their sum."""

    buckets: list[tuple[str, float]]
    sum_s: float


def figures_of(attempts: Iterable[AttemptFacts]) -> Counter[Figure]:
    """Return what `attempts` add to the figures; one that still runs has not added its end yet.

    Only a job's first attempt tells how long a job waits: later ones wait on purpose.
    """
    found: Counter[Figure] = Counter()
    for facts in attempts:
        if facts.attempt == 1:
            _observe(found, WAIT_MS, facts.queue, facts.waited_ms, WAIT_BOUNDS_MS)
        else:
            found[RETRIES, facts.kind] += 1
        if facts.outcome is not None and facts.ran_ms is not None:
            found[ATTEMPTS, f"{facts.kind},{facts.outcome}"] += 1
            _observe(found, RUN_MS, facts.kind, facts.ran_ms, RUN_BOUNDS_MS)
    return found


def histogram(figures: Figures, name: str, label: str, bounds_ms: Sequence[int]) -> Histogram:
    """Return one histogram out of `figures`.

    What was counted under a bound that another release had is counted under the next one that there is.
    """
    alone = [0] * (len(bounds_ms) + 1)
    for (figure, labels), amount in figures.items():
        key, _, bound = labels.rpartition(",")
        if figure == f"{name}_bucket" and key == label:
            alone[len(bounds_ms) if bound == BEYOND else bisect_left(bounds_ms, int(bound))] += amount
    written = [f"{bound_ms / 1000:g}" for bound_ms in bounds_ms] + [BEYOND]
    buckets = [(bound, float(sum(alone[: place + 1]))) for place, bound in enumerate(written)]
    return Histogram(buckets, figures.get((f"{name}_sum", label), 0) / 1000)


def _observe(found: Counter[Figure], name: str, label: str, span_ms: int, bounds_ms: Sequence[int]) -> None:
    # A clock that was set back makes spans below zero, and the sum must not fall.
    span_ms = max(0, span_ms)
    place = bisect_left(bounds_ms, span_ms)
    bound = str(bounds_ms[place]) if place < len(bounds_ms) else BEYOND
    found[f"{name}_bucket", f"{label},{bound}"] += 1
    found[f"{name}_sum", label] += span_ms
