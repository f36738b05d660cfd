"""The history of a job: a row for each attempt, and the lines of its log, written with the moves they tell of."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Connection, bindparam, insert, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.tables import metadata
from modelyard.jobs.guards import Claim
from modelyard.rules.jobs import AttemptOutcome

attempts = metadata.tables["job_attempts"]
job_log = metadata.tables["job_log"]

LINE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that a job's work said, and when by this process's monotonic clock.

    `level` is info, warning, error, or step for the name of a step that begins.
    """

    level: str
    text: str
    said_s: float = field(default_factory=time.monotonic, compare=False)


_BEGIN = insert(attempts).values(started_at_ms=now_ms())
# Lines are written together, some time after they were said. Their age comes off the database's time, so that this
# machine's clock need not agree with it.
_ADD_LINES = insert(job_log).values(at_ms=now_ms() - bindparam("age_ms", type_=BigInteger))
_END = (
    update(attempts)
    .where(attempts.c.job_id == bindparam("its_job"), attempts.c.attempt == bindparam("its_attempt"))
    .values(ended_at_ms=now_ms())
)


def begin_attempt(connection: Connection, claim: Claim) -> None:
    """Write the row of an attempt that was claimed in this transaction."""
    connection.execute(_BEGIN, {"job_id": claim.job_id, "attempt": claim.attempt, "worker": claim.worker})


def end_attempt(session: Session, claim: Claim, outcome: AttemptOutcome, error_code: str | None, message: str) -> None:
    """Write how an attempt ended, in the transaction that ends it."""
    told = {"outcome": outcome, "error_code": error_code, "status_message": message}
    session.execute(_END, {"its_job": claim.job_id, "its_attempt": claim.attempt, **told})


def write_lines(session: Session, claim: Claim, lines: Sequence[LogLine]) -> None:
    """Add lines to a job's log; the caller's transaction holds the job."""
    if lines:
        now_s = time.monotonic()
        session.execute(
            _ADD_LINES,
            [
                {
                    "job_id": claim.job_id,
                    "attempt": claim.attempt,
                    "age_ms": max(0, round(1000 * (now_s - line.said_s))),
                    "level": line.level,
                    "line": line.text.replace("\0", "")[:LINE_CHARACTERS],
                }
                for line in lines
            ],
        )
