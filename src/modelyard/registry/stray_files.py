"""Files of the store that nothing in the database knows of: blobs without a row, staging without an owner.

They are listed first and the database is asked then, as rows are always written before the files that they tell of.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, select

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.jobs.guards import jobs
from modelyard.registry.blobs import blobs
from modelyard.registry.health_checks import Finding
from modelyard.rules.jobs import JobStatus
from modelyard.storage import sizes
from modelyard.storage.store import FoundBlob, Staging, Store, blob_name

attempts = metadata.tables["job_attempts"]

_BATCH = 500
_DAY_S = 24 * 3600


def find_stray_blobs(engine: Engine, store: Store) -> Iterator[Finding]:
    """Yield each blob's file of which the database knows nothing, or an older generation only.

    A file of an older generation than its row is what a collector left, and the next one removes it.
    """
    batch: list[FoundBlob] = []
    for found in store.list_blobs():
        batch.append(found)
        if len(batch) == _BATCH:
            yield from _strays(engine, store, batch)
            batch = []
    yield from _strays(engine, store, batch)


def find_lost_staging(engine: Engine, store: Store, *, patience_ms: int) -> Iterator[Finding]:
    """Yield each staging folder whose attempt ended longer than `patience_ms` ago, so that no sweep clears it away."""
    for folder in store.list_staging():
        if _is_lost(engine, folder, patience_ms):
            yield Finding(
                "staging_without_owner",
                f"The folder ingest/{folder.name} belongs to attempt {folder.attempt} of job {folder.job_id}, "
                "which is over.",
                "It takes the space of a copy that nobody finishes.",
                f"A worker's sweep removes it within minutes; without any worker: rm -r STORE/ingest/{folder.name}",
            )


def _strays(engine: Engine, store: Store, batch: Sequence[FoundBlob]) -> Iterator[Finding]:
    known = select(blobs.c.digest, blobs.c.gen, blobs.c.state)
    with autocommit(engine) as connection:
        found = connection.execute(known.where(blobs.c.digest.in_([blob.digest for blob in batch]))).all()
        moment_ms = connection.scalar(select(now_ms())) or 0
    rows = {row.digest: row for row in found}
    for blob in batch:
        row = rows.get(blob.digest)
        is_stray = row is None or blob.gen > row.gen or (blob.gen == row.gen and row.state == "gone")
        # A collector may have removed it since it was listed.
        if is_stray and store.blob_size(blob.digest, blob.gen) is not None:
            yield _stray(blob, row, moment_ms)


def _stray(blob: FoundBlob, row: Any, moment_ms: int) -> Finding:
    name = blob_name(blob.digest, blob.gen)
    known = "nothing of it" if row is None else f"generation {row.gen} of it ({row.state})"
    live = "state = 'live', verified_at_ms = NULL"
    repair = (
        "INSERT INTO blobs (digest, gen, size_bytes, state, touched_at_ms) "
        f"VALUES ('{blob.digest}', {blob.gen}, {blob.size_bytes}, 'live', {moment_ms});"
        if row is None
        else f"UPDATE blobs SET gen = {blob.gen}, {live} WHERE digest = '{blob.digest}' AND gen = {row.gen};"
    )
    return Finding(
        "file_without_row",
        f"The database knows {known}, but the store has the file {name} ({sizes.written(blob.size_bytes)}).",
        "A database restored from a backup leaves such files. They take space, and no collector sees them.",
        f"When `sha256sum STORE/{name}` prints {blob.digest}: {repair} If nobody uses it, a collection removes it.",
    )


def _is_lost(engine: Engine, folder: Staging, patience_ms: int) -> bool:
    if folder.job_id == 0:
        # An upload belongs to its request, which no row tells of.
        return folder.age_s * 1000 > _DAY_S * 1000 + patience_ms
    running = select(jobs.c.id).where(
        jobs.c.id == folder.job_id, jobs.c.attempt == folder.attempt, jobs.c.status == JobStatus.RUNNING
    )
    ended_ago = select(now_ms() - attempts.c.ended_at_ms).where(
        attempts.c.job_id == folder.job_id, attempts.c.attempt == folder.attempt
    )
    with autocommit(engine) as connection:
        if connection.execute(running).first() is not None:
            return False
        ended_ago_ms = connection.scalar(ended_ago)
    # Without a row to tell when it ended, the folder's own age has to.
    return (folder.age_s * 1000 if ended_ago_ms is None else ended_ago_ms) > patience_ms
