"""Texts that people write."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.texts import check_description, check_length, check_storable


def test_any_text_of_characters_can_be_stored() -> None:
    check_storable("comment", "ä\n\t𝄞\U0010ffff")


@pytest.mark.parametrize(("text", "reason"), [("a\0", "NUL"), ("\udfff", "surrogate")])
def test_what_is_no_character_cannot_be_stored(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=f"The comment holds .*{reason}"):
        check_storable("comment", text)


def test_a_description_is_measured_in_bytes() -> None:
    check_description("ä" * 32_767)

    with pytest.raises(InvalidValue, match="65536 bytes; at most 65535"):
        check_description("ä" * 32_768)


def test_a_text_is_measured_in_characters() -> None:
    check_length("run_id", "ä" * 3, 3)

    with pytest.raises(InvalidValue, match="The run_id has 4 characters; at most 3"):
        check_length("run_id", "ä" * 4, 3)
