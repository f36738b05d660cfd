"""Nothing is opened that does not lie beneath the folder."""

import errno
import os

import pytest

from modelyard.storage.beneath import FILE_FLAGS, FOLDER_FLAGS, open_beneath

pytestmark = pytest.mark.usefixtures("way_of_opening")


@pytest.fixture
def folder(tmp_path):
    """A descriptor of a folder with a/b/file, and links out of it and within it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("secret")
    inside = tmp_path / "inside"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "b" / "file").write_text("mine")
    (inside / "file link").symlink_to(tmp_path / "outside" / "file")
    (inside / "folder link").symlink_to(tmp_path / "outside")
    (inside / "link within").symlink_to("a")
    descriptor = os.open(inside, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_file_beneath_is_opened(folder):
    descriptor = open_beneath(folder, "a/b/file", FILE_FLAGS)

    assert os.read(descriptor, 10) == b"mine"
    os.close(descriptor)


def test_the_folder_itself_can_be_opened_again(folder):
    descriptor = open_beneath(folder, ".", FOLDER_FLAGS)

    assert sorted(os.listdir(descriptor)) == ["a", "file link", "folder link", "link within"]
    os.close(descriptor)


@pytest.mark.parametrize("path", ["file link", "folder link/file", "link within/b/file"])
def test_no_link_is_followed(folder, path):
    with pytest.raises(OSError, match=f"Errno ({errno.ELOOP}|{errno.ENOTDIR})"):
        open_beneath(folder, path, FILE_FLAGS)


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside/file", "a/../../outside/file", "a//b", ""])
def test_a_path_that_leaves_is_a_mistake_of_the_caller(folder, path):
    with pytest.raises(ValueError, match="plain relative path"):
        open_beneath(folder, path, FILE_FLAGS)


def test_opening_a_fifo_does_not_wait_for_its_writer(folder):
    os.mkfifo("fifo", dir_fd=folder)

    os.close(open_beneath(folder, "fifo", FILE_FLAGS))


def test_descriptors_do_not_pile_up(folder):
    before = len(os.listdir("/dev/fd"))

    for _ in range(50):
        os.close(open_beneath(folder, "a/b/file", FILE_FLAGS))
        with pytest.raises(FileNotFoundError):
            open_beneath(folder, "a/b/missing", FILE_FLAGS)

    assert len(os.listdir("/dev/fd")) == before
