"""Schedules as rows: what is due is fired by whichever sweep comes first, once for each slot.

Missed slots fold into the latest, and no new job is made while one of the schedule is open. Source: design/jobs.md,
"Schedules are rows".
"""

from typing import Any

import structlog
from sqlalchemy import Engine, exists, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit, current_ms, repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.guards import jobs
from modelyard.jobs.queue import JobQueue
from modelyard.rules.jobs import OPEN, JobKind
from modelyard.rules.schedules import Rule, RuleKind

log = structlog.get_logger(__name__)

schedules = metadata.tables["schedules"]

ACTOR = "scheduler"


def fire_due(engine: Engine, queue: JobQueue) -> int:
    """Enqueue a job for each schedule that is due; return how many were. Any number of processes may do it at once."""
    with autocommit(engine) as connection:
        due = connection.execute(
            select(schedules).where(
                schedules.c.enabled, schedules.c.next_at_ms <= now_ms(), schedules.c.kind.in_(list(JobKind))
            )
        ).all()
    return sum(repeat_conflicts(lambda row=row: _fire(engine, queue, row)) for row in due)  # type: ignore[misc]


def rule_of(row: Any) -> Rule:
    """Return the rule that a schedule's row holds."""
    return Rule(RuleKind(row.rule), row.expression, row.time_zone)


def subject_of(public_id: str) -> str:
    """Return the lock of a schedule's jobs."""
    return f"schedule:{public_id}"


def correct_next(session: Session, row: Any) -> None:
    """Set a schedule's next slot to the first one after now, as enabling or editing it does."""
    following = rule_of(row).next_after(current_ms(session))
    session.execute(update(schedules).where(schedules.c.id == row.id).values(next_at_ms=following))


def _fire(engine: Engine, queue: JobQueue, row: Any) -> int:
    """Move a schedule to its next slot, and enqueue what the latest missed one asks for; 1 if a job was made."""
    rule = rule_of(row)
    with transaction(engine) as session:
        now = current_ms(session)
        slot = max(rule.latest_until(now), row.next_at_ms)
        moved = session.execute(
            update(schedules)
            .where(
                schedules.c.id == row.id,
                schedules.c.next_at_ms == row.next_at_ms,
                schedules.c.revision == row.revision,
                schedules.c.enabled,
            )
            .values(next_at_ms=rule.next_after(now), last_slot_ms=slot)
        )
        if moved.rowcount != 1 or _has_open_job(session, row.public_id):  # type: ignore[attr-defined]
            return 0
        job = queue.enqueue(
            session,
            JobKind(row.kind),
            requested_by=ACTOR,
            arguments=row.arguments,
            subject=subject_of(row.public_id),
            dedupe_key=f"schedule:{row.public_id}:{slot}",
        )
        session.execute(update(schedules).where(schedules.c.id == row.id).values(last_job_id=job.id))
    log.info("a schedule was due", schedule=row.name, job_id=job.id)
    return 1


def _has_open_job(session: Session, public_id: str) -> bool:
    open_job = exists().where(jobs.c.subject == subject_of(public_id), jobs.c.status.in_(OPEN))
    return bool(session.scalar(select(open_job)))
