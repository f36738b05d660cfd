"""Files of versions whose store is a bucket: sent in pieces as from a disk, or by a redirect where that is wanted."""

from collections.abc import Callable
from uuid import uuid4

import pytest
import urllib3

from modelyard.errors import TemporaryFailure
from modelyard.storage.cloud.store import BucketStore
from tests.servers import SeaweedFS
from tests.storage.cloud.faulty_proxy import FaultyProxy, truncate
from tests.web.api.test_downloads import LARGE, artifact_path, signed_path
from tests.web.yards import Yard

# How a file leaves a bucket has nothing to do with the database; the second one is left to `make test-more`.
pytestmark = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.more)], indirect=True
)


@pytest.fixture
def bucket(s3: SeaweedFS) -> dict[str, str]:
    """The settings of a store in an empty folder of a bucket."""
    return {"store_url": f"s3://store/tests/{uuid4().hex}"}


@pytest.fixture
def filled(open_yard: Callable[..., Yard], bucket: dict[str, str]) -> Yard:
    """A yard with one READY version in a bucket."""
    return fill(open_yard(**bucket))


def fill(yard: Yard) -> Yard:
    yard.ready(source=yard.model_folder(**{"data/large.bin": LARGE, "data/empty": b""}))
    return yard


def digest_of(yard: Yard, path: str) -> str:
    return yard.send("HEAD", f"{artifact_path(yard)}/{path}").headers["ETag"].strip('"')


def test_a_file_leaves_whole_with_its_length_and_digest(filled: Yard) -> None:
    answer = filled.send("GET", f"{artifact_path(filled)}/data/large.bin")

    assert (answer.status_code, answer.data == LARGE) == (200, True)
    assert answer.headers["Content-Length"] == str(len(LARGE))
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [("bytes=0-0", 206, LARGE[:1]), ("bytes=500-", 206, LARGE[500:]), ("bytes=9999999-", 416, None)],
)
def test_a_range_is_answered(filled: Yard, asked: str, status: int, content: bytes | None) -> None:
    answer = filled.send("GET", f"{artifact_path(filled)}/data/large.bin", headers={"Range": asked})

    assert answer.status_code == status
    if content is not None:
        assert answer.data == content


def test_head_and_what_the_client_has_send_nothing(filled: Yard) -> None:
    path = f"{artifact_path(filled)}/data/large.bin"
    head = filled.send("HEAD", path)
    again = filled.send("GET", path, headers={"If-None-Match": head.headers["ETag"]})

    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(len(LARGE)), b"")
    assert (again.status_code, again.data) == (304, b"")


def test_the_way_of_databricks_leads_there_too(filled: Yard) -> None:
    assert filled.send("GET", signed_path(filled, "data/large.bin")).data == LARGE


def test_a_blob_that_is_gone_is_not_found(filled: Yard) -> None:
    filled.runtime.store.remove_blob(digest_of(filled, "data/large.bin"), 0)

    answer = filled.refused("GET", f"{artifact_path(filled)}/data/large.bin")

    assert answer == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_bucket_that_breaks_off_breaks_the_answer_off(
    open_yard: Callable[..., Yard], bucket: dict[str, str], s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = FaultyProxy(s3.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
    yard = fill(open_yard(**bucket))
    path = f"{artifact_path(yard)}/data/large.bin"
    digest = digest_of(yard, "data/large.bin")
    line.spoil("GET", digest, after=truncate)

    # What a client sees is a body shorter than its Content-Length.
    with pytest.raises((EOFError, TemporaryFailure)):
        _ = yard.send("GET", path).data

    line.stop()


def test_a_redirect_is_sent_only_where_it_was_asked_for(open_yard: Callable[..., Yard], bucket: dict[str, str]) -> None:
    yard = fill(open_yard(**bucket, download_redirects=True))
    path = f"{artifact_path(yard)}/data/large.bin"

    answer = yard.send("GET", path)
    head = yard.send("HEAD", path)

    assert (answer.status_code, answer.data, answer.headers["Cache-Control"]) == (307, b"", "no-store")
    with urllib3.PoolManager() as http:
        assert http.request("GET", answer.headers["Location"]).data == LARGE
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(LARGE)))


def test_a_store_on_a_disk_has_nowhere_to_redirect_to(open_yard: Callable[..., Yard]) -> None:
    yard = fill(open_yard(download_redirects=True))

    assert yard.send("GET", f"{artifact_path(yard)}/data/large.bin").data == LARGE


def test_a_store_without_a_folder_gets_the_registrys_own(open_yard: Callable[..., Yard], s3: SeaweedFS) -> None:
    yard = open_yard(store_url="s3://store")

    store = yard.runtime.store

    assert isinstance(store, BucketStore)
    assert str(store.folder) == f"s3://store/{yard.runtime.owner.registry_id}"
