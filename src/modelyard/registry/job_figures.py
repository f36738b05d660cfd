"""How the work goes: what runs and waits, how the last day ended, how long jobs waited. For people who watch."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import Job
from modelyard.registry import jobs
from modelyard.registry.access import Actor
from modelyard.rules.jobs import OPEN, JobStatus

HOUR_MS = 3_600_000
DAY_HOURS = 24
# The wait is told from the jobs that began last: enough for a percentile, few enough to be read each second.
_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class JobFigures:
    """Figures of the jobs that somebody may see. The day is the last 24 hours, `by_hour` what succeeded in each of
    them, the oldest hour first. `oldest_wait_ms` and `p95_wait_ms` are None where nothing waits or has begun.
    """

    running: int
    queued: int
    oldest_wait_ms: int | None
    failed: int
    succeeded: int
    finished: int
    by_hour: list[int]
    p95_wait_ms: int | None


def job_figures(session: Session, actor: Actor) -> JobFigures:
    """Return the figures of now."""
    waiting = _waiting(session, actor)
    ended, by_hour = _ended(session, actor)
    return JobFigures(
        running=waiting.get(JobStatus.RUNNING, (0, None))[0],
        queued=waiting.get(JobStatus.QUEUED, (0, None))[0],
        oldest_wait_ms=waiting.get(JobStatus.QUEUED, (0, None))[1],
        failed=ended.get(JobStatus.FAILED, 0),
        succeeded=ended.get(JobStatus.SUCCEEDED, 0),
        finished=sum(ended.values()),
        by_hour=by_hour,
        p95_wait_ms=_p95_wait_ms(session, actor),
    )


def _waiting(session: Session, actor: Actor) -> dict[str, tuple[int, int | None]]:
    # One that waits out a delay is not late.
    waits_ms = case((col(Job.run_after_ms) <= now_ms(), now_ms() - col(Job.run_after_ms)))
    rows = session.execute(
        _of(actor, col(Job.status), func.count(), func.max(waits_ms))
        .where(col(Job.status).in_(OPEN))
        .group_by(col(Job.status))
    )
    return {status: (count, oldest_ms) for status, count, oldest_ms in rows}


def _ended(session: Session, actor: Actor) -> tuple[dict[str, int], list[int]]:
    since_ms = current_ms(session) - DAY_HOURS * HOUR_MS
    hour = (col(Job.finished_at_ms) - since_ms) / HOUR_MS
    rows = session.execute(
        _of(actor, col(Job.status), hour.label("hour"), func.count())
        .where(col(Job.finished_at_ms) > since_ms)
        .group_by(col(Job.status), "hour")
    )
    ended: dict[str, int] = {}
    by_hour = [0] * DAY_HOURS
    for status, place, count in rows:
        ended[status] = ended.get(status, 0) + count
        if status == JobStatus.SUCCEEDED:
            by_hour[min(int(place), DAY_HOURS - 1)] += count
    return ended, by_hour


def _p95_wait_ms(session: Session, actor: Actor) -> int | None:
    begun = _of(actor, col(Job.started_at_ms) - col(Job.created_at_ms)).where(col(Job.started_at_ms).is_not(None))
    waits = sorted(session.scalars(begun.order_by(col(Job.id).desc()).limit(_LOOKED_AT)))
    return max(0, waits[int(len(waits) * 0.95)]) if waits else None


def _of(actor: Actor, *columns: Any) -> Any:
    """Return a SELECT over the jobs that `actor` may see; the models are read only where that depends on them."""
    statement = select(*columns).select_from(Job)
    return statement if actor.is_admin else jobs.joined(statement).where(jobs.visible(actor))
