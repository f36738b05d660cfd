"""The write protocol: files are staged and hashed, synced to disk, recorded by the caller, then placed among the blobs.

    with Ingest(store, job_id, attempt) as ingest:
        with ingest.batch(len(files)) as batch:
            staged = batch.stage(reader, ...)            for each file
            batch.sync()                                 from here on no power loss takes the bytes
            placements = ...                             the caller's transaction: blob rows and leases
            proven = batch.place(placements, ...)        from here on the blobs have their names, for good

A blob's name thus appears only with whole, synced bytes behind it, and after the database knows of it.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType

from modelyard.errors import NotFound, TemporaryFailure
from modelyard.storage import kernel
from modelyard.storage.store import PIECE_BYTES, LocalStore, StoredBlob, blob_name, move_unless_exists
from modelyard.storage.tree import Reader

BATCH_BYTES = 256 << 20
BATCH_FILES = 512
# Each unsynced file of such a batch keeps its descriptor, so that no write error is missed.
BATCH_FILES_SYNCED_EACH = 64
# So few files are synced sooner one by one than together with whatever else the machine has in flight.
_FEW_FILES = 8
_FEW_FOLDERS = 8


@dataclass(frozen=True, slots=True)
class Staged:
    """What was read and stored: SHA-256 as 64 lowercase hex digits, and the size."""

    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BlobPlacement:
    """What the database says of a blob: the generation to write, and whether a file found there must be hashed again.

    `recheck` is for blobs that are marked broken or were not verified for a long time.
    """

    gen: int
    recheck: bool = False


class Ingest:
    """The staging folder of one attempt; it and what is left in it go when the context ends, however it ends."""

    def __init__(self, store: LocalStore, job_id: int, attempt: int) -> None:
        self.store = store
        self.name = f"{job_id}-{attempt}-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> "Ingest":
        path = f"ingest/{self.name}"
        try:
            os.mkdir(path, 0o700, dir_fd=self.store.folder)
            # Opened before the first write: syncfs tells errors only since then.
            self.folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.store.folder)
        except OSError as error:
            raise self.store.failure(error, 0) from error
        self._syncs_together = kernel.syncfs_tells_errors(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.folder)
        shutil.rmtree(self.store.root / "ingest" / self.name, ignore_errors=True)

    @property
    def batch_files(self) -> int:
        """The most files that a batch may hold on this file system."""
        return BATCH_FILES if self._syncs_together else BATCH_FILES_SYNCED_EACH

    def batch(self, files: int) -> "Batch":
        """Begin a batch of up to `files` files."""
        return Batch(self.store, self.folder, syncs_together=self._syncs_together and files > _FEW_FILES)


class Batch:
    """Files that reach the disk together. Its methods are called in the order stage, sync, place.

    Errors of the store's disk are raised as TemporaryFailure; after one, the batch is not to be used again.
    """

    def __init__(self, store: LocalStore, folder: int, *, syncs_together: bool) -> None:
        self._store = store
        self._folder = folder
        self._syncs_together = syncs_together
        self._unsynced: list[int] = []
        self._sizes: dict[str, int] = {}
        self._synced = False

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._unsynced:
            os.close(self._unsynced.pop())

    def stage(self, reader: Reader, expected_bytes: int, on_piece: Callable[[int], None]) -> Staged:
        """Copy what `reader` gives while hashing it; `on_piece` is called with the size of each piece.

        `expected_bytes` only serves the message when the disk is full. What `reader` and `on_piece` raise passes
        through.
        """
        draft = uuid.uuid4().hex
        descriptor = self._create(draft)
        try:
            staged = self._copy(reader, descriptor, expected_bytes, on_piece)
            if staged.digest in self._sizes:
                os.unlink(draft, dir_fd=self._folder)
                return staged
            # Any process may read a blob; nobody may write it, not even we.
            os.fchmod(descriptor, 0o444)
            os.rename(draft, staged.digest, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._sizes[staged.digest] = staged.size_bytes
            if not self._syncs_together:
                self._unsynced.append(os.dup(descriptor))
        finally:
            self._close(descriptor)
        return staged

    def sync(self) -> None:
        """Return when every staged byte is on disk."""
        try:
            if self._syncs_together:
                kernel.syncfs(self._folder)
            while self._unsynced:
                descriptor = self._unsynced.pop()
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise self._store.failure(error, sum(self._sizes.values())) from error
        self._synced = True

    def place(self, placements: Mapping[str, BlobPlacement], on_piece: Callable[[int], None]) -> list[str]:
        """Give every staged blob its name, durably, and return the digests whose stored bytes were proven right.

        `placements` maps each staged digest to what the database answered. Proven are those that were to be
        rechecked, or had another size than they must have: hashed and found right, or replaced. The caller clears
        their mark. `on_piece` is called while existing files are hashed.
        """
        if not self._synced:
            raise RuntimeError("a batch must be synced before it is placed")
        proven = []
        try:
            for digest, size_bytes in sorted(self._sizes.items()):
                placement = placements[digest]
                blob = StoredBlob(digest, placement.gen, size_bytes)
                if self._place_one(blob, recheck=placement.recheck, on_piece=on_piece):
                    proven.append(digest)
            self._sync_folders({digest[:2] for digest in self._sizes})
        except OSError as error:
            raise self._store.failure(error, 0) from error
        return proven

    def _place_one(self, blob: StoredBlob, *, recheck: bool, on_piece: Callable[[int], None]) -> bool:
        """Place one blob; tell whether bytes under its name, which were in doubt, are now known to be right."""
        name = blob_name(blob.digest, blob.gen)
        self._make_folder(str(PurePosixPath(name).parent))
        # A collector may remove the file between our look and our link, but not for ever.
        for _ in range(10):
            if move_unless_exists(blob.digest, name, source_folder=self._folder, target_folder=self._store.folder):
                return recheck
            found_bytes = self._store.blob_size(blob.digest, blob.gen)
            if found_bytes == blob.size_bytes and not recheck:
                return False
            try:
                if found_bytes == blob.size_bytes and is_intact(self._store, blob, on_piece):
                    return True
            except NotFound:
                continue
            if found_bytes is not None or os.path.lexists(self._store.root / name):
                # The only operation that ever replaces a blob: good, synced bytes over wrong ones.
                os.rename(blob.digest, name, src_dir_fd=self._folder, dst_dir_fd=self._store.folder)
                return True
        raise TemporaryFailure(f"The blob {blob.digest} appears and vanishes in the store. The copy is tried again.")

    def _create(self, draft: str) -> int:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(draft, flags, 0o600, dir_fd=self._folder)
        except OSError as error:
            raise self._store.failure(error, 0) from error

    def _copy(self, reader: Reader, descriptor: int, expected_bytes: int, on_piece: Callable[[int], None]) -> Staged:
        digest = hashlib.sha256()
        size_bytes = 0
        while piece := reader.read(PIECE_BYTES):
            digest.update(piece)
            self._write(descriptor, piece, expected_bytes - size_bytes)
            size_bytes += len(piece)
            on_piece(len(piece))
        return Staged(digest.hexdigest(), size_bytes)

    def _write(self, descriptor: int, piece: bytes, needed_bytes: int) -> None:
        try:
            written = os.write(descriptor, piece)
            while written < len(piece):
                written += os.write(descriptor, piece[written:])
        except OSError as error:
            raise self._store.failure(error, max(needed_bytes, len(piece))) from error

    def _close(self, descriptor: int) -> None:
        # Network file systems report a full disk only here.
        try:
            os.close(descriptor)
        except OSError as error:
            raise self._store.failure(error, 0) from error

    def _make_folder(self, folder: str) -> None:
        try:
            os.mkdir(folder, 0o755, dir_fd=self._store.folder)
        except FileExistsError:
            return
        self._sync_folder("blobs/sha256")

    def _sync_folders(self, prefixes: Iterable[str]) -> None:
        """Make the names durable, those that were found included: whoever placed them may not have come so far."""
        folders = [f"blobs/sha256/{prefix}" for prefix in sorted(prefixes)]
        if self._syncs_together and len(folders) > _FEW_FOLDERS:
            kernel.syncfs(self._folder)
            return
        for folder in folders:
            self._sync_folder(folder)

    def _sync_folder(self, folder: str) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._store.folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_intact(store: LocalStore, blob: StoredBlob, on_piece: Callable[[int], None]) -> bool:
    """Hash a blob's file again and tell whether it holds what its name says. Raises NotFound when it is gone."""
    digest = hashlib.sha256()
    with store.open_blob(blob.digest, blob.gen) as opened:
        for piece in opened.pieces():
            digest.update(piece)
            on_piece(len(piece))
    return digest.hexdigest() == blob.digest
