"""Random searches: the database finds what a look at every row finds, on both databases, page by page and at once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import ModelVersion, ModelVersionTag, RegisteredModel, RegisteredModelTag
from modelyard.registry.pages import Page, Search
from modelyard.registry.searches import search_model_versions, search_registered_models
from modelyard.rules.filters import MODEL_VERSIONS, REGISTERED_MODELS, parse_filter, widened
from modelyard.rules.ordering import (
    MODEL_VERSION_DEFAULT,
    MODEL_VERSION_KEYS,
    MODEL_VERSION_TIES,
    REGISTERED_MODEL_KEYS,
    REGISTERED_MODEL_TIES,
    Keys,
    parse_order,
)
from modelyard.rules.stages import Stage
from tests.registry import naive_search
from tests.registry.desks import ANN, Desk
from tests.registry.naive_search import PROMPT, Thing

EVERYTHING = 100_000
QUIET: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.nested_given]}

both_sizes = pytest.mark.parametrize("examples", [40, pytest.param(500, marks=pytest.mark.more)])

# Words that are easily confused: by case, by what is a wildcard here or elsewhere, by their order.
WORDS = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "ü",
    "Ü",
    "a%b",
    "a_b",
    "[a]",
    "a*b",
    "a?b",
    "a\\b",
    "é b",
    "zz",
    "a'b",
    "\U0001f600",
]
KEYS = ["k", "K", "a b", "a.b"]
STAGES = list(Stage)

strings = st.sampled_from(WORDS) | st.text(alphabet="abAB%_[]*?\\ü é", max_size=4)
subjects = {
    "models": ["name", "attribute.name"],
    "versions": ["name", "run_id", "source_path", "version_number"],
}


@pytest.fixture
def things(desk: Desk) -> dict[str, list[Thing]]:
    """The models and the versions of a registry, many of which share words, numbers and moments."""
    found: dict[str, list[Thing]] = {"models": [], "versions": []}
    with transaction(desk.engine) as session:
        for number, word in enumerate(WORDS):
            model, tags = add_model(session, f"{word}{number % 3}", number)
            versions = [add_version(session, model, number, place) for place in range(1, 1 + number % 4)]
            if model.deleted_at_ms is None:
                found["models"].append(shown_model(model, tags))
                found["versions"] += [shown_version(model, *version) for version in versions]
    found["versions"] = [thing for thing in found["versions"] if not thing.attributes["deleted"]]
    return found


def add_model(session: Session, name: str, number: int) -> tuple[RegisteredModel, dict[str, str]]:
    moment = 1000 + number % 4
    model = RegisteredModel(name=name, created_by="ann", created_at_ms=moment, updated_at_ms=moment)
    model.deleted_at_ms = 1 if number % 7 == 3 else None
    session.add(model)
    session.flush()
    tags = some_tags(number)
    session.add_all(RegisteredModelTag(model_id=model.id, key=key, value=value) for key, value in tags.items())
    return model, tags


def add_version(
    session: Session, model: RegisteredModel, number: int, place: int
) -> tuple[ModelVersion, dict[str, str]]:
    version = ModelVersion(
        model_id=model.id,
        version=place,
        stage=STAGES[(number + place) % 4],
        status="READY",
        source=WORDS[(number * 2 + place) % len(WORDS)],
        run_id=WORDS[(number + place * 5) % len(WORDS)],
        created_by="ann",
        created_at_ms=2000 + number % 3,
        updated_at_ms=3000 + (number + place) % 3,
    )
    version.deleted_at_ms = 1 if model.deleted_at_ms or (number + place) % 6 == 5 else None
    session.add(version)
    session.flush()
    tags = some_tags(number + place)
    session.add_all(ModelVersionTag(version_id=version.id, key=key, value=value) for key, value in tags.items())
    return version, tags


def some_tags(number: int) -> dict[str, str]:
    tags = {key: WORDS[(number * 3 + place) % len(WORDS)] for place, key in enumerate(KEYS[: number % 5])}
    return tags | ({PROMPT.key: ("true", "false")[number % 2]} if number % 5 == 0 else {})


def shown_model(model: RegisteredModel, tags: dict[str, str]) -> Thing:
    return Thing(model.name, {"name": model.name}, {"name": model.name, "updated_at": model.updated_at_ms}, tags)


def shown_version(model: RegisteredModel, version: ModelVersion, tags: dict[str, str]) -> Thing:
    attributes = {
        "name": model.name,
        "run_id": version.run_id,
        "source_path": version.source,
        "version_number": version.version,
        "deleted": version.deleted_at_ms is not None,
    }
    keys = {
        "name": model.name,
        "version": version.version,
        "stage": version.stage,
        "created_at": version.created_at_ms,
        "updated_at": version.updated_at_ms,
    }
    return Thing(f"{model.name}/{version.version}", attributes, keys, tags)


def quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


@st.composite
def comparisons(draw: st.DrawFn, kind: str) -> str:
    """One comparison, as a client would write it."""
    if draw(st.integers(0, 9)) == 0:
        word = draw(st.sampled_from(["true", "false"]))
        return f"tags.`{PROMPT.key}` {draw(st.sampled_from(['=', '!=']))} '{word}'"
    subject = draw(st.sampled_from([*subjects[kind], *(f"tags.`{key}`" for key in KEYS)]))
    if subject == "version_number":
        return f"{subject} {draw(st.sampled_from(['=', '!=', '<', '<=', '>', '>=']))} {draw(st.integers(-1, 5))}"
    lists = ["IN", "NOT IN"] if subject in ("name", "attribute.name", "run_id") else []
    operator = draw(st.sampled_from(["=", "!=", "LIKE", "ILIKE", *lists]))
    if operator in lists:
        values = draw(st.lists(names_or_words(subject), min_size=1, max_size=4))
        return f"{subject} {operator} ({', '.join(map(quoted, values))})"
    return f"{subject} {operator} {quoted(draw(names_or_words(subject)))}"


def names_or_words(subject: str) -> st.SearchStrategy[str]:
    if not subject.endswith("name"):
        return strings
    return strings | st.sampled_from([f"{word}{number % 3}" for number, word in enumerate(WORDS)])


def filters(kind: str) -> st.SearchStrategy[str]:
    return st.lists(comparisons(kind), max_size=3).map(" AND ".join)


def orders(keys: Keys) -> st.SearchStrategy[list[str]]:
    words = st.tuples(st.sampled_from(sorted(keys)), st.sampled_from(["", " ASC", " DESC"]))
    return st.lists(words, max_size=2, unique_by=lambda word: keys[word[0]]).map(
        lambda chosen: [key + direction for key, direction in chosen]
    )


def pages(search: Callable[..., Page[Any]], desk: Desk, wanted: Search) -> Iterator[list[Any]]:
    """Yield the rows of each page until no other follows."""
    with autocommit(desk.engine) as connection:
        while True:
            page = search(connection, ANN, wanted)
            yield page.rows
            if page.last is None:
                return
            wanted = replace(wanted, last=page.last)


@both_sizes
def test_a_search_of_models_finds_what_a_look_at_each_finds(
    desk: Desk, things: dict[str, list[Thing]], examples: int
) -> None:
    @settings(max_examples=examples, **QUIET)
    @given(filters("models"), orders(REGISTERED_MODEL_KEYS), st.integers(1, 6))
    def search(text: str, order_by: list[str], size: int) -> None:
        order = parse_order(order_by, REGISTERED_MODEL_KEYS, ties=REGISTERED_MODEL_TIES)
        asked = parse_filter(text, REGISTERED_MODELS)
        expected = naive_search.find(things["models"], [widened(comparison) for comparison in asked], order)

        whole = pages(search_registered_models, desk, Search(asked, order, EVERYTHING))
        paged = pages(search_registered_models, desk, Search(asked, order, size))

        assert [model.name for page in whole for model in page] == expected
        assert [model.name for page in paged for model in page] == expected

    search()


@both_sizes
def test_a_search_of_versions_finds_what_a_look_at_each_finds(
    desk: Desk, things: dict[str, list[Thing]], examples: int
) -> None:
    @settings(max_examples=examples, **QUIET)
    @given(filters("versions"), orders(MODEL_VERSION_KEYS), st.integers(1, 6))
    def search(text: str, order_by: list[str], size: int) -> None:
        order = parse_order(order_by, MODEL_VERSION_KEYS, default=MODEL_VERSION_DEFAULT, ties=MODEL_VERSION_TIES)
        asked = parse_filter(text, MODEL_VERSIONS)
        expected = naive_search.find(things["versions"], asked, order)

        whole = pages(search_model_versions, desk, Search(asked, order, EVERYTHING))
        paged = pages(search_model_versions, desk, Search(asked, order, size))

        assert [f"{found.model_name}/{found.version}" for page in whole for found in page] == expected
        assert [f"{found.model_name}/{found.version}" for page in paged for found in page] == expected

    search()
