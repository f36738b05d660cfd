"""Tags."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.tags import check_tag, merge_tags


@pytest.mark.parametrize("key", ["team", "a.b", "a/b", "a b", "a-b_c:d", "größe", "mlflow.prompt.is_prompt", "k" * 250])
def test_a_tag_may_be_called(key: str) -> None:
    check_tag(key, "any value, even the empty one")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "Missing value"),
        ("a=b", "may contain"),
        ("a`b", "may contain"),
        ("/a", "written as a path"),
        ("../a", "written as a path"),
        ("a//b", "written as a path"),
        (".", "written as a path"),
        ("..", "written as a path"),
        ("k" * 251, "251 characters"),
        ("a\0", "NUL"),
    ],
)
def test_a_tag_may_not_be_called(key: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        check_tag(key, "")


@pytest.mark.parametrize(("value", "reason"), [("v" * 100_001, "100001 characters"), ("\0", "NUL")])
def test_a_value_that_cannot_be_kept_is_refused(value: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=f"value of the tag 'k' .*{reason}"):
        check_tag("k", value)


def test_a_repeated_key_keeps_its_place_and_takes_the_last_value() -> None:
    merged = merge_tags([("b", "1"), ("a", "2"), ("b", "3")])

    assert list(merged.items()) == [("b", "3"), ("a", "2")]
