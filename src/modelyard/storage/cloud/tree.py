"""A folder of a bucket as a tree of files. What the bucket's server tells is checked like any other party's word."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from modelyard.errors import NotFound, SourceUnreadable
from modelyard.rules.buckets import BucketFolder
from modelyard.rules.sources import shown
from modelyard.storage.cloud.bucket import Bucket, FoundObject, ObjectChanged
from modelyard.storage.store import PIECE_BYTES
from modelyard.storage.tree import FileEntry, Inventory, Limits

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BucketTree:
    """The objects below `folder`. Two reads of one object cost twice, so it is not at hand."""

    at_hand = False

    def __init__(self, folder: BucketFolder, limits: Limits) -> None:
        self._bucket = Bucket(folder)
        self._folder = folder
        self._limits = limits

    def entries(self) -> list[FileEntry]:
        """List every object; the empty ones that stand for folders are left out."""
        inventory = Inventory(self._limits, str(self._folder))
        try:
            for found in self._bucket.objects(self._folder.path):
                inventory.add(self._entry(found))
        except NotFound as error:
            raise SourceUnreadable(f"{self._folder} cannot be listed. {error.message}") from error
        return self._without_folders(inventory.finish())

    @contextmanager
    def open(self, entry: FileEntry) -> Iterator["BucketReader"]:
        """Open one listed object, as it was when it was listed."""
        modified_at = _EPOCH + timedelta(microseconds=entry.mtime_ns // 1000)
        found = FoundObject(self._folder.key(entry.path), entry.size_bytes, entry.inode_or_etag, modified_at)
        reader = BucketReader(self._bucket, found, f"{entry.path!r} in {self._folder}")
        yield reader
        reader.verify()

    def close(self) -> None:
        """Nothing to give back."""

    def _entry(self, found: FoundObject) -> FileEntry:
        inside = self._folder.key("")
        path = found.key.removeprefix(inside)
        parts = path.split("/")
        if not found.key.startswith(inside) or any(part in ("", ".", "..") for part in parts) or "\0" in path:
            raise SourceUnreadable(
                f"The bucket lists {shown(found.key)} in {self._folder}, which is no file of it. "
                "Remove the object, or register another folder."
            )
        modified_ns = (found.modified_at - _EPOCH) // timedelta(microseconds=1) * 1000
        return FileEntry(path, found.size_bytes, modified_ns, 0, found.etag)

    def _without_folders(self, entries: list[FileEntry]) -> list[FileEntry]:
        folders = {entry.path[:at] for entry in entries for at, letter in enumerate(entry.path) if letter == "/"}
        both = next((entry for entry in entries if entry.path in folders and entry.size_bytes), None)
        if both is not None:
            raise SourceUnreadable(
                f"{both.path!r} in {self._folder} is a file and a folder at once, which no disk can hold. Rename one."
            )
        return [entry for entry in entries if entry.path not in folders]


class BucketReader:
    """The bytes of one object, asked for with the first read; never more and in the end never less than was listed."""

    def __init__(self, bucket: Bucket, found: FoundObject, shown_path: str) -> None:
        self.bucket = bucket
        self._found = found
        self._shown = shown_path
        self._taken_bytes = 0
        self._pieces: Iterator[bytes] | None = None

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, b"" at the end."""
        if self._pieces is None:
            piece_bytes = min(size, PIECE_BYTES)
            self._pieces = self.bucket.read(self._found, 0, self._found.size_bytes, piece_bytes=piece_bytes)
        try:
            piece = next(self._pieces, b"")
        except (ObjectChanged, NotFound) as error:
            raise self._changed() from error
        self._taken_bytes += len(piece)
        if self._taken_bytes > self._found.size_bytes:
            raise self._changed()
        return piece

    def copy_to(self, target: Bucket, key: str, on_part: Callable[[int], None]) -> str | None:
        """Let the cloud copy the object; returns its SHA-256 where the server tells it. Raises CopyRefused."""
        try:
            told = target.copy(self._found, key, source=self.bucket.folder.bucket, on_part=on_part)
        except ObjectChanged as error:
            raise self._changed() from error
        self._taken_bytes = self._found.size_bytes
        return told

    def verify(self) -> None:
        """Raise SourceUnreadable unless every listed byte came."""
        if self._taken_bytes != self._found.size_bytes:
            raise self._changed()

    def _changed(self) -> SourceUnreadable:
        return SourceUnreadable(f"{self._shown} changed while it was copied. Register it again when it is at rest.")
