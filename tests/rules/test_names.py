"""Names of registered models."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.names import check_model_name


@pytest.mark.parametrize(
    "name", ["m", "two words", "Überraschung", "100%", "a?b#c", "a.b", "...", "x" * 256, " padded "]
)
def test_a_model_may_be_called(name: str) -> None:
    check_model_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "cannot be empty"),
        ("   ", "cannot be empty"),
        ("a/b", "must not contain '/' or ':'"),
        ("a:b", "must not contain '/' or ':'"),
        (".", "a step of a path"),
        ("..", "a step of a path"),
        ("x" * 257, "257 characters"),
        ("a\0b", "NUL"),
        ("a\ud800b", "surrogate"),
    ],
)
def test_a_model_may_not_be_called(name: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        check_model_name(name)


def test_an_empty_name_is_refused_in_the_words_of_the_live_service() -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_model_name("")

    assert refusal.value.message == "Got an invalid name ''. Registered Model names cannot be empty strings."
