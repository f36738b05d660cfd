"""The landing zone: files that a client uploads before it registers them, seen by their uploader alone.

Paths are relative to the zone, with single slashes, as `rules/sources.upload_path` returns them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import Upload
from modelyard.errors import InvalidValue, NotFound
from modelyard.registry import blobs
from modelyard.registry.access import Actor
from modelyard.rules.sources import shown
from modelyard.rules.texts import check_storable
from modelyard.storage.copying import StoredFile
from modelyard.storage.store import BlobPlacement

# What S3 takes as a key, and PostgreSQL's index as a row.
MAX_PATH_BYTES = 1024


@dataclass(frozen=True, slots=True)
class UploadedEntry:
    """A file or folder of the landing zone; folders have no size."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class UploadLedger:
    """The database's side of storing an upload: its blob is entered as live before the file gets its name."""

    engine: Engine
    trust_ms: int

    def record(self, batch: Sequence[StoredFile]) -> Mapping[str, BlobPlacement]:
        """Enter the blobs of a batch."""
        return repeat_conflicts(lambda: self._record(batch))

    def _record(self, batch: Sequence[StoredFile]) -> Mapping[str, BlobPlacement]:
        sizes = {file.digest: file.size_bytes for file in batch}
        with transaction(self.engine) as session:
            live = blobs.make_live(session, sizes, trust_ms=self.trust_ms)
        return {digest: BlobPlacement(blob.gen, recheck=blob.recheck) for digest, blob in live.items()}

    def proven(self, digests: Sequence[str]) -> None:
        """Note that the stored bytes of these blobs are right."""
        with transaction(self.engine) as session:
            blobs.note_verified(session, digests)


def check_upload_path(path: str) -> None:
    """Raise InvalidValue unless a file may be uploaded to `path`."""
    check_storable("path", path)
    size_bytes = len(path.encode())
    if size_bytes > MAX_PATH_BYTES:
        raise InvalidValue(f"The path {shown(path)} has {size_bytes} bytes; at most {MAX_PATH_BYTES} are allowed.")


def list_uploads(session: Session, actor: Actor, path: str) -> list[UploadedEntry]:
    """Return what lies directly in the folder `path`, sorted; for a file, that file alone. Raises NotFound."""
    exact = _file(session, actor, path)
    if exact is not None:
        return [exact]
    entries: dict[str, UploadedEntry] = {}
    for below, size_bytes in _files_below(session, actor, path):
        name, slash, _ = below.partition("/")
        entries[name] = UploadedEntry(f"{path}/{name}", None if slash else size_bytes)
    if not entries:
        raise NotFound(f"No file or directory exists on path {shown(path)}.")
    return [entries[name] for name in sorted(entries)]


def upload_status(session: Session, actor: Actor, path: str) -> UploadedEntry:
    """Return what `path` is. Raises NotFound."""
    exact = _file(session, actor, path)
    if exact is None:
        list_uploads(session, actor, path)
    return exact or UploadedEntry(path, None)


def _files_below(session: Session, actor: Actor, folder: str) -> list[tuple[str, int]]:
    first, beyond = f"{folder}/", f"{folder}0"  # "0" is the character behind "/".
    rows = session.exec(
        select(Upload.path, Upload.size_bytes).where(
            col(Upload.actor) == actor.name, col(Upload.path) >= first, col(Upload.path) < beyond
        )
    )
    return [(path.removeprefix(first), size_bytes) for path, size_bytes in rows]


def _file(session: Session, actor: Actor, path: str) -> UploadedEntry | None:
    statement = select(Upload).where(col(Upload.actor) == actor.name, col(Upload.path) == path)
    found = session.exec(statement).one_or_none()
    return None if found is None else UploadedEntry(path, found.size_bytes)
