"""Tags as use-cases."""

from collections.abc import Callable

import pytest
from sqlmodel import Session

from modelyard.database.session import transaction
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.registry import queries, tags
from modelyard.registry.model_versions import delete_model_version
from tests.registry.desks import ANN, STRANGER, Desk


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A registry with one model, `m`, and one version of it."""
    desk.model(tags=[("b", "1"), ("a", "2")])
    desk.ready(tags={"b": "1", "a": "2"})
    return desk


@pytest.mark.parametrize("number", [None, 1])
def test_a_tag_set_again_keeps_its_place(desk: Desk, number: int | None) -> None:
    desk.tag("m", "c", "3", number=number)
    desk.tag("m", "b", "", number=number)

    found = desk.ask(queries.model_version, "m", 1) if number else desk.ask(queries.registered_model, "m")

    assert found.tags == [("b", ""), ("a", "2"), ("c", "3")]


def test_a_tag_belongs_to_the_model_or_to_the_version(desk: Desk) -> None:
    desk.tag("m", "model", "x")
    desk.tag("m", "version", "x", number=1)

    assert dict(desk.ask(queries.registered_model, "m").tags) == {"b": "1", "a": "2", "model": "x"}
    assert dict(desk.ask(queries.model_version, "m", 1).tags) == {"b": "1", "a": "2", "version": "x"}


def test_a_deleted_tag_is_gone_and_one_that_never_was_is_no_error(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        for key in ("b", "never"):
            tags.delete_registered_model_tag(session, ANN, "m", key)
            tags.delete_model_version_tag(session, ANN, "m", 1, key)

    assert desk.ask(queries.registered_model, "m").tags == [("a", "2")]
    assert desk.ask(queries.model_version, "m", 1).tags == [("a", "2")]


def test_tags_move_the_change_counter_but_no_time_of_last_change(desk: Desk) -> None:
    before, counter = desk.ask(queries.registered_model, "m"), desk.change_counter()

    desk.tag("m", "c", "3")
    desk.tag("m", "c", "3", number=1)

    after, version = desk.ask(queries.registered_model, "m"), desk.ask(queries.model_version, "m", 1)
    assert (after.updated_at_ms, version.updated_at_ms) == (before.updated_at_ms, before.updated_at_ms)
    assert desk.change_counter() == counter + 2


def test_who_set_and_deleted_a_tag_is_written_down_once_for_each_change(desk: Desk) -> None:
    for value in ("x", "x", "y"):
        desk.tag("m", "c", value)
    with transaction(desk.engine) as session:
        tags.delete_registered_model_tag(session, ANN, "m", "c")
        tags.delete_registered_model_tag(session, ANN, "m", "c")

    written = [(activity.activity_type, activity.system_comment) for activity in desk.activities()[2:]]

    assert written == [("SET_TAG", "The tag 'c'.")] * 2 + [("DELETED_TAG", "The tag 'c'.")]


SETTERS: list[Callable[[Session], None]] = [
    lambda session: tags.set_registered_model_tag(session, STRANGER, "m", "k", "v"),
    lambda session: tags.delete_registered_model_tag(session, STRANGER, "m", "b"),
    lambda session: tags.set_model_version_tag(session, STRANGER, "m", 1, "k", "v"),
    lambda session: tags.delete_model_version_tag(session, STRANGER, "m", 1, "b"),
]


@pytest.mark.parametrize("change", SETTERS)
def test_whoever_may_not_edit_changes_no_tag(desk: Desk, change: Callable[[Session], None]) -> None:
    with transaction(desk.engine) as session, pytest.raises(PermissionDenied, match="CAN_EDIT"):
        change(session)


@pytest.mark.parametrize(("name", "number"), [("none", None), ("none", 1), ("m", 2), ("m", 2**40)])
def test_what_does_not_exist_bears_no_tag(desk: Desk, name: str, number: int | None) -> None:
    with pytest.raises(NotFound):
        desk.tag(name, "k", "v", number=number)


def test_a_deleted_version_bears_no_tag(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)

    with pytest.raises(NotFound):
        desk.tag("m", "k", "v", number=1)


@pytest.mark.parametrize(("key", "value"), [("", "v"), ("k=v", "v"), ("k" * 251, "v"), ("k", "v" * 100_001)])
def test_a_tag_that_breaks_a_rule_is_refused(desk: Desk, key: str, value: str) -> None:
    for number in (None, 1):
        with pytest.raises(InvalidValue):
            desk.tag("m", key, value, number=number)


def test_a_tag_holds_the_longest_value(desk: Desk) -> None:
    value = "ü" * 100_000

    desk.tag("m", "k" * 250, value, number=1)

    assert dict(desk.ask(queries.model_version, "m", 1).tags)["k" * 250] == value
