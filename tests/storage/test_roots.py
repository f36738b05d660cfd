"""Which paths lie below the source roots: decided by the folders themselves, not by their names."""

import os
from pathlib import PurePosixPath

import pytest

from modelyard.errors import ConfigurationError, SourceUnreadable
from modelyard.storage.roots import SourceRoots

pytestmark = pytest.mark.usefixtures("way_of_opening")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "models" / "fraud").mkdir(parents=True)
    (tmp_path / "models-old").mkdir()
    return tmp_path / "models"


def pure(path):
    return PurePosixPath(str(path))


def test_the_root_and_what_lies_below_are_covered(root):
    roots = SourceRoots([root])

    assert roots.covers(pure(root))
    assert roots.covers(pure(root / "fraud"))
    assert roots.covers(pure(root / "not" / "there" / "yet"))


def test_a_folder_whose_name_begins_alike_is_not_covered(root):
    assert not SourceRoots([root]).covers(pure(f"{root}-old"))
    assert not SourceRoots([root]).covers(pure(root.parent))
    assert not SourceRoots([]).covers(pure(root))


def test_a_root_is_known_by_another_name_too(root, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    by_link = pure(tmp_path / "link" / "models" / "fraud")
    roots = SourceRoots([root])

    assert roots.covers(by_link)
    os.close(roots.open_folder(by_link))


def test_a_root_may_be_configured_by_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)

    os.close(SourceRoots([tmp_path / "link"]).open_folder(pure(root / "fraud")))


def test_a_link_below_a_root_is_refused(root, tmp_path):
    (root / "way out").symlink_to(tmp_path)
    (root / "round").symlink_to(root)
    roots = SourceRoots([root])

    for path in (root / "way out" / "models-old", root / "way out", root / "round" / "fraud"):
        with pytest.raises(SourceUnreadable, match="symbolic link"):
            roots.open_folder(pure(path))


def test_a_path_outside_is_refused_with_the_setting_to_change(root):
    with pytest.raises(SourceUnreadable, match="MODELYARD_SOURCE_ROOTS"):
        SourceRoots([root]).open_folder(pure("/etc"))


def test_a_missing_folder_and_a_file_are_refused_by_name(root):
    (root / "file").write_text("x")
    roots = SourceRoots([root])

    with pytest.raises(SourceUnreadable, match=r"There is no .*/missing"):
        roots.open_folder(pure(root / "missing"))
    with pytest.raises(SourceUnreadable, match="is no folder"):
        roots.open_folder(pure(root / "file"))


def test_a_root_that_appears_later_counts_from_then_on(tmp_path):
    roots = SourceRoots([tmp_path / "mlruns"])
    assert roots.covers(pure(tmp_path / "mlruns" / "1"))  # By name, since there is nothing to open yet.
    with pytest.raises(SourceUnreadable):
        roots.open_folder(pure(tmp_path / "mlruns" / "1"))

    (tmp_path / "mlruns" / "1").mkdir(parents=True)

    os.close(roots.open_folder(pure(tmp_path / "mlruns" / "1")))


def test_a_missing_root_is_compared_by_whole_names(tmp_path):
    roots = SourceRoots([tmp_path / "mlruns"])

    assert not roots.covers(pure(tmp_path / "mlruns-old" / "1"))


@pytest.mark.parametrize(
    ("root", "store"),
    [("data", "data"), ("data", "data/store"), ("data/store/blobs", "data/store"), ("link/store", "data/store")],
)
def test_a_root_and_the_store_must_lie_apart(tmp_path, root, store):
    (tmp_path / "data" / "store").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")

    with pytest.raises(ConfigurationError, match="overlap"):
        SourceRoots([tmp_path / root], tmp_path / store).check_apart_from_store()


def test_roots_beside_the_store_are_good(tmp_path):
    (tmp_path / "data").mkdir()

    SourceRoots([tmp_path / "data", tmp_path / "missing"], tmp_path / "store").check_apart_from_store()
