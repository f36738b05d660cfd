"""How aliases are spelled."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.aliases import check_alias, check_new_alias, means_latest


@pytest.mark.parametrize("alias", ["champion", "A-b_c", "1", "2024", "ü", "version3", "va1", "x" * 255])
def test_a_version_may_bear_it(alias: str) -> None:
    check_new_alias(alias)


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        ("", "Invalid alias name: ''"),
        ("a b", "alphanumerics"),
        ("a.b", "'a.b'"),
        ("a/b", "alphanumerics"),
        ("a@b", "alphanumerics"),
        ("champion\n", "alphanumerics"),
        ("a\0", "alphanumerics"),
        ("x" * 256, "256 characters; at most 255"),
        ("latest", "reserved"),
        ("LaTest", "'LaTest' is reserved"),
        ("v1", "reads like the number"),
        ("V20", "reads like the number"),
    ],
)
def test_what_no_version_may_be_called(alias: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        check_new_alias(alias)


@pytest.mark.parametrize("alias", ["latest", "v1"])
def test_reserved_ones_may_be_asked_for(alias: str) -> None:
    check_alias(alias)


@pytest.mark.parametrize(("alias", "meant"), [("latest", True), ("LATEST", True), ("latest-1", False), ("", False)])
def test_the_word_latest_is_known_in_any_letter_case(alias: str, meant: bool) -> None:
    assert means_latest(alias) is meant
