"""The grammar of search filters."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidValue
from modelyard.rules.filters import (
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    Attribute,
    Comparison,
    Operator,
    Subject,
    Tag,
    Value,
    parse_filter,
    widened,
)

NAME = Attribute("name")


@pytest.mark.parametrize(
    ("text", "subject", "operator", "value"),
    [
        ("name = 'm'", NAME, Operator.EQUAL, "m"),
        ("name='m'", NAME, Operator.EQUAL, "m"),
        ('name = "it\'s"', NAME, Operator.EQUAL, "it's"),
        ("attribute.name != 'a b'", NAME, Operator.UNEQUAL, "a b"),
        ("name like '%a_'", NAME, Operator.LIKE, "%a_"),
        ("name ILIKE'A%'", NAME, Operator.ILIKE, "A%"),
        ("name IN ('a','b')", NAME, Operator.IN, ("a", "b")),
        ("name not in ( 'a' )", NAME, Operator.NOT_IN, ("a",)),
        ("run_id = ''", Attribute("run_id"), Operator.EQUAL, ""),
        ("source_path LIKE 's3%'", Attribute("source_path"), Operator.LIKE, "s3%"),
        ("version_number >= 3", Attribute("version_number"), Operator.GREATER_EQUAL, 3),
        ("version_number = '3'", Attribute("version_number"), Operator.EQUAL, 3),
        ("version_number<-1", Attribute("version_number"), Operator.LESS, -1),
        ("tags.team = 'x'", Tag("team"), Operator.EQUAL, "x"),
        ("tag.a.b-c != 'x'", Tag("a.b-c"), Operator.UNEQUAL, "x"),
        ("tags.`a b` ILIKE 'x'", Tag("a b"), Operator.ILIKE, "x"),
        ("tags.\"a b\" = 'x'", Tag("a b"), Operator.EQUAL, "x"),
    ],
)
def test_a_comparison_is_read(text: str, subject: Subject, operator: Operator, value: Value) -> None:
    assert parse_filter(text, MODEL_VERSIONS) == [Comparison(subject, operator, value)]


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_filter_filters_nothing(text: str) -> None:
    assert parse_filter(text, REGISTERED_MODELS) == []


@pytest.mark.parametrize(
    "text",
    [
        "name='m' AND tag.`mlflow.prompt.is_prompt` != 'true'",
        "name = 'm'and tags.mlflow.prompt.is_prompt!='true'",
        "name = 'm' tags.mlflow.prompt.is_prompt != 'true'",
    ],
)
def test_comparisons_are_joined_by_and_which_may_be_left_out(text: str) -> None:
    assert parse_filter(text, REGISTERED_MODELS) == [
        Comparison(NAME, Operator.EQUAL, "m"),
        Comparison(Tag("mlflow.prompt.is_prompt"), Operator.UNEQUAL, "true"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "name = m",
        "name=<model-name>",
        "name = 'm' OR name = 'n'",
        "NOT name = 'm'",
        "(name = 'm')",
        "name = 'm';",
        "name = 'm' AND",
        "AND name = 'm'",
        "name",
        "name =",
        "name = 'm",
        "name > 'm'",
        "name IS NULL",
        "`name` = 'm'",
        "attributes.name = 'm'",
        "description = 'x'",
        "creation_timestamp > 1",
        "name IN 'a'",
        "name IN ()",
        "name IN ('a',)",
        "name NOT LIKE 'a'",
        "tags. = 'x'",
        "tags. `a` = 'x'",
        "tags.a IN ('x')",
        "tags.a = 5",
        f"tags.{'k' * 251} = 'x'",
        f"name LIKE '{'%' * 1001}'",
        "name = 'a\0'",
        " ".join(["name = 'a'"] * 101),
        "name IN (" + ", ".join(["'a'"] * 1001) + ")",
    ],
)
def test_what_the_grammar_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_filter(text, REGISTERED_MODELS)


@pytest.mark.parametrize(
    "text", ["version_number = 1.5", "version_number IN (1)", "version_number LIKE '1'", "version_number = " + "9" * 19]
)
def test_a_version_number_is_compared_with_a_whole_number(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_filter(text, MODEL_VERSIONS)


@given(st.text(alphabet=st.sampled_from("name tags.'\"`=!<>(),ANDINLIKE%_;\\0é"), max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(InvalidValue):
        parse_filter(text, MODEL_VERSIONS)


@pytest.mark.parametrize(
    ("operator", "pattern", "wide"),
    [
        (Operator.LIKE, "abc", "%abc%"),
        (Operator.ILIKE, "a_c", "%a_c%"),
        (Operator.LIKE, "abc%", "abc%"),
        (Operator.EQUAL, "abc", "abc"),
    ],
)
def test_a_names_pattern_without_percent_is_found_anywhere(operator: Operator, pattern: str, wide: str) -> None:
    assert widened(Comparison(NAME, operator, pattern)).value == wide


def test_a_tags_pattern_is_taken_as_given() -> None:
    comparison = Comparison(Tag("k"), Operator.LIKE, "abc")

    assert widened(comparison) == comparison
