"""Comments as use-cases."""

import pytest

from modelyard.database.session import transaction
from modelyard.database.tables import Activity
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.registry.access import Actor
from modelyard.registry.comments import create_comment, delete_comment, update_comment
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.registered_models import delete_registered_model
from modelyard.rules.permissions import Level
from tests.registry.desks import ANN, CONSOLE, STRANGER, Desk


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A model with a version that is not READY yet: one may comment on it all the same."""
    desk.model()
    desk.pending()
    return desk


@pytest.fixture
def bob(desk: Desk) -> Actor:
    """Somebody who may only read."""
    return desk.grant("bob", Level.CAN_READ)


def write(desk: Desk, actor: Actor, text: str = "hello") -> Activity:
    with transaction(desk.engine) as session:
        return create_comment(session, actor, "m", 1, text)


def change(desk: Desk, actor: Actor, comment_id: object, text: str = "hello again") -> Activity:
    with transaction(desk.engine) as session:
        return update_comment(session, actor, str(comment_id), text)


def remove(desk: Desk, actor: Actor, comment_id: object) -> None:
    with transaction(desk.engine) as session:
        delete_comment(session, actor, str(comment_id))


def comments(desk: Desk) -> list[tuple[str, str]]:
    return [(one.actor, one.comment) for one in desk.activities() if one.activity_type == "NEW_COMMENT"]


@pytest.mark.parametrize("text", ["hello", "  <b>&amp;\n\tünïcödé 🙂  ", "x" * 65_535])
def test_a_readers_words_are_kept_verbatim(desk: Desk, bob: Actor, text: str) -> None:
    comment = write(desk, bob, text)

    assert comments(desk) == [("bob", text)]
    assert comment.created_at_ms == comment.updated_at_ms
    assert desk.followers() == ["bob"]
    assert (desk.events()[-1].event, desk.events()[-1].payload["comment"]) == ("COMMENT_CREATED", text)


def test_a_change_shows_in_the_times_alone(desk: Desk, bob: Actor) -> None:
    comment = write(desk, bob)

    changed = change(desk, bob, comment.id)

    assert (changed.id, changed.created_at_ms) == (comment.id, comment.created_at_ms)
    assert changed.updated_at_ms > changed.created_at_ms
    assert comments(desk) == [("bob", "hello again")]


def test_nobody_else_changes_ones_words_and_only_managers_take_them_away(desk: Desk, bob: Actor) -> None:
    comment = write(desk, bob)
    eve = desk.grant("eve", Level.CAN_MANAGE_PRODUCTION_VERSIONS)

    for actor in (eve, ANN):
        with pytest.raises(PermissionDenied, match="only its author"):
            change(desk, actor, comment.id)
    with pytest.raises(PermissionDenied, match="delete somebody else's comment"):
        remove(desk, eve, comment.id)
    remove(desk, ANN, comment.id)

    assert comments(desk) == []


def test_an_author_takes_back_what_was_said_and_the_audit_log_remembers(desk: Desk, bob: Actor) -> None:
    comment = write(desk, bob)

    remove(desk, bob, comment.id)

    assert comments(desk) == []
    entry = desk.audit()[-1]
    assert (entry.action, entry.before) == (
        "deleteComment",
        {"id": str(comment.id), "comment": "hello", "author": "bob"},
    )
    with pytest.raises(NotFound):
        remove(desk, bob, comment.id)


def test_an_author_who_lost_the_model_lost_the_comment(desk: Desk, bob: Actor) -> None:
    comment = write(desk, bob)
    stripped = Actor("bob")

    for late in (change, remove):
        with pytest.raises(PermissionDenied):
            late(desk, stripped, comment.id)


@pytest.mark.parametrize("text", ["", "x" * 65_536])
def test_a_comment_says_something_and_not_too_much(desk: Desk, bob: Actor, text: str) -> None:
    comment = write(desk, bob)

    with pytest.raises(InvalidValue):
        write(desk, bob, text)
    with pytest.raises(InvalidValue):
        change(desk, bob, comment.id, text)


@pytest.mark.parametrize("comment_id", ["", "0", "999", "-1", "x", "1.0", "9" * 40, "٣"])
def test_an_unknown_id_is_no_comment(desk: Desk, bob: Actor, comment_id: str) -> None:
    for late in (change, remove):
        with pytest.raises(NotFound):
            late(desk, bob, comment_id)


def test_other_activities_are_no_comments(desk: Desk) -> None:
    activity = desk.activities()[0]

    for late in (change, remove):
        with pytest.raises(NotFound):
            late(desk, ANN, activity.id)


@pytest.mark.parametrize("whole_model", [True, False])
def test_comments_go_with_their_version(desk: Desk, bob: Actor, whole_model: bool) -> None:
    desk.ready()
    with transaction(desk.engine) as session:
        comment = create_comment(session, bob, "m", 2, "hello")
    with transaction(desk.engine) as session:
        if whole_model:
            delete_registered_model(session, CONSOLE, "m", lifecycle=desk.lifecycle)
        else:
            delete_model_version(session, CONSOLE, "m", 2, lifecycle=desk.lifecycle)

    with pytest.raises(NotFound):
        change(desk, bob, comment.id)


def test_a_stranger_says_nothing(desk: Desk) -> None:
    with pytest.raises(PermissionDenied):
        write(desk, STRANGER)
