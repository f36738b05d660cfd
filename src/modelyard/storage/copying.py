"""Copying bytes into the store, in batches: a whole tree, a few bytes of our own, or the body of an upload."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from modelyard.errors import BodyTooLarge, InvalidValue
from modelyard.storage import sizes
from modelyard.storage.course import Course, Progress
from modelyard.storage.manifest import ManifestFile
from modelyard.storage.parallel import Crew
from modelyard.storage.store import BATCH_BYTES, BlobPlacement, Ingest, StoredBlob
from modelyard.storage.tree import FileEntry, Reader, Tree

# More only wait for each other: for the disk, or for the processor that hashes.
COPY_THREADS = 4
# So little is copied sooner than threads are started.
_FEW_FILES = 16
_FEW_BYTES = 16 << 20


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
    threads: int = COPY_THREADS,
) -> Copied:
    """Copy every file of `tree` into the store, several at once where there are many.

    `known` maps path -> what an earlier attempt stored; the caller holds leases on those blobs. Such a file is not
    read again while its entry is the same and its blob is there. `pulse` is called by this thread several times a
    second while bytes move, and only then; what it raises ends the copy, and leaves only whole blobs behind.

    Raises SourceUnreadable, TemporaryFailure; the latter before the first byte when the store has not enough room.
    """
    entries = tree.entries()
    found = _kept(ingest, entries, known)
    waiting = [entry for entry in entries if entry.path not in found]
    waiting_bytes = sum(entry.size_bytes for entry in waiting)
    ingest.require_room(waiting_bytes)
    alone = len(waiting) <= _FEW_FILES and waiting_bytes <= _FEW_BYTES
    with Crew(1 if alone else threads) as crew:
        course = Course(entries, pulse, crew.check)
        for path in found:
            course.skip(found[path].size_bytes)
        for batch in batches(waiting, most_files=ingest.batch_files):
            found |= _copy_batch(tree, batch, ingest, ledger, course, crew)
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


def _kept(ingest: Ingest, entries: Iterable[FileEntry], known: Mapping[str, KnownFile]) -> dict[str, StoredBlob]:
    """Return path -> blob for the files that need not be read again."""
    recognized = {
        entry.path: StoredBlob(earlier.digest, earlier.gen, entry.size_bytes)
        for entry in entries
        if (earlier := known.get(entry.path)) and earlier.entry == entry and entry.can_be_recognized
    }
    held = ingest.held(set(recognized.values()))
    return {path: blob for path, blob in recognized.items() if blob in held}


def _copy_batch(
    tree: Tree, entries: Sequence[FileEntry], ingest: Ingest, ledger: Ledger, course: Course, crew: Crew
) -> dict[str, StoredBlob]:
    """Copy one batch and return path -> blob."""
    with ingest.batch(len(entries)) as batch:

        def stage(entry: FileEntry) -> StoredFile:
            with tree.open(entry) as reader:
                again = partial(tree.open, entry) if tree.at_hand else None
                staged = batch.stage(reader, entry.size_bytes, course.piece_done, again=again)
            course.file_done()
            return StoredFile(staged.digest, staged.size_bytes, entry)

        stored = crew.each(stage, entries, course.beat)
        batch.sync()
        course.moved()
        placements = ledger.record(stored)
        proven = batch.place(placements, course.moved)
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

    ingest.require_room(length or 0)
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
