"""The statements that move a job, built once: each a guarded UPDATE whose rows the caller counts.

Building one takes longer than running it. Values come as parameters: `its_job`, those of `guards.me`, `lease_ms`,
`slack_ms`, and columns of `jobs` by their names. Source: design/jobs.md, "The statements".
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Update, bindparam, case, false, func, null, or_, select, true, update

from modelyard.database.clock import now_ms
from modelyard.jobs.guards import CLAIM_COLUMNS, KNOWN_KINDS, MINE, claimable, jobs
from modelyard.rules.jobs import MAX_GRANTED_RELEASES, OPEN, JobStatus

# The sentence that a cancelled job and its version show, as the row itself tells it.
CANCELLED_BY: Final[ColumnElement[str]] = "Cancelled by " + func.coalesce(jobs.c.cancelled_by, "an unknown actor") + "."

_WAITS = jobs.c.status == JobStatus.QUEUED
_LEASE_MS: ColumnElement[int] = bindparam("lease_ms", type_=jobs.c.lease_until_ms.type)
_SLACK_MS: ColumnElement[int] = bindparam("slack_ms", type_=jobs.c.lease_until_ms.type)
_DELAY_MS: ColumnElement[int] = bindparam("delay_ms", type_=jobs.c.lease_until_ms.type)
_ITS_JOB = jobs.c.id == bindparam("its_job")

# Whether a running job's lease is over; the second half catches a clock that fell back.
OVERDUE: Final[ColumnElement[bool]] = or_(
    jobs.c.lease_until_ms < now_ms() - _SLACK_MS, jobs.c.lease_until_ms > now_ms() + 2 * _LEASE_MS
)

# With `its_job`, `worker` and `lease_ms`: take a waiting job, one attempt charged.
CLAIM: Final[Update] = (
    update(jobs)
    .where(_ITS_JOB, *claimable())
    .values(
        status=JobStatus.RUNNING,
        attempt=jobs.c.attempt + 1,
        lease_until_ms=now_ms() + _LEASE_MS,
        started_at_ms=func.coalesce(jobs.c.started_at_ms, now_ms()),
        status_message=null(),
        error_code=null(),
        bytes_per_s=null(),
    )
    .returning(*CLAIM_COLUMNS)
)

# With `lease_ms` and columns that tell of progress: extend the lease.
BEAT: Final[Update] = (
    update(jobs).where(*MINE).values(lease_until_ms=now_ms() + _LEASE_MS).returning(jobs.c.cancel_requested)
)

# With `status`, `error_code`, `status_message` and columns of progress: end a job.
END: Final[Update] = (
    update(jobs).where(*MINE).values(lease_until_ms=null(), finished_at_ms=now_ms()).returning(jobs.c.status_message)
)

# With `status` and `error_code`: end a job that somebody cancelled, with the sentence that names them.
ACKNOWLEDGE: Final[Update] = END.values(status_message=CANCELLED_BY)

# With `its_job`, `by` and `message`: cancel a job, at once while it waits, by a flag while it runs. One statement,
# since two lose the job between them.
CANCEL: Final[Update] = (
    update(jobs)
    .where(_ITS_JOB, jobs.c.status.in_(OPEN))
    .values(
        cancel_requested=true(),
        cancelled_by=func.coalesce(jobs.c.cancelled_by, bindparam("by")),
        status=case((_WAITS, JobStatus.CANCELLED.value), else_=jobs.c.status),
        finished_at_ms=case((_WAITS, now_ms()), else_=null()),
        # SET reads the old values: the name just given stands only in this statement.
        status_message=case((_WAITS, bindparam("message")), else_=jobs.c.status_message),
    )
    .returning(*CLAIM_COLUMNS, jobs.c.status, jobs.c.status_message)
)

# With `its_job`, `grace_ms` and `attempts`: queue a job again that FAILED or was CANCELLED.
RETRY: Final[Update] = (
    update(jobs)
    .where(_ITS_JOB, jobs.c.status.in_([JobStatus.FAILED, JobStatus.CANCELLED]))
    .values(
        status=JobStatus.QUEUED,
        finished_at_ms=null(),
        cancel_requested=false(),
        cancelled_by=null(),
        error_code=null(),
        status_message=null(),
        releases=0,
        wakes=0,
        run_after_ms=now_ms(),
        wake_at_ms=now_ms() + bindparam("grace_ms", type_=jobs.c.wake_at_ms.type),
        max_attempts=jobs.c.attempt + bindparam("attempts", type_=jobs.c.max_attempts.type),
    )
    .returning(*CLAIM_COLUMNS, jobs.c.queue)
)

_GRANT = case((jobs.c.releases < MAX_GRANTED_RELEASES, 1), else_=0)


def _return(*guards: ColumnElement[bool], granted: Any) -> Update:
    """With `delay_ms`, `error_code` and `message`: give a job back, or end it when its attempts are used up."""
    # SET reads the old values, so the granted attempt stands in the comparison too.
    used_up = jobs.c.attempt >= jobs.c.max_attempts + granted
    return (
        update(jobs)
        .where(*MINE, *guards)
        .values(
            lease_until_ms=null(),
            worker=null(),
            wakes=0,
            run_after_ms=now_ms() + _DELAY_MS,
            wake_at_ms=now_ms() + _DELAY_MS,
            max_attempts=jobs.c.max_attempts + granted,
            releases=jobs.c.releases + granted,
            status=case(
                (jobs.c.cancel_requested, JobStatus.CANCELLED.value),
                (used_up, JobStatus.FAILED.value),
                else_=JobStatus.QUEUED.value,
            ),
            status_message=case((jobs.c.cancel_requested, CANCELLED_BY), else_=bindparam("message")),
            finished_at_ms=case((or_(jobs.c.cancel_requested, used_up), now_ms()), else_=null()),
        )
        .returning(jobs.c.status, jobs.c.status_message, jobs.c.queue)
    )


# After a temporary failure; because the worker stops (one more attempt granted, up to a bound); and from a worker whose
# lease ran out, which is looked at again (`lease_ms`, `slack_ms`).
GIVE_BACK: Final[Update] = _return(granted=0)
RELEASE: Final[Update] = _return(granted=_GRANT)
REAP: Final[Update] = _return(OVERDUE, granted=0)

# Where an attempt stands now, whoever owns the job.
OUTCOME: Final = select(jobs.c.status).where(
    jobs.c.id == bindparam("my_job"), jobs.c.attempt == bindparam("my_attempt"), jobs.c.worker == bindparam("my_worker")
)

# With `lease_ms`, `slack_ms` and `most`: jobs whose worker is lost, by their claims. Locks nothing; REAP looks again.
LOST: Final = (
    select(*CLAIM_COLUMNS)
    .where(jobs.c.status == JobStatus.RUNNING, OVERDUE, jobs.c.kind.in_(KNOWN_KINDS))
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
)

# With `its_queue` and `most`: jobs that wait longer than their ring should have taken, and that a claim would accept.
WAITING: Final = (
    select(jobs.c.id, jobs.c.kind, jobs.c.queue, (now_ms() - jobs.c.wake_at_ms).label("overdue_ms"))
    .where(jobs.c.queue == bindparam("its_queue"), jobs.c.wake_at_ms <= now_ms(), *claimable())
    .order_by(jobs.c.wake_at_ms, jobs.c.id)
    .limit(bindparam("most"))
)
