"""The other clouds: spoken to by the same code, here as far as no network is needed."""

from modelyard.rules.buckets import parse_bucket_folder
from modelyard.storage.cloud.bucket import Bucket
from modelyard.storage.cloud.store import BucketStore
from tests.storage.conftest import OURS


def test_google_cloud_storage_is_opened(monkeypatch):
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")

    bucket = Bucket(parse_bucket_folder("gs://models/fraud"))

    assert "models" in repr(bucket._objects)
    assert bucket.s3 is None


def test_azure_is_opened(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")

    bucket = Bucket(parse_bucket_folder("abfss://box@account.dfs.core.windows.net/fraud"))

    assert "box" in repr(bucket._objects)
    assert bucket.s3 is None


def test_no_cloud_but_s3_is_believed_to_check_what_it_stores():
    store = BucketStore(parse_bucket_folder("gs://models/fraud"), OURS)

    assert store._refuses_wrong_checksums() is False
