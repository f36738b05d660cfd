"""A store in a bucket from registration to collection: the same rows and the same jobs as over a folder."""

import dataclasses
from uuid import uuid4

import pytest

from modelyard.rules.buckets import BucketFolder
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.storage.cloud import ingest
from modelyard.storage.cloud.bucket import Bucket
from modelyard.storage.cloud.store import BucketStore
from modelyard.storage.cloud.tree import BucketTree
from modelyard.storage.source_buckets import SourceBuckets
from tests.worker.conftest import OWNER, random_bytes

GOOD = random_bytes(50_000)


@pytest.fixture
def source(s3):
    """A model in a folder of the bucket `models`."""
    folder = BucketFolder("s3", "models", f"tests/{uuid4().hex}")
    for path, content in {"MLmodel": b"flavors: {}\n", "a": GOOD}.items():
        Bucket(folder).put(folder.key(path), content)
    return folder


@pytest.fixture
def far(house, source):
    """A house whose store is a bucket, and which may register `source`."""
    store = BucketStore(BucketFolder("s3", "store", f"tests/{uuid4().hex}"), OWNER)
    store.create_or_check(OWNER)
    buckets = SourceBuckets([source], lambda folder: BucketTree(folder, house.context.limits))
    house.store = store
    return house.with_context(store=store, buckets=buckets, grace_ms=0)


def do(house, kind, **options):
    version = house.version()
    return house.do(kind, version_id=version.id, model_id=version.model_id, **options)


def stored(house):
    return {(blob.digest, blob.size_bytes) for blob in house.store.list_blobs()}


@pytest.mark.parametrize("held_bytes", [1 << 20, 1000], ids=["in memory", "by the cloud"])
def test_damage_in_a_bucket_is_found_named_and_repaired_from_a_bucket(far, source, monkeypatch, held_bytes):
    monkeypatch.setattr(ingest, "HELD_FILE_BYTES", held_bytes)
    far.run(far.register(str(source)))
    assert far.files_of() == {"MLmodel": b"flavors: {}\n", "a": GOOD}
    key = far.store.blob_key(far.digest_of("a"), 0)
    far.store.bucket.put(key, b"X" + GOOD[1:])

    found = do(far, JobKind.VERIFY_VERSION)
    repaired = do(far, JobKind.REPAIR_VERSION, arguments={"source": str(source)})

    assert "1 file damaged (m/1: a)" in found.status_message
    assert (repaired.status, far.files_of()["a"] == GOOD) == (JobStatus.SUCCEEDED, True)
    assert do(far, JobKind.VERIFY_VERSION).status_message.endswith("all as they were stored.")
    assert far.store.list_staging() == []


def test_what_no_version_refers_to_leaves_the_bucket(far, source):
    far.run(far.register(str(source)))
    held = stored(far)
    assert do(far, JobKind.COLLECT).items_done == 0
    assert stored(far) == held

    far.forget(1)
    first, second = far.do(JobKind.COLLECT), far.do(JobKind.COLLECT)

    assert first.items_done + second.items_done == len(held) == 3
    assert stored(far) == set()


def test_a_bucket_that_names_another_database_is_not_collected(far, source):
    far.run(far.register(str(source)))
    far.forget(1)
    far.store.adopt(dataclasses.replace(OWNER, database="another"))

    assert far.do(JobKind.COLLECT).status == JobStatus.FAILED
    assert len(stored(far)) == 3
