"""Large files: copied by the kernel in one of three ways, hashed while they are stored."""

import errno
import hashlib
import os
import random

import pytest

from modelyard.errors import SourceUnreadable
from modelyard.storage import kernel, large_files, local_ingest
from modelyard.storage.copying import copy_tree
from modelyard.storage.large_files import copy_large
from tests.storage.conftest import read_blob

CONTENT = random.Random(5).randbytes((20 << 20) + 5)


@pytest.fixture
def files(tmp_path):
    """Descriptors of a file with CONTENT and of an empty one."""
    (tmp_path / "source").write_bytes(CONTENT)
    source = os.open(tmp_path / "source", os.O_RDONLY)
    target = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
    yield source, target
    os.close(source)
    os.close(target)


def refuse(*_arguments, **_options):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def clone_as_btrfs_does(source, target):
    os.pwrite(target, os.pread(source, len(CONTENT) + 1, 0), 0)
    return True


@pytest.fixture(params=["clone", "copy_file_range", "sendfile"])
def way(request, monkeypatch):
    """Each way that a kernel may offer, the better ones refused."""
    if request.param == "clone":
        monkeypatch.setattr(kernel, "clone", clone_as_btrfs_does)
    if request.param == "sendfile":
        monkeypatch.setattr(os, "copy_file_range", refuse)
    return request.param


def test_every_way_stores_and_hashes_every_byte(files, way):
    pieces = []

    staged = copy_large(*files, len(CONTENT), pieces.append)

    assert staged.digest == hashlib.sha256(CONTENT).hexdigest()
    assert staged.size_bytes == sum(pieces) == len(CONTENT)
    assert os.pread(files[1], len(CONTENT) + 1, 0) == CONTENT


def test_each_byte_is_on_its_way_to_the_disk_before_the_batch_ends(files, way, monkeypatch):
    begun = []
    real = kernel.start_writing
    monkeypatch.setattr(kernel, "start_writing", lambda *part: (begun.append(part), real(*part)))

    copy_large(*files, len(CONTENT), lambda _size: None)

    assert {descriptor for descriptor, _, _ in begun} == {files[1]}
    starts = [0, *(start + size_bytes for _, start, size_bytes in begun)]
    assert ([start for _, start, _ in begun], starts[-1]) == (starts[:-1], len(CONTENT))


def test_where_writing_cannot_be_begun_early_all_is_stored_the_same(files, monkeypatch):
    monkeypatch.setattr(kernel, "_libc", lambda: object())
    monkeypatch.setattr(kernel, "clone", lambda _source, _target: False)

    assert copy_large(*files, len(CONTENT), lambda _size: None).digest == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_ends_early_is_copied_as_far_as_it_goes(files, way):
    assert copy_large(*files, len(CONTENT) + 100, lambda _size: None).size_bytes == len(CONTENT)


def test_a_file_that_grows_is_not_followed(files, way):
    assert copy_large(*files, 1000, lambda _size: None).size_bytes == 1000


def test_where_no_way_is_known_nothing_is_written(files, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(os, "sendfile", refuse)

    assert copy_large(*files, len(CONTENT), lambda _size: None) is None
    assert os.fstat(files[1]).st_size == 0


def test_a_full_disk_is_raised_not_walked_around(files, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)

    with pytest.raises(OSError, match="No space"):
        copy_large(*files, len(CONTENT), lambda _size: None)


@pytest.mark.parametrize("known_ways", [True, False])
def test_a_model_with_a_large_file_arrives(model, open_tree, store, ingest, ledger, monkeypatch, known_ways):
    monkeypatch.setattr(local_ingest, "LARGE_BYTES", 1 << 20)
    (model / "large").write_bytes(CONTENT)
    if not known_ways:
        monkeypatch.setattr(large_files, "_begin", lambda *_arguments: None)

    copied = copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=lambda _progress: None)

    [large] = [file for file in copied.files if file.path == "large"]
    assert read_blob(store, large.digest) == CONTENT
    assert (store.root / "blobs" / "sha256" / large.digest[:2] / large.digest).stat().st_mode & 0o777 == 0o444


def test_a_large_file_that_changes_is_found(model, open_tree, ingest, ledger, monkeypatch):
    monkeypatch.setattr(local_ingest, "LARGE_BYTES", 1 << 20)
    (model / "large").write_bytes(CONTENT)

    def grow(progress):
        if 0 < progress.bytes_done < len(CONTENT):
            with (model / "large").open("ab") as file:
                file.write(b"more")

    with pytest.raises(SourceUnreadable, match="changed while it was copied"):
        copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=grow, threads=1)
    assert ledger.batches == []
