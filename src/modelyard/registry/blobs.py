"""Who refers to a blob, who leases it, which generation is live: the rows behind the store's files.

The database holds the references itself (see `tables._reference_to_blob`): whoever refers to a blob and whoever marks
it for deletion collide, in either order. Every function takes digests in sorted order, which is the lock order.
Source: design/storage.md, "References are held by the database" and "Generations".
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, literal, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_for, insert_or
from modelyard.database.json_rows import JsonRows, written
from modelyard.database.tables import metadata
from modelyard.errors import TemporaryFailure
from modelyard.rules.sources import upload_folder, uploaded_files

blobs = metadata.tables["blobs"]
blob_leases = metadata.tables["blob_leases"]
manifests = metadata.tables["manifests"]
manifest_blobs = metadata.tables["manifest_blobs"]
uploads = metadata.tables["uploads"]
job_files = metadata.tables["job_files"]

DAY_MS = 24 * 3600 * 1000
# PostgreSQL takes 65,535 bound values a statement, SQLite before 3.32 far fewer rows than that in one VALUES.
_BATCH = 500
# Attempt 0 is the job itself: what a create request took for it, kept until the job is final.
JOB_ITSELF = 0
# An uploaded file has no origin that a retry could find unchanged.
_UNRECOGNIZABLE = {"mtime_ns": 0, "ctime_ns": 0, "inode_or_etag": ""}


@dataclass(frozen=True, slots=True)
class LiveBlob:
    """Where a blob's file lies, and whether its bytes want to be hashed again before they are believed."""

    gen: int
    recheck: bool


def make_live(session: Session, sizes: dict[str, int], *, trust_ms: int) -> dict[str, LiveBlob]:
    """Enter blobs (digest -> size in bytes) as live and touched now; return where each one's file belongs.

    A blob that was collected comes back under the next generation, so that a late unlink hits the old file only.
    """
    live: dict[str, LiveBlob] = {}
    enter, revive = _entering(session.get_bind().dialect.name)
    for batch in _batches(sorted(sizes)):
        given = {"rows": written((digest, sizes[digest]) for digest in batch), "trust_ms": trust_ms}
        session.execute(enter, given)
        for row in session.execute(revive, given):
            # Not asked in SQL: SQLite 3.40 takes IS NULL for false in a RETURNING, whatever the row holds.
            recheck = row.broken_at_ms is not None or not row.trusted
            live[row.digest] = LiveBlob(gen=row.gen, recheck=recheck)
    return live


@cache
def _entering(dialect: str) -> tuple[Any, Any]:
    """Return the two statements of `make_live`; their parameters are `rows` of (digest, size in bytes), `trust_ms`."""
    rows = JsonRows()
    # SQLite needs a WHERE to tell ON CONFLICT from a join.
    given = select(rows.text(0), literal(0), rows.number(1), literal("live"), now_ms())
    given = given.select_from(rows.table).where(rows.text(0) != "").order_by(rows.text(0))
    columns = ["digest", "gen", "size_bytes", "state", "touched_at_ms"]
    insert = insert_for(dialect, blobs).from_select(columns, given)
    trust_ms = bindparam("trust_ms", type_=blobs.c.verified_at_ms.type)
    revive = insert.on_conflict_do_update(
        index_elements=["digest"],
        set_={
            "gen": blobs.c.gen + case((blobs.c.state == "live", 0), else_=1),
            # What was verified or broken was another file.
            "verified_at_ms": case((blobs.c.state == "live", blobs.c.verified_at_ms), else_=None),
            "broken_at_ms": case((blobs.c.state == "live", blobs.c.broken_at_ms), else_=None),
            "state": "live",
            "touched_at_ms": now_ms(),
        },
    ).returning(
        blobs.c.digest,
        blobs.c.gen,
        blobs.c.broken_at_ms,
        (blobs.c.verified_at_ms >= now_ms() - trust_ms).label("trusted"),
    )
    # Without a target it covers UNIQUE (digest, state) too; with one, PostgreSQL refuses concurrent first writes.
    return insert.on_conflict_do_nothing(), revive


def note_verified(session: Session, digests: Collection[str]) -> None:
    """Record that these blobs' bytes were hashed just now and are right."""
    for batch in _batches(sorted(digests)):
        session.execute(
            update(blobs).where(blobs.c.digest.in_(batch)).values(verified_at_ms=now_ms(), broken_at_ms=None)
        )


def lease(session: Session, digests: Collection[str], *, job_id: int, attempt: int) -> None:
    """Hold blobs for an attempt of a job; what it holds already stays held."""
    hold = _leasing(session.get_bind().dialect.name)
    for batch in _batches(sorted(digests)):
        rows = written((digest,) for digest in batch)
        session.execute(hold, {"rows": rows, "job_id": job_id, "attempt": attempt})


@cache
def _leasing(dialect: str) -> Any:
    """Return the statement of `lease`; its parameters are `rows` of digests, `job_id` and `attempt`."""
    rows = JsonRows()
    job_id = bindparam("job_id", type_=blob_leases.c.job_id.type)
    attempt = bindparam("attempt", type_=blob_leases.c.attempt.type)
    given = select(job_id, attempt, rows.text(0), literal("live"))
    given = given.select_from(rows.table).where(rows.text(0) != "").order_by(rows.text(0))
    columns = ["job_id", "attempt", "digest", "state"]
    return insert_for(dialect, blob_leases).from_select(columns, given).on_conflict_do_nothing()


_HOLDER = and_(
    blob_leases.c.job_id == bindparam("its_job"),
    blob_leases.c.attempt.in_([bindparam("its_attempt"), bindparam("itself")]),
)
# Built once: every job that ends asks it, whether or not it holds anything.
_HELD = select(blob_leases.c.digest).where(_HOLDER).distinct()


def drop_leases(session: Session, *, job_id: int, attempt: int, final: bool) -> None:
    """Let go of what an attempt held; with `final` also of what the job itself held."""
    holder = {"its_job": job_id, "its_attempt": attempt, "itself": JOB_ITSELF if final else attempt}
    digests = session.scalars(_HELD, holder).all()
    if digests:
        touch(session, digests)
        session.execute(delete(blob_leases).where(_HOLDER), holder)


def touch(session: Session, digests: Collection[str]) -> int:
    """Note that blobs were referred to just now; return how many of them are live."""
    touched = 0
    for batch in _batches(sorted(set(digests))):
        rows = select(blobs.c.digest).where(blobs.c.digest.in_(batch), blobs.c.state == "live")
        # Locked in order first: an UPDATE takes rows as it finds them, and two of them would deadlock. No stronger
        # than the UPDATE does: two who have just referred to one blob would wait for each other.
        locked = session.scalars(rows.order_by(blobs.c.digest).with_for_update(key_share=True)).all()
        if locked:
            session.execute(update(blobs).where(blobs.c.digest.in_(locked)).values(touched_at_ms=now_ms()))
        touched += len(locked)
    return touched


def keep_leases(session: Session, digests: Collection[str], *, job_id: int, attempt: int) -> None:
    """Drop the leases of an attempt on blobs that are not among `digests`.

    A manifest takes its references from the leases, and a file that changed between two attempts left one behind.
    """
    held = session.scalars(
        select(blob_leases.c.digest).where(blob_leases.c.job_id == job_id, blob_leases.c.attempt == attempt)
    ).all()
    let_go(session, set(held) - set(digests), job_id=job_id, attempt=attempt)


def let_go(session: Session, digests: Collection[str], *, job_id: int, attempt: int) -> None:
    """Drop the leases of an attempt on blobs."""
    for batch in _batches(sorted(digests)):
        touch(session, batch)
        session.execute(
            delete(blob_leases).where(
                blob_leases.c.job_id == job_id, blob_leases.c.attempt == attempt, blob_leases.c.digest.in_(batch)
            )
        )


def require_live(session: Session, digests: Collection[str]) -> None:
    """Touch blobs and make sure that each is live.

    Raises TemporaryFailure when one is not: a collector was there first, and the next attempt stores it again.
    """
    wanted = set(digests)
    if touch(session, wanted) != len(wanted):
        raise TemporaryFailure("A stored file was collected while this version was being registered.")


def record_manifest(
    session: Session, digest: str, *, file_count: int, size_bytes: int, job_id: int, attempt: int
) -> None:
    """Write a manifest and its references, taken from the leases of the attempt that stored it (and the job's own).

    A manifest that is known already has its references.
    """
    inserted = session.execute(
        insert_or(session, manifests)
        .values(digest=digest, file_count=file_count, size_bytes=size_bytes, created_at_ms=now_ms())
        .on_conflict_do_nothing()
        .returning(manifests.c.digest)
    ).one_or_none()
    if inserted is None:
        return
    leased = (
        select(literal(digest), blob_leases.c.digest, literal("live"))
        .where(blob_leases.c.job_id == job_id, blob_leases.c.attempt.in_((attempt, JOB_ITSELF)))
        .distinct()
        .order_by(blob_leases.c.digest)
    )
    session.execute(manifest_blobs.insert().from_select(["manifest_digest", "digest", "state"], leased))


def generations(session: Session, digests: Collection[str]) -> dict[str, int]:
    """Return digest -> generation for those of `digests` that are live."""
    found: dict[str, int] = {}
    for batch in _batches(sorted(digests)):
        rows = session.execute(
            select(blobs.c.digest, blobs.c.gen).where(blobs.c.digest.in_(batch), blobs.c.state == "live")
        )
        found.update((row.digest, row.gen) for row in rows)
    return found


def record_upload(session: Session, *, actor_name: str, path: str, digest: str, size_bytes: int, hours: int) -> None:
    """Enter an uploaded file into the actor's landing zone; a file of the same path is replaced."""
    touch(session, [digest])
    row = {
        "actor": actor_name,
        "path": path,
        "digest": digest,
        "size_bytes": size_bytes,
        "state": "live",
        "expires_at_ms": now_ms() + hours * 3_600_000,
    }
    session.execute(
        insert_or(session, uploads)
        .values(**row)
        .on_conflict_do_update(
            index_elements=["actor", "path"],
            set_={name: row[name] for name in ("digest", "size_bytes", "expires_at_ms")},
        )
    )


@dataclass(frozen=True, slots=True)
class UploadedFolder:
    """What an upload source means: the folder in the landing zone, and its files as (path, size in bytes, digest)."""

    folder: str
    files: list[tuple[str, int, str]]


def find_uploads(session: Session, *, actor_name: str, source_path: str) -> UploadedFolder:
    """Return the actor's uploads that a source means; paths are relative to the folder that was found.

    Raises SourceRefused when nothing was uploaded there.
    """
    first, beyond = _below(source_path.rpartition("/")[0] or source_path)
    rows = session.execute(
        select(uploads.c.path, uploads.c.size_bytes, uploads.c.digest).where(
            uploads.c.actor == actor_name, uploads.c.path >= first, uploads.c.path < beyond
        )
    )
    listing = {row.path: row for row in rows}
    chosen = uploaded_files(listing, source_path)
    files = [(path, listing[full].size_bytes, listing[full].digest) for path, full in chosen.items()]
    return UploadedFolder(upload_folder(listing, source_path), files)


def claim_uploads(session: Session, found: UploadedFolder, *, job_id: int) -> None:
    """Give uploaded files to a job, which holds them by leases of its own: later uploads and expiry change nothing.

    Raises IntegrityError when one of them was collected meanwhile.
    """
    digests = {digest for _, _, digest in found.files}
    touch(session, digests)
    lease(session, digests, job_id=job_id, attempt=JOB_ITSELF)
    for start in range(0, len(found.files), _BATCH):
        rows = [
            {"job_id": job_id, "path": path, "size_bytes": size_bytes, "digest": digest}
            for path, size_bytes, digest in found.files[start : start + _BATCH]
        ]
        session.execute(job_files.insert(), [{**_UNRECOGNIZABLE, **row} for row in rows])


def forget_uploads(session: Session, *, actor_name: str, folder: str) -> None:
    """Remove the actor's uploads below `folder` from the landing zone; their version holds the bytes now."""
    first, beyond = _below(folder)
    below = and_(uploads.c.actor == actor_name, uploads.c.path >= first, uploads.c.path < beyond)
    _remove_uploads(session, below)


def expire_uploads(session: Session) -> int:
    """Remove uploads that nobody registered in time; return how many."""
    return _remove_uploads(session, uploads.c.expires_at_ms < now_ms())


def _remove_uploads(session: Session, which: Any) -> int:
    digests = session.scalars(select(uploads.c.digest).where(which)).all()
    if digests:
        touch(session, digests)
        session.execute(delete(uploads).where(which))
    return len(digests)


def _below(folder: str) -> tuple[str, str]:
    """Return the bounds between which the paths below `folder` sort: "0" is the character behind "/"."""
    return folder + "/", folder + "0"


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
