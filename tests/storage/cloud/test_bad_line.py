"""A bucket behind a bad line: what passes is mended, what stays is told, and nothing wrong is stored."""

import hashlib
import io
import random
from datetime import timedelta

import pytest

from modelyard.errors import ConfigurationError, NotFound, TemporaryFailure
from modelyard.storage.cloud import bucket as bucket_module
from modelyard.storage.cloud.store import BucketStore
from modelyard.storage.copying import receive_upload
from modelyard.storage.store import StoredBlob, is_intact
from tests.storage.cloud.faulty_proxy import (
    FaultyProxy,
    damage_answer,
    damage_request,
    drop,
    lose_answer,
    truncate,
    unavailable,
)
from tests.storage.conftest import OURS, read_blob

SMALL = b"good bytes" * 100
LARGE = random.Random(4).randbytes((9 << 20) + 3)


@pytest.fixture
def line(s3, monkeypatch):
    """The line to the S3 server; nobody waits long between two tries."""
    proxy = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    quick = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=5), "base": 2}
    monkeypatch.setitem(bucket_module._RETRIES, "backoff", quick)
    yield proxy
    proxy.stop()


@pytest.fixture
def store(line, folder):
    """A store at the other end of the line, in use already."""
    store = BucketStore(folder, OURS)
    store.create_or_check(OURS)
    return store


def upload(store, ledger, content):
    with store.ingest(0, 0) as ingest:
        return receive_upload(io.BytesIO(content), len(content), ingest, ledger, max_bytes=1 << 30)


@pytest.mark.parametrize(
    "content", [pytest.param(SMALL, id="small"), pytest.param(LARGE, id="large", marks=pytest.mark.more)]
)
@pytest.mark.parametrize("method", ["PUT", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize(("before", "after"), [(unavailable, None), (drop, None), (None, lose_answer)])
def test_trouble_that_passes_is_not_noticed(store, line, ledger, content, method, before, after):
    line.spoil(method, times=2, before=before, after=after)

    blob = upload(store, ledger, content)

    assert read_blob(store, blob.digest) == content
    assert [found.digest for found in store.list_blobs()] == [blob.digest]


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_bytes_that_were_damaged_on_their_way_are_refused_by_the_server(store, line, ledger, content):
    line.spoil("PUT", before=damage_request)

    with pytest.raises(TemporaryFailure, match="bucket store"):
        upload(store, ledger, content)

    assert list(store.list_blobs()) == []


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_bytes_that_were_damaged_once_are_sent_again_by_the_next_attempt(store, line, ledger, content):
    line.spoil("PUT", times=1, before=damage_request)
    with pytest.raises(TemporaryFailure):
        upload(store, ledger, content)

    blob = upload(store, ledger, content)

    assert read_blob(store, blob.digest) == content


def test_a_server_that_stays_away_is_told_without_a_credential(store, line, ledger, s3):
    line.spoil("PUT", before=unavailable)

    with pytest.raises(TemporaryFailure, match="bucket store does not do what it was asked: 503") as failure:
        upload(store, ledger, SMALL)

    assert s3.ACCESS_KEY not in failure.value.message
    assert "X-Amz" not in failure.value.message


def test_a_server_that_is_away_at_the_start_is_a_mistake_of_one_line(line, folder):
    line.spoil("PUT", before=unavailable)

    with pytest.raises(ConfigurationError, match=rf"The store {folder} cannot be used\. .*503"):
        BucketStore(folder, OURS).create_or_check(OURS)


@pytest.mark.parametrize("times", [1, 2])
def test_a_body_that_breaks_off_is_asked_for_again(store, line, ledger, times):
    blob = upload(store, ledger, LARGE)
    line.spoil("GET", "blobs/", times=times, after=truncate)

    assert read_blob(store, blob.digest) == LARGE


@pytest.mark.parametrize("content", [SMALL, b""], ids=["small", "empty"])
def test_a_small_blob_of_known_size_takes_one_request(store, line, ledger, content):
    blob = upload(store, ledger, content)
    line.exchanges.clear()

    with store.open_blob(blob.digest, 0, len(content)) as opened:
        assert b"".join(opened.pieces()) == content

    assert [exchange.method for exchange in line.exchanges] == ["GET"]


def test_a_small_blob_that_grew_is_told_before_its_bytes_are_fetched(store, line, ledger):
    blob = upload(store, ledger, SMALL)
    store.bucket.put(store.blob_key(blob.digest, 0), LARGE)

    with pytest.raises(NotFound, match=f"broken: {len(LARGE)} bytes"):
        store.open_blob(blob.digest, 0, len(SMALL))


@pytest.mark.parametrize("times", [1, 2])
def test_a_small_body_that_breaks_off_is_asked_for_again(store, line, ledger, times):
    blob = upload(store, ledger, SMALL)
    line.spoil("GET", "blobs/", times=times, after=truncate)

    with store.open_blob(blob.digest, 0, len(SMALL)) as opened:
        assert b"".join(opened.pieces()) == SMALL


def test_a_small_body_that_always_breaks_off_is_an_error(store, line, ledger):
    blob = upload(store, ledger, SMALL)
    line.spoil("GET", "blobs/", after=truncate)

    with pytest.raises(TemporaryFailure):
        store.open_blob(blob.digest, 0, len(SMALL))


def test_a_body_that_always_breaks_off_is_never_a_short_file(store, line, ledger):
    blob = upload(store, ledger, LARGE)
    line.spoil("GET", "blobs/", after=truncate)

    with pytest.raises((EOFError, TemporaryFailure)):
        read_blob(store, blob.digest)


def test_verification_finds_bytes_that_come_back_damaged(store, line, ledger):
    blob = upload(store, ledger, SMALL)
    line.spoil("GET", "blobs/", times=1, after=damage_answer)

    assert not is_intact(store, StoredBlob(blob.digest, 0, len(SMALL)), lambda _size_bytes: None)


def test_a_server_that_checks_nothing_is_sent_nothing_straight_to_a_name(line, folder, ledger):
    def accept_anything(exchange):
        """Leave the checksum out of what the server sees: it stores whatever comes."""
        exchange.status, exchange.ask, exchange.headers = 200, False, {"Content-Length": "0", "ETag": '"x"'}

    line.spoil("PUT", "ingest/probe", times=1, before=accept_anything)
    store = BucketStore(folder, OURS)

    blob = upload(store, ledger, SMALL)

    assert blob.digest == hashlib.sha256(SMALL).hexdigest()
    puts = [one.path for one in line.exchanges if one.method == "PUT" and "blobs/" in one.path]
    # One request, and a copy: a PUT without a body.
    assert len(puts) == 1
    assert [one.body for one in line.exchanges if one.method == "PUT" and "blobs/" in one.path] == [b""]
    assert read_blob(store, blob.digest) == SMALL


def test_what_such_a_server_damaged_is_found_before_it_gets_a_name(line, folder, ledger):
    store = BucketStore(folder, OURS)
    store.create_or_check(OURS)
    store._checked = False
    line.spoil("GET", "ingest/", after=damage_answer)

    with pytest.raises(TemporaryFailure, match="does not hold the bytes that were sent"):
        upload(store, ledger, SMALL)

    assert list(store.list_blobs()) == []
