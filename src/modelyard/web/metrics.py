"""Numbers for Prometheus, read in the database when they are asked for, so that each process shows the same.

What is shown stands in three tables, one for each type of metric; a test compares them with docs/reference/metrics.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlmodel import Session, col, select

from modelyard.database.session import snapshot
from modelyard.database.tables import Job
from modelyard.jobs.counters import read_figures
from modelyard.registry.integrity import count_damage
from modelyard.registry.workforce import QueueLoad, count_alive, queue_loads
from modelyard.rules import figures as names
from modelyard.rules.figures import RUN_BOUNDS_MS, WAIT_BOUNDS_MS, Figures, histogram
from modelyard.rules.jobs import QUEUES, AttemptOutcome, JobKind, JobStatus
from modelyard.web.site import Site

Samples: TypeAlias = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class State:
    """How things stand: (kind, status) -> jobs, the queues, the workers alive, what was counted, what is damaged."""

    jobs: dict[tuple[str, str], int]
    loads: list[QueueLoad]
    alive: int
    figures: Figures
    damaged_blobs: int
    damaged_versions: int


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric that rises and falls."""

    name: str
    labels: tuple[str, ...]
    text: str
    samples: Callable[[State], Samples]

    def family(self, state: State) -> Metric:
        """Return the metric as it is now."""
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for labels, value in self.samples(state):
            family.add_metric(labels, value)
        return family


@dataclass(frozen=True, slots=True)
class Total:
    """A metric that only grows. `known` are the labels that are shown from the start, so that no growth is missed."""

    name: str
    labels: tuple[str, ...]
    text: str
    figure: str
    known: tuple[str, ...] = ("",)

    def family(self, state: State) -> Metric:
        """Return the metric as it is now."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        counted = {labels: amount for (figure, labels), amount in state.figures.items() if figure == self.figure}
        for labels, amount in sorted({**dict.fromkeys(self.known, 0), **counted}.items()):
            family.add_metric(labels.split(",") if labels else [], amount)
        return family


@dataclass(frozen=True, slots=True)
class Spans:
    """A metric of times, as a histogram with one label."""

    name: str
    labels: tuple[str]
    text: str
    figure: str
    bounds_ms: Sequence[int]
    known: tuple[str, ...]

    def family(self, state: State) -> Metric:
        """Return the metric as it is now."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        counted = {label for figure, label in state.figures if figure == f"{self.figure}_sum"}
        for label in sorted(counted.union(self.known)):
            found = histogram(state.figures, self.figure, label, self.bounds_ms)
            family.add_metric([label], found.buckets, found.sum_s)
        return family


_KINDS = tuple(JobKind)

GAUGES = [
    Gauge("modelyard_jobs", ("kind", "status"), "Jobs in the database.", lambda state: state.jobs.items()),
    Gauge(
        "modelyard_queue_depth",
        ("queue",),
        "Jobs that wait in a queue.",
        lambda state: [([load.queue], load.jobs[JobStatus.QUEUED]) for load in state.loads],
    ),
    Gauge(
        "modelyard_queue_oldest_age_seconds",
        ("queue",),
        "For how long the job that waits longest in a queue could have run.",
        lambda state: [([load.queue], (load.oldest_age_ms or 0) / 1000) for load in state.loads],
    ),
    Gauge("modelyard_workers_alive", (), "Workers seen lately.", lambda state: [([], state.alive)]),
    Gauge(
        "modelyard_workers",
        ("queue",),
        "Workers seen lately that listen to a queue.",
        lambda state: [([load.queue], load.workers) for load in state.loads],
    ),
    Gauge(
        "modelyard_worker_slots",
        ("queue",),
        "Jobs that the workers which listen to a queue do at once.",
        lambda state: [([load.queue], load.slots) for load in state.loads],
    ),
    Gauge(
        "modelyard_damaged_blobs",
        (),
        "Stored files found missing or changed.",
        lambda state: [([], state.damaged_blobs)],
    ),
    Gauge(
        "modelyard_damaged_versions",
        (),
        "Model versions that use such a file.",
        lambda state: [([], state.damaged_versions)],
    ),
]

TOTALS = [
    Total(
        "modelyard_job_attempts",
        ("kind", "outcome"),
        "Attempts of jobs that have ended.",
        names.ATTEMPTS,
        tuple(f"{kind},{outcome}" for kind, outcome in product(JobKind, AttemptOutcome)),
    ),
    Total("modelyard_job_retries", ("kind",), "Attempts behind the first of a job.", names.RETRIES, _KINDS),
    Total(
        "modelyard_lost_claims",
        ("kind",),
        "Attempts whose worker found the job to be another's.",
        names.LOST_CLAIMS,
        _KINDS,
    ),
    Total(
        "modelyard_copied_bytes",
        ("kind",),
        "Bytes that jobs have copied.",
        names.COPIED_BYTES,
        (JobKind.REGISTER_VERSION,),
    ),
    Total("modelyard_sweeps", (), "Rounds of sweeps.", names.SWEEPS),
    Total("modelyard_reaps", (), "Jobs that sweeps took from lost workers.", names.REAPS),
    Total("modelyard_rings", (), "Wake-ups that sweeps sent for jobs that waited too long.", names.RINGS),
]

SPANS = [
    Spans(
        "modelyard_job_run_seconds",
        ("kind",),
        "How long attempts of jobs took.",
        names.RUN_MS,
        RUN_BOUNDS_MS,
        _KINDS,
    ),
    Spans(
        "modelyard_job_wait_seconds",
        ("queue",),
        "How long jobs waited from their creation to their first attempt.",
        names.WAIT_MS,
        WAIT_BOUNDS_MS,
        QUEUES,
    ),
]


FAMILIES: Sequence[Gauge | Total | Spans] = [*GAUGES, *TOTALS, *SPANS]


def metrics_text(site: Site) -> bytes:
    """Return all metrics in Prometheus' text format. Raises what the database raises."""
    # As of one moment: figures move from attempts to counters, and must be seen in one of them.
    with snapshot(site.engine) as session:
        state = _read_state(session, site.sweep_ms)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected([described.family(state) for described in FAMILIES]))
    return generate_latest(registry)


def _read_state(session: Session, sweep_ms: int) -> State:
    counted = session.execute(select(Job.kind, Job.status, func.count()).group_by(col(Job.kind), col(Job.status)))
    damaged_blobs, damaged_versions = count_damage(session)
    return State(
        jobs={(kind, status): count for kind, status, count in counted},
        loads=queue_loads(session, sweep_ms=sweep_ms),
        alive=count_alive(session, sweep_ms=sweep_ms),
        figures=read_figures(session),
        damaged_blobs=damaged_blobs,
        damaged_versions=damaged_versions,
    )


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
