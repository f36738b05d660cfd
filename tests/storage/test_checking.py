"""A stored blob read again: what is told of each kind of damage."""

import errno
import hashlib
import os

import pytest

from modelyard.errors import TemporaryFailure
from modelyard.storage.checking import Condition, check_blob
from modelyard.storage.copying import store_bytes
from modelyard.storage.store import StoredBlob, blob_name

CONTENT = b"0123456789" * 200_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
BLOB = StoredBlob(DIGEST, 0, len(CONTENT))


@pytest.fixture
def path(store, ingest, ledger):
    store_bytes(CONTENT, ingest, ledger)
    path = store.root / blob_name(DIGEST, 0)
    path.chmod(0o644)
    return path


def ignore(_size_bytes):
    pass


def test_a_whole_blob_is_good_and_is_read_piece_by_piece(store, path):
    pieces = []

    assert check_blob(store, BLOB, pieces.append) is Condition.GOOD
    assert (sum(pieces), max(pieces)) == (len(CONTENT), 1 << 20)


@pytest.mark.parametrize(
    ("hurt", "condition"),
    [
        (lambda path: path.unlink(), Condition.MISSING),
        (lambda path: os.truncate(path, 5), Condition.WRONG_SIZE),
        (lambda path: path.write_bytes(CONTENT + b"x"), Condition.WRONG_SIZE),
        (lambda path: path.write_bytes(CONTENT[:-1] + b"x"), Condition.WRONG_BYTES),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), Condition.MISSING),
    ],
    ids=["missing", "short", "long", "one byte", "link"],
)
def test_what_is_wrong_with_a_blob_is_said(store, path, hurt, condition):
    hurt(path)

    assert check_blob(store, BLOB, ignore) is condition


def test_a_file_cut_off_while_it_is_read_has_another_size(store, path):
    assert check_blob(store, BLOB, lambda _size: os.truncate(path, 5)) is Condition.WRONG_SIZE


@pytest.mark.parametrize(("code", "expected"), [(errno.EIO, Condition.UNREADABLE), (errno.ESTALE, None)])
def test_bytes_that_the_disk_does_not_give_back_are_damage_and_a_lost_mount_is_not(
    store, path, monkeypatch, code, expected
):
    def fail(*_arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pread", fail)

    if expected is None:
        with pytest.raises(TemporaryFailure, match="cannot be read"):
            check_blob(store, BLOB, ignore)
    else:
        assert check_blob(store, BLOB, ignore) is expected
