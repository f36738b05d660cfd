"""Names of users, groups and service principals."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.principals import check_application_id, check_group_name, check_user_name, folded

APPLICATION = "f37d18cd-98a8-4db5-8112-12dd0a6bfe38"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("ann@example.com", "ann@example.com"), ("Ann@Example.com", "ann@example.com"), ("ann", "ann"), ("é", "é")],
)
def test_user_names_are_kept_in_small_letters(given: str, kept: str) -> None:
    assert check_user_name(given) == kept


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", " ann", "ann ", "a\nb", "a\0b", "\ud800", "x" * 257, "local", "ADMIN", "console", APPLICATION],
)
def test_a_user_cannot_be_called_everything(name: str) -> None:
    with pytest.raises(InvalidValue):
        check_user_name(name)


@pytest.mark.parametrize("name", ["", " ", "a\tb", " team", "x" * 257])
def test_a_group_cannot_be_called_everything(name: str) -> None:
    with pytest.raises(InvalidValue):
        check_group_name(name)


def test_a_group_may_have_blanks_and_capitals_inside() -> None:
    assert check_group_name("Data Team / Europe") == "Data Team / Europe"


@pytest.mark.parametrize("text", ["", "ci", APPLICATION[:-1], APPLICATION.replace("-", ""), f"{{{APPLICATION}}}"])
def test_an_application_id_is_a_uuid(text: str) -> None:
    assert check_application_id(APPLICATION.upper()) == APPLICATION
    with pytest.raises(InvalidValue):
        check_application_id(text)


def test_names_are_compared_without_regard_to_case() -> None:
    assert folded("Straße") == folded("STRASSE")
