"""What nobody refers to any more, and its way out: live -> deleting -> gone. Rows only; a worker removes the files.

Any number of collectors may run at once, be paused or be killed. Who still refers to a blob is not asked but told by
the foreign keys, which collide with the mark in either order. Source: design/storage.md, "Verify, delete, collect".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.tables import metadata
from modelyard.registry.blobs import DAY_MS, blob_leases, blobs, manifest_blobs, manifests, touch, uploads
from modelyard.storage.store import FoundBlob, StoredBlob

versions = metadata.tables["model_versions"]

# How long the row of a collected blob remembers its generation: beyond any pause of a collector.
GONE_KEPT_MS = 30 * DAY_MS
REFERENCES: tuple[Table, ...] = (manifest_blobs, blob_leases, uploads)


def is_unreferenced() -> ColumnElement[bool]:
    """Return the condition on `blobs` for those that nothing refers to now; the foreign keys have the last word."""
    return and_(*(~_held_by(table) for table in REFERENCES))


def _is_collectable(grace_ms: int) -> tuple[ColumnElement[bool], ...]:
    return blobs.c.state == "live", blobs.c.touched_at_ms <= now_ms() - grace_ms


def unreferenced_manifests(session: Session, *, after: str, limit: int) -> list[str]:
    """Return manifests behind `after` that no version refers to, deleted ones included, in order of digest."""
    free = ~exists().where(versions.c.manifest_digest == manifests.c.digest)
    found = select(manifests.c.digest).where(manifests.c.digest > after, free)
    return list(session.scalars(found.order_by(manifests.c.digest).limit(limit)))


def blobs_of_manifest(session: Session, manifest_digest: str) -> list[str]:
    """Return the digests that a manifest refers to, its own included, sorted."""
    found = select(manifest_blobs.c.digest).where(manifest_blobs.c.manifest_digest == manifest_digest)
    return list(session.scalars(found.order_by(manifest_blobs.c.digest)))


def remove_manifest(session: Session, digest: str, digests: Sequence[str]) -> bool:
    """Remove a manifest with all of its references, and touch `digests`, which they lead to; False: it is in use.

    It goes whole or not at all: a registration that finds its row relies on its references.
    """
    try:
        with session.begin_nested():
            touch(session, digests)
            session.execute(delete(manifest_blobs).where(manifest_blobs.c.manifest_digest == digest))
            session.execute(delete(manifests).where(manifests.c.digest == digest))
    except IntegrityError:
        return False
    return True


def unreferenced_blobs(session: Session, *, after: str, grace_ms: int, limit: int) -> list[str]:
    """Return blobs behind `after` that were untouched for `grace_ms` and look unreferenced, in order of digest."""
    found = select(blobs.c.digest).where(blobs.c.digest > after, *_is_collectable(grace_ms), is_unreferenced())
    return list(session.scalars(found.order_by(blobs.c.digest).limit(limit)))


def begin_deleting(session: Session, digests: Sequence[str], *, grace_ms: int) -> list[StoredBlob]:
    """Mark blobs, sorted by digest, as `deleting`, and return those that were; the others are in use after all."""
    marked = []
    for digest in digests:
        mark = update(blobs).where(blobs.c.digest == digest, *_is_collectable(grace_ms)).values(state="deleting")
        try:
            with session.begin_nested():
                row = session.execute(mark.returning(blobs.c.gen, blobs.c.size_bytes)).one_or_none()
        except IntegrityError:
            continue
        if row is not None:
            marked.append(StoredBlob(digest, row.gen, row.size_bytes))
    return marked


def unfinished_blobs(session: Session, *, after: str, limit: int) -> list[StoredBlob]:
    """Return blobs behind `after` that some collector marked and did not finish, in order of digest."""
    found = select(blobs.c.digest, blobs.c.gen, blobs.c.size_bytes).where(
        blobs.c.digest > after, blobs.c.state == "deleting"
    )
    return [StoredBlob(*row) for row in session.execute(found.order_by(blobs.c.digest).limit(limit))]


def finish_deleting(session: Session, removed: Sequence[StoredBlob]) -> None:
    """Note that the files of these blobs are gone; one that came back meanwhile has another generation."""
    session.execute(
        update(blobs)
        .where(
            tuple_(blobs.c.digest, blobs.c.gen).in_([(blob.digest, blob.gen) for blob in removed]),
            blobs.c.state == "deleting",
        )
        .values(state="gone", touched_at_ms=now_ms())
    )


def forget_gone(session: Session, *, limit: int) -> int:
    """Remove rows of blobs that were collected long ago; return how many."""
    old = select(blobs.c.digest).where(blobs.c.state == "gone", blobs.c.touched_at_ms < now_ms() - GONE_KEPT_MS)
    digests = list(session.scalars(old.order_by(blobs.c.digest).limit(limit)))
    session.execute(delete(blobs).where(blobs.c.digest.in_(digests), blobs.c.state == "gone"))
    return len(digests)


class Standing(Enum):
    """What the rows say of a file in the store."""

    KNOWN = "its blob's own file"
    UNKNOWN = "no row tells of it, as after a restored database"
    LEFTOVER = "of a generation that is over: a dead collector left it"
    AHEAD = "of a generation that is still to come, as after a restored database"


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A file as it was listed, what it is, and the row's generation and state at that time."""

    file: FoundBlob
    standing: Standing
    gen: int = 0
    state: str = ""


def judge_files(session: Session, files: Sequence[FoundBlob]) -> list[JudgedFile]:
    """Tell what each of a few files is. List first, then ask: a row is always there before its file."""
    digests = {file.digest for file in files}
    found = select(blobs.c.digest, blobs.c.gen, blobs.c.state).where(blobs.c.digest.in_(digests))
    rows = {row.digest: row for row in session.execute(found)}
    judged = []
    for file in files:
        row = rows.get(file.digest)
        if row is None:
            judged.append(JudgedFile(file, Standing.UNKNOWN))
        else:
            judged.append(JudgedFile(file, _standing(file.gen, row.gen, row.state), row.gen, row.state))
    return judged


def _standing(file_gen: int, gen: int, state: str) -> Standing:
    if file_gen > gen:
        return Standing.AHEAD
    # A writer that was paused before it gave its file the name may come after a collector.
    over = file_gen < gen or state == "gone"
    return Standing.LEFTOVER if over else Standing.KNOWN


def enter_file(session: Session, file: FoundBlob) -> None:
    """Enter a file that no row tells of as live and touched now; nobody has verified it."""
    row = {"digest": file.digest, "gen": file.gen, "size_bytes": file.size_bytes, "state": "live"}
    session.execute(insert_or(session, blobs).values(**row, touched_at_ms=now_ms()).on_conflict_do_nothing())


def take_generation(session: Session, judged: JudgedFile) -> bool:
    """Let a blob's row follow its file to a later generation; the caller has hashed the file. False: it moved on."""
    moved = session.execute(
        update(blobs)
        .where(blobs.c.digest == judged.file.digest, blobs.c.gen == judged.gen, blobs.c.state == judged.state)
        .values(
            gen=judged.file.gen,
            size_bytes=judged.file.size_bytes,
            state="live",
            touched_at_ms=now_ms(),
            verified_at_ms=now_ms(),
            broken_at_ms=None,
        )
    )
    return bool(moved.rowcount == 1)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a collection would free now, and what a later one: held by grace, or by manifests that go first."""

    manifests: int
    blobs: int
    size_bytes: int
    later_blobs: int
    later_bytes: int


def outlook(session: Session, *, grace_ms: int) -> Outlook:
    """Foresee a collection without changing anything."""
    of_a_version = (
        exists()
        .where(
            manifest_blobs.c.digest == blobs.c.digest,
            manifest_blobs.c.state == blobs.c.state,
            versions.c.manifest_digest == manifest_blobs.c.manifest_digest,
        )
        .correlate(blobs)
    )
    free_then = and_(~of_a_version, ~_held_by(blob_leases), ~_held_by(uploads))
    counted = select(func.count(), func.coalesce(func.sum(blobs.c.size_bytes), 0)).select_from(blobs)
    count, size_bytes = session.execute(counted.where(*_is_collectable(grace_ms), is_unreferenced())).one()
    all_count, all_bytes = session.execute(counted.where(blobs.c.state == "live", free_then)).one()
    free = ~exists().where(versions.c.manifest_digest == manifests.c.digest)
    return Outlook(
        manifests=session.scalar(select(func.count()).select_from(manifests).where(free)) or 0,
        blobs=count,
        size_bytes=int(size_bytes),
        later_blobs=all_count - count,
        later_bytes=int(all_bytes - size_bytes),
    )


def _held_by(table: Table) -> ColumnElement[bool]:
    return exists().where(table.c.digest == blobs.c.digest, table.c.state == blobs.c.state)
