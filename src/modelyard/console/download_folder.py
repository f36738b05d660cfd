"""The folder that a download fills: nothing is ever written outside of it, whatever the server sends.

Files arrive in a folder of their own inside, under their digests, and get their names when every byte is right. What
is there by then can be recognized by a later run. Paths are opened component by component, and no link is followed.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from modelyard.errors import InvalidValue, ModelyardError
from modelyard.storage.manifest import ManifestFile

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20


class CannotWrite(ModelyardError):
    """The disk, or what lies in the folder already, is in the way."""


class DownloadFolder:
    """The folder `path`, made where it is missing. Any thread may use it.

    Raises InvalidValue when it holds something and `resume` is False.
    """

    def __init__(self, path: Path, files: Sequence[ManifestFile], *, resume: bool) -> None:
        self.path = path
        with self._explained(""):
            path.mkdir(parents=True, exist_ok=True)
            if not resume and any(path.iterdir()):
                raise InvalidValue(
                    f"{path} is not empty. Name another folder, or give --resume to go on with a download into it."
                )
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._arrivals_name = _free_name(files)
        with self._explained(self._arrivals_name):
            self._make_folder(self._root, self._arrivals_name)
            self._arrivals = os.open(self._arrivals_name, _FOLDER, dir_fd=self._root)

    def close(self) -> None:
        """Give back the descriptors; what has arrived in part stays for a later run."""
        os.close(self._arrivals)
        os.close(self._root)

    def finish(self) -> None:
        """Remove the folder of arrivals, now that everything has its name."""
        shutil.rmtree(self.path / self._arrivals_name)

    def holds(self, file: ManifestFile, on_piece: Callable[[int], None]) -> bool:
        """Whether a file is there already with every byte right."""
        try:
            with self._folder_of(file.path, make=False) as (folder, name):
                descriptor = os.open(name, _READ, dir_fd=folder)
        except OSError:
            return False
        try:
            seen = os.fstat(descriptor)
            if not stat.S_ISREG(seen.st_mode) or seen.st_size != file.size_bytes:
                return False
            return _hash(descriptor, on_piece).hexdigest() == file.digest
        finally:
            os.close(descriptor)

    @contextmanager
    def arriving(self, digest: str) -> Iterator["Arrival"]:
        """Open what has arrived of a file; what arrives in addition is appended."""
        with self._explained(digest):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(digest, flags, 0o666, dir_fd=self._arrivals)
        try:
            with self._explained(digest):
                yield Arrival(descriptor)
        finally:
            os.close(descriptor)

    def place(self, digest: str, paths: Sequence[str]) -> None:
        """Give a file that has arrived its names; whatever file or link bore one of them before is replaced."""
        for path in paths[1:]:
            with self._explained(path), self._folder_of(path, make=True) as (folder, name):
                os.rename(self._copy(digest), name, src_dir_fd=self._arrivals, dst_dir_fd=folder)
        with self._explained(paths[0]), self._folder_of(paths[0], make=True) as (folder, name):
            os.rename(digest, name, src_dir_fd=self._arrivals, dst_dir_fd=folder)

    def _copy(self, digest: str) -> str:
        """Copy what has arrived, beside it; return the copy's name."""
        name = f"{digest}.copy"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            open(os.open(digest, _READ, dir_fd=self._arrivals), "rb") as origin,
            open(os.open(name, flags, 0o666, dir_fd=self._arrivals), "wb") as copy,
        ):
            shutil.copyfileobj(origin, copy, _PIECE_BYTES)
        return name

    @contextmanager
    def _folder_of(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """Give the folder that holds `path`, as a descriptor, and the path's last component."""
        *folders, name = path.split("/")
        at = os.dup(self._root)
        try:
            for folder in folders:
                if make:
                    self._make_folder(at, folder)
                below = os.open(folder, _FOLDER, dir_fd=at)
                os.close(at)
                at = below
            yield at, name
        finally:
            os.close(at)

    def _make_folder(self, at: int, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=at)

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = self.path / path
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR):
                raise CannotWrite(
                    f"{place}: a link, file or folder is in the way. Remove it, or name another folder."
                ) from error
            raise CannotWrite(f"{place} cannot be written: {error.strerror}.") from error


class Arrival:
    """What has arrived of one file: its hash so far, and how many bytes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = _hash(descriptor, lambda _size_bytes: None)
        self.size_bytes = os.fstat(descriptor).st_size

    @property
    def digest(self) -> str:
        """The SHA-256 of what has arrived."""
        return self._hash.hexdigest()

    def add(self, piece: bytes) -> None:
        """Append bytes."""
        self._hash.update(piece)
        while piece:
            written = os.pwrite(self._descriptor, piece, self.size_bytes)
            self.size_bytes += written
            piece = piece[written:]

    def forget(self) -> None:
        """Begin again with nothing."""
        os.ftruncate(self._descriptor, 0)
        self._hash, self.size_bytes = hashlib.sha256(), 0


def _hash(descriptor: int, on_piece: Callable[[int], None]) -> "hashlib._Hash":
    found, at = hashlib.sha256(), 0
    while piece := os.pread(descriptor, _PIECE_BYTES, at):
        found.update(piece)
        at += len(piece)
        on_piece(len(piece))
    return found


def _free_name(files: Sequence[ManifestFile]) -> str:
    """Return a name for the folder of arrivals that none of the files needs, the same for every run."""
    taken = {file.path.partition("/")[0] for file in files}
    name = ".modelyard-download"
    while name in taken:
        name += "_"
    return name
