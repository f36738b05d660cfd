"""Claims, and the conditions under which a job's row may be written: the guards that every statement shares.

(attempt, worker) is the fencing token; the attempt alone is not unique after a restored backup or a failover.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, exists, literal_column, or_, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.tables import metadata
from modelyard.errors import ClaimLost
from modelyard.rules.jobs import OPEN, JobKind, JobStatus

jobs = metadata.tables["jobs"]
models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]

# A release leaves jobs of kinds that it does not know to workers that do.
KNOWN_KINDS = tuple(JobKind)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker owns until its lease ends. `worker` is new for each claim."""

    job_id: int
    attempt: int
    worker: str
    kind: str
    subject: str | None
    arguments: dict[str, Any]
    model_id: int | None
    version_id: int | None
    requested_by: str


CLAIM_COLUMNS = (
    jobs.c.id,
    jobs.c.attempt,
    jobs.c.worker,
    jobs.c.kind,
    jobs.c.subject,
    jobs.c.arguments,
    jobs.c.model_id,
    jobs.c.version_id,
    jobs.c.requested_by,
)


def claim_of(row: Any) -> Claim:
    """Return the Claim that a row beginning with `CLAIM_COLUMNS` describes."""
    return Claim(*tuple(row)[: len(CLAIM_COLUMNS)])


# The guard of every write for a running job: this very attempt by this very worker. Its values are `me`'s.
MINE: Final[tuple[ColumnElement[bool], ...]] = (
    jobs.c.id == bindparam("my_job"),
    jobs.c.attempt == bindparam("my_attempt"),
    jobs.c.worker == bindparam("my_worker"),
    jobs.c.status == JobStatus.RUNNING,
)


def me(claim: Claim) -> dict[str, Any]:
    """Return the values that `MINE` asks for."""
    return {"my_job": claim.job_id, "my_attempt": claim.attempt, "my_worker": claim.worker}


_HOLD = update(jobs).where(*MINE).values(attempt=jobs.c.attempt)


# The statuses of work that is not over, written out as in the condition of the partial index on subjects: SQLite takes
# such an index for words that stand in a statement, never for bound values, and would read every job that waits.
_OPEN: list[ColumnElement[str]] = [literal_column(f"'{status}'") for status in sorted(OPEN)]


def is_open(status: Any = jobs.c.status) -> ColumnElement[bool]:
    """Whether a job is not over; beside a condition on the subject it makes both databases use the index of those."""
    condition: ColumnElement[bool] = status.in_(_OPEN)
    return condition


@cache
def claimable() -> tuple[ColumnElement[bool], ...]:
    """The guard of a claim: of a known kind, its delay over, and nothing of its subject runs or waits before it."""
    other = jobs.alias("other")
    ahead = exists().where(
        other.c.subject == jobs.c.subject,
        other.c.id != jobs.c.id,
        is_open(other.c.status),
        or_(other.c.status == JobStatus.RUNNING, other.c.id < jobs.c.id),
    )
    waits = jobs.c.status == literal_column(f"'{JobStatus.QUEUED}'")
    return waits, jobs.c.kind.in_(KNOWN_KINDS), jobs.c.run_after_ms <= now_ms(), ~ahead


def hold(session: Session, claim: Claim) -> None:
    """Begin a transaction of a running job's work: nothing in it counts unless the job is still ours.

    Raises ClaimLost. The UPDATE also keeps others from ending the job before this transaction commits.
    """
    held = session.execute(_HOLD, me(claim))
    if held.rowcount != 1:  # type: ignore[attr-defined]
        raise ClaimLost(claim.job_id, claim.attempt)


_LOCK_MODEL = select(models.c.id).where(models.c.id == bindparam("its_id")).with_for_update()
_LOCK_VERSION = select(versions.c.id).where(versions.c.id == bindparam("its_id")).with_for_update()


def lock_registry_rows(session: Session, model_id: int | None, version_id: int | None) -> None:
    """Lock the model's row, then the version's: whoever ends a job takes them before the job's (deadlocks else)."""
    if model_id is not None:
        session.execute(_LOCK_MODEL, {"its_id": model_id})
    if version_id is not None:
        session.execute(_LOCK_VERSION, {"its_id": version_id})
