"""The requests that obstore has no call for: copies in parts, lost uploads, answers that cannot be trusted."""

import base64
import hashlib

import pytest

from modelyard.errors import ConfigurationError, TemporaryFailure
from modelyard.storage.cloud import s3_requests
from modelyard.storage.cloud.bucket import Bucket, ObjectChanged
from modelyard.storage.cloud.s3_requests import PreconditionFailed
from modelyard.storage.cloud.store import BucketStore
from tests.storage.cloud.faulty_proxy import FaultyProxy
from tests.storage.conftest import OURS

CONTENT = bytes(range(256)) * 70_000


def ignore(_size_bytes):
    """A pulse that nobody feels."""


def read(bucket, key):
    found = bucket.find(key)
    return b"".join(bucket.read(found, 0, found.size_bytes, piece_bytes=1 << 20))


def begin_upload(bucket, key):
    answer = bucket.s3._send("POST", key, query={"uploads": ""})
    assert answer.status == 200


@pytest.mark.parametrize("in_parts", [False, True])
def test_an_object_is_copied_under_the_condition_that_it_is_the_same(bucket, folder, monkeypatch, in_parts):
    if in_parts:
        monkeypatch.setattr(s3_requests, "COPY_BYTES", 1000)
        monkeypatch.setattr(s3_requests, "_COPIED_PART_BYTES", 6 << 20)
    bucket.put(folder.key("a + b%20c"), CONTENT)
    found = bucket.find(folder.key("a + b%20c"))
    parts = []

    bucket.copy(found, folder.key("copy"), on_part=parts.append)

    assert read(bucket, folder.key("copy")) == CONTENT
    assert sum(parts) == len(CONTENT)
    assert len(parts) == (3 if in_parts else 1)


@pytest.mark.parametrize("in_parts", [False, True])
def test_another_object_is_not_copied_and_no_part_stays(bucket, folder, monkeypatch, in_parts):
    if in_parts:
        monkeypatch.setattr(s3_requests, "COPY_BYTES", 1000)
    bucket.put(folder.key("a"), CONTENT)
    found = bucket.find(folder.key("a"))
    bucket.put(folder.key("a"), CONTENT[::-1])

    with pytest.raises(ObjectChanged):
        bucket.copy(found, folder.key("copy"), on_part=ignore)

    assert bucket.find(folder.key("copy")) is None
    assert list(bucket.s3.unfinished_uploads(folder.key(""))) == []


def test_uploads_that_nobody_finished_are_remnants_when_they_are_old(bucket, folder):
    store = BucketStore(folder, OURS)
    for number in range(3):
        begin_upload(bucket, folder.key(f"blobs/{number}"))

    assert store.remove_remnants(3600) == 0
    assert store.remove_remnants(0) == 3
    assert list(bucket.s3.unfinished_uploads(folder.key(""))) == []


def test_an_upload_that_fails_leaves_no_part(bucket, folder):
    def pieces():
        for _ in range(5):
            yield bytes(6 << 20)
        raise KeyError

    with pytest.raises(KeyError):
        bucket.put_parts(folder.key("a"), pieces(), 30 << 20)

    assert bucket.find(folder.key("a")) is None
    assert list(bucket.s3.unfinished_uploads(folder.key(""))) == []


def test_an_answer_with_entities_is_not_expanded(s3, folder, monkeypatch):
    line = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)

    def bomb(exchange):
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
        exchange.content = f'<!DOCTYPE x [<!ENTITY e0 "x">{entities}]><x>&e19;</x>'.encode()
        exchange.headers["Content-Length"] = str(len(exchange.content))

    line.spoil("GET", "uploads", after=bomb)
    with pytest.raises(TemporaryFailure, match="declares entities"):
        list(Bucket(folder).s3.unfinished_uploads(folder.key("")))

    line.stop()


@pytest.mark.parametrize(
    ("checksum", "digest"),
    [
        (base64.b64encode(hashlib.sha256(b"x").digest()).decode(), hashlib.sha256(b"x").hexdigest()),
        ("", None),
        ("not base64", None),
        # Over the parts of an upload, which says nothing of the whole.
        (base64.b64encode(hashlib.sha256(b"x").digest()).decode() + "-3", None),
    ],
)
def test_a_checksum_counts_only_over_the_whole(checksum, digest):
    assert s3_requests._hex(checksum) == digest


def test_a_condition_that_fails_is_told_apart(bucket, folder):
    bucket.put(folder.key("a"), b"x")

    with pytest.raises(PreconditionFailed):
        bucket.s3.copy("store", folder.key("a"), folder.key("b"), size_bytes=1, etag='"other"', on_part=ignore)


def test_without_credentials_the_setting_to_change_is_named(s3, folder, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(ConfigurationError, match=rf"No credentials for {folder} .*AWS_ACCESS_KEY_ID.*AWS_PROFILE"):
        Bucket(folder).find("x")


def test_credentials_are_found_in_a_profile_too(s3, folder, monkeypatch, tmp_path):
    (tmp_path / "credentials").write_text(
        f"[team]\naws_access_key_id = {s3.ACCESS_KEY}\naws_secret_access_key = {s3.SECRET_KEY}\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")

    assert Bucket(folder).find("x") is None
