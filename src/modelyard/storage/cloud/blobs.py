"""The blobs of a store in a bucket: found and read under the names that `storage/store.py` gives them."""

from collections.abc import Iterator
from types import TracebackType

from modelyard.errors import NotFound
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.bucket import Bucket, FoundObject, ObjectChanged
from modelyard.storage.store import PIECE_BYTES, OpenBlob, blob_name

# A blob of at most so many bytes comes whole with the answer that finds it: one request instead of two.
AT_ONCE_BYTES = 256 << 10


class HeldBlob:
    """One small blob, all of whose bytes have come."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size_bytes = len(content)

    def pieces(self, start: int = 0, length: int | None = None, *, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield `length` bytes from `start` in pieces of at most `piece_bytes`. Raises EOFError."""
        end = self.size_bytes if length is None else start + length
        if end > self.size_bytes:
            raise EOFError(f"a blob ended at {self.size_bytes} instead of {end} bytes")
        for at in range(start, end, piece_bytes):
            yield self._content[at : min(end, at + piece_bytes)]

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> "HeldBlob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BucketBlob:
    """One blob, found; each call of `pieces` is a request of its own, for the very object that was found."""

    def __init__(self, bucket: Bucket, found: FoundObject) -> None:
        self._bucket = bucket
        self._found = found
        self.size_bytes = found.size_bytes

    def pieces(self, start: int = 0, length: int | None = None, *, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield `length` bytes from `start` in pieces of at most `piece_bytes`. Raises EOFError, TemporaryFailure."""
        end = self.size_bytes if length is None else start + length
        try:
            for piece in self._bucket.read(self._found, start, end, piece_bytes=piece_bytes):
                start += len(piece)
                yield piece
        except ObjectChanged as error:
            raise EOFError(f"a blob vanished at {start} of {end} bytes") from error
        if start != end:
            raise EOFError(f"a blob ended at {start} instead of {end} bytes")

    def close(self) -> None:
        """Nothing to give back: a request ends with its last piece, or when nobody asks for more."""

    def __enter__(self) -> "BucketBlob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BucketBlobs:
    """What lies in the bucket's folder `folder`."""

    def __init__(self, folder: BucketFolder) -> None:
        self.folder = folder
        self.bucket = Bucket(folder)

    def blob_key(self, digest: str, gen: int) -> str:
        """Return a blob's key."""
        return self.folder.key(blob_name(digest, gen))

    def blob_size(self, digest: str, gen: int) -> int | None:
        """Return the size in bytes of a blob as it lies there; None if there is none."""
        found = self.bucket.find(self.blob_key(digest, gen))
        return None if found is None else found.size_bytes

    def open_blob(self, digest: str, gen: int, size_bytes: int | None = None) -> OpenBlob:
        """Open a blob. Raises NotFound when it is not there, or has not `size_bytes` bytes."""
        key = self.blob_key(digest, gen)
        at_once = size_bytes is not None and size_bytes <= AT_ONCE_BYTES
        found, content = self.bucket.fetch(key, AT_ONCE_BYTES) if at_once else (self.bucket.find(key), None)
        if found is None:
            raise NotFound(f"The blob {digest} is not in the store.")
        if size_bytes not in (None, found.size_bytes):
            raise NotFound(f"The blob {digest} in the store is broken: {found.size_bytes} bytes.")
        return BucketBlob(self.bucket, found) if content is None else HeldBlob(content)
