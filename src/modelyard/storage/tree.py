"""A source opened as a tree of files: what every kind of source offers to the copy."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from modelyard.errors import SourceUnreadable
from modelyard.rules.sources import DROPPED_AT_ROOT, MODEL_FILE, shown
from modelyard.storage import sizes

# In UTF-8: what S3 takes as a key, and an index of PostgreSQL as a row (docs/decisions/0003).
MAX_PATH_BYTES = 1024


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file as it was listed. Two equal entries mean the same bytes.

    `path` is relative, with slashes. Where a source tells no times, both are 0; where it tells nothing at all that
    would show a change, `inode_or_etag` is empty and the file is never taken for unchanged (`can_be_recognized`).
    """

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode_or_etag: str

    @property
    def can_be_recognized(self) -> bool:
        """Tell whether a later, equal entry proves that the file was not changed meanwhile."""
        return self.inode_or_etag != ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one version may hold; compared before the first byte is copied.

    `depth` counts the components of a path, `files` also bounds the number of folders. `plain_files` says that a
    folder without an MLmodel is a version, too.
    """

    files: int = 100_000
    depth: int = 64
    file_bytes: int = 1 << 40
    total_bytes: int = 4 << 40
    plain_files: bool = False


class Reader(Protocol):
    """The bytes of one file, from its beginning."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`, and b"" at the end.

        Raises SourceUnreadable for good, TemporaryFailure when the source stopped answering.
        """


@runtime_checkable
class FileReader(Reader, Protocol):
    """A reader of a file that the kernel may copy by itself."""

    def fileno(self) -> int:
        """Return the open file's descriptor."""

    def took(self, size_bytes: int, /) -> None:
        """Hear how many bytes were taken from the descriptor."""


class Tree(Protocol):
    """A folder of files that does not change while it is copied; a change is found and raised.

    Several threads may open files of it at once.
    """

    @property
    def at_hand(self) -> bool:
        """Whether a file may be opened twice at little cost."""

    def entries(self) -> list[FileEntry]:
        """Return every file, sorted by path.

        Raises SourceUnreadable, naming the file and the remedy, for what cannot be copied and for broken limits.
        """

    def open(self, entry: FileEntry) -> AbstractContextManager[Reader]:
        """Open one listed file; leaving the context without an error raises SourceUnreadable if it changed."""

    def close(self) -> None:
        """Give back descriptors and connections."""


def require_model(paths: Collection[str], origin: str, limits: Limits) -> None:
    """Raise SourceUnreadable unless `paths`, relative to `origin`, are the files of a model: MLmodel at the root.

    Any files will do where the operator allows plain ones; none at all never are a version.
    """
    if MODEL_FILE in paths or (limits.plain_files and paths):
        return
    found = f"{len(paths)} files but no {MODEL_FILE} at its root" if paths else "no files"
    raise SourceUnreadable(
        f"{origin} holds {found}. Name the folder that holds the {MODEL_FILE} file, "
        "as log_model or save_model wrote it."
    )


class Inventory:
    """Files gathered while a tree is walked; raises SourceUnreadable as soon as a limit is broken."""

    def __init__(self, limits: Limits, origin: str) -> None:
        self._limits = limits
        self._origin = origin
        self._entries: list[FileEntry] = []
        self._folders = 0
        self._total_bytes = 0

    def enter(self, folder: str) -> None:
        """Count a folder that is about to be listed; `folder` is its path in the tree, "" for the root."""
        self._folders += 1
        if self._folders > self._limits.files:
            raise SourceUnreadable(f"{self._origin} holds more than {self._limits.files} folders. {_REDUCE}")
        self._check_depth(folder)

    def add(self, entry: FileEntry) -> None:
        """Take one file into account."""
        if entry.path in DROPPED_AT_ROOT:
            return
        self._check_depth(entry.path)
        path_bytes = len(entry.path.encode())
        if path_bytes > MAX_PATH_BYTES:
            raise SourceUnreadable(
                f"The path {shown(entry.path)} has {path_bytes} bytes in UTF-8; at most {MAX_PATH_BYTES} are allowed. "
                "Shorten the names."
            )
        if entry.size_bytes > self._limits.file_bytes:
            raise SourceUnreadable(
                f"The file {shown(entry.path)} has {sizes.written(entry.size_bytes)}; "
                f"at most {sizes.written(self._limits.file_bytes)} are allowed for one file. {_REDUCE}"
            )
        self._entries.append(entry)
        self._total_bytes += entry.size_bytes
        if len(self._entries) > self._limits.files:
            raise SourceUnreadable(f"{self._origin} holds more than {self._limits.files} files. {_REDUCE}")
        if self._total_bytes > self._limits.total_bytes:
            raise SourceUnreadable(
                f"The files of {self._origin} have more than {sizes.written(self._limits.total_bytes)} in all, "
                f"which is the limit for one version. {_REDUCE}"
            )

    def finish(self) -> list[FileEntry]:
        """Return what was gathered, sorted by path; refuses a tree that is no model unless plain files are allowed."""
        self._entries.sort(key=lambda entry: entry.path)
        require_model([entry.path for entry in self._entries], self._origin, self._limits)
        return self._entries

    def _check_depth(self, path: str) -> None:
        if path.count("/") >= self._limits.depth:
            raise SourceUnreadable(
                f"{shown(path)} lies deeper than {self._limits.depth} folders in {self._origin}. {_REDUCE}"
            )


_REDUCE = "Register a smaller folder, or ask the operator to raise the limit."
