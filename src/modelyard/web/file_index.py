"""The files of versions as folders and files, read from their manifests and kept while they are asked for.

A manifest never changes, so what was read once stays right; only a few of the largest are kept.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from modelyard.storage.manifest import ManifestFile, parse_manifest
from modelyard.storage.store import Store, StoredBlob

# Files over all kept manifests; one costs about 400 bytes.
KEPT_FILES = 200_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder by its own name; folders have no size."""

    name: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class FileIndex:
    """One version's files by path, and its folders' entries by path ("" for the root), sorted by name."""

    files: Mapping[str, ManifestFile]
    folders: Mapping[str, Sequence[Entry]]


class FileIndexes:
    """The manifests read lately; threads share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, FileIndex] = OrderedDict()
        self._lock = Lock()

    def read(self, manifest: StoredBlob) -> FileIndex:
        """Return the files that a manifest lists. Raises NotFound when it is not in the store."""
        with self._lock:
            found = self._kept.get(manifest.digest)
            if found is not None:
                self._kept.move_to_end(manifest.digest)
                return found
        index = index_files(parse_manifest(self._content(manifest)))
        with self._lock:
            self._kept[manifest.digest] = index
            self._forget_oldest()
        return index

    def _content(self, manifest: StoredBlob) -> bytes:
        with self._store.open_blob(manifest.digest, manifest.gen, manifest.size_bytes) as blob:
            return b"".join(blob.pieces())

    def _forget_oldest(self) -> None:
        while len(self._kept) > 1 and sum(len(index.files) for index in self._kept.values()) > KEPT_FILES:
            self._kept.popitem(last=False)


def index_files(files: Sequence[ManifestFile]) -> FileIndex:
    """Return `files` by path, and what each folder holds."""
    folders: dict[str, dict[str, Entry]] = defaultdict(dict)
    for file in files:
        folder, _, name = file.path.rpartition("/")
        folders[folder][name] = Entry(name, file.size_bytes)
        while folder:
            parent, _, name = folder.rpartition("/")
            if name in folders[parent]:
                break
            folders[parent][name] = Entry(name, None)
            folder = parent
    sorted_folders = {path: [entries[name] for name in sorted(entries)] for path, entries in folders.items()}
    return FileIndex({file.path: file for file in files}, sorted_folders)
