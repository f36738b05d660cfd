"""What clients ask again and again."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from modelyard.database.session import autocommit, transaction
from modelyard.errors import NotFound, PermissionDenied
from modelyard.registry import queries
from modelyard.registry.model_versions import delete_model_version
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, STRANGER, Desk

EVERY_QUERY: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (queries.registered_model, ("m",)),
    (queries.model_version, ("m", 1)),
    (queries.model_version_by_alias, ("m", "champion")),
    (queries.model_version_by_alias, ("m", "latest")),
    (queries.latest_versions, ("m",)),
]


def numbers(versions: list[Any]) -> list[int]:
    return [version.version for version in versions]


def test_a_model_is_shown_with_its_newest_ready_version_of_each_stage(desk: Desk) -> None:
    desk.model(tags=[("k", "v")])
    for stage in (Stage.PRODUCTION, Stage.PRODUCTION, Stage.ARCHIVED, None, None):
        desk.ready(stage=stage, tags={"n": "1"})
    desk.pending()
    desk.alias("m", "champion", 2)

    model = desk.ask(queries.registered_model, "m")

    assert (model.tags, model.aliases) == ([("k", "v")], [("champion", 2)])
    assert [(version.version, version.stage) for version in model.latest_versions] == [
        (2, "Production"),
        (3, "Archived"),
        (5, "None"),
    ]
    assert model.latest_versions[0].tags == [("n", "1")]


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ([], []),
        ([Stage.NONE], [4]),
        ([Stage.STAGING], []),
        ([Stage.PRODUCTION, Stage.NONE], [2, 4]),
        ([Stage.NONE, Stage.NONE], [4]),
        (list(Stage), [2, 4]),
    ],
)
def test_latest_versions_are_the_newest_ready_ones_of_the_stages_asked_for(
    desk: Desk, stages: list[Stage], found: list[int]
) -> None:
    desk.model()
    for stage in (Stage.PRODUCTION, Stage.PRODUCTION, None, None):
        desk.ready(stage=stage)
    desk.pending()

    assert numbers(desk.ask(queries.latest_versions, "m", stages)) == found


def test_when_the_latest_version_is_deleted_the_one_before_takes_its_place(desk: Desk) -> None:
    desk.model()
    desk.ready()
    desk.ready()

    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, "m", 2, lifecycle=desk.lifecycle)

    assert numbers(desk.ask(queries.latest_versions, "m")) == [1]


def test_a_pending_version_tells_where_its_job_stands(desk: Desk) -> None:
    desk.model()
    desk.pending()
    desk.ready()

    found = [desk.ask(queries.model_version, "m", number) for number in (1, 2)]

    assert [version.status_message for version in found] == ["Waiting for a worker", ""]


@pytest.mark.parametrize("number", [0, 2, 2**31, 10**18 - 1])
def test_a_number_that_no_version_bears_is_not_found(desk: Desk, number: int) -> None:
    desk.model()
    desk.ready()

    with pytest.raises(NotFound, match=rf"Model Version \(name=m, version={number}\) not found"):
        desk.ask(queries.model_version, "m", number)


@pytest.mark.parametrize(("question", "arguments"), EVERY_QUERY)
def test_what_does_not_exist_is_not_found(desk: Desk, question: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with pytest.raises(NotFound, match="Registered Model with name=m not found"):
        desk.ask(question, *arguments)


@pytest.mark.parametrize(("question", "arguments"), EVERY_QUERY)
def test_whoever_may_not_read_a_model_is_told_so(
    desk: Desk, question: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    desk.model()
    desk.ready()
    desk.alias("m", "champion", 1)

    with autocommit(desk.engine) as connection, pytest.raises(PermissionDenied, match="CAN_READ"):
        question(connection, STRANGER, *arguments)


@pytest.mark.parametrize(("question", "arguments"), EVERY_QUERY)
def test_each_is_answered_by_one_statement(
    desk: Desk, question: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    desk.model(tags=[("a", "1")])
    for stage in (Stage.PRODUCTION, None):
        desk.ready(stage=stage, tags={"a": "1"})
    desk.alias("m", "champion", 1)
    statements: list[str] = []
    event.listen(desk.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))

    desk.ask(question, *arguments)

    assert len(statements) == 1
