"""Numbers of things, written for people."""

from modelyard.rules.counts import counted, listed


def test_one_is_singular_and_none_is_not() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_a_long_list_is_cut_and_says_so() -> None:
    assert listed(["a", "b"], most=2) == "a, b"
    assert listed(["a", "b", "c", "d", "e"], most=2) == "a, b and 3 more"
