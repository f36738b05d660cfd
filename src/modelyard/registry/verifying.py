"""What a verification reads and what it notes: the rows around the bytes.

A damaged blob is one whose bytes were read again and were not those of its name, or could not be read at all. It is
marked only if, looked at again in the transaction, it is still live, used, and nobody else has seen to it meanwhile.
Source: design/storage.md, "Verify, delete, collect".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, tuple_, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.tables import metadata
from modelyard.registry.blobs import blobs, lease, let_go, manifest_blobs, touch
from modelyard.storage.store import StoredBlob

versions = metadata.tables["model_versions"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A blob that is to be read, and when it was last found right, as it was when somebody began to read it."""

    blob: StoredBlob
    verified_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose blobs are verified: those of one manifest, of one model, or, with neither, all that a version uses."""

    manifest_digest: str | None = None
    model_id: int | None = None


def waiting_suspects(session: Session, scope: Scope, *, before_ms: int, limit: int) -> list[Suspect]:
    """Return blobs that were last read before `before_ms`; of the whole store, those first that wait longest.

    The answer is empty when everything was read since.
    """
    statement = select(*_SUSPECT).where(*_waiting(scope, before_ms))
    if scope != Scope():
        rows = session.execute(statement.order_by(blobs.c.digest).limit(limit)).all()
        return [_suspect(row) for row in rows]
    # Two statements, since the databases do not agree on where NULL sorts, and an index serves each of these.
    never = session.execute(statement.where(blobs.c.verified_at_ms.is_(None)).limit(limit)).all()
    once = statement.where(blobs.c.verified_at_ms.is_not(None)).order_by(blobs.c.verified_at_ms)
    rest = session.execute(once.limit(limit - len(never))).all() if len(never) < limit else []
    return [_suspect(row) for row in (*never, *rest)]


def count_waiting(session: Session, scope: Scope, *, before_ms: int) -> tuple[int, int]:
    """Return how many blobs a verification has to read, and their bytes."""
    counted = select(func.count(), func.coalesce(func.sum(blobs.c.size_bytes), 0)).where(*_waiting(scope, before_ms))
    count, size_bytes = session.execute(counted).one()
    return count, int(size_bytes)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read since some time: how many blobs, their bytes, and which of them are damaged, sorted."""

    blobs: int
    size_bytes: int
    damaged: list[str]


def verified_since(session: Session, scope: Scope, *, since_ms: int) -> Verified:
    """Return what a verification that began at `since_ms` has found, in whatever attempt."""
    damaged = and_(blobs.c.broken_at_ms >= since_ms, blobs.c.state == "live")
    read = or_(damaged, and_(blobs.c.verified_at_ms >= since_ms, blobs.c.state == "live"))
    counted = select(func.count(), func.coalesce(func.sum(blobs.c.size_bytes), 0)).where(read, _is_used(scope))
    count, size_bytes = session.execute(counted).one()
    found = session.scalars(select(blobs.c.digest).where(damaged, _is_used(scope)).order_by(blobs.c.digest))
    return Verified(count, int(size_bytes), list(found))


def hold_suspects(session: Session, suspects: Sequence[Suspect], *, job_id: int, attempt: int) -> list[Suspect]:
    """Lease blobs, so that they cannot be collected while they are read; return those that are there, as they are."""
    digests = [suspect.blob.digest for suspect in suspects]
    # Touching locks those that are live; a collector that was faster has the others.
    touch(session, digests)
    rows = session.execute(select(*_SUSPECT).where(blobs.c.digest.in_(digests), blobs.c.state == "live")).all()
    lease(session, [row.digest for row in rows], job_id=job_id, attempt=attempt)
    return [_suspect(row) for row in rows]


_SUSPECT = (blobs.c.digest, blobs.c.gen, blobs.c.size_bytes, blobs.c.verified_at_ms)


def _suspect(row: Any) -> Suspect:
    return Suspect(StoredBlob(row.digest, row.gen, row.size_bytes), row.verified_at_ms)


def _waiting(scope: Scope, before_ms: int) -> tuple[ColumnElement[bool], ...]:
    return (
        blobs.c.state == "live",
        or_(blobs.c.verified_at_ms.is_(None), blobs.c.verified_at_ms < before_ms),
        or_(blobs.c.broken_at_ms.is_(None), blobs.c.broken_at_ms < before_ms),
        _is_used(scope),
    )


def _is_used(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on `blobs` for those that a version of the scope refers to."""
    if scope.manifest_digest is not None:
        of_manifest = manifest_blobs.c.manifest_digest == scope.manifest_digest
        return blobs.c.digest.in_(select(manifest_blobs.c.digest).where(of_manifest))
    used = manifest_blobs.join(versions, versions.c.manifest_digest == manifest_blobs.c.manifest_digest)
    if scope.model_id is not None:
        of_model = select(manifest_blobs.c.digest).select_from(used).where(versions.c.model_id == scope.model_id)
        return blobs.c.digest.in_(of_model)
    return exists().select_from(used).where(manifest_blobs.c.digest == blobs.c.digest)


def _moment(before_ms: int) -> Any:
    """Return the time to note: never one at which the same verification would read the blob again."""
    return case((now_ms() < before_ms, before_ms), else_=now_ms())


def note_good(session: Session, good: Sequence[Suspect], *, before_ms: int) -> None:
    """Note that these blobs hold their bytes; a mark that they may have borne is wrong now."""
    here = update(blobs).where(blobs.c.state == "live", _one_of(good))
    session.execute(here.values(verified_at_ms=_moment(before_ms), broken_at_ms=None))


def note_damaged(session: Session, bad: Sequence[Suspect], *, before_ms: int) -> list[str]:
    """Mark blobs as damaged, and return those that were marked.

    Left out is what nobody uses any more, came back under another generation, or was found right or replaced by
    somebody else since we began to read it.
    """
    marked = []
    for suspect in sorted(bad, key=lambda suspect: suspect.blob.digest):
        unchanged = blobs.c.verified_at_ms.is_not_distinct_from(suspect.verified_at_ms)
        mark = update(blobs).where(blobs.c.state == "live", _one_of([suspect]), unchanged, _is_used(Scope()))
        done = session.execute(mark.values(broken_at_ms=_moment(before_ms)))
        if done.rowcount == 1:  # type: ignore[attr-defined]
            marked.append(suspect.blob.digest)
    return marked


def release_suspects(session: Session, suspects: Sequence[Suspect], *, job_id: int, attempt: int) -> None:
    """Let go of blobs that were read."""
    let_go(session, [suspect.blob.digest for suspect in suspects], job_id=job_id, attempt=attempt)


def _one_of(suspects: Sequence[Suspect]) -> ColumnElement[bool]:
    return tuple_(blobs.c.digest, blobs.c.gen).in_([(each.blob.digest, each.blob.gen) for each in suspects])


def manifest_to_verify(session: Session, version_id: int) -> str | None:
    """Return the manifest of a living version; None when it was deleted or has none."""
    living = select(versions.c.manifest_digest).where(versions.c.id == version_id, versions.c.deleted_at_ms.is_(None))
    return session.scalar(living)
