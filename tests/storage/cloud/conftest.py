"""A folder of its own in a bucket for each test, on a real S3 server."""

import uuid

import pytest

from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.bucket import Bucket
from modelyard.storage.cloud.store import BucketStore
from tests.storage.conftest import OURS


@pytest.fixture
def folder(s3):
    """An empty folder of the bucket `store`."""
    return BucketFolder("s3", "store", f"tests/{uuid.uuid4().hex}")


@pytest.fixture
def bucket(folder):
    """The bucket `store`."""
    return Bucket(folder)


@pytest.fixture
def store(folder):
    """An empty store of its own."""
    return BucketStore(folder, OURS)
