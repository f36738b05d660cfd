"""Registered models as use-cases."""

import re
from threading import Barrier, Thread

import pytest
from sqlmodel import select

from modelyard.database.session import reading, transaction
from modelyard.database.tables import FormerName, RegisteredModel
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue, NotFound, PermissionDenied
from modelyard.registry import queries
from modelyard.registry.registered_models import (
    create_registered_model,
    delete_registered_model,
    find_registered_model,
    read_registered_model,
    rename_registered_model,
    update_registered_model,
)
from modelyard.registry.tags import set_registered_model_tag
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, STRANGER, Desk

PROMPT = [("mlflow.prompt.is_prompt", "true")]


def test_a_new_model_was_last_changed_when_it_was_created(desk: Desk) -> None:
    model = desk.model(description="d", tags=[("b", "1"), ("a", "2")])

    with reading(desk.engine) as session:
        found = read_registered_model(session, ANN, "m")
    shown = desk.ask(queries.registered_model, "m")

    assert (found.public_id, found.description, found.created_by) == (model.public_id, "d", "ann")
    assert found.created_at_ms == found.updated_at_ms
    assert shown.tags == [("b", "1"), ("a", "2")]


@pytest.mark.shows("taken")
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


@pytest.mark.shows("annotate")
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


def rename(desk: Desk, name: str, new_name: str) -> RegisteredModel:
    with transaction(desk.engine) as session:
        return rename_registered_model(session, ANN, name, new_name=new_name)


@pytest.mark.shows("rename")
def test_a_renamed_model_keeps_everything_but_its_name_which_is_free(desk: Desk) -> None:
    before = desk.model("old", tags=[("k", "v")])
    desk.ready("old")

    after = rename(desk, "old", "new")
    desk.model("old")

    assert (after.public_id, after.change_counter > before.change_counter) == (before.public_id, True)
    assert desk.ask(queries.registered_model, "new").tags == [("k", "v")]
    assert desk.ask(queries.model_version, "new", 1).model_name == "new"
    assert desk.ask(queries.registered_model, "old").public_id != before.public_id
    assert desk.activities()[-2].system_comment == "Renamed from 'old' to 'new'."


def test_former_names_are_kept_for_redirects(desk: Desk) -> None:
    model = desk.model("a")
    for name, new_name in (("a", "b"), ("b", "c"), ("c", "c")):
        rename(desk, name, new_name)

    with reading(desk.engine) as session:
        former = session.execute(select(FormerName.model_id, FormerName.name).order_by(FormerName.id)).all()

    assert former == [(model.id, "a"), (model.id, "b")]


@pytest.mark.parametrize(
    ("new_name", "error", "text"),
    [
        ("taken", AlreadyExists, r"\(name=taken\) already exists"),
        ("a/b", InvalidValue, "must not contain"),
        ("", InvalidValue, "cannot be empty"),
        ("x" * 257, InvalidValue, "257 characters"),
    ],
)
def test_a_model_is_not_renamed_to_what_no_model_may_be_called(
    desk: Desk, new_name: str, error: type[Exception], text: str
) -> None:
    desk.model()
    desk.model("taken")

    with pytest.raises(error, match=text):
        rename(desk, "m", new_name)

    assert desk.ask(queries.registered_model, "m").name == "m"


@pytest.mark.shows("rename-unused")
@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_a_model_in_use_is_not_renamed(desk: Desk, stage: Stage) -> None:
    desk.model()
    desk.ready()
    desk.ready(stage=stage)

    with pytest.raises(InvalidState, match=r"\(2\).*before renaming"):
        rename(desk, "m", "n")

    desk.move("m", 2, Stage.ARCHIVED)
    assert rename(desk, "m", "n").name == "n"


@pytest.mark.parametrize(
    ("living", "wanted", "text"),
    [
        ([], [], "Registered Model (name=m) already exists."),
        (PROMPT, PROMPT, "Prompt (name=m) already exists."),
        (PROMPT, [], "Tried to create a registered model with name 'm', but the name is already taken by a prompt."),
        ([], PROMPT, "Tried to create a prompt with name 'm', but the name is already taken by a registered model."),
    ],
)
def test_prompts_and_models_share_their_names(
    desk: Desk, living: list[tuple[str, str]], wanted: list[tuple[str, str]], text: str
) -> None:
    desk.model(tags=living)

    with pytest.raises(AlreadyExists, match=re.escape(text)):
        desk.model(tags=wanted)


def test_deleting_a_model_cancels_what_its_versions_wait_for(desk: Desk) -> None:
    desk.model()
    desk.pending()

    with transaction(desk.engine) as session:
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)

    assert [(job.status, job.cancelled_by) for job in desk.jobs()] == [("CANCELLED", "ann")]
    assert desk.version().status == "FAILED_REGISTRATION"


@pytest.mark.shows("delete-unused")
@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_a_model_in_use_is_not_deleted(desk: Desk, stage: Stage) -> None:
    desk.model()
    desk.ready(stage=stage)

    with transaction(desk.engine) as session, pytest.raises(InvalidState, match=r"\(1\)"):
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)


def test_whoever_has_no_permission_sees_and_changes_nothing(desk: Desk) -> None:
    desk.model()

    with transaction(desk.engine) as session:
        with pytest.raises(PermissionDenied, match="CAN_READ"):
            read_registered_model(session, STRANGER, "m")
        with pytest.raises(PermissionDenied, match="CAN_EDIT"):
            update_registered_model(session, STRANGER, "m", description="")
        with pytest.raises(PermissionDenied, match="CAN_MANAGE"):
            rename_registered_model(session, STRANGER, "m", new_name="n")
        with pytest.raises(PermissionDenied, match="CAN_MANAGE"):
            delete_registered_model(session, STRANGER, "m", lifecycle=desk.lifecycle)


def test_anybody_may_create_a_model(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        model = create_registered_model(session, STRANGER, "mine")

    assert model.created_by == "stranger"


def test_whoever_creates_a_model_may_manage_it_in_the_same_transaction(desk: Desk) -> None:
    bob = desk.user("bob")

    with transaction(desk.engine) as session:
        create_registered_model(session, bob, "mine")
        set_registered_model_tag(session, bob, "mine", "k", "v")
        update_registered_model(session, bob, "mine", description="d")
        delete_registered_model(session, bob, "mine", lifecycle=desk.lifecycle)

    assert desk.activities()[-1].activity_type == "DELETED_MODEL"
