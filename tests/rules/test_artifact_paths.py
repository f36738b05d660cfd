"""Paths inside a version."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.artifact_paths import check_artifact_path


@pytest.mark.parametrize(
    ("path", "checked"),
    [("", ""), ("MLmodel", "MLmodel"), ("data/", "data"), ("a b/ü%.bin", "a b/ü%.bin"), ("a..b/c", "a..b/c")],
)
def test_a_path_leads_further_in(path: str, checked: str) -> None:
    assert check_artifact_path(path) == checked


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../x",
        "a/../b",
        "/etc/passwd",
        "%2e%2e/x",
        "%252e%252e/x",
        "..%2fx",
        "a\\..\\b",
        "a//b",
        "./a",
        "a\0b",
        "%2fetc",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidValue, match="Invalid path"):
        check_artifact_path(path)
