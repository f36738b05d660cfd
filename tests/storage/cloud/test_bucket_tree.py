"""A bucket as a source: its objects are files, its server's word is checked, and the cloud copies what it can."""

import hashlib
import random
import re

import pytest

from modelyard.errors import SourceUnreadable, TemporaryFailure
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.bucket import Bucket
from modelyard.storage.cloud.store import BucketStore
from modelyard.storage.cloud.tree import BucketTree
from modelyard.storage.copying import copy_tree
from modelyard.storage.tree import Limits
from tests.storage.cloud.faulty_proxy import FaultyProxy, unavailable
from tests.storage.conftest import OURS, read_blob

LARGE = random.Random(6).randbytes((5 << 20) + 1)


@pytest.fixture
def source(folder):
    """A folder with a model in another bucket: MLmodel, data/weights and an empty file."""
    folder = BucketFolder("s3", "models", folder.path)
    bucket = Bucket(folder)
    for name, content in {"MLmodel": b"flavors: {}\n", "data/weights": LARGE, "data/empty": b""}.items():
        bucket.put(folder.key(name), content)
    return folder


def tree_of(folder, **limits):
    return BucketTree(folder, Limits(**limits))


def copy(folder, store, ledger, **options):
    with store.ingest(7, 1) as ingest:
        return copy_tree(
            tree_of(folder), ingest, known=options.get("known", {}), ledger=ledger, pulse=lambda _progress: None
        )


def put(folder, name, content):
    Bucket(folder).put(folder.key(name), content)


def test_objects_are_listed_as_files(source):
    found = [(entry.path, entry.size_bytes) for entry in tree_of(source).entries()]

    assert found == [("MLmodel", 12), ("data/empty", 0), ("data/weights", len(LARGE))]
    assert all(entry.can_be_recognized for entry in tree_of(source).entries())


def test_a_model_in_a_bucket_arrives(source, store, ledger):
    copied = copy(source, store, ledger)

    assert [file.path for file in copied.files] == ["MLmodel", "data/empty", "data/weights"]
    assert read_blob(store, hashlib.sha256(LARGE).hexdigest()) == LARGE


def test_a_retry_does_not_read_what_is_stored(source, store, ledger):
    first = copy(source, store, ledger)
    known = ledger.known_files()
    ledger.batches.clear()

    assert copy(source, store, ledger, known=known) == first
    assert ledger.batches == []


def test_large_files_are_copied_by_the_cloud_and_not_sent(source, folder, ledger, s3, monkeypatch):
    line = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)

    copied = copy(source, BucketStore(folder, OURS), ledger)

    line.stop()
    assert hashlib.sha256(LARGE).hexdigest() in [file.digest for file in copied.files]
    assert max(len(one.body) for one in line.exchanges) < 1 << 20


@pytest.mark.parametrize("status", [403, 501])
def test_where_the_cloud_may_not_copy_the_bytes_pass_by_here(source, folder, ledger, s3, monkeypatch, status):
    line = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)

    def refuse(exchange):
        if not exchange.body:
            unavailable(exchange)
            exchange.status = status

    line.spoil("PUT", "ingest/", before=refuse)
    copied = copy(source, BucketStore(folder, OURS), ledger)

    line.stop()
    assert hashlib.sha256(LARGE).hexdigest() in [file.digest for file in copied.files]


def test_what_the_server_says_of_its_copy_is_compared(source, folder, ledger, s3, monkeypatch):
    line = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
    told = b"<ChecksumSHA256>" + b"A" * 43 + b"=</ChecksumSHA256>"

    def tell_another_checksum(exchange):
        exchange.content = re.sub(rb"(<ETag>)", told + rb"\1", exchange.content)
        exchange.headers["Content-Length"] = str(len(exchange.content))

    line.spoil("PUT", "blobs/", after=tell_another_checksum)
    with pytest.raises(TemporaryFailure, match="does not hold the bytes"):
        copy(source, BucketStore(folder, OURS), ledger)

    line.stop()


def test_an_object_that_changes_is_found(source, store, ledger):
    tree = tree_of(source)
    [entry] = [entry for entry in tree.entries() if entry.path == "MLmodel"]
    put(source, "MLmodel", b"flavors: []\n")

    with (
        pytest.raises(SourceUnreadable, match=r"'MLmodel' in s3://models/.* changed while it was copied"),
        tree.open(entry) as reader,
    ):
        reader.read(100)


def test_a_large_object_that_changes_is_found_by_the_cloud(source, store, ledger):
    class Listed(BucketTree):
        def entries(self):
            listed = super().entries()
            put(source, "data/weights", LARGE[::-1])
            return listed

    with pytest.raises(SourceUnreadable, match="changed while it was copied"), store.ingest(7, 1) as ingest:
        copy_tree(Listed(source, Limits()), ingest, known={}, ledger=ledger, pulse=lambda _progress: None)

    assert store.list_staging() == []


def test_objects_that_stand_for_folders_are_left_out(source, s3):
    Bucket(source).put(source.key("data/sub/x"), b"x")
    Bucket(source).put(source.key("data/sub"), b"")

    assert [entry.path for entry in tree_of(source).entries()] == [
        "MLmodel",
        "data/empty",
        "data/sub/x",
        "data/weights",
    ]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"files": 2}, "more than 2 files"),
        ({"depth": 1}, "deeper than 1 folders"),
        ({"file_bytes": 1000}, "at most 1.0 kB are allowed for one file"),
        ({"total_bytes": 1000, "file_bytes": 1 << 40}, "more than 1.0 kB in all"),
    ],
)
def test_limits_hold_before_the_first_byte(source, limits, message):
    with pytest.raises(SourceUnreadable, match=message):
        tree_of(source, **limits).entries()


@pytest.mark.parametrize("name", ["nothing", "MLmode"])
def test_an_empty_folder_is_no_model(folder, source, name):
    with pytest.raises(SourceUnreadable, match="holds no files"):
        tree_of(BucketFolder("s3", "models", f"{source.path}/{name}")).entries()


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("other/secret", "which is no file of it"),
        ("{prefix}-old/secret", "which is no file of it"),
        ("{prefix}/../../secret", "no file of it|does not do what it was asked"),
        ("{prefix}//secret", "no file of it|does not do what it was asked"),
        ("{prefix}", "which is no file of it"),
    ],
)
def test_a_listing_of_what_lies_elsewhere_is_refused(source, s3, monkeypatch, listed, message):
    line = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
    key = listed.format(prefix=source.path)

    def lie(exchange):
        exchange.content = exchange.content.replace(f"{source.path}/data/empty".encode(), key.encode())
        exchange.headers["Content-Length"] = str(len(exchange.content))

    line.spoil("GET", "list-type", after=lie)
    with pytest.raises((SourceUnreadable, TemporaryFailure), match=message):
        tree_of(source).entries()

    line.stop()
