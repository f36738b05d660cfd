"""Who is there to do the work, and what waits for them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.tables import Job, Worker
from modelyard.registry.access import Actor
from modelyard.registry.jobs import joined, visible
from modelyard.rules.jobs import OPEN, QUEUES, JobStatus

HOUR_MS = 3_600_000
# Reports come with each sweep; one may be late.
MISSED_SWEEPS = 3


@dataclass(frozen=True, slots=True)
class SeenWorker:
    """A worker as it last reported itself, and the ids of the jobs that it runs now."""

    worker: Worker
    alive: bool
    running: list[int]

    @property
    def queues(self) -> list[str]:
        """The queues that it listens to."""
        return self.worker.queues.split(",")


@dataclass(slots=True)
class QueueLoad:
    """What waits in one queue and what runs, and who listens.

    `jobs` maps status -> number of open jobs. `oldest_age_ms` is for how long the job that waits longest could have run
    already; None when none could.
    """

    queue: str
    jobs: Counter[str] = field(default_factory=Counter)
    oldest_age_ms: int | None = None
    workers: int = 0
    slots: int = 0


def seen_workers(session: Session, actor: Actor, *, sweep_ms: int) -> list[SeenWorker]:
    """Return the workers that reported within the last hour or so, in order of name, with what `actor` may see of them.

    Jobs of models that `actor` may not read are left out.
    """
    running = _running_by_worker(session, actor)
    rows = session.execute(select(Worker, _alive(sweep_ms)).order_by(col(Worker.name)))
    return [SeenWorker(worker, bool(alive), running[worker.name]) for worker, alive in rows]


def count_alive(session: Session, *, sweep_ms: int) -> int:
    """Return how many workers were seen lately."""
    return session.scalar(select(func.count()).select_from(Worker).where(_alive(sweep_ms))) or 0


def alive_workers(connection: Connection | Session, sweep_ms: int) -> dict[str, int]:
    """Return queue -> workers that listen to it and were seen lately; every queue is there."""
    seen = select(Worker.queues).where(_alive(sweep_ms))
    listening = Counter(queue for row in connection.execute(seen) for queue in row.queues.split(","))
    return {queue: listening[queue] for queue in QUEUES}


def queue_loads(session: Session, *, sweep_ms: int) -> list[QueueLoad]:
    """Return the queues of this release, then those of another in which jobs wait or run."""
    loads = {queue: QueueLoad(queue) for queue in QUEUES}
    for queue, status, count, waits_ms in _open_jobs(session):
        load = loads.setdefault(queue, QueueLoad(queue))
        load.jobs[status] = count
        if status == JobStatus.QUEUED:
            load.oldest_age_ms = waits_ms
    for row in session.execute(select(Worker.queues, Worker.concurrency).where(_alive(sweep_ms))):
        for queue in row.queues.split(","):
            if queue in loads:
                loads[queue].workers += 1
                loads[queue].slots += row.concurrency
    return list(loads.values())


def ended_last_hour(session: Session) -> Counter[tuple[str, str]]:
    """Return (queue, status) -> how many jobs ended so within the last hour."""
    rows = session.execute(
        select(Job.queue, Job.status, func.count())
        .where(col(Job.finished_at_ms) > now_ms() - HOUR_MS)
        .group_by(col(Job.queue), col(Job.status))
    )
    return Counter({(queue, status): count for queue, status, count in rows})


def _alive(sweep_ms: int) -> ColumnElement[bool]:
    return col(Worker.seen_at_ms) > now_ms() - MISSED_SWEEPS * sweep_ms


def _running_by_worker(session: Session, actor: Actor) -> dict[str, list[int]]:
    """Return name of a worker -> ids of the jobs that its children run and `actor` may see, in order."""
    running = joined(select(Job.id, Job.worker).select_from(Job)).where(
        col(Job.status) == JobStatus.RUNNING, visible(actor)
    )
    rows = session.execute(running.order_by(col(Job.id)))
    found: dict[str, list[int]] = defaultdict(list)
    for job_id, owner in rows:
        found[_worker_of(owner)].append(job_id)
    return found


def _worker_of(owner: str) -> str:
    """Return the name of the worker whose child claimed as `owner`; a release before this one did not tell it."""
    parts = owner.split(":")
    return f"{parts[0]}:{parts[2]}" if len(parts) == 4 else owner


def _open_jobs(session: Session) -> Sequence[Any]:
    # One that waits out a delay is not late.
    waits_ms = case((col(Job.run_after_ms) <= now_ms(), now_ms() - col(Job.run_after_ms)))
    return session.execute(
        select(Job.queue, Job.status, func.count(), func.max(waits_ms))
        .where(col(Job.status).in_(OPEN))
        .group_by(col(Job.queue), col(Job.status))
    ).all()
