"""A folder of the local file system as a tree of files: regular files only, no link followed, changes found."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from modelyard.errors import SourceUnreadable, TemporaryFailure
from modelyard.storage.beneath import FILE_FLAGS, FOLDER_FLAGS, open_beneath
from modelyard.storage.tree import FileEntry, Inventory, Limits

# What a network file system answers while its server is away, and what a machine out of descriptors answers.
_TEMPORARY = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENFILE, errno.EMFILE, errno.ENOMEM}
)


class LocalTree:
    """The files beneath one open folder; owns the descriptor `folder`.

    `origin` is what people call the folder. `forbidden` are (device, inode) of folders that are never entered,
    the managed store among them, under whatever name they are met.
    """

    at_hand = True

    def __init__(
        self,
        folder: int,
        origin: str,
        limits: Limits,
        *,
        forbidden: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self._folder = folder
        self._origin = origin
        self._limits = limits
        self._forbidden = forbidden

    def entries(self) -> list[FileEntry]:
        """Walk the folder. Raises SourceUnreadable for links, devices, fifos, sockets and names that are not UTF-8."""
        inventory = Inventory(self._limits, self._origin)
        waiting = ["."]
        while waiting:
            waiting += self._list_folder(waiting.pop(), inventory)
        return inventory.finish()

    def open(self, entry: FileEntry) -> "LocalReader":
        """Open a listed file. Raises SourceUnreadable when it is not what was listed."""
        shown = self._shown(entry.path)
        with reading(shown):
            descriptor = open_beneath(self._folder, entry.path, FILE_FLAGS)
        reader = LocalReader(descriptor, entry, shown)
        with ExitStack() as unless_unchanged:
            unless_unchanged.callback(os.close, descriptor)
            reader.verify()
            unless_unchanged.pop_all()
        return reader

    def close(self) -> None:
        """Give back the folder's descriptor."""
        os.close(self._folder)

    def _list_folder(self, folder: str, inventory: Inventory) -> list[str]:
        """Add the files of one folder to `inventory` and return the folders found in it."""
        inside = "" if folder == "." else f"{folder}/"
        inventory.enter(inside[:-1])
        folders = []
        with reading(self._shown(folder)):
            descriptor = open_beneath(self._folder, folder, FOLDER_FLAGS)
            try:
                with os.scandir(descriptor) as found:
                    names = sorted(entry.name for entry in found)
                for name in names:
                    path = inside + name
                    self._check_name(path)
                    seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    if stat.S_ISDIR(seen.st_mode):
                        self._check_permitted(path, seen)
                        folders.append(path)
                    else:
                        inventory.add(_entry(path, seen, self._shown(path)))
            finally:
                os.close(descriptor)
        return folders

    def _check_name(self, path: str) -> None:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise SourceUnreadable(
                f"The file name {os.fsencode(path)!r} in {self._origin} is not UTF-8. Rename the file."
            ) from error

    def _check_permitted(self, path: str, seen: os.stat_result) -> None:
        if (seen.st_dev, seen.st_ino) in self._forbidden:
            raise SourceUnreadable(f"{self._shown(path)} is the managed store itself. Register another folder.")

    def _shown(self, path: str) -> str:
        return self._origin if path == "." else f"{path!r} in {self._origin}"


class LocalReader:
    """One open file of a LocalTree; on a clean end it compares size, times and inode with the listing."""

    def __init__(self, descriptor: int, entry: FileEntry, shown: str) -> None:
        self._descriptor = descriptor
        self._entry = entry
        self._shown = shown
        self._read_bytes = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, b"" at the end. Raises SourceUnreadable for a file that goes on growing."""
        with reading(self._shown):
            piece = os.read(self._descriptor, min(size, self._entry.size_bytes - self._read_bytes + 1))
        self.took(len(piece))
        if self._read_bytes > self._entry.size_bytes:
            raise self._changed()
        return piece

    def fileno(self) -> int:
        """Return the open file's descriptor."""
        return self._descriptor

    def took(self, size_bytes: int, /) -> None:
        """Hear how many bytes were taken from the descriptor."""
        self._read_bytes += size_bytes

    def verify(self) -> None:
        """Raise SourceUnreadable if the file is not as it was listed."""
        with reading(self._shown):
            seen = os.fstat(self._descriptor)
        if _entry(self._entry.path, seen, self._shown) != self._entry:
            raise self._changed()

    def __enter__(self) -> "LocalReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.verify()
                self._check_length()
        finally:
            os.close(self._descriptor)

    def _changed(self) -> SourceUnreadable:
        return SourceUnreadable(f"{self._shown} changed while it was copied. Register it again when it is at rest.")

    def _check_length(self) -> None:
        if self._read_bytes != self._entry.size_bytes:
            raise SourceUnreadable(
                f"{self._shown} gave {self._read_bytes} bytes instead of {self._entry.size_bytes}. "
                "Register it again when it is at rest."
            )


@contextmanager
def reading(shown: str) -> Iterator[None]:
    """Turn an OSError met at `shown` into SourceUnreadable, or TemporaryFailure where waiting may help."""
    try:
        yield
    except OSError as error:
        if error.errno in _TEMPORARY:
            raise TemporaryFailure(f"{shown} cannot be read at the moment: {error.strerror}.") from error
        raise SourceUnreadable(_explain(shown, error)) from error


def _explain(shown: str, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            return f"There is no {shown}. Was it moved or deleted?"
        case errno.EACCES | errno.EPERM:
            return f"{shown} may not be read by the worker. Allow its user to read the folder and its files."
        case errno.ELOOP | errno.EXDEV:
            return f"{shown} is reached through a symbolic link. Replace the link by the file or folder that it names."
        case errno.ENOTDIR:
            return f"{shown} is no folder, or reached through a symbolic link. Name the folder that holds the model."
        case _:
            return f"{shown} cannot be read: {error.strerror}."


def _entry(path: str, seen: os.stat_result, shown: str) -> FileEntry:
    if not stat.S_ISREG(seen.st_mode):
        raise SourceUnreadable(
            f"{shown} is {_kind(seen.st_mode)}. Only regular files are copied: replace or remove it."
        )
    return FileEntry(path, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, str(seen.st_ino))


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a fifo",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")
