"""The work of `prune_jobs`: forgets old jobs and plans with their history, so that the tables stay small.

A job that FAILED is the record of something that people may still mend, so it stays while its version does.
"""

from functools import partial

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.attempts import attempts, job_log
from modelyard.jobs.counters import fold_attempts
from modelyard.jobs.guards import Claim, hold, jobs
from modelyard.registry import plans
from modelyard.rules.jobs import JobStatus
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import fenced, looked_up

job_files = metadata.tables["job_files"]
versions = metadata.tables["model_versions"]

_BATCH = 200
_LINES = 2000
_DAY_MS = 24 * 3600 * 1000


def prune_jobs(context: Context, claim: Claim, pulse: Pulse) -> None:
    """Delete jobs that ended, and plans that were made, longer ago than the installation keeps them, in batches."""
    done = 0
    while removed := repeat_conflicts(lambda: _prune_batch(context, claim)):
        done += removed
        pulse(step="Pruning", items_done=done)
    pulse.say(f"Removed {done} jobs that ended more than {context.job_days} days ago.")
    forgotten = 0
    while (plan_id := looked_up(context, partial(plans.oldest_plan_before, days=context.job_days))) is not None:
        while fenced(context, claim, partial(plans.forget_some, plan_id=plan_id, limit=_LINES)):
            pulse(step="Pruning plans", items_done=done)
        forgotten += 1
    if forgotten:
        pulse.say(f"Forgot {forgotten} plans that were made more than {context.job_days} days ago.")


def _prune_batch(context: Context, claim: Claim) -> int:
    with transaction(context.engine) as session:
        hold(session, claim)
        old = list(session.scalars(select(jobs.c.id).where(_may_go(context)).order_by(jobs.c.id).limit(_BATCH)))
        return _remove(session, context, old)


def _may_go(context: Context) -> ColumnElement[bool]:
    alive = exists().where(versions.c.id == jobs.c.version_id, versions.c.deleted_at_ms.is_(None))
    return and_(
        jobs.c.finished_at_ms < now_ms() - context.job_days * _DAY_MS,
        or_(jobs.c.status.in_([JobStatus.SUCCEEDED, JobStatus.CANCELLED]), ~alive),
    )


def _remove(session: Session, context: Context, job_ids: list[int]) -> int:
    """Delete those of the jobs that may still go, with their history; return how many."""
    # What these attempts tell stays counted.
    while fold_attempts(session, attempts.c.job_id.in_(job_ids)):
        pass
    # Asked again: somebody may have retried one since the list was made.
    gone = session.execute(delete(jobs).where(jobs.c.id.in_(job_ids), _may_go(context)).returning(jobs.c.id))
    removed = list(gone.scalars())
    for table in (attempts, job_log, job_files):
        session.execute(delete(table).where(table.c.job_id.in_(removed)))
    return len(removed)
