"""Registered models as use-cases."""

from threading import Barrier, Thread

import pytest

from modelyard.database.session import reading, transaction
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue, NotFound, PermissionDenied
from modelyard.registry.pages import Search
from modelyard.registry.registered_models import (
    create_registered_model,
    delete_registered_model,
    find_registered_model,
    latest_versions,
    read_registered_model,
    search_registered_models,
    update_registered_model,
)
from modelyard.registry.tags import tags_of_models
from modelyard.rules.filters import REGISTERED_MODELS, parse_filter
from modelyard.rules.ordering import REGISTERED_MODEL_TIES, OrderKey
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, STRANGER, Desk


def test_a_new_model_was_last_changed_when_it_was_created(desk: Desk) -> None:
    model = desk.model(description="d", tags=[("b", "1"), ("a", "2")])

    with reading(desk.engine) as session:
        found = read_registered_model(session, ANN, "m")
        tags = tags_of_models(session, [model.id])

    assert (found.public_id, found.description, found.created_by) == (model.public_id, "d", "ann")
    assert found.created_at_ms == found.updated_at_ms
    assert tags == {model.id: [("b", "1"), ("a", "2")]}


def test_a_living_models_name_is_taken(desk: Desk) -> None:
    desk.model()

    with pytest.raises(AlreadyExists, match=r"Registered Model \(name=m\) already exists"):
        desk.model()


def test_of_two_who_create_a_name_at_once_one_is_told_that_it_exists(desk: Desk) -> None:
    barrier, outcomes = Barrier(2), []

    def create() -> None:
        barrier.wait()
        try:
            desk.model()
            outcomes.append("created")
        except AlreadyExists:
            outcomes.append("exists")

    threads = [Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["created", "exists"]


@pytest.mark.parametrize("wrong", [{"name": "a/b"}, {"description": "x" * 65_536}, {"tags": [("", "v")]}])
def test_a_refused_model_leaves_nothing_behind(desk: Desk, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        desk.model(**{"name": "m", **wrong})

    with reading(desk.engine) as session, pytest.raises(NotFound):
        find_registered_model(session, "m")
    assert desk.activities() == []


def test_an_update_replaces_the_description_and_moves_the_change_counter(desk: Desk) -> None:
    before = desk.model(description="old")

    with transaction(desk.engine) as session:
        after = update_registered_model(session, ANN, "m", description="")

    assert after.description == ""
    assert after.change_counter == before.change_counter + 1
    assert after.updated_at_ms >= before.updated_at_ms


def test_a_deleted_model_is_gone_with_its_versions_and_its_name_is_free(desk: Desk) -> None:
    desk.model()
    version = desk.ready()

    with transaction(desk.engine) as session:
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)
    again = desk.model()

    assert desk.version(number=version.version).deleted_by == "ann"
    assert again.next_version == 1
    assert [activity.activity_type for activity in desk.activities()] == [
        "CREATED_MODEL",
        "CREATED_VERSION",
        "DELETED_MODEL",
        "CREATED_MODEL",
    ]


def test_deleting_a_model_cancels_what_its_versions_wait_for(desk: Desk) -> None:
    desk.model()
    desk.pending()

    with transaction(desk.engine) as session:
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)

    assert [(job.status, job.cancelled_by) for job in desk.jobs()] == [("CANCELLED", "ann")]
    assert desk.version().status == "FAILED_REGISTRATION"


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_a_model_in_use_is_not_deleted(desk: Desk, stage: Stage) -> None:
    desk.model()
    desk.ready(stage=stage)

    with transaction(desk.engine) as session, pytest.raises(InvalidState, match=r"\(1\)"):
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)


def test_latest_versions_are_the_newest_ready_ones_of_each_stage(desk: Desk) -> None:
    model = desk.model()
    desk.ready(stage=Stage.PRODUCTION)
    desk.ready(stage=Stage.PRODUCTION)
    desk.ready()
    desk.ready()
    desk.pending()

    with reading(desk.engine) as session:
        every = latest_versions(session, [model])
        staging = latest_versions(session, [model], stages=(Stage.STAGING, Stage.NONE))

    assert [version.version for version in every[model.id]] == [2, 4]
    assert [version.version for version in staging[model.id]] == [4]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["Abc", "abc", "b_d", "b[d", "bxd"]),
        ("name = 'abc'", ["abc"]),
        ("name != 'abc'", ["Abc", "b_d", "b[d", "bxd"]),
        ("name LIKE 'a%'", ["abc"]),
        ("name ILIKE 'A%'", ["Abc", "abc"]),
        ("name LIKE 'bc'", ["Abc", "abc"]),
        ("name LIKE 'b_d%'", ["b_d", "b[d", "bxd"]),
        ("name LIKE 'b[d%'", ["b[d"]),
        ("name LIKE '%*%'", []),
        ("name LIKE '%\\%'", []),
        ("name IN ('abc', 'bxd', 'none')", ["abc", "bxd"]),
        ("name NOT IN ('abc', 'bxd')", ["Abc", "b_d", "b[d"]),
        ("name LIKE 'b%' AND name != 'bxd'", ["b_d", "b[d"]),
        ("tags.mlflow.prompt.is_prompt = 'true'", ["prompt"]),
        ("tag.`mlflow.prompt.is_prompt` != 'true'", ["Abc", "abc", "b_d", "b[d", "bxd"]),
        ("name = 'prompt'", []),
    ],
)
def test_models_are_found_by_name(desk: Desk, text: str, found: list[str]) -> None:
    for name in ("abc", "Abc", "b_d", "bxd", "b[d"):
        desk.model(name)
    desk.model("prompt", tags=[("mlflow.prompt.is_prompt", "true")])

    with reading(desk.engine) as session:
        wanted = Search(parse_filter(text, REGISTERED_MODELS), REGISTERED_MODEL_TIES, 100)
        page = search_registered_models(session, ANN, wanted)

    assert sorted(model.name for model in page.rows) == sorted(found)
    assert [model.name for model in page.rows] == sorted(model.name for model in page.rows)


@pytest.mark.parametrize("text", ["tags.team = 'x'", "tags.mlflow.prompt.is_prompt LIKE 'true'"])
def test_a_search_that_is_not_served_yet_says_so(desk: Desk, text: str) -> None:
    wanted = Search(parse_filter(text, REGISTERED_MODELS), REGISTERED_MODEL_TIES, 100)

    with reading(desk.engine) as session, pytest.raises(InvalidValue):
        search_registered_models(session, ANN, wanted)


@pytest.mark.parametrize("order", [[OrderKey("name")], [OrderKey("updated_at", descending=True), OrderKey("name")]])
def test_pages_show_each_model_once(desk: Desk, order: list[OrderKey]) -> None:
    for number in range(7):
        desk.model(f"m{number}")
    seen, last = [], None

    with reading(desk.engine) as session:
        for _ in range(4):
            page = search_registered_models(session, ANN, Search([], order, 2, last))
            seen += [model.name for model in page.rows]
            last = page.last

    assert last is None
    assert sorted(seen) == [f"m{number}" for number in range(7)]


def test_whoever_has_no_permission_sees_and_changes_nothing(desk: Desk) -> None:
    desk.model()

    with transaction(desk.engine) as session:
        with pytest.raises(PermissionDenied, match="CAN_READ"):
            read_registered_model(session, STRANGER, "m")
        with pytest.raises(PermissionDenied, match="CAN_EDIT"):
            update_registered_model(session, STRANGER, "m", description="")
        with pytest.raises(PermissionDenied, match="CAN_MANAGE"):
            delete_registered_model(session, STRANGER, "m", lifecycle=desk.lifecycle)
        page = search_registered_models(session, STRANGER, Search([], REGISTERED_MODEL_TIES, 100))

    assert page.rows == []


def test_anybody_may_create_a_model(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        model = create_registered_model(session, STRANGER, "mine")

    assert model.created_by == "stranger"
