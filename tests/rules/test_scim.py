"""SCIM filters and paths."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.scim import ScimComparison, ScimOperator, parse_scim_filter, split_path

ANN = ScimComparison("username", ScimOperator.EQUAL, "ann@example.com")
ACTIVE = ScimComparison("active", ScimOperator.EQUAL, "true")
TEAM = ScimComparison("displayname", ScimOperator.STARTS_WITH, 'the "team"')


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", []),
        ("  ", []),
        ('userName eq "ann@example.com"', [[ANN]]),
        ("USERNAME EQ ann@example.com", [[ANN]]),
        ('userName eq "ann@example.com" and active eq true', [[ANN, ACTIVE]]),
        (r'active eq true OR displayName sw "the \"team\"" and active eq true', [[ACTIVE], [TEAM, ACTIVE]]),
    ],
)
def test_filters_mean_alternatives_of_comparisons(text: str, meaning: list) -> None:
    assert parse_scim_filter(text) == meaning


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("userName", "middle"),
        ("userName eq", "middle"),
        ('userName eq "a" and', "middle"),
        ('userName eq "a" or', "middle"),
        ('userName eq "a" xor active eq true', "xor"),
        ('userName eq "a', "quotation"),
        ("userName is a", "operator"),
        (" and ".join(["a eq b"] * 21), "more than 20"),
    ],
)
def test_filters_that_cannot_be_read_say_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        parse_scim_filter(text)


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("members", ("members", None)),
        ("displayName", ("displayname", None)),
        ('members[value eq "100"]', ("members", "100")),
        ('Members[ value EQ "100" ]', ("members", "100")),
        ('members[type eq "x"]', ('members[type eq "x"]', None)),
    ],
)
def test_a_path_names_an_attribute_or_one_of_its_values(path: str, meaning: tuple) -> None:
    assert split_path(path) == meaning
