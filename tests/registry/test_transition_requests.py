"""Transition requests as use-cases."""

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.database.session import transaction
from modelyard.database.tables import Activity
from modelyard.errors import InvalidState, InvalidValue, ModelyardError, NotFound, PermissionDenied
from modelyard.registry import open_requests
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.transition_requests import (
    approve_transition_request,
    cancel_transition_request,
    create_transition_request,
    reject_transition_request,
)
from modelyard.rules.permissions import Level
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, CONSOLE, STRANGER, Desk

PRODUCTION, STAGING, ARCHIVED = Stage.PRODUCTION, Stage.STAGING, Stage.ARCHIVED


def wish(desk: Desk, actor: Actor, to: Stage = PRODUCTION, *, number: int = 1, comment: str = "") -> Activity:
    with transaction(desk.engine) as session:
        return create_transition_request(session, actor, "m", number, to=to, comment=comment)


def approve(
    desk: Desk, actor: Actor, to: Stage = PRODUCTION, *, number: int = 1, archive: bool = False, comment: str = ""
) -> Activity:
    with transaction(desk.engine) as session:
        return approve_transition_request(
            session, actor, "m", number, to=to, archive_existing=archive, comment=comment, queue=desk.queue
        )


def reject(desk: Desk, actor: Actor, to: Stage = PRODUCTION, *, number: int = 1, comment: str = "") -> Activity:
    with transaction(desk.engine) as session:
        return reject_transition_request(session, actor, "m", number, to=to, comment=comment)


def cancel(
    desk: Desk, actor: Actor, creator: str, to: Stage = PRODUCTION, *, number: int = 1, comment: str = ""
) -> Activity:
    with transaction(desk.engine) as session:
        return cancel_transition_request(session, actor, "m", number, to=to, creator=creator, comment=comment)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A model with one READY version, and people of every level."""
    desk.model()
    desk.ready()
    return desk


@pytest.fixture
def bob(desk: Desk) -> Actor:
    """Somebody who may only read."""
    return desk.grant("bob", Level.CAN_READ)


def steps(desk: Desk) -> list[tuple[str, str]]:
    """Who did what with the version, since it was registered."""
    return [(one.actor, one.activity_type) for one in desk.activities() if "REQUEST" in one.activity_type]


def test_a_reader_asks_and_is_told_that_it_is_open(desk: Desk, bob: Actor) -> None:
    asked = wish(desk, bob, comment="please")

    assert (asked.activity_type, asked.from_stage, asked.to_stage) == ("REQUESTED_TRANSITION", "None", "Production")
    assert (asked.comment, asked.actor, asked.created_at_ms) == ("please", "bob", asked.updated_at_ms)
    assert desk.open_requests() == [("bob", "Production")]
    assert desk.followers() == ["bob"]
    event = desk.events()[-1]
    assert (event.event, event.actor) == ("TRANSITION_REQUEST_CREATED", "bob")
    assert event.payload == {
        "model_name": "m",
        "version": "1",
        "from_stage": "None",
        "to_stage": "Production",
        "comment": "please",
    }
    assert desk.stages() == {1: "None"}


def test_asking_again_gives_the_request_that_is_open(desk: Desk, bob: Actor) -> None:
    first, second = wish(desk, bob, comment="please"), wish(desk, bob, comment="PLEASE")

    assert second.id == first.id
    assert second.comment == "please"
    assert [event.event for event in desk.events()].count("TRANSITION_REQUEST_CREATED") == 1


def test_after_an_answer_one_may_ask_again(desk: Desk, bob: Actor) -> None:
    first = wish(desk, bob)
    reject(desk, ANN)

    assert wish(desk, bob).id != first.id


@pytest.mark.shows("approve")
def test_approval_moves_the_version_and_leaves_one_activity(desk: Desk, bob: Actor) -> None:
    wish(desk, bob)

    approval = approve(desk, ANN, comment="well done")

    assert desk.stages() == {1: "Production"}
    assert desk.open_requests() == []
    assert (approval.activity_type, approval.actor) == ("APPROVED_REQUEST", "ann")
    assert (approval.from_stage, approval.to_stage, approval.comment) == ("None", "Production", "well done")
    assert approval.system_comment == ""
    assert steps(desk) == [("bob", "REQUESTED_TRANSITION"), ("ann", "APPROVED_REQUEST")]
    assert desk.followers() == ["ann", "bob"]
    moved = desk.events()[-1]
    assert (moved.event, moved.payload["to_stage"]) == ("MODEL_VERSION_TRANSITIONED_STAGE", "Production")


@pytest.mark.shows("approve")
def test_one_answer_closes_everybodys_requests_for_the_same(desk: Desk, bob: Actor) -> None:
    eve = desk.grant("eve", Level.CAN_READ)
    wish(desk, bob)
    wish(desk, eve)
    wish(desk, eve, STAGING)

    approval = approve(desk, ANN)

    assert approval.system_comment == "Closed 2 requests."
    assert desk.open_requests() == [("eve", "Staging")]


@pytest.mark.shows("reject")
def test_rejection_closes_everybodys_requests_and_moves_nothing(desk: Desk, bob: Actor) -> None:
    eve = desk.grant("eve", Level.CAN_READ)
    wish(desk, bob)
    wish(desk, eve)

    rejection = reject(desk, ANN, comment="not yet")

    assert (rejection.activity_type, rejection.comment) == ("REJECTED_REQUEST", "not yet")
    assert rejection.system_comment == "Closed 2 requests."
    assert desk.open_requests() == []
    assert desk.stages() == {1: "None"}


@pytest.mark.shows("creator-cancels")
def test_cancelling_closes_ones_own_request_and_no_other(desk: Desk, bob: Actor) -> None:
    eve = desk.grant("eve", Level.CAN_READ)
    wish(desk, bob)
    wish(desk, eve)

    step = cancel(desk, bob, "BOB", comment="never mind")

    assert (step.activity_type, step.actor, step.comment) == ("CANCELLED_REQUEST", "bob", "never mind")
    assert desk.open_requests() == [("eve", "Production")]


@pytest.mark.shows("cancel")
def test_who_manages_the_model_cancels_for_others(desk: Desk, bob: Actor) -> None:
    wish(desk, bob)

    cancel(desk, ANN, "bob")

    assert desk.open_requests() == []
    assert steps(desk)[-1] == ("ann", "CANCELLED_REQUEST")


def test_a_direct_move_fulfils_what_was_asked(desk: Desk, bob: Actor) -> None:
    wish(desk, bob)
    wish(desk, bob, STAGING)

    desk.move("m", 1, PRODUCTION)

    applied = desk.activities()[-1]
    assert (applied.activity_type, applied.system_comment) == (
        "APPLIED_TRANSITION",
        "Approved 1 open request for this stage.",
    )
    assert desk.open_requests() == [("bob", "Staging")]


def test_requests_to_archive_are_fulfilled_when_a_promotion_archives(desk: Desk, bob: Actor) -> None:
    desk.move("m", 1, PRODUCTION)
    desk.ready()
    wish(desk, bob, ARCHIVED, number=1)
    wish(desk, bob, PRODUCTION, number=2)

    approve(desk, ANN, number=2, archive=True)

    assert desk.stages() == {1: "Archived", 2: "Production"}
    assert desk.open_requests(number=1) == []
    assert desk.jobs()[-1].arguments == {"versions": [1], "from_stage": "Production", "promoted": 2}


def test_so_are_those_of_a_few_among_many_that_step_aside(
    desk: Desk, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_requests, "_MANY", 2)
    desk.model("other")
    desk.ready("other", stage=PRODUCTION)
    for _ in range(4):
        desk.ready(stage=PRODUCTION)
    with transaction(desk.engine) as session:
        create_transition_request(session, ANN, "other", 1, to=ARCHIVED)
    for number in (3, 5):
        wish(desk, bob, ARCHIVED, number=number)
    wish(desk, bob, STAGING, number=4)

    desk.move("m", 1, PRODUCTION, archive_existing=True)

    assert set(desk.stages().values()) == {"Production", "Archived"}
    assert desk.open_requests(number=3) == desk.open_requests(number=5) == []
    assert desk.open_requests(number=4) == [("bob", "Staging")]
    assert desk.open_requests("other") == [(ANN.name, "Archived")]


def test_a_move_to_the_stage_that_it_is_in_records_nothing(desk: Desk) -> None:
    desk.move("m", 1, PRODUCTION)
    before = (len(desk.activities()), len(desk.events()), len(desk.audit()))

    desk.move("m", 1, PRODUCTION)

    assert (len(desk.activities()), len(desk.events()), len(desk.audit())) == before


@pytest.mark.shows("approve", "reject")
@pytest.mark.parametrize(
    ("level", "from_stage", "to", "allowed"),
    [
        (Level.CAN_EDIT, Stage.NONE, STAGING, False),
        (Level.CAN_MANAGE_STAGING_VERSIONS, Stage.NONE, STAGING, True),
        (Level.CAN_MANAGE_STAGING_VERSIONS, STAGING, ARCHIVED, True),
        (Level.CAN_MANAGE_STAGING_VERSIONS, STAGING, PRODUCTION, False),
        (Level.CAN_MANAGE_STAGING_VERSIONS, PRODUCTION, ARCHIVED, False),
        (Level.CAN_MANAGE_PRODUCTION_VERSIONS, STAGING, PRODUCTION, True),
        (Level.CAN_MANAGE_PRODUCTION_VERSIONS, PRODUCTION, ARCHIVED, True),
        (Level.CAN_MANAGE, Stage.NONE, PRODUCTION, True),
    ],
)
@pytest.mark.parametrize("answer", [approve, reject])
def test_who_may_answer(
    desk: Desk, bob: Actor, answer: Callable[..., Any], level: Level, from_stage: Stage, to: Stage, allowed: bool
) -> None:
    if from_stage is not Stage.NONE:
        desk.move("m", 1, from_stage)
    wish(desk, bob, to)
    eve = desk.grant("eve", level)

    if allowed:
        answer(desk, eve, to)
    else:
        with pytest.raises(PermissionDenied):
            answer(desk, eve, to)

    assert (desk.open_requests() == []) is allowed


@pytest.mark.shows("cancel")
def test_only_its_creator_and_managers_cancel_a_request(desk: Desk, bob: Actor) -> None:
    wish(desk, bob)
    eve = desk.grant("eve", Level.CAN_MANAGE_PRODUCTION_VERSIONS)

    with pytest.raises(PermissionDenied, match="cancel somebody else's"):
        cancel(desk, eve, "bob")

    assert desk.open_requests() == [("bob", "Production")]


NOT_READY = "pending"


@pytest.mark.parametrize(
    ("use_case", "error"),
    [
        (lambda desk, bob: wish(desk, STRANGER), PermissionDenied),
        (lambda desk, bob: wish(desk, bob, Stage.NONE), InvalidValue),
        (lambda desk, bob: wish(desk, bob, comment="x" * 65_536), InvalidValue),
        (lambda desk, bob: wish(desk, bob, number=9), NotFound),
        (lambda desk, bob: wish(desk, bob, number=2), InvalidState),
        (lambda desk, bob: approve(desk, ANN), NotFound),
        (lambda desk, bob: approve(desk, ANN, number=9), NotFound),
        (lambda desk, bob: approve(desk, ANN, number=2), InvalidState),
        (lambda desk, bob: approve(desk, ANN, ARCHIVED, archive=True), InvalidValue),
        (lambda desk, bob: reject(desk, ANN), NotFound),
        (lambda desk, bob: cancel(desk, bob, "bob"), NotFound),
        (lambda desk, bob: cancel(desk, ANN, "nobody"), NotFound),
    ],
    ids=[
        "stranger",
        "current stage",
        "long comment",
        "no version",
        "not ready",
        "approve nothing",
        "approve no version",
        "approve not ready",
        "archive for Archived",
        "reject nothing",
        "cancel nothing",
        "cancel nobody's",
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(
    desk: Desk, bob: Actor, use_case: Callable[[Desk, Actor], object], error: type[ModelyardError]
) -> None:
    desk.pending()
    before = (len(desk.activities()), len(desk.events()), len(desk.audit()), desk.stages())

    with pytest.raises(error):
        use_case(desk, bob)

    assert (len(desk.activities()), len(desk.events()), len(desk.audit()), desk.stages()) == before


def test_an_answer_comes_once(desk: Desk, bob: Actor) -> None:
    wish(desk, bob)
    approve(desk, ANN)

    for late in (lambda: approve(desk, ANN), lambda: reject(desk, ANN), lambda: cancel(desk, bob, "bob")):
        with pytest.raises(NotFound):
            late()


def test_requests_go_with_their_version(desk: Desk, bob: Actor) -> None:
    wish(desk, bob)
    with transaction(desk.engine) as session:
        delete_model_version(session, CONSOLE, "m", 1, lifecycle=desk.lifecycle)

    with pytest.raises(NotFound):
        approve(desk, ANN)


def test_each_step_stands_in_the_audit_log_with_stages_before_and_after(desk: Desk, bob: Actor) -> None:
    wish(desk, bob, comment="please")
    approve(desk, ANN)
    desk.move("m", 1, ARCHIVED)

    told = [(one.actor, one.action, one.before, one.after) for one in desk.audit()][-3:]

    assert told == [
        ("bob", "createTransitionRequest", None, {"to_stage": "Production", "comment": "please"}),
        (
            "ann",
            "approveTransitionRequest",
            {"stage": "None"},
            {"stage": "Production", "archived": [], "comment": "", "requests": 1},
        ),
        (
            "ann",
            "transitionModelVersionStage",
            {"stage": "Production"},
            {"stage": "Archived", "archived": [], "comment": ""},
        ),
    ]
