"""Whether the store holds what the database promises; asked while everything runs.

Files and rows cannot be read in one snapshot. So whatever seems wrong is looked at again after a fresh look at the
rows, and reported only when it is needed still and wrong still.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, exists, or_, select

from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.errors import NotFound
from modelyard.jobs.guards import models, versions
from modelyard.registry.blobs import JOB_ITSELF, blob_leases, blobs, manifest_blobs, uploads
from modelyard.registry.health_checks import Finding
from modelyard.storage.manifest import BrokenManifest, parse_manifest
from modelyard.storage.store import Store, StoredBlob, blob_name, is_intact

manifests = metadata.tables["manifests"]

_PAGE = 500
_NAMED = 3


def find_wrong_blobs(engine: Engine, store: Store, *, deep: bool, on_piece: Callable[[int], None]) -> Iterator[Finding]:
    """Yield each blob that is needed, and is missing or has the wrong size; with `deep`, also the wrong bytes.

    `on_piece` is called with the bytes of each piece that was hashed.
    """

    def fault(blob: StoredBlob) -> str:
        return _fault(store, blob, deep=deep, on_piece=on_piece)

    for row in _needed_blobs(engine):
        blob = StoredBlob(row.digest, row.gen, row.size_bytes)
        if fault(blob) and _is_needed(engine, blob) and (found := fault(blob)):
            yield _wrong_blob(engine, blob, found)


def find_wrong_manifests(engine: Engine, store: Store) -> Iterator[Finding]:
    """Yield each manifest of a READY version that cannot be read, or holds other blobs than it lists."""
    for digest, gen in _manifests_in_use(engine):
        content = _content(store, digest, gen)
        if content is None:
            continue  # Missing or unreadable, which is told of the blob that it is.
        found = _wrong_manifest(engine, digest, content)
        if found and _is_in_use(engine, digest):
            yield found


def _needed() -> ColumnElement[bool]:
    """Whether a live blob must have its file. What only an attempt leases may not have got there yet."""
    return or_(
        exists().where(manifest_blobs.c.digest == blobs.c.digest),
        exists().where(uploads.c.digest == blobs.c.digest),
        exists().where(blob_leases.c.digest == blobs.c.digest, blob_leases.c.attempt == JOB_ITSELF),
    )


def _needed_blobs(engine: Engine) -> Iterator[Any]:
    last = ""
    while True:
        page = (
            select(blobs.c.digest, blobs.c.gen, blobs.c.size_bytes)
            .where(blobs.c.digest > last, blobs.c.state == "live", _needed())
            .order_by(blobs.c.digest)
            .limit(_PAGE)
        )
        with autocommit(engine) as connection:
            rows = connection.execute(page).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1].digest


def _is_needed(engine: Engine, blob: StoredBlob) -> bool:
    same = and_(blobs.c.digest == blob.digest, blobs.c.gen == blob.gen, blobs.c.state == "live", _needed())
    with autocommit(engine) as connection:
        return connection.execute(select(blobs.c.digest).where(same)).first() is not None


def _fault(store: Store, blob: StoredBlob, *, deep: bool, on_piece: Callable[[int], None]) -> str:
    """Return what is wrong with a blob's file in a few words, "" for nothing."""
    found_bytes = store.blob_size(blob.digest, blob.gen)
    if found_bytes is None:
        return "missing"
    if found_bytes != blob.size_bytes:
        return f"{found_bytes} bytes long"
    try:
        return "" if not deep or is_intact(store, blob, on_piece) else "full of other bytes"
    except NotFound:
        return "missing"
    except (OSError, EOFError) as error:
        # A disk that gives up its bytes no more is what a deep look is for.
        return f"unreadable ({getattr(error, 'strerror', None) or error})"


def _wrong_blob(engine: Engine, blob: StoredBlob, fault: str) -> Finding:
    again = (
        f"Put it back from a backup, or register the same files again: that writes {blob_name(blob.digest, 0)} anew."
    )
    if fault == "full of other bytes":
        # Bytes of the right length are believed for some days, unless their row says that they are broken.
        again = f"UPDATE blobs SET broken_at_ms = 1 WHERE digest = '{blob.digest}'; then: {again}"
    return Finding(
        "broken_blob",
        f"The file {blob_name(blob.digest, blob.gen)} of {blob.size_bytes} bytes is {fault}; "
        f"{_who_needs(engine, blob.digest)}.",
        "READY promises these bytes, and whoever downloads them gets an error.",
        again,
    )


def _who_needs(engine: Engine, digest: str) -> str:
    using = (
        select(models.c.name, versions.c.version)
        .join(versions, versions.c.model_id == models.c.id)
        .join(manifest_blobs, manifest_blobs.c.manifest_digest == versions.c.manifest_digest)
        .where(manifest_blobs.c.digest == digest, versions.c.deleted_at_ms.is_(None))
        .order_by(versions.c.id)
        .limit(_NAMED + 1)
    )
    with autocommit(engine) as connection:
        rows = connection.execute(using).all()
    named = [f"version {row.version} of {row.name!r}" for row in rows[:_NAMED]]
    if not named:
        return "a deleted version, or an upload, needs it"
    return "needed by " + ", ".join(named) + (", and others" if len(rows) > _NAMED else "")


def _in_use(digest: Any) -> ColumnElement[bool]:
    return exists().where(versions.c.manifest_digest == digest, versions.c.status == "READY")


def _manifests_in_use(engine: Engine) -> Iterator[tuple[str, int]]:
    last = ""
    while True:
        page = (
            select(manifests.c.digest, blobs.c.gen)
            .join(blobs, blobs.c.digest == manifests.c.digest)
            .where(manifests.c.digest > last, _in_use(manifests.c.digest))
            .order_by(manifests.c.digest)
            .limit(_PAGE)
        )
        with autocommit(engine) as connection:
            rows = connection.execute(page).all()
        yield from ((row.digest, row.gen) for row in rows)
        if len(rows) < _PAGE:
            return
        last = rows[-1].digest


def _is_in_use(engine: Engine, digest: str) -> bool:
    with autocommit(engine) as connection:
        return bool(connection.scalar(select(_in_use(digest))))


def _content(store: Store, digest: str, gen: int) -> bytes | None:
    try:
        with store.open_blob(digest, gen) as blob:
            return b"".join(blob.pieces())
    except (NotFound, OSError, EOFError):
        return None


def _wrong_manifest(engine: Engine, digest: str, content: bytes) -> Finding | None:
    try:
        if hashlib.sha256(content).hexdigest() != digest:
            raise BrokenManifest("its bytes have another digest")
        listed = {file.digest for file in parse_manifest(content)} | {digest}
    except BrokenManifest as error:
        return Finding(
            "unreadable_manifest",
            f"The manifest {digest} cannot be read: {error}.",
            "It lists the files of a version; without it nobody can load that version.",
            f"UPDATE blobs SET broken_at_ms = 1 WHERE digest = '{digest}'; then register the same files again.",
        )
    with autocommit(engine) as connection:
        held = set(
            connection.scalars(select(manifest_blobs.c.digest).where(manifest_blobs.c.manifest_digest == digest))
        )
    return None if listed == held else _differing_manifest(digest, listed, held)


def _differing_manifest(digest: str, listed: set[str], held: set[str]) -> Finding:
    missing, extra = sorted(listed - held), sorted(held - listed)
    repairs = [
        f"INSERT INTO manifest_blobs (manifest_digest, digest, state) VALUES ('{digest}', '{blob}', 'live');"
        for blob in missing
    ]
    repairs += [
        f"DELETE FROM manifest_blobs WHERE manifest_digest = '{digest}' AND digest = '{blob}';" for blob in extra
    ]
    found = f"The manifest {digest} lists {len(listed)} blobs, and the database holds {len(held)} of it"
    found += f"; not held: {', '.join(missing)}" if missing else ""
    found += f"; not listed: {', '.join(extra)}" if extra else ""
    return Finding(
        "manifest_differs",
        found + ".",
        "The collector removes blobs that nothing holds, and keeps those that something holds for nothing.",
        " ".join(repairs),
    )
