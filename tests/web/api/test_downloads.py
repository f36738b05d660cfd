"""The ways to a version's files: the artifact proxy, list-artifacts, signed links."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from modelyard.database.session import reading
from modelyard.database.tables import ModelVersion
from modelyard.web import signing
from tests.web.yards import Yard

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
LARGE = bytes(range(256)) * 4000


def artifact_path(yard: Yard, number: str = "1") -> str:
    """Return the path of a version's files on this server, as get-download-uri says."""
    answer = yard.call("GET", "model-versions/get-download-uri", name="m", version=number)
    return urlsplit(answer["artifact_uri"]).path


def signed_path(yard: Yard, path: str, *, number: str = "1") -> str:
    """Return the path and query of a signed link."""
    answer = yard.call("GET", "model-versions/get-signed-download-uri", name="m", version=number, path=path)
    link = urlsplit(answer["signed_uri"])
    return f"{link.path}?{link.query}"


@pytest.fixture
def filled(yard: Yard) -> Yard:
    """A yard with one READY version of several files."""
    yard.ready(source=yard.model_folder(**{"data/large.bin": LARGE, "data/empty": b"", "ü 1%.txt": b"text"}))
    return yard


def test_the_download_uri_is_absolute_and_names_neither_model_nor_number(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(public_url="https://registry.example/yard/")
    yard.ready()

    uri = yard.call("GET", "model-versions/get-download-uri", name="m", version="1")["artifact_uri"]

    assert uri.startswith("https://registry.example/yard/api/2.0/mlflow-artifacts/artifacts/versions/")
    assert len(uri.rpartition("/")[2]) == 32


def test_a_version_that_is_not_ready_has_no_download_uri(yard: Yard) -> None:
    yard.register()

    for route in ("get-download-uri", "list-artifacts"):
        refusal = yard.refused("GET", f"model-versions/{route}", name="m", version="1")
        assert refusal == (400, "INVALID_STATE")


def test_a_download_is_noted(filled: Yard) -> None:
    artifact_path(filled)

    with reading(filled.engine) as session:
        assert session.get(ModelVersion, 1).last_downloaded_at_ms is not None  # type: ignore[union-attr]


def test_the_proxy_lists_base_names(filled: Yard) -> None:
    folder = artifact_path(filled).removeprefix(f"{ARTIFACTS}/")

    root = filled.call("GET", ARTIFACTS, path=folder)
    data = filled.call("GET", ARTIFACTS, path=f"{folder}/data")

    assert root == {
        "files": [
            {"path": "MLmodel", "is_dir": False, "file_size": 12},
            {"path": "data", "is_dir": True},
            {"path": "ü 1%.txt", "is_dir": False, "file_size": 4},
        ]
    }
    assert [(file["path"], file["file_size"]) for file in data["files"]] == [("empty", 0), ("large.bin", len(LARGE))]


@pytest.mark.parametrize("path", ["", "versions", "versions/none", f"versions/{'0' * 32}", "elsewhere", "MLmodel"])
def test_what_is_no_version_lists_nothing(filled: Yard, path: str) -> None:
    assert filled.call("GET", ARTIFACTS, path=path) == {}


@pytest.mark.parametrize("inside", ["MLmodel", "none", "data/none"])
def test_what_is_no_folder_lists_nothing(filled: Yard, inside: str) -> None:
    folder = artifact_path(filled).removeprefix(f"{ARTIFACTS}/")

    assert filled.call("GET", ARTIFACTS, path=f"{folder}/{inside}") == {}


@pytest.mark.parametrize(
    ("inside", "content"), [("data/large.bin", LARGE), ("data/empty", b""), ("%C3%BC%201%25.txt", b"text")]
)
def test_a_file_leaves_whole_with_its_length_and_digest(filled: Yard, inside: str, content: bytes) -> None:
    answer = filled.client.get(f"{artifact_path(filled)}/{inside}")

    assert (answer.status_code, answer.data) == (200, content)
    assert answer.headers["Content-Length"] == str(len(content))
    assert len(answer.headers["ETag"]) == 66
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=0-0", 206, LARGE[:1]),
        ("bytes=10-19", 206, LARGE[10:20]),
        ("bytes=1000000-", 206, LARGE[1_000_000:]),
        ("bytes=-5", 206, LARGE[-5:]),
        ("bytes=5-99999999999", 206, LARGE[5:]),
        ("bytes=0-1,5-6", 200, LARGE),
        ("lines=0-1", 200, LARGE),
        ("garbage", 200, LARGE),
    ],
)
def test_a_range_is_answered(filled: Yard, asked: str, status: int, content: bytes) -> None:
    answer = filled.client.get(f"{artifact_path(filled)}/data/large.bin", headers={"Range": asked})

    assert (answer.status_code, answer.data == content) == (status, True)
    assert answer.headers["Content-Length"] == str(len(content))


def test_a_range_says_where_it_lies(filled: Yard) -> None:
    path = f"{artifact_path(filled)}/data/large.bin"

    answer = filled.client.get(path, headers={"Range": "bytes=10-19"})
    beyond = filled.client.get(path, headers={"Range": f"bytes={len(LARGE)}-"})

    assert answer.headers["Content-Range"] == f"bytes 10-19/{len(LARGE)}"
    assert (beyond.status_code, beyond.get_json()["error_code"]) == (416, "INVALID_PARAMETER_VALUE")


def test_a_range_of_another_file_is_answered_by_the_whole(filled: Yard) -> None:
    path = f"{artifact_path(filled)}/MLmodel"
    etag = filled.client.get(path).headers["ETag"]

    same = filled.client.get(path, headers={"Range": "bytes=0-0", "If-Range": etag})
    other = filled.client.get(path, headers={"Range": "bytes=0-0", "If-Range": '"other"'})

    assert (same.status_code, other.status_code) == (206, 200)


def test_what_the_client_has_is_not_sent_again(filled: Yard) -> None:
    path = f"{artifact_path(filled)}/MLmodel"
    etag = filled.client.get(path).headers["ETag"]

    same = filled.client.get(path, headers={"If-None-Match": etag})
    other = filled.client.get(path, headers={"If-None-Match": '"other"'})

    assert (same.status_code, same.data, other.status_code) == (304, b"", 200)


def test_head_tells_the_length_and_sends_nothing(filled: Yard) -> None:
    answer = filled.client.head(f"{artifact_path(filled)}/data/large.bin")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(LARGE))


@pytest.mark.parametrize(
    ("inside", "status", "code"),
    [
        ("/none", 404, "RESOURCE_DOES_NOT_EXIST"),
        ("/data", 400, "INVALID_STATE"),
        ("/../MLmodel", 400, "INVALID_PARAMETER_VALUE"),
        ("/data/%2e%2e/MLmodel", 400, "INVALID_PARAMETER_VALUE"),
        ("/data/%252e%252e/MLmodel", 400, "INVALID_PARAMETER_VALUE"),
        ("//MLmodel", 400, "INVALID_PARAMETER_VALUE"),
        ("/MLmodel%00", 400, "INVALID_PARAMETER_VALUE"),
        ("", 400, "INVALID_STATE"),
    ],
)
def test_a_path_that_is_no_file_is_refused(filled: Yard, inside: str, status: int, code: str) -> None:
    assert filled.refused("GET", f"{artifact_path(filled)}{inside}") == (status, code)


@pytest.mark.parametrize("path", ["MLmodel", "versions/none/MLmodel", f"versions/{'0' * 32}/MLmodel"])
def test_a_file_of_no_version_is_not_found(filled: Yard, path: str) -> None:
    assert filled.refused("GET", f"{ARTIFACTS}/{path}") == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_registered_never_changes(filled: Yard, method: str) -> None:
    assert filled.refused(method, f"{artifact_path(filled)}/MLmodel") == (403, "PERMISSION_DENIED")


def test_multipart_and_presigned_are_declined_in_the_words_that_clients_know(yard: Yard) -> None:
    upload = yard.send("POST", "/api/2.0/mlflow-artifacts/mpu/create/a/b", {"path": "x", "num_parts": 1})
    download = yard.send("GET", "/api/2.0/mlflow-artifacts/presigned/a/b")

    assert (upload.status_code, upload.get_json()) == (
        501,
        {
            "error_code": "NOT_IMPLEMENTED",
            "message": "Multipart upload is not supported for the current artifact repository",
        },
    )
    assert (download.status_code, download.get_json()["error_code"]) == (501, "NOT_IMPLEMENTED")


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("", ["MLmodel", "data", "ü 1%.txt"]),
        ("data", ["data/empty", "data/large.bin"]),
        ("data/", ["data/empty", "data/large.bin"]),
        ("data/large.bin", ["data/large.bin"]),
    ],
)
def test_list_artifacts_names_paths_from_the_root(filled: Yard, path: str, listed: list[str]) -> None:
    answer = filled.call("GET", "model-versions/list-artifacts", name="m", version="1", path=path)

    assert [file["path"] for file in answer["files"]] == listed
    assert all("file_size" in file for file in answer["files"] if not file["is_dir"])


def test_list_artifacts_of_nothing_is_empty(filled: Yard) -> None:
    assert filled.call("GET", "model-versions/list-artifacts", name="m", version="1", path="none") == {}
    assert "files" in filled.call("GET", "model-versions/list-artifacts", name="m", version="1")


def test_what_is_registered_by_reference_lists_nothing_and_names_its_source(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(registration="reference")
    yard.register(source="s3://bucket/model")

    answer = yard.send("GET", "model-versions/list-artifacts?name=m&version=1")

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_STATE")
    assert "s3://bucket/model" in answer.get_json()["message"]


def test_a_signed_link_needs_no_credentials(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(auth="token", admin_token="secret-token")
    yard.client.environ_base["HTTP_AUTHORIZATION"] = "Bearer secret-token"
    yard.ready(source=yard.model_folder(**{"data/large.bin": LARGE}))
    link = signed_path(yard, "data/large.bin")
    del yard.client.environ_base["HTTP_AUTHORIZATION"]

    whole = yard.client.get(link)
    part = yard.client.get(link, headers={"Range": "bytes=10-19"})

    assert (whole.status_code, whole.data == LARGE) == (200, True)
    assert (part.status_code, part.data) == (206, LARGE[10:20])
    assert yard.client.get(artifact_path_unsigned(link)).status_code == 404


def artifact_path_unsigned(link: str) -> str:
    return link.partition("?")[0]


def test_a_signed_link_ends(filled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    link = signed_path(filled, "MLmodel")

    monkeypatch.setattr(signing, "LINK_LIFE_S", -1)

    assert filled.refused("GET", link) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_deleted_version_ends_its_links_and_downloads(filled: Yard) -> None:
    link, path = signed_path(filled, "MLmodel"), f"{artifact_path(filled)}/MLmodel"

    filled.call("DELETE", "model-versions/delete", {"name": "m", "version": "1"})

    assert filled.refused("GET", link) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert filled.refused("GET", path) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("change", [lambda link: link[:-2], lambda link: link.replace("sig=", "sig=x")])
def test_a_changed_link_opens_nothing(filled: Yard, change: Callable[[str], str]) -> None:
    assert filled.refused("GET", change(signed_path(filled, "MLmodel"))) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_link_opens_only_its_own_version(filled: Yard) -> None:
    filled.ready()
    link, other = signed_path(filled, "MLmodel"), artifact_path(filled, "2").rpartition("/")[2]
    own = artifact_path(filled, "1").rpartition("/")[2]

    assert filled.refused("GET", link.replace(own, other)) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    "asked", [{"path": "none"}, {"path": "data"}, {"version": "9"}, {"name": "none"}, {"version": "2"}]
)
def test_signing_never_fails_for_what_is_not_there(filled: Yard, asked: dict[str, str]) -> None:
    filled.register()
    query = {"name": "m", "version": "1", "path": "MLmodel", **asked}

    link = urlsplit(filled.call("GET", "model-versions/get-signed-download-uri", **query)["signed_uri"])

    assert filled.refused("GET", f"{link.path}?{link.query}") == (404, "RESOURCE_DOES_NOT_EXIST")
