"""Asking for a purge: by a person, by a delete where nothing is kept, or by the sweep when the time has come.

A purge is a job; whoever comes second finds the job of the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, exists, literal, select, union_all
from sqlmodel import Session, col

from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import Job, ModelVersion, RegisteredModel, metadata
from modelyard.jobs.guards import is_open, jobs, lock_registry_rows
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry.progress import model_subject, version_subject
from modelyard.rules.jobs import JobKind, JobStatus

models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]

PURGES = (JobKind.PURGE_MODEL, JobKind.PURGE_VERSION)


def went_with_model() -> ColumnElement[bool]:
    """Return the condition for versions that were deleted with their model; others were deleted before it."""
    return and_(versions.c.model_id == models.c.id, versions.c.deleted_at_ms == models.c.deleted_at_ms)


def enqueue_purge(session: Session, row: RegisteredModel | ModelVersion, lifecycle: Lifecycle, *, by: str) -> Job:
    """Return the job that purges a deleted model or version: the one that was asked for before, or a new one.

    The caller has locked the model's row.
    """
    # What was restored and deleted again is another thing to purge.
    key = f"purge:{row.public_id}:{row.deleted_at_ms}"
    earlier = session.scalars(select(Job).where(col(Job.dedupe_key) == key)).one_or_none()
    if earlier is not None:
        if earlier.status in (JobStatus.FAILED, JobStatus.CANCELLED):
            lifecycle.retry(session, earlier.id)
            session.refresh(earlier)
        return earlier
    is_version = isinstance(row, ModelVersion)
    added = lifecycle.queue.enqueue(
        session,
        JobKind.PURGE_VERSION if is_version else JobKind.PURGE_MODEL,
        requested_by=by,
        arguments={"deleted_at_ms": row.deleted_at_ms},
        subject=_subject(row),
        dedupe_key=key,
        model_id=row.model_id if isinstance(row, ModelVersion) else row.id,
        version_id=row.id if is_version else None,
    )
    return session.get_one(Job, added.id)


def cancel_purge(session: Session, row: RegisteredModel | ModelVersion, lifecycle: Lifecycle, *, by: str) -> None:
    """Cancel a purge that has not begun; one that has, has marked the row. The caller has locked the model's row."""
    waiting = select(jobs.c.id).where(jobs.c.subject == _subject(row), jobs.c.kind.in_(PURGES), is_open())
    for job_id in session.scalars(waiting.order_by(jobs.c.id)).all():
        lifecycle.cancel(session, job_id, by=by)


@dataclass(frozen=True, slots=True)
class DuePurge:
    """Something whose time in the trash is over; `version_id` is None for a model."""

    model_id: int
    version_id: int | None


def due_purges(session: Session, *, trash_ms: int, limit: int) -> Sequence[DuePurge]:
    """Return what lay in the trash for `trash_ms` and has no purge job yet, oldest first."""
    too_old = now_ms() - trash_ms
    due_models = select(models.c.id.label("model_id"), literal(0).label("version_id"), models.c.deleted_at_ms).where(
        models.c.deleted_at_ms <= too_old, ~_has_purge(models)
    )
    due_versions = (
        select(versions.c.model_id, versions.c.id, versions.c.deleted_at_ms)
        .join(models, models.c.id == versions.c.model_id)
        .where(
            versions.c.deleted_at_ms <= too_old,
            models.c.deleted_at_ms.is_(None) | (versions.c.deleted_at_ms != models.c.deleted_at_ms),
            ~_has_purge(versions),
        )
    )
    found = union_all(due_models, due_versions).subquery()
    rows = session.execute(select(found).order_by(found.c.deleted_at_ms).limit(limit))
    return [DuePurge(row.model_id, row.version_id or None) for row in rows]


def enqueue_due_purge(session: Session, due: DuePurge, lifecycle: Lifecycle, *, trash_ms: int, by: str) -> bool:
    """Enqueue the purge of something that is due; False when it was restored meanwhile, or is gone."""
    lock_registry_rows(session, due.model_id, due.version_id)
    row: RegisteredModel | ModelVersion | None = (
        session.get(RegisteredModel, due.model_id)
        if due.version_id is None
        else session.get(ModelVersion, due.version_id)
    )
    if row is None or row.deleted_at_ms is None or row.deleted_at_ms > current_ms(session) - trash_ms:
        return False
    enqueue_purge(session, row, lifecycle, by=by)
    return True


def _subject(row: RegisteredModel | ModelVersion) -> str:
    """Return the lock of the jobs that work on it."""
    return version_subject(row.public_id) if isinstance(row, ModelVersion) else model_subject(row.public_id)


def _has_purge(table: Any) -> ColumnElement[bool]:
    key = literal("purge:") + table.c.public_id + ":" + cast(table.c.deleted_at_ms, String)
    return exists().where(jobs.c.dedupe_key == key)
