"""A store, a folder to copy from, and a ledger in memory in the place of the database."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from modelyard.storage import kernel
from modelyard.storage.copying import KnownFile, StoredFile
from modelyard.storage.identity import Owner
from modelyard.storage.local_store import LocalStore
from modelyard.storage.local_tree import LocalTree
from modelyard.storage.store import BlobPlacement, Ingest
from modelyard.storage.tracking import TrackingServer
from modelyard.storage.tree import Limits
from tests.storage.far_server import FarServer

OURS = Owner("registry-a", "database-1")


class MemoryLedger:
    """What the database would remember: blobs, files, and which blobs are in doubt."""

    def __init__(self) -> None:
        self.generations: dict[str, int] = {}
        self.doubted: set[str] = set()
        self.batches: list[list[StoredFile]] = []
        self.found_right: list[str] = []

    def record(self, batch: Sequence[StoredFile]) -> Mapping[str, BlobPlacement]:
        self.batches.append(list(batch))
        return {
            file.digest: BlobPlacement(self.generations.get(file.digest, 0), recheck=file.digest in self.doubted)
            for file in batch
        }

    def proven(self, digests: Sequence[str]) -> None:
        self.found_right += digests

    def known_files(self) -> dict[str, KnownFile]:
        files = [file for batch in self.batches for file in batch]
        return {file.entry.path: KnownFile(file.entry, file.digest, 0) for file in files if file.entry is not None}

    @property
    def recorded_paths(self) -> list[str]:
        return [file.entry.path for batch in self.batches for file in batch if file.entry is not None]


@pytest.fixture
def ledger() -> MemoryLedger:
    """A ledger without a database."""
    return MemoryLedger()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """An empty store of its own."""
    store = LocalStore(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def ingest(store: LocalStore) -> Iterator[Ingest]:
    """The staging folder of job 7, attempt 1."""
    with store.ingest(7, 1) as ingest:
        yield ingest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a small model: MLmodel, data/weights.bin and an empty file."""
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights.bin").write_bytes(bytes(range(256)) * 100)
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def open_tree() -> Iterator[Callable[..., LocalTree]]:
    """Open a folder as a tree: open_tree(path, limits=..., forbidden=...)."""
    opened: list[LocalTree] = []

    def open_folder(folder: Path, limits: Limits | None = None, **options: object) -> LocalTree:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        opened.append(LocalTree(descriptor, str(folder), limits or Limits(), **options))
        return opened[-1]

    yield open_folder
    for tree in opened:
        tree.close()


@pytest.fixture(params=["openat2", "by components"])
def way_of_opening(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to open beneath a folder: with the kernel's help, and as on a kernel that lacks it."""
    if request.param == "openat2":
        assert kernel.has_openat2()
    else:
        monkeypatch.setattr(kernel, "has_openat2", lambda: False)


@pytest.fixture
def far_server() -> Iterator[FarServer]:
    """A tracking server on the far side of the network."""
    server = FarServer()
    yield server
    server.stop()


@pytest.fixture
def tracking_server(far_server: FarServer) -> Iterator[TrackingServer]:
    """Our side of `far_server`."""
    server = TrackingServer(far_server.url)
    yield server
    server.close()


def read_blob(store: LocalStore, digest: str, gen: int = 0) -> bytes:
    """Return the bytes of a blob."""
    with store.open_blob(digest, gen) as blob:
        return b"".join(blob.pieces())


def staged_names(store: LocalStore) -> list[str]:
    """Return what lies in the store's folder for work in flight."""
    return sorted(os.listdir(store.root / "ingest"))


def blob_names(store: LocalStore) -> list[str]:
    """Return the file names of all blobs."""
    return sorted(path.name for path in (store.root / "blobs").rglob("*") if path.is_file())
