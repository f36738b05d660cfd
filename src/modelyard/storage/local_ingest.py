"""The write protocol of `storage/store.py` on a local file system.

Files are staged and hashed beside the blobs, synced together, and get their names by hard links.
"""

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType

from modelyard.errors import NotFound, TemporaryFailure
from modelyard.storage import kernel
from modelyard.storage.large_files import LARGE_BYTES, copy_large
from modelyard.storage.local_folders import LocalFolders, move_unless_exists
from modelyard.storage.store import (
    BATCH_FILES,
    PIECE_BYTES,
    Again,
    BlobPlacement,
    Staged,
    StoredBlob,
    blob_name,
    is_intact,
)
from modelyard.storage.tree import FileReader, Reader

# Each unsynced file of such a batch keeps its descriptor, so that no write error is missed.
BATCH_FILES_SYNCED_EACH = 64
# So few files are synced sooner one by one than together with whatever else the machine has in flight.
_FEW_FILES = 8
_FEW_FOLDERS = 8


class LocalIngest:
    """The staging folder of one attempt; it and what is left in it go when the context ends, however it ends."""

    def __init__(self, store: LocalFolders, job_id: int, attempt: int) -> None:
        self._store = store
        self.name = f"{job_id}-{attempt}-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> "LocalIngest":
        path = f"ingest/{self.name}"
        try:
            os.mkdir(path, 0o700, dir_fd=self._store.folder)
            # Opened before the first write: syncfs tells errors only since then.
            self.folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._store.folder)
        except OSError as error:
            raise self._store.failure(error, 0) from error
        self._syncs_together = kernel.syncfs_tells_errors(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.folder)
        shutil.rmtree(self._store.root / "ingest" / self.name, ignore_errors=True)

    @property
    def batch_files(self) -> int:
        """The most files that a batch may hold on this file system."""
        return BATCH_FILES if self._syncs_together else BATCH_FILES_SYNCED_EACH

    def require_room(self, size_bytes: int) -> None:
        """Raise TemporaryFailure when the file system has less free space."""
        if size_bytes > self._store.free_bytes():
            raise self._store.full(size_bytes)

    def held(self, blobs: Collection[StoredBlob]) -> set[StoredBlob]:
        """Return those of `blobs` whose files are there with their size."""
        return {blob for blob in blobs if self._store.blob_size(blob.digest, blob.gen) == blob.size_bytes}

    def batch(self, files: int) -> "LocalBatch":
        """Begin a batch of up to `files` files."""
        return LocalBatch(self._store, self.folder, syncs_together=self._syncs_together and files > _FEW_FILES)


class LocalBatch:
    """Files that reach the disk together. Its methods are called in the order stage, sync, place.

    Errors of the store's disk are raised as TemporaryFailure; after one, the batch is not to be used again.
    """

    def __init__(self, store: LocalFolders, folder: int, *, syncs_together: bool) -> None:
        self._store = store
        self._folder = folder
        self._syncs_together = syncs_together
        self._unsynced: list[int] = []
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._synced = False

    def __enter__(self) -> "LocalBatch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._unsynced:
            os.close(self._unsynced.pop())

    def stage(
        self, reader: Reader, expected_bytes: int, on_piece: Callable[[int], None], *, again: Again | None = None
    ) -> Staged:
        """Copy what `reader` gives while hashing it; `on_piece` is called with the size of each piece.

        `expected_bytes` only serves the message when the disk is full. What `reader` and `on_piece` raise passes
        through.
        """
        draft = uuid.uuid4().hex
        descriptor = self._create(draft)
        try:
            staged = self._copy(reader, descriptor, expected_bytes, on_piece)
            if self._is_first(staged):
                # Any process may read a blob; nobody may write it, not even we.
                os.fchmod(descriptor, 0o444)
                os.rename(draft, staged.digest, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                if not self._syncs_together:
                    self._unsynced.append(os.dup(descriptor))
            else:
                os.unlink(draft, dir_fd=self._folder)
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
        prefixes = sorted({digest[:2] for digest in self._sizes})
        try:
            for prefix in prefixes:
                self._make_folder(f"blobs/sha256/{prefix}")
            for digest, size_bytes in sorted(self._sizes.items()):
                placement = placements[digest]
                blob = StoredBlob(digest, placement.gen, size_bytes)
                if self._place_one(blob, recheck=placement.recheck, on_piece=on_piece):
                    proven.append(digest)
            self._sync_folders(prefixes)
        except OSError as error:
            raise self._store.failure(error, 0) from error
        return proven

    def _place_one(self, blob: StoredBlob, *, recheck: bool, on_piece: Callable[[int], None]) -> bool:
        """Place one blob; tell whether bytes under its name, which were in doubt, are now known to be right."""
        name = blob_name(blob.digest, blob.gen)
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
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(draft, flags, 0o600, dir_fd=self._folder)
        except OSError as error:
            raise self._store.failure(error, 0) from error

    def _is_first(self, staged: Staged) -> bool:
        """Remember what was staged; False when the same bytes were before, by whatever thread."""
        with self._lock:
            if staged.digest in self._sizes:
                return False
            self._sizes[staged.digest] = staged.size_bytes
            return True

    def _copy(self, reader: Reader, descriptor: int, expected_bytes: int, on_piece: Callable[[int], None]) -> Staged:
        if expected_bytes >= LARGE_BYTES and isinstance(reader, FileReader):
            staged = self._copy_large(reader, descriptor, expected_bytes, on_piece)
            if staged is not None:
                return staged
        digest = hashlib.sha256()
        size_bytes = 0
        while piece := reader.read(PIECE_BYTES):
            digest.update(piece)
            self._write(descriptor, piece, expected_bytes - size_bytes)
            if len(piece) == PIECE_BYTES:
                # The disk need not wait for the end of the batch.
                kernel.start_writing(descriptor, size_bytes, len(piece))
            size_bytes += len(piece)
            on_piece(len(piece))
        return Staged(digest.hexdigest(), size_bytes)

    def _copy_large(
        self, reader: FileReader, descriptor: int, expected_bytes: int, on_piece: Callable[[int], None]
    ) -> Staged | None:
        try:
            staged = copy_large(reader.fileno(), descriptor, expected_bytes, on_piece)
        except OSError as error:
            raise self._store.failure(error, expected_bytes) from error
        if staged is not None:
            reader.took(staged.size_bytes)
        return staged

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
        folders = [f"blobs/sha256/{prefix}" for prefix in prefixes]
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
