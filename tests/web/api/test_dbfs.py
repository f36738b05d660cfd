"""The upload area of `registry_uri=databricks`."""

from collections.abc import Callable
from io import BytesIO

import pytest

from tests.web.yards import UPLOADS, Yard

# What granian's requests look like: the server ends the stream, a broken body like a whole one.
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
CUT_OFF = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "100"}
LIST, STATUS = "/api/2.0/dbfs/list", "/api/2.0/dbfs/get-status"


def upload(yard: Yard, path: str, content: bytes = b"flavors: {}\n") -> int:
    return yard.client.post(f"/dbfs{UPLOADS}/{path}", data=content).status_code


def test_both_spellings_of_a_path_name_the_same_file(yard: Yard) -> None:
    assert upload(yard, "/id/model/MLmodel", b"one") == 200
    assert upload(yard, "id/model/MLmodel", b"three") == 200

    entry = {"path": f"{UPLOADS}/id/model/MLmodel", "is_dir": False, "file_size": 5}
    for path in (f"{UPLOADS}//id/model", f"{UPLOADS}/id//model/"):
        assert yard.call("GET", LIST, path=path) == {"files": [entry]}
    assert yard.call("GET", STATUS, path=f"{UPLOADS}//id/model/MLmodel") == entry
    assert yard.call("GET", STATUS, path=f"{UPLOADS}//id")["is_dir"] is True


def test_an_unused_folder_is_free(yard: Yard) -> None:
    for route in (LIST, STATUS):
        assert yard.refused("GET", route, path=f"{UPLOADS}//id") == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("leaf", ["model", "m-" + "0" * 32])
def test_uploaded_files_become_a_version_wherever_the_client_put_them(yard: Yard, leaf: str) -> None:
    folder = "id/model" if leaf == "model" else "id"
    upload(yard, f"/{folder}/MLmodel")
    upload(yard, f"/{folder}/data/empty", b"")
    upload(yard, f"/{folder}/registered_model_meta")

    yard.ready(source=f"dbfs:{UPLOADS}/id/{leaf}")

    assert yard.version()["status"] == "READY"
    listed = yard.call("GET", "model-versions/list-artifacts", name="m", version="1")
    assert [file["path"] for file in listed["files"]] == ["MLmodel", "data"]


def test_after_ready_the_upload_is_gone(yard: Yard) -> None:
    upload(yard, "/id/model/MLmodel")

    yard.ready(source=f"dbfs:{UPLOADS}/id/model")

    assert yard.refused("GET", LIST, path=f"{UPLOADS}//id") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_what_is_uploaded_later_does_not_change_a_registration(yard: Yard) -> None:
    upload(yard, "/id/model/MLmodel", b"before")
    yard.register(source=f"dbfs:{UPLOADS}/id/model")

    upload(yard, "/id/model/MLmodel", b"after!!")
    yard.work()

    listed = yard.call("GET", "model-versions/list-artifacts", name="m", version="1", path="MLmodel")
    assert listed["files"][0]["file_size"] == len(b"before")


def test_a_body_that_was_cut_off_is_not_kept(yard: Yard) -> None:
    answer = yard.client.post(f"/dbfs{UPLOADS}/id/x", input_stream=BytesIO(b"short"), environ_overrides=CUT_OFF)

    assert answer.status_code == 400
    assert yard.refused("GET", LIST, path=f"{UPLOADS}/id") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_chunked_body_may_be_empty(yard: Yard) -> None:
    answer = yard.client.post(f"/dbfs{UPLOADS}/id/empty", environ_overrides=CHUNKED)

    assert answer.status_code == 200
    assert yard.call("GET", STATUS, path=f"{UPLOADS}/id/empty")["file_size"] == 0


@pytest.mark.parametrize(("size", "status"), [(2000, 200), (2001, 413)])
def test_a_file_may_be_larger_than_a_json_body_but_not_than_its_own_limit(
    open_yard: Callable[..., Yard], size: int, status: int
) -> None:
    yard = open_yard(max_body_bytes=1024, max_upload_bytes=2000)

    assert upload(yard, "id/x", b"x" * size) == status


def test_a_body_whose_length_nobody_knows_is_refused(yard: Yard) -> None:
    answer = yard.client.post(
        f"/dbfs{UPLOADS}/id/x", input_stream=BytesIO(b"perhaps cut off"), environ_overrides=CHUNKED
    )

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "Content-Length" in answer.get_json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/dbfs/FileStore/x",
        f"/dbfs{UPLOADS}",
        f"/dbfs{UPLOADS}/../x",
        f"/dbfs{UPLOADS}/id/%2e%2e/x",
        f"/dbfs{UPLOADS}/id/x%00",
        f"/dbfs{UPLOADS}/id/" + "x" * 1025,
    ],
)
def test_files_are_taken_only_below_the_upload_area(yard: Yard, path: str) -> None:
    answer = yard.client.post(path, data=b"x")

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("path", ["", "/FileStore", UPLOADS, "relative"])
def test_nothing_else_is_listed(yard: Yard, path: str) -> None:
    assert yard.refused("GET", LIST, path=path) == (400, "INVALID_PARAMETER_VALUE")
