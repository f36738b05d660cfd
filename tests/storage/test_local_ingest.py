"""The write protocol: complete or absent, under the right name, and wrong bytes found under it replaced."""

import errno
import hashlib
import io
import os

import pytest

from modelyard.errors import TemporaryFailure
from modelyard.storage import kernel
from modelyard.storage.copying import store_bytes
from modelyard.storage.store import BlobPlacement, StoredBlob, blob_name, is_intact
from tests.storage.conftest import blob_names, read_blob, staged_names

CONTENT = b"good bytes" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()
BLOB = StoredBlob(DIGEST, 0, len(CONTENT))


def ignore(_size_bytes):
    """A pulse that nobody feels."""


def stage(batch, content=CONTENT):
    return batch.stage(io.BytesIO(content), len(content), ignore)


def plant(store, content, gen=0):
    """Put a file under the name of CONTENT, as a rotten disk might."""
    path = store.root / blob_name(DIGEST, gen)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_blob_has_no_name_before_it_is_placed(store, ingest):
    with ingest.batch(1) as batch:
        assert stage(batch).digest == DIGEST
        batch.sync()
        assert blob_names(store) == []

        proven = batch.place({DIGEST: BlobPlacement(0)}, ignore)

    assert proven == []
    assert read_blob(store, DIGEST) == CONTENT


def test_bytes_that_are_not_synced_cannot_be_placed(ingest):
    with ingest.batch(1) as batch:
        stage(batch)

        with pytest.raises(RuntimeError, match="synced"):
            batch.place({DIGEST: BlobPlacement(0)}, ignore)


@pytest.mark.parametrize("syncs_together", [True, False])
def test_many_files_reach_the_disk_either_way(store, monkeypatch, syncs_together):
    monkeypatch.setattr(kernel, "syncfs_tells_errors", lambda _descriptor: syncs_together)
    contents = [str(number).encode() for number in range(60)]

    with store.ingest(1, 1) as ingest, ingest.batch(60) as batch:
        staged = [stage(batch, content) for content in contents]
        batch.sync()
        batch.place({file.digest: BlobPlacement(0) for file in staged}, ignore)

    assert [read_blob(store, file.digest) for file in staged] == contents


@pytest.mark.parametrize(("files", "syncs_together"), [(1, True), (60, False), (60, True)])
def test_bytes_are_on_disk_before_the_ledger_hears_and_names_before_the_batch_ends(
    store, ledger, monkeypatch, files, syncs_together
):
    synced = []

    def remember(sync):
        return lambda descriptor: (synced.append(os.readlink(f"/proc/self/fd/{descriptor}")), sync(descriptor))

    monkeypatch.setattr(kernel, "syncfs_tells_errors", lambda _descriptor: syncs_together)
    monkeypatch.setattr(os, "fsync", remember(os.fsync))
    monkeypatch.setattr(kernel, "syncfs", remember(kernel.syncfs))
    with store.ingest(1, 1) as ingest, ingest.batch(files) as batch:
        digests = [stage(batch, str(number).encode()).digest for number in range(files)]
        batch.sync()
        staging = f"{store.root}/ingest/{ingest.name}"
        whole = [staging] if syncs_together and files > 8 else [f"{staging}/{digest}" for digest in digests]
        assert sorted(synced) == sorted(whole)

        synced.clear()
        batch.place({digest: BlobPlacement(0) for digest in digests}, ignore)

    folders = {f"{store.root}/blobs/sha256/{digest[:2]}" for digest in digests}
    assert folders <= set(synced) or synced[-1] == staging
    assert f"{store.root}/blobs/sha256" in synced


def test_a_file_system_without_syncfs_gets_smaller_batches(store, monkeypatch):
    monkeypatch.setattr(kernel, "syncfs_tells_errors", lambda _descriptor: False)

    with store.ingest(1, 1) as ingest:
        assert ingest.batch_files == 64


def test_equal_files_of_a_batch_become_one_blob(store, ingest):
    with ingest.batch(2) as batch:
        assert stage(batch) == stage(batch)
        batch.sync()
        batch.place({DIGEST: BlobPlacement(0)}, ignore)

    assert blob_names(store) == [DIGEST]


def test_a_blob_that_came_back_gets_the_file_of_its_generation(store, ingest):
    plant(store, b"of the collector")

    with ingest.batch(1) as batch:
        stage(batch)
        batch.sync()
        batch.place({DIGEST: BlobPlacement(2)}, ignore)

    assert read_blob(store, DIGEST, gen=2) == CONTENT
    assert read_blob(store, DIGEST, gen=0) == b"of the collector"


@pytest.mark.parametrize(
    ("planted", "recheck", "proven", "left"),
    [
        (CONTENT, False, [], CONTENT),
        (CONTENT, True, [DIGEST], CONTENT),
        (b"rotten", False, [DIGEST], CONTENT),
        (b"Good bytes" * 100, True, [DIGEST], CONTENT),
        # Same size, and nobody doubts it: it is believed, else every repeated file would be read again.
        (b"Good bytes" * 100, False, [], b"Good bytes" * 100),
    ],
)
def test_a_file_found_under_the_name_is_believed_checked_or_replaced(store, ingest, planted, recheck, proven, left):
    plant(store, planted)

    with ingest.batch(1) as batch:
        stage(batch)
        batch.sync()
        answer = batch.place({DIGEST: BlobPlacement(0, recheck=recheck)}, ignore)

    assert answer == proven
    assert read_blob(store, DIGEST) == left


def test_a_doubted_blob_whose_file_is_gone_is_proven_by_its_new_file(store, ingest):
    with ingest.batch(1) as batch:
        stage(batch)
        batch.sync()

        assert batch.place({DIGEST: BlobPlacement(0, recheck=True)}, ignore) == [DIGEST]


def test_a_believed_file_is_not_touched(store, ingest):
    path = plant(store, CONTENT)
    before = path.stat()

    with ingest.batch(1) as batch:
        stage(batch)
        batch.sync()
        batch.place({DIGEST: BlobPlacement(0)}, ignore)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_under_the_name_is_replaced_not_followed(store, ingest, tmp_path):
    (tmp_path / "other").write_bytes(CONTENT)
    path = plant(store, b"")
    path.unlink()
    path.symlink_to(tmp_path / "other")

    with ingest.batch(1) as batch:
        stage(batch)
        batch.sync()
        batch.place({DIGEST: BlobPlacement(0)}, ignore)

    assert not path.is_symlink()
    assert read_blob(store, DIGEST) == CONTENT


@pytest.mark.parametrize("planted", [None, CONTENT, b"rotten"])
def test_without_hard_links_the_file_is_renamed(store, ingest, ledger, monkeypatch, planted):
    def no_links(*_names, **_options):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    if planted is not None:
        plant(store, planted)

    store_bytes(CONTENT, ingest, ledger)

    assert read_blob(store, DIGEST) == CONTENT
    assert os.listdir(store.root / "ingest" / ingest.name) in ([], [DIGEST])


def test_the_kernel_never_renames_over_a_file(tmp_path):
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    folder = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(FileExistsError):
        kernel.rename_noreplace("new", "old", source_folder=folder, target_folder=folder)

    os.close(folder)
    assert (tmp_path / "old").read_text() == "old"


def test_staging_goes_when_the_work_ends_and_when_it_fails(store):
    with store.ingest(1, 1) as ingest, ingest.batch(1) as batch:
        stage(batch)
        assert staged_names(store) == [ingest.name]
    assert staged_names(store) == []

    with pytest.raises(KeyboardInterrupt), store.ingest(1, 1) as ingest, ingest.batch(1) as batch:
        stage_then_fail(batch)
    assert staged_names(store) == []


def test_a_failed_batch_leaves_no_descriptor_open(store):
    before = len(os.listdir("/dev/fd"))

    with pytest.raises(KeyboardInterrupt), store.ingest(1, 1) as ingest, ingest.batch(1) as batch:
        stage_then_fail(batch)

    assert len(os.listdir("/dev/fd")) == before


def stage_then_fail(batch):
    stage(batch)
    raise KeyboardInterrupt


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_temporary_and_told_in_figures(store, ingest, monkeypatch, code):
    def full(_descriptor, _piece):
        raise OSError(code, os.strerror(code))

    with ingest.batch(1) as batch:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(TemporaryFailure, match=r"full: 5\.0 MB are needed, .* are free.*tried again"):
            batch.stage(io.BytesIO(bytes(100)), 5_000_000, ignore)


@pytest.mark.parametrize(("files", "call"), [(1, "os.fsync"), (100, "modelyard.storage.kernel.syncfs")])
def test_a_failed_sync_is_temporary_and_nothing_is_placed(store, ingest, monkeypatch, files, call):
    def fail(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    with ingest.batch(files) as batch:
        stage(batch)
        monkeypatch.setattr(call, fail)
        with pytest.raises(TemporaryFailure, match="cannot be written: Input/output error"):
            batch.sync()

    assert blob_names(store) == []


def test_a_staging_folder_taken_away_is_temporary(store, ingest):
    store.remove_staging(ingest.name)

    with ingest.batch(1) as batch, pytest.raises(TemporaryFailure):
        stage(batch)


def test_an_intact_blob_is_told_from_a_rotten_one(store):
    pieces = []
    plant(store, CONTENT)
    assert is_intact(store, BLOB, pieces.append)
    assert sum(pieces) == len(CONTENT)

    plant(store, CONTENT[:-1] + b"X")
    assert not is_intact(store, BLOB, ignore)
