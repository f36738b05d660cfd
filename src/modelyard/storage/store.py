"""The managed store on a local file system: where blobs lie, complete or absent, and how they are read.

    store.json                              whose store this is
    blobs/sha256/ab/<64 hex>[.<gen>]        mode 0444, never rewritten; generation 0 has the bare name
    ingest/<job>-<attempt>-<uuid8>/         in flight, on the same file system

Which blobs are in use, and by whom, are rows of the database; nothing here decides over the life of a blob.
"""

import errno
import json
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from modelyard.errors import ConfigurationError, NotFound, TemporaryFailure
from modelyard.storage import kernel, sizes
from modelyard.storage.beneath import FILE_FLAGS, open_beneath

PIECE_BYTES = 1 << 20

_STAGING_NAME = re.compile(r"(\d+)-(\d+)-[0-9a-f]{8}")
_BLOB_FILE = re.compile(r"([0-9a-f]{64})(?:\.([1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob by digest (64 lowercase hex digits) and generation, and how long it must be."""

    digest: str
    gen: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FoundBlob:
    """A blob as it lies in the store, whatever the database says of it; `age_s` since it was written."""

    digest: str
    gen: int
    size_bytes: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Staging:
    """A folder of work in flight. Job 0 means an upload through the web, which no job owns."""

    name: str
    job_id: int
    attempt: int
    age_s: float


class OpenBlob:
    """One blob opened for reading; several readers may take pieces of it at once."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = size_bytes

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; b"" only at the end."""
        return os.pread(self._descriptor, size, offset)

    def pieces(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield `length` bytes from `start` (all that follow by default) in pieces of at most 1 MiB.

        Raises EOFError when the file turns out shorter: a reader must see a broken transfer, never a short file.
        """
        end = self.size_bytes if length is None else start + length
        while start < end:
            piece = self.read_at(start, min(PIECE_BYTES, end - start))
            if not piece:
                raise EOFError(f"a blob ended at {start} instead of {end} bytes")
            start += len(piece)
            yield piece

    def close(self) -> None:
        """Give back the descriptor."""
        os.close(self._descriptor)

    def __enter__(self) -> "OpenBlob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalStore:
    """A store below the folder `root`, which is created where it is missing.

    Raises ConfigurationError when the folder cannot be used, or its `ingest` lies on another file system.
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

    def create_or_check(self, owner: str) -> str:
        """Make this store that of the registry `owner`, or check that it is; return the store's own id.

        Raises ConfigurationError when it belongs to another registry, whose collector would remove our blobs.
        """
        identity = {"owner": owner, "store_id": uuid.uuid4().hex}
        self._write_once("store.json", json.dumps(identity, sort_keys=True).encode() + b"\n")
        found_owner, store_id = self._identity()
        if found_owner != owner:
            raise ConfigurationError(
                f"The store {self.root} belongs to the registry {found_owner}, not to {owner}. "
                "Give this registry a store of its own with MODELYARD_STORE_URL."
            )
        return store_id

    def owner(self) -> str | None:
        """Return the id of the registry that owns this store, read afresh; None for a store of nobody.

        Raises ConfigurationError when `store.json` is broken.
        """
        return self._identity()[0] if os.path.lexists(self.root / "store.json") else None

    def _identity(self) -> tuple[str, str]:
        """Return the owner's id and the store's own."""
        try:
            found = json.loads((self.root / "store.json").read_bytes())
            return str(found["owner"]), str(found["store_id"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{self.root}/store.json cannot be read: {error}. Restore the file.") from error

    def blob_size(self, digest: str, gen: int) -> int | None:
        """Return the size in bytes of a blob's file; None if there is no such regular file."""
        seen = self._seen(blob_name(digest, gen))
        return None if seen is None else seen.st_size

    def check_present(self, blobs: Iterable[StoredBlob]) -> None:
        """Raise TemporaryFailure unless every blob's file is there with the right size (the last look before READY)."""
        for blob in blobs:
            found = self.blob_size(blob.digest, blob.gen)
            if found != blob.size_bytes:
                raise TemporaryFailure(
                    f"The store holds {'nothing' if found is None else f'{found} bytes'} for the blob {blob.digest}, "
                    f"which has {blob.size_bytes} bytes. The files are stored again."
                )

    def open_blob(self, digest: str, gen: int, size_bytes: int | None = None) -> OpenBlob:
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
        return OpenBlob(descriptor, seen.st_size)

    def list_blobs(self) -> Iterator[FoundBlob]:
        """Yield every blob that lies there, in the order of the digests; strange names are passed over.

        What is removed meanwhile may or may not be among them.
        """
        for prefix in sorted(os.listdir(self.root / "blobs/sha256")):
            for name in sorted(os.listdir(self.root / "blobs/sha256" / prefix)):
                match = _BLOB_FILE.fullmatch(name)
                seen = self._seen(f"blobs/sha256/{prefix}/{name}") if match else None
                if match and seen:
                    age_s = max(0.0, time.time() - seen.st_mtime)
                    yield FoundBlob(match[1], int(match[2] or 0), seen.st_size, age_s)

    def _seen(self, name: str) -> os.stat_result | None:
        """Return what there is to know of a regular file; None when there is none of this name."""
        try:
            seen = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return seen if stat.S_ISREG(seen.st_mode) else None

    def list_staging(self) -> list[Staging]:
        """Return the folders of work in flight. List first, then ask the database which of them have an owner."""
        found = []
        for name in sorted(os.listdir(self.root / "ingest")):
            match = _STAGING_NAME.fullmatch(name)
            if match is None:
                continue
            try:
                changed_at = os.stat(f"ingest/{name}", dir_fd=self.folder, follow_symlinks=False).st_mtime
            except FileNotFoundError:
                continue
            found.append(Staging(name, int(match[1]), int(match[2]), max(0.0, time.time() - changed_at)))
        return found

    def remove_staging(self, name: str) -> None:
        """Remove a folder of work in flight; one that is gone already, or is going, is no error."""
        if _STAGING_NAME.fullmatch(name) is None:
            raise ValueError(f"not a staging folder: {name!r}")
        shutil.rmtree(self.root / "ingest" / name, ignore_errors=True)

    def free_bytes(self) -> int:
        """Return what this user may still write to the store's file system."""
        seen = os.fstatvfs(self.folder)
        return seen.f_bavail * seen.f_frsize

    def failure(self, error: OSError, needed_bytes: int) -> TemporaryFailure:
        """Return what to raise for an error met while writing: all of them may pass, a full disk foremost."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return TemporaryFailure(
                f"The disk of the store is full: {sizes.written(needed_bytes)} are needed, "
                f"{sizes.written(self.free_bytes())} are free. Free some space; the copy is tried again."
            )
        return TemporaryFailure(f"The store cannot be written: {error.strerror}. The copy is tried again.")

    def _write_once(self, name: str, content: bytes) -> None:
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


def blob_name(digest: str, gen: int) -> str:
    """Return where a blob lies, relative to the store's root."""
    if len(digest) != 64 or not digest.isalnum():
        raise ValueError(f"not a SHA-256 in hex: {digest!r}")
    suffix = f".{gen}" if gen else ""
    return f"blobs/sha256/{digest[:2]}/{digest}{suffix}"


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
