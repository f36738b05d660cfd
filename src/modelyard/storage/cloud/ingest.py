"""The write protocol of `storage/store.py` on a bucket.

Few bytes are held until their blob is entered in the database; a file that can be opened again is read a second time
then; everything else waits under `ingest/` and is copied by the cloud. Whatever gets a blob's name was compared with
its SHA-256: by the server, which was found to refuse wrong ones, or else by reading it back.
"""

import hashlib
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

from modelyard.errors import NotFound, SourceUnreadable, TemporaryFailure
from modelyard.storage.cloud.blobs import BucketBlobs
from modelyard.storage.cloud.bucket import FoundObject, ObjectChanged
from modelyard.storage.cloud.s3_requests import CopyRefused
from modelyard.storage.cloud.tree import BucketReader
from modelyard.storage.parallel import Crew
from modelyard.storage.store import (
    BATCH_FILES,
    PIECE_BYTES,
    Again,
    BlobPlacement,
    Staged,
    StoredBlob,
    is_intact,
)
from modelyard.storage.tree import Reader

# Of one file, and of a batch: what is held in memory between being read and being sent.
HELD_FILE_BYTES = 4 << 20
HELD_BYTES = 24 << 20
# Each waits for the network; more than these only wait for each other.
REQUESTS_AT_ONCE = 32

OnPiece: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Held:
    content: bytes


@dataclass(frozen=True, slots=True)
class _AtHand:
    again: Again


@dataclass(frozen=True, slots=True)
class _Uploaded:
    found: FoundObject


_Origin: TypeAlias = _Held | _AtHand | _Uploaded


class BucketIngest:
    """The staging folder of one attempt; what is left in it goes when the context ends, however it ends.

    `checked` says that the server refuses bytes whose SHA-256 is not the one that is sent with them.
    """

    def __init__(self, blobs: BucketBlobs, job_id: int, attempt: int, *, checked: bool) -> None:
        self.name = f"{job_id}-{attempt}-{uuid.uuid4().hex[:8]}"
        self._blobs = blobs
        self._checked = checked
        self._staging = Staging(blobs, blobs.folder.key(f"ingest/{self.name}"))

    def __enter__(self) -> "BucketIngest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._staging.clear()

    @property
    def batch_files(self) -> int:
        """The most files that a batch may hold."""
        return BATCH_FILES

    def require_room(self, size_bytes: int) -> None:
        """A bucket has room for everything."""

    def held(self, blobs: Collection[StoredBlob]) -> set[StoredBlob]:
        """Return those of `blobs` that lie in the store with their size."""
        return {blob for blob, size_bytes in sizes_of(self._blobs, blobs) if size_bytes == blob.size_bytes}

    def batch(self, files: int) -> "BucketBatch":
        """Begin a batch."""
        return BucketBatch(self._blobs, self._staging, checked=self._checked)


class Staging:
    """Objects under `ingest/`, each with a name of its own."""

    def __init__(self, blobs: BucketBlobs, prefix: str) -> None:
        self._bucket = blobs.bucket
        self._prefix = prefix
        self._keys: list[str] = []

    def new_key(self) -> str:
        """Return a key that nobody has used."""
        self._keys.append(f"{self._prefix}/{uuid.uuid4().hex}")
        return self._keys[-1]

    def clear(self) -> None:
        """Remove every object that was put under these keys. What cannot be removed now is left to the sweep."""
        try:
            self._bucket.remove(self._keys)
        except TemporaryFailure:
            return
        finally:
            self._keys = []


class BucketBatch:
    """Files that are sent together. Its methods are called in the order stage, sync, place."""

    def __init__(self, blobs: BucketBlobs, staging: Staging, *, checked: bool) -> None:
        self._blobs = blobs
        self._bucket = blobs.bucket
        self._staging = staging
        self._checked = checked
        self._sizes: dict[str, int] = {}
        self._origins: dict[str, _Origin] = {}
        self._held_bytes = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "BucketBatch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._origins.clear()

    def stage(self, reader: Reader, expected_bytes: int, on_piece: OnPiece, *, again: Again | None = None) -> Staged:
        """Take what `reader` gives: held, or hashed to be opened again, or sent to `ingest/`."""
        if isinstance(reader, BucketReader) and expected_bytes > HELD_FILE_BYTES:
            copied = self._stage_by_copy(reader, on_piece)
            if copied is not None:
                return copied
        hashing = _Hashing(reader, on_piece)
        beginning = hashing.up_to(HELD_FILE_BYTES)
        if len(beginning) <= HELD_FILE_BYTES and self._may_hold(len(beginning)):
            return self._keep(hashing, _Held(beginning))
        if again is not None:
            for _ in hashing.pieces():
                pass
            return self._keep(hashing, _AtHand(again))

        def everything() -> Iterator[bytes]:
            yield beginning
            yield from hashing.pieces()

        found = self._bucket.put_parts(self._staging.new_key(), everything(), expected_bytes)
        return self._keep(hashing, _Uploaded(found))

    def sync(self) -> None:
        """What a bucket has acknowledged stays; nothing is to be waited for."""

    def place(self, placements: Mapping[str, BlobPlacement], on_piece: OnPiece) -> list[str]:
        """Give every staged blob its name and return the digests whose stored bytes were proven right."""

        def place(digest: str) -> bool:
            blob = StoredBlob(digest, placements[digest].gen, self._sizes[digest])
            return self._place_one(blob, recheck=placements[digest].recheck, on_piece=on_piece)

        digests = sorted(self._sizes)
        with Crew(REQUESTS_AT_ONCE) as crew:
            proven = crew.each(place, digests, lambda: on_piece(0))
        return [digest for digest, is_proven in zip(digests, proven, strict=True) if is_proven]

    def _stage_by_copy(self, reader: BucketReader, on_piece: OnPiece) -> Staged | None:
        """Let the cloud copy a file from bucket to bucket; None where it does not and the bytes must pass by here."""
        if not self._bucket.copies_from(reader.bucket):
            return None
        key = self._staging.new_key()
        try:
            told = reader.copy_to(self._bucket, key, on_piece)
            found = self._bucket.find(key)
            if found is None:
                raise ObjectChanged(key)
            digest = told or self._digest_of(found, on_piece)
        except CopyRefused:
            return None
        except ObjectChanged as error:
            raise TemporaryFailure("A staged file changed in the bucket. The copy is tried again.") from error
        with self._lock:
            self._sizes[digest] = found.size_bytes
            self._origins[digest] = _Uploaded(found)
        return Staged(digest, found.size_bytes)

    def _may_hold(self, size_bytes: int) -> bool:
        with self._lock:
            if self._held_bytes + size_bytes > HELD_BYTES:
                return False
            self._held_bytes += size_bytes
            return True

    def _keep(self, hashing: "_Hashing", origin: _Origin) -> Staged:
        staged = Staged(hashing.digest.hexdigest(), hashing.size_bytes)
        if isinstance(origin, _Uploaded) and origin.found.size_bytes != staged.size_bytes:
            raise TemporaryFailure("The bucket holds another size than was sent to it. The copy is tried again.")
        with self._lock:
            self._sizes[staged.digest] = staged.size_bytes
            self._origins[staged.digest] = origin
        return staged

    def _place_one(self, blob: StoredBlob, *, recheck: bool, on_piece: OnPiece) -> bool:
        """Place one blob; tell whether bytes under its name, which were in doubt, are now known to be right."""
        origin = self._origins[blob.digest]
        if self._put_if_new(origin, blob, on_piece):
            return recheck
        try:
            if self._blobs.blob_size(blob.digest, blob.gen) == blob.size_bytes:
                if not recheck:
                    return False
                if is_intact(self._blobs, blob, on_piece):
                    return True
        except NotFound:
            pass  # Removed since, by a collector; what is written now is right in any case.
        self._put(origin, blob, on_piece)
        return True

    def _put_if_new(self, origin: _Origin, blob: StoredBlob, on_piece: OnPiece) -> bool:
        """Store a blob unless something lies under its name, which False tells."""
        key = self._blobs.blob_key(blob.digest, blob.gen)
        if isinstance(origin, _Held) and self._checked:
            return self._bucket.put(key, origin.content, create=True)
        if self._bucket.find(key) is not None:
            return False
        self._put(origin, blob, on_piece)
        return True

    def _put(self, origin: _Origin, blob: StoredBlob, on_piece: OnPiece) -> None:
        """Store a blob whatever lies under its name."""
        key = self._blobs.blob_key(blob.digest, blob.gen)
        if isinstance(origin, _Uploaded):
            self._copy(origin.found, blob, on_piece)
        elif not self._checked:
            self._copy(self._send_to_staging(origin, blob, on_piece), blob, on_piece)
        elif isinstance(origin, _Held):
            self._bucket.put(key, origin.content)
        else:
            self._bucket.put_parts(key, _bytes_again(origin, blob, on_piece), blob.size_bytes)

    def _send_to_staging(self, origin: _Held | _AtHand, blob: StoredBlob, on_piece: OnPiece) -> FoundObject:
        key = self._staging.new_key()
        if not isinstance(origin, _Held):
            return self._bucket.put_parts(key, _bytes_again(origin, blob, on_piece), blob.size_bytes)
        self._bucket.put(key, origin.content)
        found = self._bucket.find(key)
        if found is None:
            raise _damaged(blob)
        return found

    def _copy(self, staged: FoundObject, blob: StoredBlob, on_piece: OnPiece) -> None:
        """Let the cloud copy from `ingest/`, and make sure of the bytes where the server did not on their way in."""
        key = self._blobs.blob_key(blob.digest, blob.gen)
        try:
            if not self._checked and self._digest_of(staged, on_piece) != blob.digest:
                raise _damaged(blob)
            told = self._bucket.copy(staged, key, on_part=lambda _size_bytes: on_piece(0))
        except ObjectChanged as error:
            raise TemporaryFailure("A staged file changed in the bucket. The copy is tried again.") from error
        if told not in (None, blob.digest):
            self._bucket.remove([key])
            raise _damaged(blob)

    def _digest_of(self, found: FoundObject, on_piece: OnPiece) -> str:
        digest = hashlib.sha256()
        for piece in self._bucket.read(found, 0, found.size_bytes, piece_bytes=PIECE_BYTES):
            digest.update(piece)
            on_piece(0)
        return digest.hexdigest()


class _Hashing:
    """A reader whose bytes are hashed and counted as they pass."""

    def __init__(self, reader: Reader, on_piece: OnPiece) -> None:
        self.digest = hashlib.sha256()
        self.size_bytes = 0
        self._reader = reader
        self._on_piece = on_piece

    def up_to(self, size_bytes: int) -> bytes:
        """Return the beginning: everything where it has at most `size_bytes`, else a little more than that."""
        pieces = []
        for piece in self.pieces():
            pieces.append(piece)
            if self.size_bytes > size_bytes:
                break
        return b"".join(pieces)

    def pieces(self) -> Iterator[bytes]:
        """Yield what has not been read yet."""
        while piece := self._reader.read(PIECE_BYTES):
            self.digest.update(piece)
            self.size_bytes += len(piece)
            self._on_piece(len(piece))
            yield piece


def sizes_of(blobs: BucketBlobs, wanted: Collection[StoredBlob]) -> list[tuple[StoredBlob, int | None]]:
    """Return each blob with the size in bytes that it has in the store, None for one that is not there."""
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
        return list(zip(wanted, threads.map(lambda blob: blobs.blob_size(blob.digest, blob.gen), wanted), strict=True))


def _bytes_again(origin: _AtHand, blob: StoredBlob, on_piece: OnPiece) -> Iterator[bytes]:
    """Yield the bytes of a blob while hashing them; raises at the end, before they are complete, if they are others."""
    with origin.again() as reader:
        hashing = _Hashing(reader, lambda _size_bytes: on_piece(0))
        yield from hashing.pieces()
    if hashing.digest.hexdigest() != blob.digest:
        raise SourceUnreadable("A file changed while it was copied. Register it again when it is at rest.")


def _damaged(blob: StoredBlob) -> TemporaryFailure:
    return TemporaryFailure(f"The bucket does not hold the bytes that were sent for the blob {blob.digest}.")
