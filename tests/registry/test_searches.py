"""Searches of models and versions: what is found, in which order, page by page."""

from collections.abc import Sequence

import pytest

from modelyard.database.session import autocommit, transaction
from modelyard.errors import InvalidValue
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.pages import Search
from modelyard.registry.searches import list_registered_models, search_model_versions, search_registered_models
from modelyard.rules.filters import MODEL_VERSIONS, REGISTERED_MODELS, parse_filter
from modelyard.rules.ordering import MODEL_VERSION_TIES, REGISTERED_MODEL_TIES, OrderKey
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, STRANGER, Desk
from tests.registry.naive_search import PROMPT

ALL = 100_000
IS_PROMPT = [(PROMPT.key, "true")]


def models_found(desk: Desk, text: str) -> list[str]:
    wanted = Search(parse_filter(text, REGISTERED_MODELS), REGISTERED_MODEL_TIES, ALL)
    return [model.name for model in desk.ask(search_registered_models, wanted).rows]


def versions_found(desk: Desk, text: str, order: Sequence[OrderKey] = MODEL_VERSION_TIES) -> list[str]:
    wanted = Search(parse_filter(text, MODEL_VERSIONS), order, ALL)
    return [f"{found.model_name}{found.version}" for found in desk.ask(search_model_versions, wanted).rows]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["Abc", "abc", "b[d", "b_d", "bxd"]),
        ("name = 'abc'", ["abc"]),
        ("name != 'abc'", ["Abc", "b[d", "b_d", "bxd"]),
        ("name LIKE 'a%'", ["abc"]),
        ("name ILIKE 'A%'", ["Abc", "abc"]),
        ("name LIKE 'bc'", ["Abc", "abc"]),
        ("name LIKE 'b_d%'", ["b[d", "b_d", "bxd"]),
        ("name LIKE 'b[d%'", ["b[d"]),
        ("name LIKE '%*%'", []),
        ("name LIKE '%\\%'", []),
        ("name IN ('abc', 'bxd', 'none')", ["abc", "bxd"]),
        ("name NOT IN ('abc', 'bxd')", ["Abc", "b[d", "b_d"]),
        ("name LIKE 'b%' AND name != 'bxd'", ["b[d", "b_d"]),
        ("tags.team = 'x'", ["abc", "bxd"]),
        ("tags.team != 'x'", ["b_d"]),
        ("tags.team LIKE 'x'", ["abc", "bxd"]),
        ("tags.team LIKE '_'", ["abc", "b_d", "bxd"]),
        ("tags.team ILIKE 'X'", ["abc", "bxd"]),
        ("tags.Team = 'x'", []),
        ("tags.team = 'x' AND tags.team != 'x'", []),
        ("tags.team = 'x' AND tags.`a b` = ''", ["bxd"]),
        ("tags.team = 'x' AND name LIKE 'b%'", ["bxd"]),
        ("tags.mlflow.prompt.is_prompt = 'true'", ["prompt"]),
        ("tags.mlflow.prompt.is_prompt != 'false'", ["prompt"]),
        ("tag.`mlflow.prompt.is_prompt` != 'true'", ["Abc", "abc", "b[d", "b_d", "bxd"]),
        ("tag.`mlflow.prompt.is_prompt` = 'False'", ["Abc", "abc", "b[d", "b_d", "bxd"]),
        ("tags.mlflow.prompt.is_prompt = 'true' AND tags.team = 'x'", ["prompt"]),
        ("name = 'prompt'", []),
    ],
)
def test_models_are_found_by_name_and_tags(desk: Desk, text: str, found: list[str]) -> None:
    desk.model("Abc")
    desk.model("abc", tags=[("team", "x")])
    desk.model("b_d", tags=[("team", "y")])
    desk.model("bxd", tags=[("team", "x"), ("a b", "")])
    desk.model("b[d")
    desk.model("prompt", tags=[*IS_PROMPT, ("team", "x")])

    assert models_found(desk, text) == found


@pytest.mark.shows("search-versions")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["a2", "a1", "b2", "b1"]),
        ("name = 'a'", ["a2", "a1"]),
        ("name LIKE '%a'", ["a2", "a1"]),
        ("run_id = 'r1'", ["a1", "b1"]),
        ("run_id = ''", ["b2"]),
        ("run_id != 'r1'", ["a2", "b2"]),
        ("run_id IN ('r1', 'r2')", ["a2", "a1", "b1"]),
        ("run_id NOT IN ('r1')", ["a2", "b2"]),
        ("run_id LIKE 'r%'", ["a2", "a1", "b1"]),
        ("source_path = '/data/1'", ["a1", "b1"]),
        ("source_path ILIKE '%DATA%'", ["a2", "a1", "b2", "b1"]),
        ("version_number = 1", ["a1", "b1"]),
        ("version_number != 1", ["a2", "b2"]),
        ("version_number >= '2' AND name = 'b'", ["b2"]),
        ("version_number < 1", []),
        ("version_number < 999999999999999999", ["a2", "a1", "b2", "b1"]),
        ("version_number > -999999999999999999", ["a2", "a1", "b2", "b1"]),
        ("tags.k = 'v1'", ["a1", "b1"]),
        ("tags.k != 'v1'", ["a2"]),
        ("tags.k LIKE 'v%' AND run_id = 'r1'", ["a1", "b1"]),
        ("tags.mlflow.prompt.is_prompt = 'true'", ["p1"]),
        ("name = 'p'", []),
    ],
)
def test_versions_are_found_by_attributes_and_tags(desk: Desk, text: str, found: list[str]) -> None:
    for name in ("a", "b", "p"):
        desk.model(name)
        desk.pending(name, source="/data/1" if name != "p" else "dummy-source", run_id="r1", tags={"k": "v1"})
    desk.pending("a", source="/data/2", run_id="r2", tags={"k": "v2"})
    desk.pending("b", source="/data/2")
    desk.tag("p", PROMPT.key, "true", number=1)

    assert versions_found(desk, text) == found


def test_long_values_of_tags_are_told_apart_behind_what_is_indexed(desk: Desk) -> None:
    desk.model("a", tags=[("k", "v" * 70_000)])
    desk.model("b", tags=[("k", "v" * 70_000 + "w")])

    assert models_found(desk, f"tags.k = '{'v' * 70_000}'") == ["a"]


@pytest.mark.parametrize("text", ["tags.mlflow.prompt.is_prompt LIKE 'true'", "tags.mlflow.prompt.is_prompt = 'yes'"])
def test_the_prompt_tag_is_true_or_false(desk: Desk, text: str) -> None:
    with pytest.raises(InvalidValue, match=r"mlflow\.prompt\.is_prompt can be compared by = and !="):
        models_found(desk, text)


def test_lists_of_models_hold_prompts_too(desk: Desk) -> None:
    desk.model("m")
    desk.model("p", tags=IS_PROMPT)

    page = desk.ask(list_registered_models, Search([], REGISTERED_MODEL_TIES, 10))

    assert [model.name for model in page.rows] == ["m", "p"]


def test_models_are_found_with_their_latest_versions(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        desk.model(name)
    for stage in (Stage.PRODUCTION, None, None):
        desk.ready("a", stage=stage)
    desk.pending("b")

    page = desk.ask(search_registered_models, Search([], REGISTERED_MODEL_TIES, 10))

    assert [(model.name, [version.version for version in model.latest_versions]) for model in page.rows] == [
        ("a", [1, 3]),
        ("b", []),
        ("c", []),
    ]


def test_deleted_versions_are_never_found(desk: Desk) -> None:
    desk.model("a")
    desk.ready("a", run_id="r")
    desk.ready("a", run_id="r")
    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, "a", 2, lifecycle=desk.lifecycle)

    assert versions_found(desk, "run_id = 'r'") == ["a1"]


def test_whoever_may_read_no_model_finds_nothing(desk: Desk) -> None:
    desk.model(tags=[("k", "v")])
    desk.ready()

    with autocommit(desk.engine) as connection:
        models = search_registered_models(connection, STRANGER, Search([], REGISTERED_MODEL_TIES, 10))
        versions = search_model_versions(connection, STRANGER, Search([], MODEL_VERSION_TIES, 10))

    assert (models.rows, versions.rows) == ([], [])


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([OrderKey("name"), OrderKey("version", descending=True)], ["a2", "a1", "b3", "b2", "b1"]),
        ([OrderKey("version", descending=True), OrderKey("name")], ["b3", "a2", "b2", "a1", "b1"]),
    ],
)
def test_versions_come_in_the_order_asked_for(desk: Desk, order: list[OrderKey], found: list[str]) -> None:
    for name in ("a", "b"):
        desk.model(name)
    for name in ("a", "a", "b", "b", "b"):
        desk.ready(name)

    assert versions_found(desk, "", order) == found


def test_pages_go_on_behind_the_last_row_whatever_came_and_went(desk: Desk) -> None:
    for name in ("b", "d", "f", "h"):
        desk.model(name)

    first = desk.ask(search_registered_models, Search([], REGISTERED_MODEL_TIES, 2))
    for name in ("a", "c", "e"):
        desk.model(name)
    second = desk.ask(search_registered_models, Search([], REGISTERED_MODEL_TIES, 2, first.last))

    assert [[model.name for model in page.rows] for page in (first, second)] == [["b", "d"], ["e", "f"]]
