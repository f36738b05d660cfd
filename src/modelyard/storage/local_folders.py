"""The folders of a store on a local file system: made durably, and the files of blobs found and read in them."""

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from modelyard.errors import ConfigurationError, NotFound, TemporaryFailure
from modelyard.storage import kernel, sizes
from modelyard.storage.beneath import FILE_FLAGS, open_beneath
from modelyard.storage.store import PIECE_BYTES, blob_name


class LocalBlob:
    """One blob's file, open; several readers may take pieces of it at once."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = size_bytes

    def pieces(self, start: int = 0, length: int | None = None, *, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield `length` bytes from `start` in pieces of at most `piece_bytes`. Raises EOFError."""
        end = self.size_bytes if length is None else start + length
        while start < end:
            piece = os.pread(self._descriptor, min(piece_bytes, end - start), start)
            if not piece:
                raise EOFError(f"a blob ended at {start} instead of {end} bytes")
            start += len(piece)
            yield piece

    def close(self) -> None:
        """Give back the descriptor."""
        os.close(self._descriptor)

    def __enter__(self) -> "LocalBlob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalFolders:
    """The folders below `root`, which are created where they are missing.

    Raises ConfigurationError when they cannot be used, or `ingest` lies on another file system than `blobs`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            _make_folders(root)
            self.folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigurationError(
                f"The store folder {root} cannot be used: {error.strerror}. "
                "Name a folder that this user may write in MODELYARD_STORE_URL."
            ) from error
        self.check_one_file_system()

    def close(self) -> None:
        """Give back the root's descriptor."""
        os.close(self.folder)

    def check_one_file_system(self) -> None:
        """Raise ConfigurationError unless files can move from `ingest` to `blobs` in one step."""
        devices = {os.stat(folder, dir_fd=self.folder).st_dev for folder in ("ingest", "blobs", "blobs/sha256")}
        if len(devices) > 1:
            raise ConfigurationError(
                f"{self.root}/ingest and {self.root}/blobs lie on different file systems. Mount the store as one."
            )

    def blob_size(self, digest: str, gen: int) -> int | None:
        """Return the size in bytes of a blob's file; None if there is no such regular file."""
        try:
            seen = os.stat(blob_name(digest, gen), dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return seen.st_size if stat.S_ISREG(seen.st_mode) else None

    def open_blob(self, digest: str, gen: int, size_bytes: int | None = None) -> LocalBlob:
        """Open a blob. Raises NotFound when it is not there, or has not `size_bytes` bytes."""
        try:
            descriptor = open_beneath(self.folder, blob_name(digest, gen), FILE_FLAGS)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                raise NotFound(f"The blob {digest} is not in the store.") from error
            raise
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or size_bytes not in (None, seen.st_size):
            os.close(descriptor)
            raise NotFound(f"The blob {digest} in the store is broken: {seen.st_size} bytes.")
        return LocalBlob(descriptor, seen.st_size)

    def free_bytes(self) -> int:
        """Return what this user may still write to the store's file system."""
        seen = os.fstatvfs(self.folder)
        return seen.f_bavail * seen.f_frsize

    def failure(self, error: OSError, needed_bytes: int) -> TemporaryFailure:
        """Return what to raise for an error met while writing: all of them may pass, a full disk foremost."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return self.full(needed_bytes)
        return TemporaryFailure(f"The store cannot be written: {error.strerror}. The copy is tried again.")

    def full(self, needed_bytes: int) -> TemporaryFailure:
        """Return what to raise when `needed_bytes` do not fit."""
        return TemporaryFailure(
            f"The disk of the store is full: {sizes.written(needed_bytes)} are needed, "
            f"{sizes.written(self.free_bytes())} are free. Free some space; the copy is tried again."
        )

    def write_once(self, name: str, content: bytes) -> None:
        """Write a file that nobody ever sees half-written, unless it exists."""
        if os.path.lexists(self.root / name):
            return
        draft = f"ingest/{name}.{uuid.uuid4().hex}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=self.folder)
        try:
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not move_unless_exists(draft, name, source_folder=self.folder, target_folder=self.folder):
            os.unlink(draft, dir_fd=self.folder)
        os.fsync(self.folder)


def _make_folders(root: Path) -> None:
    """Make the store's folders, and their names durable: a blob in them is lost with them."""
    for folder in (root, root / "ingest", root / "blobs", root / "blobs/sha256"):
        if folder.is_dir():
            continue
        folder.mkdir(mode=0o755, parents=folder == root, exist_ok=True)
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def move_unless_exists(source: str, target: str, *, source_folder: int, target_folder: int) -> bool:
    """Give a file its final name unless that is taken: then return False and leave everything as it was.

    By a hard link; where the file system has none, by renameat2. Both are one step and never replace anything.
    """
    try:
        os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        return _rename_unless_exists(source, target, source_folder=source_folder, target_folder=target_folder)
    os.unlink(source, dir_fd=source_folder)
    return True


def _rename_unless_exists(source: str, target: str, *, source_folder: int, target_folder: int) -> bool:
    try:
        kernel.rename_noreplace(source, target, source_folder=source_folder, target_folder=target_folder)
    except FileExistsError:
        return False
    return True
