"""What every managed store offers, whatever it lies on: a local file system or the buckets of a cloud.

    store.json                              whose store this is
    blobs/sha256/ab/<64 hex>[.<gen>]        complete or absent, never rewritten; generation 0 has the bare name
    ingest/<job>-<attempt>-<uuid8>/         in flight

Which blobs are in use, and by whom, are rows of the database; a store never decides over the life of a blob. Bytes
come in by one protocol, and callers never know which store they speak to:

    with store.ingest(job_id, attempt) as ingest:
        with ingest.batch(len(files)) as batch:
            staged = batch.stage(reader, ...)            for each file
            batch.sync()                                 from here on no power loss takes the bytes
            placements = ...                             the caller's transaction: blob rows and leases
            proven = batch.place(placements, ...)        from here on the blobs have their names, for good

A blob's name thus appears only with whole bytes behind it, and after the database knows of it.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from modelyard.errors import TemporaryFailure
from modelyard.storage.identity import Owner, StoreIdentity
from modelyard.storage.tree import Reader

PIECE_BYTES = 1 << 20
BATCH_BYTES = 256 << 20
BATCH_FILES = 512

# Opens the bytes that a reader gave once more.
Again: TypeAlias = Callable[[], AbstractContextManager[Reader]]

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


@dataclass(frozen=True, slots=True)
class Staged:
    """What was read and staged: SHA-256 as 64 lowercase hex digits, and the size."""

    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BlobPlacement:
    """What the database says of a blob: the generation to write, and whether a file found there must be hashed again.

    `recheck` is for blobs that are marked broken or were not verified for a long time.
    """

    gen: int
    recheck: bool = False


class OpenBlob(AbstractContextManager["OpenBlob"], Protocol):
    """One blob opened for reading; several readers may take pieces of it at once."""

    size_bytes: int

    def pieces(self, start: int = 0, length: int | None = None, *, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield `length` bytes from `start` (all that follow by default) in pieces of at most `piece_bytes`.

        Raises EOFError when the blob turns out shorter: a reader must see a broken transfer, never a short file;
        TemporaryFailure when the store stops answering.
        """

    def close(self) -> None:
        """Give back what holds it open."""


class Readable(Protocol):
    """Where blobs can be read from."""

    def open_blob(self, digest: str, gen: int, size_bytes: int | None = None) -> OpenBlob:
        """Open a blob. Raises NotFound when it is not there, or has not `size_bytes` bytes."""


class Batch(AbstractContextManager["Batch"], Protocol):
    """Files that are stored together. Its methods are called in the order stage, sync, place.

    Errors of the store are raised as TemporaryFailure; after one, the batch is not to be used again.
    """

    def stage(
        self, reader: Reader, expected_bytes: int, on_piece: Callable[[int], None], *, again: Again | None = None
    ) -> Staged:
        """Take what `reader` gives, hashing it; `on_piece` is called with the size of each piece. Any thread may.

        `expected_bytes` is what will come, as far as anybody knows. `again` opens the same bytes once more where that
        costs little: a store that takes them over the network then needs no room of its own in between. What
        `reader`, `again` and `on_piece` raise passes through.
        """

    def sync(self) -> None:
        """Return when every staged byte would survive a power loss."""

    def place(self, placements: Mapping[str, BlobPlacement], on_piece: Callable[[int], None]) -> list[str]:
        """Give every staged blob its name, durably, and return the digests whose stored bytes were proven right.

        `placements` maps each staged digest to what the database answered. Proven are those that were to be
        rechecked, or had another size than they must have: hashed and found right, or replaced. The caller clears
        their mark. `on_piece` is called while existing blobs are hashed.
        """


class Ingest(AbstractContextManager["Ingest"], Protocol):
    """The staging folder of one attempt; it and what is left in it go when the context ends, however it ends."""

    name: str

    @property
    def batch_files(self) -> int:
        """The most files that a batch may hold in this store."""

    def require_room(self, size_bytes: int) -> None:
        """Raise TemporaryFailure, with both figures, where the store can tell that so many bytes do not fit."""

    def held(self, blobs: Collection[StoredBlob]) -> set[StoredBlob]:
        """Return those of `blobs` that lie in the store with their size."""

    def batch(self, files: int) -> Batch:
        """Begin a batch of up to `files` files."""


class Store(Readable, Protocol):
    """A managed store. Open it after a fork: descriptors and connections are not shared by processes.

    `survives_fork` says that a process which used it may still fork others that use one of their own.
    """

    survives_fork: bool

    @property
    def place(self) -> str:
        """Where the store lies, as people write it."""

    def close(self) -> None:
        """Give back descriptors and connections."""

    def create_or_check(self, owner: Owner) -> StoreIdentity:
        """Make this store that of `owner`, or check that it is the same registry's; return whose it is.

        Raises ConfigurationError when it belongs to another registry, whose collector would remove our blobs. That
        it is the same database too is for collectors to ask: everybody else may work with a copy.
        """

    def identity(self) -> StoreIdentity | None:
        """Return whose store this is, read afresh; None for a store of nobody.

        Raises ConfigurationError when `store.json` is broken.
        """

    def adopt(self, owner: Owner) -> StoreIdentity | None:
        """Make this store that of `owner` from now on, whosever it was; it keeps its own id. Return whose it was."""

    def ingest(self, job_id: int, attempt: int) -> Ingest:
        """Begin to take bytes for an attempt of a job; job 0 is an upload through the web."""

    def blob_size(self, digest: str, gen: int) -> int | None:
        """Return the size in bytes of a blob as it lies there; None if there is none."""

    def check_present(self, blobs: Iterable[StoredBlob]) -> None:
        """Raise TemporaryFailure unless every blob is there with the right size (the last look before READY)."""

    def signed_url(self, digest: str, gen: int, life_s: int) -> str | None:
        """Return an address that gives a blob to anybody for a while; None where only we can give it."""

    def remove_blob(self, digest: str, gen: int) -> bool:
        """Remove a blob's bytes and tell whether there were any. Only a collector may say which."""

    def list_blobs(self) -> Iterator[FoundBlob]:
        """Yield every blob that lies there, in the order of the digests; strange names are passed over."""

    def remove_remnants(self, older_than_s: float) -> int:
        """Remove what interrupted writes left where no list shows it; return how much there was."""

    def list_staging(self) -> list[Staging]:
        """Return the folders of work in flight. List first, then ask the database which of them have an owner."""

    def remove_staging(self, name: str) -> None:
        """Remove a folder of work in flight; one that is gone already, or is going, is no error."""


def blob_name(digest: str, gen: int) -> str:
    """Return where a blob lies, relative to the store's root."""
    if len(digest) != 64 or not digest.isalnum():
        raise ValueError(f"not a SHA-256 in hex: {digest!r}")
    suffix = f".{gen}" if gen else ""
    return f"blobs/sha256/{digest[:2]}/{digest}{suffix}"


def parse_blob_file(name: str) -> tuple[str, int] | None:
    """Return digest and generation of a blob's own file name; None for any other name."""
    match = _BLOB_FILE.fullmatch(name)
    return None if match is None else (match[1], int(match[2] or 0))


def parse_staging(name: str, age_s: float) -> Staging | None:
    """Return the staging folder that `name` is; None for any other name."""
    match = _STAGING_NAME.fullmatch(name)
    return None if match is None else Staging(name, int(match[1]), int(match[2]), max(0.0, age_s))


def require_staging(name: str) -> None:
    """Raise ValueError unless `name` is that of a staging folder: nothing else may be removed as one."""
    if _STAGING_NAME.fullmatch(name) is None:
        raise ValueError(f"not a staging folder: {name!r}")


def require_present(blob: StoredBlob, found_bytes: int | None) -> None:
    """Raise TemporaryFailure unless `found_bytes` (None for nothing) is what the blob must have."""
    if found_bytes != blob.size_bytes:
        raise TemporaryFailure(
            f"The store holds {'nothing' if found_bytes is None else f'{found_bytes} bytes'} for the blob "
            f"{blob.digest}, which has {blob.size_bytes} bytes. The files are stored again."
        )


def is_intact(store: Readable, blob: StoredBlob, on_piece: Callable[[int], None]) -> bool:
    """Hash a blob's bytes again and tell whether they are what its name says. Raises NotFound when it is gone."""
    digest = hashlib.sha256()
    with store.open_blob(blob.digest, blob.gen) as opened:
        for piece in opened.pieces():
            digest.update(piece)
            on_piece(len(piece))
    return digest.hexdigest() == blob.digest
