"""What should have moved by now: leases that nobody takes back, jobs that nobody listens for, schedules left behind.

Late for a moment is normal. Each of these waits several sweeps before it says that something is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from modelyard.database.clock import now_ms
from modelyard.database.tables import metadata
from modelyard.errors import InvalidValue
from modelyard.jobs.guards import jobs
from modelyard.jobs.schedules import rule_of, schedules
from modelyard.registry.health_checks import Finding
from modelyard.rules.jobs import JobKind, JobStatus

workers = metadata.tables["workers"]

# A sweep that was itself late reaps nothing in its round, and rounds have jitter.
MISSED_SWEEPS = 6
# A worker reports itself in each sweep.
_START_A_WORKER = "Start one: `modelyard worker`, or `modelyard up` on a machine that does everything."


@dataclass(frozen=True, slots=True)
class Periods:
    """The installation's clockwork: how long a lease lasts, and how often each worker sweeps."""

    lease_ms: int
    sweep_ms: int

    @property
    def patience_ms(self) -> int:
        """How long something may be late before nobody can be attending to it."""
        # A third of a lease is the slack that SQLite's sweeps give a busy write lock.
        return MISSED_SWEEPS * max(self.sweep_ms, 1000) + self.lease_ms // 3


def find_stalled(connection: Connection, periods: Periods) -> Iterator[Finding]:
    """Yield what stands still, from the workers that are gone to the work that waits for them."""
    listening = _listening_queues(connection, periods)
    if not listening:
        yield _no_worker(connection, periods)
    yield from _overdue_leases(connection, periods)
    yield from _unheard_jobs(connection, periods, listening)
    yield from _unknown_kinds(connection, periods)
    yield from _late_schedules(connection, periods)


def _listening_queues(connection: Connection, periods: Periods) -> set[str]:
    alive = select(workers.c.queues).where(workers.c.seen_at_ms > now_ms() - periods.patience_ms)
    return {queue for queues in connection.scalars(alive) for queue in queues.split(",")}


def _no_worker(connection: Connection, periods: Periods) -> Finding:
    row = connection.execute(
        select(workers.c.name, (now_ms() - workers.c.seen_at_ms).label("ago_ms")).order_by(workers.c.seen_at_ms.desc())
    ).first()
    last = f"The last was {row.name}, {row.ago_ms // 1000} s ago." if row else "None has within the last hour."
    return Finding(
        "no_worker",
        f"No worker has reported itself within {periods.patience_ms // 1000} s. {last}",
        "Versions stay PENDING_REGISTRATION, and no sweep takes back the jobs of lost workers.",
        _START_A_WORKER,
    )


def _overdue_leases(connection: Connection, periods: Periods) -> Iterator[Finding]:
    late_ms = now_ms() - jobs.c.lease_until_ms
    overdue = (
        select(jobs.c.id, jobs.c.kind, jobs.c.worker, late_ms.label("late_ms"))
        .where(
            jobs.c.status == JobStatus.RUNNING,
            jobs.c.lease_until_ms < now_ms() - periods.patience_ms,
            jobs.c.kind.in_(list(JobKind)),
        )
        .order_by(jobs.c.id)
    )
    for row in connection.execute(overdue):
        yield Finding(
            "overdue_lease",
            f"Job {row.id} ({row.kind}) is RUNNING on {row.worker}, whose lease ended {row.late_ms // 1000} s ago.",
            "Its worker is lost, and no sweep has taken the job back.",
            "A worker's sweep, or `modelyard beat`, takes it back within seconds. " + _START_A_WORKER,
        )


def _unheard_jobs(connection: Connection, periods: Periods, listening: set[str]) -> Iterator[Finding]:
    waiting = (
        select(
            jobs.c.queue,
            func.count().label("jobs"),
            func.min(jobs.c.id).label("oldest"),
            (now_ms() - func.min(jobs.c.run_after_ms)).label("waits_ms"),
        )
        .where(jobs.c.status == JobStatus.QUEUED, jobs.c.run_after_ms < now_ms() - periods.patience_ms)
        .group_by(jobs.c.queue)
        .order_by(jobs.c.queue)
    )
    for row in connection.execute(waiting):
        if row.queue not in listening:
            yield Finding(
                "jobs_without_worker",
                f"{row.jobs} jobs wait in the queue {row.queue!r}, to which no worker listens: job {row.oldest} "
                f"for {row.waits_ms // 1000} s.",
                "They wait until a worker for their queue starts.",
                f"`modelyard worker --queues {row.queue}`",
            )


def _unknown_kinds(connection: Connection, periods: Periods) -> Iterator[Finding]:
    unknown = (
        select(jobs.c.kind, func.count().label("jobs"), func.min(jobs.c.id).label("oldest"))
        .where(
            jobs.c.status == JobStatus.QUEUED,
            jobs.c.run_after_ms < now_ms() - periods.patience_ms,
            jobs.c.kind.not_in(list(JobKind)),
        )
        .group_by(jobs.c.kind)
        .order_by(jobs.c.kind)
    )
    for row in connection.execute(unknown):
        yield Finding(
            "unknown_kind",
            f"{row.jobs} jobs of the kind {row.kind!r} wait, job {row.oldest} first; this release does not know it.",
            "Only workers of the release that made them can do them.",
            "Start a worker of the newer release, and finish the upgrade.",
        )


def _late_schedules(connection: Connection, periods: Periods) -> Iterator[Finding]:
    enabled = select(schedules, (now_ms() - schedules.c.next_at_ms).label("late_ms")).where(schedules.c.enabled)
    for row in connection.execute(enabled.order_by(schedules.c.name)):
        try:
            rule_of(row)
        except InvalidValue as error:
            yield Finding(
                "unreadable_schedule",
                f"The schedule {row.name!r} cannot be read: {error.message}",
                "It never makes a job.",
                f"`modelyard schedule set {row.name} --cron '30 2 * * *'`, or `modelyard schedule disable {row.name}`",
            )
            continue
        if row.late_ms > periods.patience_ms and row.kind in list(JobKind):
            yield Finding(
                "late_schedule",
                f"The schedule {row.name!r} was due {row.late_ms // 1000} s ago, and made no job.",
                "Schedules are fired by the sweeps of workers, and none attends to this one.",
                _START_A_WORKER,
            )
