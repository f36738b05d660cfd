"""Manifests as folders and files."""

from pathlib import Path

import pytest

from modelyard.storage.local_store import LocalStore
from modelyard.storage.manifest import ManifestFile, build_manifest
from modelyard.storage.store import StoredBlob, blob_name
from modelyard.web import file_index
from modelyard.web.file_index import Entry, FileIndexes, index_files


def test_folders_list_what_lies_directly_in_them() -> None:
    files = [
        ManifestFile("MLmodel", 5, "a" * 64),
        ManifestFile("data/deep/x", 1, "b" * 64),
        ManifestFile("data/y", 0, "c" * 64),
    ]

    index = index_files(files)

    assert index.folders == {
        "": [Entry("MLmodel", 5), Entry("data", None)],
        "data": [Entry("deep", None), Entry("y", 0)],
        "data/deep": [Entry("x", 1)],
    }
    assert index.files["data/y"].digest == "c" * 64


def stored(store: LocalStore, *files: ManifestFile) -> StoredBlob:
    manifest = build_manifest(files)
    path = store.root / blob_name(manifest.digest, 0)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(manifest.content)
    return StoredBlob(manifest.digest, 0, len(manifest.content))


def test_a_manifest_is_read_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    indexes, manifest = FileIndexes(store), stored(store, ManifestFile("MLmodel", 5, "a" * 64))

    first = indexes.read(manifest)
    (store.root / blob_name(manifest.digest, 0)).unlink()

    assert indexes.read(manifest) is first
    store.close()


def test_only_so_many_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_index, "KEPT_FILES", 1)
    store = LocalStore(tmp_path)
    indexes = FileIndexes(store)
    first, second = (stored(store, ManifestFile(name, 1, "a" * 64)) for name in ("one", "two"))

    before = indexes.read(first)
    indexes.read(second)

    assert indexes.read(first) is not before
    store.close()
