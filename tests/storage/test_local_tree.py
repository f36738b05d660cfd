"""A local folder as a tree: what is listed, what is refused, and that a change does not pass unseen."""

import errno
import os
import socket

import pytest

from modelyard.errors import SourceUnreadable, TemporaryFailure
from modelyard.storage.local_tree import reading
from modelyard.storage.roots import identity_of
from modelyard.storage.tree import Limits

pytestmark = pytest.mark.usefixtures("way_of_opening")


def read_all(tree, entry):
    pieces = []
    with tree.open(entry) as reader:
        while piece := reader.read(1000):
            pieces.append(piece)
    return b"".join(pieces)


def entry_of(tree, path):
    return next(entry for entry in tree.entries() if entry.path == path)


def test_files_are_listed_in_order_with_what_shows_a_change(model, open_tree):
    entries = open_tree(model).entries()

    seen = os.stat(model / "data" / "weights.bin")
    assert [entry.path for entry in entries] == ["MLmodel", "data/weights.bin", "empty"]
    assert entries[1].size_bytes == 25600
    assert (entries[1].mtime_ns, entries[1].ctime_ns) == (seen.st_mtime_ns, seen.st_ctime_ns)
    assert entries[1].inode_or_etag == str(seen.st_ino)


def test_files_are_read_byte_for_byte(model, open_tree):
    tree = open_tree(model)

    contents = {entry.path: read_all(tree, entry) for entry in tree.entries()}

    assert contents["data/weights.bin"] == (model / "data" / "weights.bin").read_bytes()
    assert contents["empty"] == b""


@pytest.mark.parametrize("name", ["with blank", "größe", "100%", "a\nb", 'quote"', "-rf", "back\\slash"])
def test_any_utf8_name_is_copied(model, open_tree, name):
    (model / name).write_text("x")

    assert name in [entry.path for entry in open_tree(model).entries()]


def test_what_the_databricks_client_wrote_beside_the_model_is_left_out(model, open_tree):
    (model / "registered_model_meta").write_text("x")
    (model / "data" / "registered_model_meta").write_text("x")

    paths = [entry.path for entry in open_tree(model).entries()]

    assert "registered_model_meta" not in paths
    assert "data/registered_model_meta" in paths


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(path.parent)  # A socket's path has at most 107 characters.
        listener.bind(path.name)
        os.chdir(here)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.symlink_to("MLmodel"), "a symbolic link"),
        (lambda path: path.symlink_to("data"), "a symbolic link"),
        (lambda path: path.symlink_to("/nowhere"), "a symbolic link"),
        (os.mkfifo, "a fifo"),
        (make_socket, "a socket"),
    ],
)
def test_what_is_no_regular_file_fails_by_name(model, open_tree, make, kind):
    make(model / "strange")

    with pytest.raises(SourceUnreadable, match=f"'strange' in .* is {kind}.*replace or remove"):
        open_tree(model).entries()


def test_a_name_that_is_not_utf8_fails_by_name(model, open_tree):
    with open(os.fsencode(model) + b"/caf\xe9", "wb"):
        pass

    with pytest.raises(SourceUnreadable, match=r"caf\\xe9.*not UTF-8. Rename"):
        open_tree(model).entries()


def test_a_folder_without_mlmodel_is_no_model(model, open_tree):
    os.rename(model / "MLmodel", model / "data" / "MLmodel")

    with pytest.raises(SourceUnreadable, match="3 files but no MLmodel at its root"):
        open_tree(model).entries()


def test_an_empty_folder_is_no_model_even_where_plain_files_are_allowed(tmp_path, open_tree):
    (tmp_path / "empty").mkdir()

    with pytest.raises(SourceUnreadable, match="no files"):
        open_tree(tmp_path / "empty", Limits(plain_files=True)).entries()


def test_the_operator_may_allow_plain_files(model, open_tree):
    (model / "MLmodel").unlink()

    entries = open_tree(model, Limits(plain_files=True)).entries()

    assert [entry.path for entry in entries] == ["data/weights.bin", "empty"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(files=2), "more than 2 files"),
        (Limits(depth=1), "'data/weights.bin' lies deeper than 1 folders"),
        (Limits(file_bytes=25599), "'data/weights.bin' has 25.6 kB"),
        (Limits(total_bytes=25600), "more than 25.6 kB in all"),
    ],
)
def test_limits_are_enforced_while_listing(model, open_tree, limits, message):
    with pytest.raises(SourceUnreadable, match=message):
        open_tree(model, limits).entries()


def test_limits_that_are_just_met_pass(model, open_tree):
    exact = Limits(files=3, depth=2, file_bytes=25600, total_bytes=25612)

    assert len(open_tree(model, exact).entries()) == 3


def test_empty_folders_count_too(model, open_tree):
    for number in range(5):
        (model / f"folder {number}").mkdir()

    with pytest.raises(SourceUnreadable, match="more than 5 folders"):
        open_tree(model, Limits(files=5)).entries()


def test_a_path_longer_than_a_row_can_hold_fails(model, open_tree):
    deep = model.joinpath(*["n" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")

    with pytest.raises(SourceUnreadable, match="at most 1024"):
        open_tree(model).entries()


def test_the_store_is_not_entered_under_any_name(model, tmp_path, open_tree):
    store = model / "innocent"
    store.mkdir()

    with pytest.raises(SourceUnreadable, match=r"'innocent' in .* is the managed store"):
        open_tree(model, forbidden=frozenset({identity_of(store)})).entries()


def rewrite(path):
    path.write_bytes(b"y" * 25600)


def rewrite_and_hide_it(path):
    seen = path.stat()
    path.write_bytes(b"y" * 25600)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(path):
    path.with_name("new").write_bytes(path.read_bytes())
    os.replace(path.with_name("new"), path)


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


CHANGES = [rewrite, rewrite_and_hide_it, replace, append, lambda path: os.truncate(path, 10)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_since_it_was_listed_fails(model, open_tree, change):
    tree = open_tree(model)
    entry = entry_of(tree, "data/weights.bin")
    wait_for_another_ctime(model / "empty")

    change(model / "data" / "weights.bin")

    before = len(os.listdir("/dev/fd"))
    with pytest.raises(SourceUnreadable, match=r"'data/weights.bin' in .* changed while"):
        tree.open(entry)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("change", [change for change in CHANGES if change is not replace])
def test_a_file_that_changes_while_it_is_read_fails(model, open_tree, change):
    tree = open_tree(model)
    entry = entry_of(tree, "data/weights.bin")
    wait_for_another_ctime(model / "empty")

    with pytest.raises(SourceUnreadable, match="changed while"), tree.open(entry):
        change(model / "data" / "weights.bin")


def wait_for_another_ctime(path):
    """Wait until the clock of the file system has moved; it may tick as slowly as every 10 ms."""
    path.chmod(0o600)
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.chmod(0o644)


def test_a_file_that_vanished_fails_by_name(model, open_tree):
    tree = open_tree(model)
    entry = entry_of(tree, "empty")
    (model / "empty").unlink()

    with pytest.raises(SourceUnreadable, match=r"no 'empty' in .*deleted"):
        tree.open(entry)


def test_a_link_put_in_the_place_of_a_folder_is_not_followed(model, tmp_path, open_tree):
    tree = open_tree(model)
    entry = entry_of(tree, "data/weights.bin")
    os.rename(model / "data", tmp_path / "moved")
    (model / "data").symlink_to(tmp_path / "moved")

    with pytest.raises(SourceUnreadable, match="symbolic link"):
        tree.open(entry)


def test_a_fifo_put_in_the_place_of_a_file_is_not_waited_for(model, open_tree):
    tree = open_tree(model)
    entry = entry_of(tree, "empty")
    (model / "empty").unlink()
    os.mkfifo(model / "empty")

    with pytest.raises(SourceUnreadable, match="is a fifo"):
        tree.open(entry)


def test_an_error_of_the_reader_is_not_covered_by_the_check_for_changes(model, open_tree):
    tree = open_tree(model)
    entry = entry_of(tree, "data/weights.bin")

    with pytest.raises(ZeroDivisionError), tree.open(entry):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EACCES, SourceUnreadable),
        (errno.ENOENT, SourceUnreadable),
        (errno.ESTALE, TemporaryFailure),
        (errno.EIO, TemporaryFailure),
        (errno.EMFILE, TemporaryFailure),
    ],
)
def test_trouble_that_may_pass_is_told_from_trouble_that_stays(code, kind):
    with pytest.raises(kind), reading("the file"):
        raise OSError(code, os.strerror(code))
