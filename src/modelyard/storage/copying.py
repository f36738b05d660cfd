"""Copying bytes into the store, in batches: a whole tree, a few bytes of our own, or the body of an upload."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelyard.errors import BodyTooLarge, InvalidValue
from modelyard.storage import sizes
from modelyard.storage.ingest import BATCH_BYTES, BlobPlacement, Ingest
from modelyard.storage.manifest import ManifestFile
from modelyard.storage.store import LocalStore, StoredBlob
from modelyard.storage.tree import FileEntry, Reader, Tree


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that an earlier attempt stored: as it was listed then, and the live blob that it became."""

    entry: FileEntry
    digest: str
    gen: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A blob on its way into the store; `entry` says which file it was, None for bytes that are no file of a tree."""

    digest: str
    size_bytes: int
    entry: FileEntry | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy is. `bytes_done` counts what was found stored already, `copied_bytes` does not."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    copied_bytes: int


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copied tree consists of: its files sorted by path, and each distinct blob once, sorted by digest."""

    files: list[ManifestFile]
    blobs: list[StoredBlob]


class Ledger(Protocol):
    """What the caller's database does around each batch; every method is one transaction of the caller's."""

    def record(self, batch: Sequence[StoredFile]) -> Mapping[str, BlobPlacement]:
        """Write blob rows and leases (and what a retry may skip) before the bytes get their names.

        Answers for every digest of the batch; a digest may be there more than once, with different files.
        """

    def proven(self, digests: Sequence[str]) -> None:
        """Note that the stored bytes of these blobs were just found or made right; never called with none."""


def copy_tree(
    tree: Tree,
    ingest: Ingest,
    *,
    known: Mapping[str, KnownFile],
    ledger: Ledger,
    pulse: Callable[[Progress], None],
) -> Copied:
    """Copy every file of `tree` into the store.

    `known` maps path -> what an earlier attempt stored; the caller holds leases on those blobs. Such a file is not
    read again while its entry is the same and its blob is there. `pulse` is called at least once a file and between
    pieces of at most 1 MiB; what it raises ends the copy, and leaves only whole blobs behind.

    Raises SourceUnreadable, TemporaryFailure.
    """
    entries = tree.entries()
    found: dict[str, StoredBlob] = {
        entry.path: kept for entry in entries if (kept := _kept(ingest.store, entry, known.get(entry.path)))
    }
    course = _Course(entries, pulse)
    for path in found:
        course.skip(found[path].size_bytes)
    waiting = [entry for entry in entries if entry.path not in found]
    for batch in batches(waiting, most_files=ingest.batch_files):
        found |= _copy_batch(tree, batch, ingest, ledger, course)
    files = [ManifestFile(path, blob.size_bytes, blob.digest) for path, blob in sorted(found.items())]
    blobs = {blob.digest: blob for blob in found.values()}
    return Copied(files, [blobs[digest] for digest in sorted(blobs)])


def store_bytes(content: bytes, ingest: Ingest, ledger: Ledger) -> StoredBlob:
    """Store bytes of our own, such as a manifest, by the same protocol."""
    return _store_one(io.BytesIO(content), len(content), ingest, ledger, most_bytes=None)


def receive_upload(
    stream: Reader, content_length: int | None, ingest: Ingest, ledger: Ledger, *, max_bytes: int
) -> StoredBlob:
    """Store the body of an upload; `content_length` is None for a chunked body.

    The caller enters the upload only after this returned: its blob is then whole, named and durable.
    Raises InvalidValue for a body of another length than announced, BodyTooLarge, TemporaryFailure.
    """
    if content_length is not None and content_length > max_bytes:
        raise _too_large(max_bytes)
    # The server under us ends a broken body like a whole one, so the length must be compared here.
    return _store_one(stream, content_length, ingest, ledger, most_bytes=max_bytes)


def batches(entries: Iterable[FileEntry], *, most_files: int) -> Iterator[list[FileEntry]]:
    """Part `entries` into runs of at most `most_files` files and 256 MiB; a larger file is a run of its own."""
    batch: list[FileEntry] = []
    batch_bytes = 0
    for entry in entries:
        if batch and (len(batch) == most_files or batch_bytes + entry.size_bytes > BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(entry)
        batch_bytes += entry.size_bytes
    if batch:
        yield batch


class _Course:
    """Counts what is done and tells it."""

    def __init__(self, entries: Sequence[FileEntry], pulse: Callable[[Progress], None]) -> None:
        self._pulse = pulse
        self._files_total = len(entries)
        self._bytes_total = sum(entry.size_bytes for entry in entries)
        self._files_done = 0
        self._bytes_done = 0
        self._copied_bytes = 0

    def skip(self, size_bytes: int) -> None:
        self._bytes_done += size_bytes
        self.file_done()

    def piece_done(self, size_bytes: int) -> None:
        self._bytes_done += size_bytes
        self._copied_bytes += size_bytes
        self.beat()

    def file_done(self) -> None:
        self._files_done += 1
        self.beat()

    def beat(self, _size_bytes: int = 0) -> None:
        self._pulse(
            Progress(self._files_done, self._files_total, self._bytes_done, self._bytes_total, self._copied_bytes)
        )


def _kept(store: LocalStore, entry: FileEntry, known: KnownFile | None) -> StoredBlob | None:
    """Return the blob of a file that need not be read again."""
    if known is None or known.entry != entry or not entry.can_be_recognized:
        return None
    if store.blob_size(known.digest, known.gen) != entry.size_bytes:
        return None
    return StoredBlob(known.digest, known.gen, entry.size_bytes)


def _copy_batch(
    tree: Tree, entries: Sequence[FileEntry], ingest: Ingest, ledger: Ledger, course: _Course
) -> dict[str, StoredBlob]:
    """Copy one batch and return path -> blob."""
    with ingest.batch(len(entries)) as batch:
        stored = []
        for entry in entries:
            with tree.open(entry) as reader:
                staged = batch.stage(reader, entry.size_bytes, course.piece_done)
            stored.append(StoredFile(staged.digest, staged.size_bytes, entry))
            course.file_done()
        batch.sync()
        course.beat()
        placements = ledger.record(stored)
        proven = batch.place(placements, course.beat)
    if proven:
        ledger.proven(proven)
    return {
        file.entry.path: StoredBlob(file.digest, placements[file.digest].gen, file.size_bytes)
        for file in stored
        if file.entry is not None
    }


def _store_one(
    stream: Reader, length: int | None, ingest: Ingest, ledger: Ledger, *, most_bytes: int | None
) -> StoredBlob:
    taken_bytes = 0

    def count(size_bytes: int) -> None:
        nonlocal taken_bytes
        taken_bytes += size_bytes
        if most_bytes is not None and taken_bytes > most_bytes:
            raise _too_large(most_bytes)

    with ingest.batch(1) as batch:
        staged = batch.stage(stream, length or 0, count)
        if length is not None and staged.size_bytes != length:
            raise InvalidValue(
                f"The body has {staged.size_bytes} bytes, but {length} were announced. Send the file again."
            )
        batch.sync()
        placements = ledger.record([StoredFile(staged.digest, staged.size_bytes)])
        proven = batch.place(placements, lambda _size_bytes: None)
    if proven:
        ledger.proven(proven)
    return StoredBlob(staged.digest, placements[staged.digest].gen, staged.size_bytes)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The file has more than {sizes.written(max_bytes)}, which is the limit for one upload.")
