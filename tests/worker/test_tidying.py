"""What interrupted work left in a store: removed by whoever may use that store, and nothing that is owned."""

import dataclasses
from uuid import uuid4

import pytest

from modelyard.errors import TemporaryFailure
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.store import BucketStore
from modelyard.worker.chores import Cleaning, Tidying
from tests.worker.conftest import OWNER


@pytest.fixture
def context(house, s3):
    """The context of a worker's child whose store is a bucket."""
    store = BucketStore(BucketFolder("s3", "store", f"tests/{uuid4().hex}"), OWNER)
    return dataclasses.replace(house.context, store=store)


def stage(context, name):
    context.store.bucket.put(context.store.folder.key(f"ingest/{name}/x"), b"x")


def staged(context):
    return [staging.name for staging in context.store.list_staging()]


def test_a_child_removes_staging_that_nobody_owns(house, context):
    job = house.register(house.model_folder())
    claim = house.context.lifecycle.claim(job.id, "w1")
    owned, upload = f"{job.id}-{claim.attempt}-00000000", "0-0-00000000"
    for name in (owned, upload, f"{job.id}-7-00000000", "99-1-00000000"):
        stage(context, name)

    Tidying(context)()

    assert staged(context) == sorted([owned, upload])


def test_a_child_tidies_once_in_a_while(context):
    tidying = Tidying(context)
    tidying()
    stage(context, "99-1-00000000")

    tidying()

    assert staged(context) == ["99-1-00000000"]


def test_the_process_that_forks_leaves_a_bucket_alone(context, monkeypatch):
    def never():
        raise AssertionError("a bucket was asked")

    monkeypatch.setattr(context.store, "list_staging", never)

    Cleaning(context)()


def test_a_folder_is_tidied_by_the_process_that_sweeps_and_by_no_child(house):
    (house.store.root / "ingest" / "99-1-00000000").mkdir()

    Tidying(house.context)()
    assert len(house.store.list_staging()) == 1

    Cleaning(house.context)()
    assert house.store.list_staging() == []


def test_a_bucket_that_is_away_is_tidied_later(context, monkeypatch):
    def away():
        raise TemporaryFailure("away")

    monkeypatch.setattr(context.store, "list_staging", away)

    Tidying(context)()
