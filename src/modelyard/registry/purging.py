"""Taking deleted versions and models out of the database, row by row: what a purge job does in its transactions.

What hangs on a version or a model is known from the foreign keys, so that no table can be forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Table, delete, exists, func, select, tuple_, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.tables import Activity, metadata
from modelyard.jobs.guards import is_open, jobs
from modelyard.rules.activities import ActivityType

models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]


@dataclass(frozen=True, slots=True)
class Dependent:
    """A column that refers to the rows of another table."""

    table: Table
    column: Column[int]


def dependents_of(target: Table) -> list[Dependent]:
    """Return what refers to `target`, those first that others among them are referred to by."""
    return [
        Dependent(table, key.parent)
        for table in reversed(metadata.sorted_tables)
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
        if key.column.table is target and table is not versions
    ]


def mark_purging(session: Session, table: Table, row_id: int, *, deleted_at_ms: int) -> bool:
    """Begin a purge: from here on nothing restores the row. False when it was restored, or is gone.

    `deleted_at_ms` is when it was deleted: a purge asked for then has no say over what was deleted again later.
    """
    marked = session.execute(
        update(table)
        .where(table.c.id == row_id, table.c.deleted_at_ms == deleted_at_ms)
        .values(purging_at_ms=func.coalesce(table.c.purging_at_ms, now_ms()))
    )
    return bool(marked.rowcount == 1)  # type: ignore[attr-defined]


def remove_dependents(session: Session, target: Table, row_id: int, *, limit: int) -> int:
    """Remove rows that refer to a row of `target`, at most `limit` of them; return how many. Fewer: none is left."""
    removed = 0
    for dependent in dependents_of(target):
        if removed == limit:
            break
        keys = list(dependent.table.primary_key)
        some = select(*keys).where(dependent.column == row_id).limit(limit - removed)
        gone = session.execute(delete(dependent.table).where(tuple_(*keys).in_(some)))
        removed += gone.rowcount  # type: ignore[attr-defined]
    return removed


def remove_row(session: Session, target: Table, row_id: int) -> None:
    """Remove a deleted version or model, once nothing refers to it."""
    session.execute(delete(target).where(target.c.id == row_id, target.c.deleted_at_ms.is_not(None)))


def is_there(session: Session, table: Table, row_id: int) -> bool:
    """Whether a row has not been removed yet."""
    return session.scalar(select(table.c.id).where(table.c.id == row_id)) is not None


def versions_of(session: Session, model_id: int, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
    """Return row id and public id of a model's versions behind row id `after`, in order."""
    found = select(versions.c.id, versions.c.public_id).where(versions.c.model_id == model_id, versions.c.id > after)
    return [(row.id, row.public_id) for row in session.execute(found.order_by(versions.c.id).limit(limit))]


def count_versions(session: Session, model_id: int) -> int:
    """Return how many versions of a model have a row still."""
    return session.scalar(select(func.count()).select_from(versions).where(versions.c.model_id == model_id)) or 0


def is_worked_on(session: Session, subject: str) -> bool:
    """Whether a job of this subject is open."""
    return bool(session.scalar(select(exists().where(jobs.c.subject == subject, is_open()))))


def number_of(session: Session, version_id: int) -> int | None:
    """Return the number of a version; None when its row is gone."""
    return session.scalar(select(versions.c.version).where(versions.c.id == version_id))


def note_purged(session: Session, model_id: int, number: int, *, by: str) -> None:
    """Let the feed of a living model say that one of its versions is gone for good; the version's own feed went."""
    living = select(models.c.id).where(models.c.id == model_id, models.c.deleted_at_ms.is_(None))
    if session.scalar(living) is not None:
        activity = Activity(model_id=model_id, activity_type=ActivityType.PURGED_VERSION, actor=by)
        activity.system_comment = f"Version {number} was purged."
        session.add(activity)
        session.flush()


def count_purged(session: Session, job_id: int, *, items: int, size_bytes: int) -> None:
    """Add to the job's own figures in the transaction that removed the rows, so that no attempt counts twice."""
    session.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(items_done=jobs.c.items_done + items, bytes_done=jobs.c.bytes_done + size_bytes)
    )


def counted_so_far(session: Session, job_id: int) -> tuple[int, int]:
    """Return how many versions a job has purged in all of its attempts, and how many bytes that left unreferenced."""
    items, size_bytes = session.execute(select(jobs.c.items_done, jobs.c.bytes_done).where(jobs.c.id == job_id)).one()
    return items, size_bytes
