"""Schedules as rows: what is due is fired by whichever sweep comes first, once for each slot.

Missed slots fold into the latest, and no new job is made while one of the schedule is open. Source: design/jobs.md,
"Schedules are rows".
"""

from typing import Any

import structlog
from sqlalchemy import ColumnElement, Engine, exists, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit, current_ms, repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.errors import InvalidValue
from modelyard.jobs.guards import is_open, jobs
from modelyard.jobs.queue import JobQueue
from modelyard.rules.jobs import JobKind
from modelyard.rules.schedules import Rule, RuleKind

log = structlog.get_logger(__name__)

schedules = metadata.tables["schedules"]

ACTOR = "scheduler"


def fire_due(engine: Engine, queue: JobQueue) -> int:
    """Enqueue a job for each schedule that is due; return how many were. Any number of processes may do it at once.

    A schedule that waits beyond its rule's next slot, as after a clock that was ahead, is set back to that slot.
    """
    with autocommit(engine) as connection:
        known = select(schedules, now_ms().label("now_ms")).where(
            schedules.c.enabled, schedules.c.kind.in_(list(JobKind))
        )
        rows = connection.execute(known.order_by(schedules.c.id)).all()
    return sum(_attend(engine, queue, row) for row in rows)


def rule_of(row: Any) -> Rule:
    """Return the rule that a schedule's row holds. Raises InvalidValue when no release of ours wrote it."""
    return Rule(RuleKind(row.rule), row.expression, row.time_zone)


def subject_of(public_id: str) -> str:
    """Return the lock of a schedule's jobs."""
    return f"schedule:{public_id}"


def _attend(engine: Engine, queue: JobQueue, row: Any) -> int:
    """Do what a schedule needs now; return how many jobs that made, 0 or 1."""
    try:
        rule = rule_of(row)
        if row.next_at_ms <= row.now_ms:
            return repeat_conflicts(lambda: _fire(engine, queue, row, rule))
        if row.next_at_ms > rule.next_after(row.now_ms):
            repeat_conflicts(lambda: _correct(engine, row, rule))
    except InvalidValue as error:
        # One row that cannot be read must not keep the others waiting, nor end the sweep.
        log.error("a schedule cannot be read", schedule=row.name, reason=error.message)
    return 0


def _fire(engine: Engine, queue: JobQueue, row: Any, rule: Rule) -> int:
    """Move a schedule to its next slot, and enqueue what the latest missed one asks for; 1 if a job was made."""
    with transaction(engine) as session:
        now = current_ms(session)
        slot = max(rule.latest_until(now), row.next_at_ms)
        key = f"{subject_of(row.public_id)}:{slot}"
        if not _move(session, row, next_at_ms=rule.next_after(now), last_slot_ms=slot):
            return 0
        if _has_job(session, row.public_id, key):
            return 0
        job = queue.enqueue(
            session,
            JobKind(row.kind),
            requested_by=ACTOR,
            arguments=row.arguments,
            subject=subject_of(row.public_id),
            dedupe_key=key,
        )
        session.execute(update(schedules).where(schedules.c.id == row.id).values(last_job_id=job.id))
    log.info("a schedule was due", schedule=row.name, job_id=job.id)
    return 1


def _correct(engine: Engine, row: Any, rule: Rule) -> None:
    with transaction(engine) as session:
        following = rule.next_after(current_ms(session))
        if row.next_at_ms > following and _move(session, row, next_at_ms=following):
            log.warning("a schedule waited beyond its next slot", schedule=row.name, next_at_ms=following)


def _move(session: Session, row: Any, **values: int) -> bool:
    """Set a schedule's times unless somebody fired, edited or disabled it since `row` was read."""
    moved = session.execute(
        update(schedules)
        .where(
            schedules.c.id == row.id,
            schedules.c.next_at_ms == row.next_at_ms,
            schedules.c.revision == row.revision,
            schedules.c.enabled,
        )
        .values(**values)
    )
    return bool(moved.rowcount == 1)  # type: ignore[attr-defined]


def _has_job(session: Session, public_id: str, dedupe_key: str) -> bool:
    """Whether a job of the schedule is open, or this slot had its own: a clock that fell back comes by once more."""
    open_one: ColumnElement[bool] = (jobs.c.subject == subject_of(public_id)) & is_open()
    return bool(session.scalar(select(exists().where(open_one | (jobs.c.dedupe_key == dedupe_key)))))
