"""Putting work on the queue: the row now, in the caller's transaction; the bell after its commit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import bindparam, case, insert, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.session import after_commit
from modelyard.jobs.guards import is_open, jobs
from modelyard.rules.jobs import RULES, JobKind, JobStatus


def no_bell(kind: str, queue: str, job_id: int) -> bool:
    """Ring nobody; the sweep will. For commands that have no broker."""
    return False


_INSERT = (
    insert(jobs).values(wake_at_ms=now_ms() + bindparam("grace_ms", type_=jobs.c.wake_at_ms.type)).returning(jobs.c.id)
)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that this transaction adds; whoever needs more of its row reads it."""

    id: int


@dataclass(frozen=True, slots=True)
class JobQueue:
    """How this process enqueues.

    `ring(kind, queue, job_id)` wakes a worker, returns whether it could and never raises; `attempts` is the limit
    that a new job gets; `grace_ms` is the time after which the sweep may ring again.
    """

    ring: Callable[[str, str, int], object] = no_bell
    attempts: int = 5
    grace_ms: int = 5000

    def enqueue(
        self,
        session: Session,
        kind: JobKind,
        *,
        requested_by: str,
        arguments: dict[str, Any] | None = None,
        subject: str | None = None,
        dedupe_key: str | None = None,
        model_id: int | None = None,
        version_id: int | None = None,
    ) -> Enqueued:
        """Add a job to this transaction; a worker hears of it only if the transaction commits.

        `subject` is the lock: jobs of one subject run one at a time, in order.
        Raises IntegrityError when `dedupe_key` is taken: an enqueue that must insert and does not is a bug.
        """
        row = {
            "kind": kind,
            "queue": RULES[kind].queue,
            "arguments": arguments or {},
            "subject": subject,
            "dedupe_key": dedupe_key,
            "model_id": model_id,
            "version_id": version_id,
            "max_attempts": self.attempts,
            "requested_by": requested_by,
        }
        # Not by the ORM, which takes twice as long; the message needs the row's number.
        job_id = session.execute(_INSERT, {**row, "grace_ms": self.grace_ms}).scalar_one()
        self.ring_after_commit(session, kind, RULES[kind].queue, job_id)
        return Enqueued(job_id)

    def ring_after_commit(self, session: Session, kind: str, queue: str, job_id: int) -> None:
        """Wake a worker for a job once the transaction has committed."""
        after_commit(session, partial(self.ring, kind, queue, job_id))

    def wake_next(self, session: Session, subject: str | None) -> None:
        """Ring for the oldest waiting job of `subject`, which the end of another has freed.

        Without it a ring that was lost behind a long job costs minutes, since the sweep's own rings grow rare.
        """
        if subject is None:
            return
        oldest = session.execute(
            select(jobs.c.id, jobs.c.queue, jobs.c.kind)
            # Not "is QUEUED": SQLite would walk all that is, in the order of ids, instead of those of the subject.
            .where(jobs.c.subject == subject, is_open(), jobs.c.status != JobStatus.RUNNING)
            .order_by(jobs.c.id)
            .limit(1)
        ).one_or_none()
        if oldest is None:
            return
        soon = now_ms() + self.grace_ms
        session.execute(
            update(jobs)
            .where(jobs.c.id == oldest.id, jobs.c.status == JobStatus.QUEUED)
            # A job that waits out a delay of its own is rung when that is over.
            .values(wake_at_ms=case((jobs.c.run_after_ms > soon, jobs.c.run_after_ms), else_=soon), wakes=0)
        )
        self.ring_after_commit(session, oldest.kind, oldest.queue, oldest.id)
