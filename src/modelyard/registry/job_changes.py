"""What people may do to jobs: cancel them, and have them tried again."""

from sqlmodel import Session, col, select

from modelyard.database.tables import Job, ModelVersion, RegisteredModel
from modelyard.errors import InvalidState
from modelyard.jobs.guards import lock_registry_rows
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry import audit
from modelyard.registry.access import Actor
from modelyard.registry.jobs import JobFilter, conditions, joined, read_job, require, visible
from modelyard.rules.audit import Action
from modelyard.rules.jobs import FINAL, RULES, JobKind, JobStatus, check_arguments
from modelyard.rules.permissions import Ability


def cancel_job(session: Session, actor: Actor, job_id: int, *, lifecycle: Lifecycle) -> None:
    """Stop a job: at once while it waits, as soon as its worker hears of it while it runs.

    Raises NotFound, PermissionDenied, InvalidState when it is over, or of a kind that cannot be stopped half-way.
    """
    job = _locked_job(session, actor, job_id)
    if job.status in FINAL:
        raise _over(job_id, job.status)
    kind = _known_kind(job, "cancelled")
    if not RULES[kind].cancellable:
        raise InvalidState(
            f"Job {job_id} is {job.status}, and a job of kind {kind} cannot be cancelled: "
            "half of its work would be worse than all of it. Wait for its end."
        )
    if lifecycle.cancel(session, job_id, by=actor.name) is None:
        # Its worker was faster.
        raise _over(job_id, _status_of(session, job_id))
    _record(session, actor, Action.CANCEL_JOB, job)


def retry_job(session: Session, actor: Actor, job_id: int, *, lifecycle: Lifecycle) -> None:
    """Queue a job again that FAILED or was CANCELLED; what its attempts did and said is kept.

    Raises NotFound, PermissionDenied, InvalidState in any other status, or when nothing is left to work on,
    InvalidValue when its arguments let it do nothing but fail.
    """
    job = _locked_job(session, actor, job_id)
    check_arguments(_known_kind(job, "tried again"), job.arguments)
    if lifecycle.retry(session, job_id) is None:
        raise InvalidState(
            f"Job {job_id} is {_status_of(session, job_id)}; only one that FAILED or was CANCELLED can be tried again."
        )
    _record(session, actor, Action.RETRY_JOB, job)


def failed_jobs(session: Session, actor: Actor, wanted: JobFilter) -> list[int]:
    """Return the ids of the FAILED jobs that `actor` may see and that are `wanted` otherwise, oldest first."""
    statement = joined(select(Job.id).select_from(Job)).where(
        col(Job.status) == JobStatus.FAILED, visible(actor), *conditions(wanted)
    )
    return list(session.scalars(statement.order_by(col(Job.id))))


def _locked_job(session: Session, actor: Actor, job_id: int) -> Job:
    """Return a job to somebody who may change it, its model's and its version's row locked before its own is."""
    job = read_job(session, actor, job_id).job
    require(session, actor, job, Ability.MANAGE_JOBS)
    lock_registry_rows(session, job.model_id, job.version_id)
    return job


def _record(session: Session, actor: Actor, action: Action, job: Job) -> None:
    audit.record(
        session,
        actor,
        action,
        model=session.get(RegisteredModel, job.model_id) if job.model_id is not None else None,
        version=session.get(ModelVersion, job.version_id) if job.version_id is not None else None,
        before={"job_id": job.id, "kind": job.kind, "status": job.status},
    )


def _known_kind(job: Job, wish: str) -> JobKind:
    """Return the job's kind. Raises InvalidState for one of another release: its effects are not known here."""
    if job.kind not in set(JobKind):
        raise InvalidState(
            f"Job {job.id} is {job.status}, of the kind {job.kind!r}, which this release does not know; "
            f"it can be {wish} by a server of the release that made it."
        )
    return JobKind(job.kind)


def _over(job_id: int, status: str) -> InvalidState:
    return InvalidState(f"Job {job_id} is {status}; only one that is QUEUED or RUNNING can be cancelled.")


def _status_of(session: Session, job_id: int) -> str:
    return str(session.scalar(select(Job.status).where(col(Job.id) == job_id)))
