"""Files behind a tracking server: fetched whole, or refused; the server's word is never enough."""

import pytest

from modelyard.errors import SourceUnreadable, TemporaryFailure
from modelyard.storage.tracking_tree import TrackingTree
from modelyard.storage.tree import Limits
from tests.storage.far_server import PROXY

FOLDER = "1/models/m/artifacts"
FILES = {
    "MLmodel": b"flavors: {}",
    "data/a b%20#?.bin": bytes(range(256)) * 9000,
    "data/deep/größe": b"x",
    "empty": b"",
}


@pytest.fixture
def tree(far_server, tracking_server):
    """A tree of FILES."""
    far_server.files = {f"{FOLDER}/{path}": content for path, content in FILES.items()}
    far_server.files["1/other/MLmodel"] = b"not mine"
    return TrackingTree(tracking_server, FOLDER, Limits(depth=5, files=50))


def read_all(tree, entry):
    with tree.open(entry) as reader:
        return b"".join(iter(lambda: reader.read(1 << 20), b""))


def entry_of(tree, path):
    return next(entry for entry in tree.entries() if entry.path == path)


def test_every_file_is_listed_and_fetched(tree):
    assert {entry.path: read_all(tree, entry) for entry in tree.entries()} == FILES


def test_files_are_listed_in_order_and_cannot_be_recognized_later(tree):
    entries = tree.entries()

    assert [entry.path for entry in entries] == sorted(FILES)
    assert not any(entry.can_be_recognized for entry in entries)


def test_a_folder_that_is_not_there_is_no_model(tracking_server):
    with pytest.raises(SourceUnreadable, match=r"mlflow-artifacts:/nowhere holds no files"):
        TrackingTree(tracking_server, "nowhere", Limits()).entries()


def test_a_server_without_an_artifact_store_says_so(far_server, tree):
    far_server.lies[f"{PROXY}?path={FOLDER}"] = (404, {}, b"{}")

    with pytest.raises(SourceUnreadable, match="cannot be listed"):
        tree.entries()


@pytest.mark.parametrize("name", ["..", ".", "", "/etc/passwd", "../other/MLmodel", "data/x", "a\0b", None, 7, ["x"]])
@pytest.mark.parametrize("is_dir", [True, False])
def test_a_listing_with_anything_but_base_names_is_refused(far_server, tree, name, is_dir):
    far_server.lie_in_listing(FOLDER, {"path": name, "is_dir": is_dir, "file_size": 3})

    with pytest.raises(SourceUnreadable, match="no file name"):
        tree.entries()


@pytest.mark.parametrize("entry", ["x", None, 3, {}])
def test_a_listing_of_other_things_is_refused(far_server, tree, entry):
    far_server.lie_in_listing(FOLDER, entry)

    with pytest.raises(SourceUnreadable, match="no file name"):
        tree.entries()


@pytest.mark.parametrize("size", [-1, 1.5, "many", True, [], None])
def test_a_size_that_is_none_is_refused(far_server, tree, size):
    far_server.lie_in_listing(FOLDER, {"path": "MLmodel", "is_dir": False, "file_size": size})

    with pytest.raises(SourceUnreadable, match="the size"):
        tree.entries()


def test_a_size_may_come_as_text(far_server, tree):
    far_server.lie_in_listing(FOLDER, {"path": "MLmodel", "is_dir": False, "file_size": "11"})

    assert tree.entries()[0].size_bytes == 11


def test_a_name_that_is_listed_twice_is_refused(far_server, tree):
    entry = {"path": "MLmodel", "is_dir": False, "file_size": 3}
    far_server.lie_in_listing(FOLDER, entry, entry)

    with pytest.raises(SourceUnreadable, match="twice"):
        tree.entries()


def test_folders_without_end_meet_the_limit_on_depth(far_server, tree):
    for depth in range(20):
        far_server.lie_in_listing("/".join([FOLDER, *["again"] * depth]), {"path": "again", "is_dir": True})

    with pytest.raises(SourceUnreadable, match="deeper than 5"):
        tree.entries()


@pytest.mark.parametrize("is_dir", [True, False])
def test_entries_without_end_meet_the_limit_on_their_number(far_server, tree, is_dir):
    entries = [{"path": f"e{number}", "is_dir": is_dir, "file_size": 1} for number in range(60)]
    far_server.lie_in_listing(FOLDER, *entries)

    with pytest.raises(SourceUnreadable, match="more than 50"):
        tree.entries()


@pytest.mark.parametrize("body", [b"", b"flavors: {", b"flavors: {}!", b"x" * 100_000])
@pytest.mark.parametrize("announced", [True, False])
def test_a_file_of_another_size_than_listed_is_refused(far_server, tree, body, announced):
    entry = entry_of(tree, "MLmodel")
    headers = {} if announced else {"Content-Length": "", "Connection": "close"}
    far_server.lies[f"{PROXY}/{FOLDER}/MLmodel"] = (200, headers, body)

    with pytest.raises(SourceUnreadable, match=r"'MLmodel' .* was listed with 11 bytes"):
        read_all(tree, entry)


def test_a_file_that_is_listed_as_empty_may_not_have_bytes(far_server, tree):
    entry = entry_of(tree, "empty")
    far_server.lies[f"{PROXY}/{FOLDER}/empty"] = (200, {}, b"x")

    with pytest.raises(SourceUnreadable, match="listed with 0 bytes"):
        read_all(tree, entry)


def test_a_transfer_that_breaks_off_is_temporary(far_server, tree):
    entry = entry_of(tree, "MLmodel")
    far_server.lies[f"{PROXY}/{FOLDER}/MLmodel"] = (200, {"Content-Length": "11", "Connection": "close"}, b"flav")

    with pytest.raises(TemporaryFailure):
        read_all(tree, entry)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, {}, b""), SourceUnreadable),
        ((500, {}, b""), TemporaryFailure),
        ((302, {"Location": "http://127.0.0.1/"}, b""), SourceUnreadable),
        ((200, {"Content-Encoding": "gzip"}, b"flavors: {}"), SourceUnreadable),
    ],
)
def test_a_file_that_is_not_given_is_told_apart(far_server, tree, answer, error):
    entry = entry_of(tree, "MLmodel")
    far_server.lies[f"{PROXY}/{FOLDER}/MLmodel"] = answer

    with pytest.raises(error):
        read_all(tree, entry)


def test_an_error_of_the_reader_passes_through(tree):
    entry = entry_of(tree, "MLmodel")

    with pytest.raises(ZeroDivisionError), tree.open(entry):
        raise ZeroDivisionError
