"""Jobs as people see them: found, listed newest first, with their attempts and their log."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, true
from sqlmodel import Session, col, select

from modelyard.database.tables import Job, JobAttempt, JobLogLine, ModelVersion, RegisteredModel
from modelyard.errors import NotFound, PermissionDenied
from modelyard.registry import access
from modelyard.registry.access import Actor, Sight
from modelyard.registry.pages import Page
from modelyard.rules.jobs import STEP
from modelyard.rules.permissions import Ability
from modelyard.rules.tokens import Scope

_AT_ONCE = 5000
_MOST_STEPS = 500


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; what is empty or None tells nothing apart.

    `actor` is who asked for the job. The times are those of its creation, both ends left out.
    """

    statuses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    queue: str | None = None
    model: str | None = None
    version: int | None = None
    actor: str | None = None
    created_after_ms: int | None = None
    created_before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job with the names of what it works on: None where it works on no model, or on a model as a whole.

    `in_trash` says that what it worked on was deleted since.
    """

    job: Job
    model: str | None
    version: int | None
    in_trash: bool = False


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step of an attempt; `ended_at_ms` is None while it is under way."""

    step: str
    started_at_ms: int
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """An attempt with its steps, the first one first."""

    attempt: JobAttempt
    steps: Sequence[ShownStep]


def read_job(session: Session, actor: Actor, job_id: int) -> ShownJob:
    """Return a job, as it stands now, to somebody who may see it. Raises NotFound, PermissionDenied."""
    shown = session.execute(_shown().where(col(Job.id) == job_id)).one_or_none()
    if shown is None:
        raise NotFound(f"Job {job_id} not found. Jobs that ended long ago are removed.")
    found = ShownJob(*shown)
    require(session, actor, found.job, Ability.VIEW)
    return found


def list_jobs(
    session: Session, actor: Actor, wanted: JobFilter, *, limit: int, before_id: int | None = None
) -> Page[ShownJob]:
    """Return a page of the jobs that `actor` may see, newest first, of those that are older than `before_id`.

    The place of the next page is the id of the last row: new jobs shift nothing.
    """
    statement = _shown().where(visible(actor), *conditions(wanted)).order_by(col(Job.id).desc()).limit(limit + 1)
    if before_id is not None:
        statement = statement.where(col(Job.id) < before_id)
    rows = [ShownJob(*row) for row in session.execute(statement)]
    shown = rows[:limit]
    return Page(shown, [shown[-1].job.id] if len(rows) > limit else None)


def attempts_of(session: Session, job_id: int) -> Sequence[ShownAttempt]:
    """Return a job's attempts, the first one first, each with its steps: the first 500 of all of them."""
    attempts = session.exec(
        select(JobAttempt).where(col(JobAttempt.job_id) == job_id).order_by(col(JobAttempt.attempt))
    ).all()
    steps = session.exec(
        select(JobLogLine)
        .where(col(JobLogLine.job_id) == job_id, col(JobLogLine.level) == STEP)
        .order_by(col(JobLogLine.id))
        .limit(_MOST_STEPS)
    )
    begun: dict[int, list[JobLogLine]] = defaultdict(list)
    for line in steps:
        begun[line.attempt].append(line)
    return [ShownAttempt(attempt, _steps(attempt, begun[attempt.attempt])) for attempt in attempts]


def log_lines(session: Session, job_id: int, *, after: int, limit: int) -> Sequence[JobLogLine]:
    """Return the lines of a job's log behind the offset `after`, in the order of writing.

    Lines are written under the job's row lock, so none appears before one that was read.
    """
    return session.exec(
        select(JobLogLine)
        .where(col(JobLogLine.job_id) == job_id, col(JobLogLine.id) > after)
        .order_by(col(JobLogLine.id))
        .limit(limit)
    ).all()


def last_log_lines(session: Session, job_id: int, *, limit: int) -> Sequence[JobLogLine]:
    """Return the last lines of a job's log, in the order of writing."""
    statement = select(JobLogLine).where(col(JobLogLine.job_id) == job_id)
    return session.exec(statement.order_by(col(JobLogLine.id).desc()).limit(limit)).all()[::-1]


def count_kinds(session: Session, job_ids: Sequence[int]) -> list[tuple[str, int]]:
    """Return (kind, how many of these jobs are of it), the most frequent first."""
    found: Counter[str] = Counter()
    # No database takes a statement with any number of values.
    for start in range(0, len(job_ids), _AT_ONCE):
        batch = job_ids[start : start + _AT_ONCE]
        found.update(session.scalars(select(Job.kind).where(col(Job.id).in_(batch))))
    return found.most_common()


def require(session: Session, actor: Actor, job: Job, ability: Ability) -> None:
    """Raise PermissionDenied unless `actor` has `ability` on the job's model; one without a model is for
    administrators."""
    model = session.get(RegisteredModel, job.model_id) if job.model_id is not None else None
    if model is not None:
        access.require(session, actor, model, ability)
    elif not actor.is_admin:
        raise PermissionDenied(f"Job {job.id} belongs to no model; only administrators see and change it.")
    elif ability is not Ability.VIEW:
        access.require_scope(actor, Scope.ADMIN, "changing a job that belongs to no model")


def visible_by(sight: Sight, *, is_admin: bool) -> ColumnElement[bool]:
    """Return the condition of `visible` for all such people; to be run with an actor's values."""
    return _visible(access.visible_by(sight, few=False), sees_all=is_admin and not sight.limited)


def visible(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on jobs, joined with their models, for those that lists show to `actor`."""
    return _visible(access.visible(actor), sees_all=actor.is_admin and actor.limits.models is None)


def conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on jobs, joined with their models and versions, for those that are `wanted`."""
    lists: list[tuple[Any, Sequence[str]]] = [(col(Job.status), wanted.statuses), (col(Job.kind), wanted.kinds)]
    values: list[tuple[Any, object]] = [
        (col(Job.queue), wanted.queue),
        (col(RegisteredModel.name), wanted.model),
        (col(ModelVersion.version), wanted.version),
        (col(Job.requested_by), wanted.actor),
    ]
    found = [column.in_(allowed) for column, allowed in lists if allowed]
    found += [column == value for column, value in values if value is not None]
    if wanted.created_after_ms is not None:
        found.append(col(Job.created_at_ms) > wanted.created_after_ms)
    if wanted.created_before_ms is not None:
        found.append(col(Job.created_at_ms) < wanted.created_before_ms)
    return found


def joined(statement: Any) -> Any:
    """Return a statement on jobs with their models and versions beside them, where they have any."""
    return statement.outerjoin(RegisteredModel, col(RegisteredModel.id) == col(Job.model_id)).outerjoin(
        ModelVersion, col(ModelVersion.id) == col(Job.version_id)
    )


def _visible(of_models: ColumnElement[bool], *, sees_all: bool) -> ColumnElement[bool]:
    # Only administrators see work that belongs to no model.
    return true() if sees_all else and_(col(RegisteredModel.id).is_not(None), of_models)


def _steps(attempt: JobAttempt, begun: Sequence[JobLogLine]) -> list[ShownStep]:
    # A step ends where the next one begins.
    ends = [*(line.at_ms for line in begun[1:]), attempt.ended_at_ms]
    return [ShownStep(line.line, line.at_ms, end) for line, end in zip(begun, ends, strict=False)]


def _shown() -> Any:
    deleted = or_(col(RegisteredModel.deleted_at_ms).is_not(None), col(ModelVersion.deleted_at_ms).is_not(None))
    statement = joined(select(Job, RegisteredModel.name, ModelVersion.version, deleted).select_from(Job))
    # A job that this transaction has just changed by an UPDATE is shown as it is, not as it was loaded.
    return statement.execution_options(populate_existing=True)
