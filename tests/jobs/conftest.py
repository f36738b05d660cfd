"""Jobs without a registry: effects are recorded, rings are counted, the clock is the test's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlmodel import Session

from modelyard.database.session import transaction
from modelyard.jobs.guards import jobs
from modelyard.jobs.lifecycle import Claim, EndedAttempt, Lifecycle
from modelyard.jobs.queue import JobQueue
from modelyard.rules.jobs import JobKind, JobStatus

LEASE_MS = 30_000


@dataclass
class Jobs:
    """A lifecycle on a real database, and what it told the rest of the house."""

    engine: Engine
    set_clock: Callable[[int], None]
    rings: list[int] = field(default_factory=list)
    ended: list[tuple[JobStatus, str]] = field(default_factory=list)
    something_to_change: bool = True

    def __post_init__(self) -> None:
        self.lifecycle = Lifecycle(
            self.engine, JobQueue(ring=self._ring, attempts=3), effects=self._effects, lease_ms=LEASE_MS
        )

    def add(self, subject: str | None = "model_version:a", **columns: Any) -> int:
        """Enqueue a job and return its id."""
        with transaction(self.engine) as session:
            job = self.lifecycle.queue.enqueue(
                session, JobKind.REGISTER_VERSION, requested_by="ann", subject=subject, **columns
            )
        return job.id

    def claimed(self, job_id: int | None = None, worker: str = "w1") -> Claim:
        """Claim a job, a new one by default."""
        claim = self.lifecycle.claim(job_id or self.add(), worker)
        assert claim is not None
        return claim

    def row(self, job_id: int) -> Any:
        """Return the job's row as it is now."""
        with self.engine.connect() as connection:
            return connection.execute(select(jobs).where(jobs.c.id == job_id)).one()

    def cancel(self, job_id: int) -> JobStatus | None:
        """Cancel a job as a person would."""
        with transaction(self.engine) as session:
            return self.lifecycle.cancel(session, job_id, by="bob")

    def retry(self, job_id: int) -> JobStatus | None:
        """Have a job tried again, as an operator would."""
        with transaction(self.engine) as session:
            return self.lifecycle.retry(session, job_id)

    def pass_time(self, ms: int) -> None:
        """Let the database's clock stand `ms` after now."""
        self.set_clock(ms)

    def _ring(self, kind: str, queue: str, job_id: int) -> bool:
        self.rings.append(job_id)
        return True

    def _effects(self, session: Session, ended: EndedAttempt) -> bool:
        self.ended.append((ended.status, ended.message))
        return self.something_to_change


@pytest.fixture
def job_house(engine: Engine, set_clock: Callable[[int], None]) -> Jobs:
    """A lifecycle, on SQLite and then on PostgreSQL."""
    return Jobs(engine, set_clock)
