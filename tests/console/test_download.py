"""`modelyard download` against a server, whole, cut off, and lying."""

import hashlib
import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from modelyard.console.client import Server, ServerAway, ServerFailed
from modelyard.console.download import download, list_files
from modelyard.console.download_folder import CannotWrite, DownloadFolder
from modelyard.console.targets import Target
from modelyard.errors import InvalidValue
from modelyard.storage.manifest import ManifestFile, build_manifest

FILES = {
    "MLmodel": b"flavors: {}\n",
    "data/ä b%.bin": bytes(range(256)) * 1000,
    "data/copy": b"flavors: {}\n",
    "e": b"",
}
BASE = "/api/2.0/mlflow-artifacts/artifacts/versions/" + "0" * 32


class FarServer(ThreadingHTTPServer):
    """A server that answers as ours does, and lies where a test says so."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), FarHandler)
        self.files = dict(files)
        self.listed = [
            {"path": path, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in sorted(files.items())
        ]
        self.cut = {}  # path -> after how many bytes the connection breaks, once each
        self.ranges = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def listing(self):
        files = [ManifestFile(file["path"], file["size_bytes"], file["sha256"]) for file in self.listed]
        try:
            digest = build_manifest(files).digest
        except ValueError:
            digest = "0" * 64
        # Whatever a server calls itself, the client stays with the address that it was given.
        return {"artifact_uri": f"http://evil.example{BASE}", "manifest_sha256": digest, "files": self.listed}


class FarHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/api/v1/"):
            return self.give(200, json.dumps(self.server.listing).encode())
        path = unquote(self.path.removeprefix(f"{BASE}/"))
        content = self.server.files[path]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.server.ranges.append((path, start))
        body = content[start:]
        if path in self.server.cut:
            return self.give(206 if start else 200, body, cut=self.server.cut.pop(path))
        return self.give(206 if start else 200, body)

    def give(self, status, body, cut=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            # Closing alone leaves it open while the files made of it are.
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def far():
    server = FarServer(FILES)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(far, folder, *, resume=False):
    server = Server(far.url, None)
    try:
        listing = list_files(server, Target("m", 1))
        target = DownloadFolder(folder, listing.files, resume=resume)
        try:
            return download(server, listing, target, resume=resume, on_piece=lambda _size: None)
        finally:
            target.close()
    finally:
        server.close()


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_fetched_whole(served, tmp_path):
    yard = served.yard
    yard.ready("m", source=yard.model_folder(**{"data/ä b%.bin": b"x" * 100_000, "e": b""}))

    said = served.run("download", "m/1", str(tmp_path / "here"))

    assert (said.status, said.err) == (0, "")
    assert said.out == f"3 files, 100.0 kB in {tmp_path / 'here'}; every digest is right.\n"
    assert files_in(tmp_path / "here") == {"MLmodel": b"flavors: {}\n", "data/ä b%.bin": b"x" * 100_000, "e": b""}
    assert [path.name for path in (tmp_path / "here").iterdir() if path.name.startswith(".")] == []


def test_damaged_files_are_not_taken(served, tmp_path):
    yard = served.yard
    yard.ready("m", source=yard.model_folder(data=b"good bytes"))
    digest = hashlib.sha256(b"good bytes").hexdigest()
    path = yard.runtime.store.root / "blobs" / "sha256" / digest[:2] / digest
    path.chmod(0o644)
    path.write_bytes(b"evil bytes")  # Nobody has noticed yet.

    said = served.run("download", "m/1", str(tmp_path / "here"))

    assert said.status == 2
    assert "does not send 'data' as it is listed" in said.err
    assert "data" not in files_in(tmp_path / "here")


def test_equal_files_are_fetched_once(far, tmp_path):
    fetch(far, tmp_path / "here")

    assert files_in(tmp_path / "here") == FILES
    assert len([path for path, _ in far.ranges if FILES[path] == b"flavors: {}\n"]) == 1


def test_a_folder_that_holds_something_is_refused_unless_told(far, tmp_path):
    (tmp_path / "mine").write_text("x")

    with pytest.raises(InvalidValue, match=r"not empty.*--resume"):
        fetch(far, tmp_path)

    fetch(far, tmp_path, resume=True)
    assert files_in(tmp_path) == {**FILES, "mine": b"x"}


def test_a_connection_that_breaks_costs_only_what_was_not_there_yet(far, tmp_path):
    far.cut["data/ä b%.bin"] = 100_000

    fetched = fetch(far, tmp_path / "here")

    assert files_in(tmp_path / "here") == FILES
    assert fetched == sum(len(content) for content in set(FILES.values()))
    assert [start for path, start in far.ranges if path == "data/ä b%.bin"] == [0, 100_000]


def test_a_later_run_goes_on_and_keeps_what_is_right(far, tmp_path, monkeypatch):
    monkeypatch.setattr("modelyard.console.download.TRIES", 1)
    far.cut["data/ä b%.bin"] = 50_000
    with pytest.raises(ServerAway):
        fetch(far, tmp_path / "here")
    (tmp_path / "here" / "MLmodel").write_bytes(b"changed!!!!\n")
    far.ranges.clear()

    fetch(far, tmp_path / "here", resume=True)

    assert files_in(tmp_path / "here") == FILES
    assert ("data/ä b%.bin", 50_000) in far.ranges
    far.ranges.clear()
    assert fetch(far, tmp_path / "here", resume=True) == 0
    assert far.ranges == []


def test_what_arrived_wrong_is_fetched_again_then_given_up(far, tmp_path):
    far.files["data/ä b%.bin"] = bytes(256_000)

    with pytest.raises(ServerFailed, match="digests differ"):
        fetch(far, tmp_path / "here")

    assert "data/ä b%.bin" not in files_in(tmp_path / "here")


def test_more_bytes_than_listed_are_not_taken(far, tmp_path):
    far.files["e"] = b"not empty"
    far.listed = [{**file, "size_bytes": file["size_bytes"] or 3} for file in far.listed]

    with pytest.raises(ServerFailed, match="more bytes"):
        fetch(far, tmp_path / "here")


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "a/../../evil", "a//b", "", ".", "..", "a/.", "a\0b"], ids=repr
)
def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_written(far, tmp_path, path):
    far.listed.append({"path": path, "size_bytes": 1, "sha256": "a" * 64})
    far.listed.sort(key=lambda file: file["path"])

    with pytest.raises(ServerFailed, match="list of files"):
        fetch(far, tmp_path / "here")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda listing: listing.update(manifest_sha256="0" * 64),
        lambda listing: listing.pop("files"),
        lambda listing: listing.update(files=[{"path": "a"}]),
        lambda listing: listing.update(files=[{"path": "a", "size_bytes": "many", "sha256": "a" * 64}]),
        lambda listing: listing.update(files=[{"path": "a", "size_bytes": 1, "sha256": "../../x"}]),
        lambda listing: listing.update(files=["x"]),
    ],
)
def test_a_list_that_is_none_is_refused(far, tmp_path, monkeypatch, spoil):
    listing = far.listing
    spoil(listing)
    monkeypatch.setattr(FarServer, "listing", listing)

    with pytest.raises(ServerFailed, match="list of files"):
        fetch(far, tmp_path / "here")

    assert list(tmp_path.iterdir()) == []


def test_links_in_the_folder_are_never_followed(far, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    here = tmp_path / "here"
    here.mkdir()
    (here / "MLmodel").symlink_to(outside / "file")
    (here / "data").symlink_to(outside)

    with pytest.raises(CannotWrite, match="in the way"):
        fetch(far, here, resume=True)
    (here / "data").unlink()
    fetch(far, here, resume=True)

    assert files_in(outside) == {"file": b"mine"}
    assert not (here / "MLmodel").is_symlink()
    assert files_in(here) == FILES


def test_a_file_and_a_folder_of_one_name_are_no_version(far, tmp_path):
    far.files |= {"x": b"1", "x/y": b"2"}
    for path in ("x", "x/y"):
        content = far.files[path]
        far.listed.append({"path": path, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})

    with pytest.raises(CannotWrite, match="in the way"):
        fetch(far, tmp_path / "here")


def test_a_model_may_have_a_file_of_the_name_that_arrivals_use(far, tmp_path):
    content = b"a model's own"
    far.files[".modelyard-download/x"] = content
    far.listed.insert(
        0,
        {
            "path": ".modelyard-download/x",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )

    fetch(far, tmp_path / "here")

    assert files_in(tmp_path / "here")[".modelyard-download/x"] == content
    assert sorted(os.listdir(tmp_path / "here")) == [".modelyard-download", "MLmodel", "data", "e"]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("m", "names no version"),
        ("m/x", "Invalid version"),
        ("m/9", "not found"),
        ("x/1", "not found"),
        ("/1", "no model"),
    ],
)
def test_what_is_no_version_is_one_line_and_status_2(served, tmp_path, what, told):
    served.yard.ready("m")

    said = served.run("download", what, str(tmp_path / "here"))

    assert (said.status, said.out) == (2, "")
    assert told in said.err
    assert not (tmp_path / "here").exists()
