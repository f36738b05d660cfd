"""Users, service principals and groups as use-cases."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from sqlmodel import Session

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Principal
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue, ModelyardError, NotFound, PermissionDenied
from modelyard.registry.access import Actor
from modelyard.registry.authentication import actor_of_name
from modelyard.registry.groups import (
    add_members,
    create_group,
    delete_group,
    find_group,
    members_of,
    remove_members,
    rename_group,
)
from modelyard.registry.principals import ADMINS_ID, find_principal, list_principals, principal_of_row, require_account
from modelyard.registry.users import create_service_principal, create_user, delete_principal, set_active
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.tokens import Scope, TokenLimits
from tests.registry.desks import CONSOLE, Desk

APPLICATION = "f37d18cd-98a8-4db5-8112-12dd0a6bfe38"


def act(desk: Desk, use_case: Callable[[Session], object]) -> object:
    with transaction(desk.engine) as session:
        return use_case(session)


def test_a_user_is_found_in_any_letter_case(desk: Desk) -> None:
    created = desk.user("Ann@Example.com")

    with reading(desk.engine) as session:
        assert require_account(session, "ANN@example.COM").name == created.name == "ann@example.com"
        assert find_principal(session, PrincipalKind.GROUP, "ann@example.com") is None


def test_groups_and_administrators_follow_from_membership(desk: Desk) -> None:
    ann, bob = desk.user("ann", "admins"), desk.user("bob", "team")

    assert (ann.is_admin, ann.principals[1:]) == (True, (ADMINS_ID,))
    assert (bob.is_admin, len(bob.principals)) == (False, 2)


@pytest.mark.parametrize("name", ["ann", "ANN"])
def test_a_name_is_given_once(desk: Desk, name: str) -> None:
    desk.user("ann")

    with pytest.raises(AlreadyExists, match="ann"):
        desk.user(name)


def test_of_two_who_enter_the_same_user_at_once_one_wins(desk: Desk) -> None:
    barrier, outcomes = Barrier(2), []

    def enter() -> None:
        barrier.wait()
        try:
            desk.user("ann")
            outcomes.append("entered")
        except AlreadyExists:
            outcomes.append("taken")

    threads = [Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["entered", "taken"]


def test_whoever_is_deleted_loses_everything_and_comes_back_as_the_same(desk: Desk) -> None:
    before = desk.user("bob", "team")

    act(desk, lambda session: delete_principal(session, CONSOLE, require_account(session, "bob")))
    with reading(desk.engine) as session:
        assert actor_of_name(session, "bob") is None
        assert list_principals(session, PrincipalKind.USER) == ([], 0)
    after = desk.user("bob")

    assert after.principals == before.principals[:1]


def test_a_disabled_user_is_not_let_in_until_enabled_again(desk: Desk) -> None:
    desk.user("bob")

    act(desk, lambda session: set_active(session, CONSOLE, require_account(session, "bob"), active=False))
    with reading(desk.engine) as session:
        assert actor_of_name(session, "bob") is None
    act(desk, lambda session: set_active(session, CONSOLE, require_account(session, "bob"), active=True))

    assert desk.actor("bob").name == "bob"


def test_a_group_that_is_deleted_and_made_again_is_empty(desk: Desk) -> None:
    desk.user("bob", "team")

    act(desk, lambda session: delete_group(session, CONSOLE, find_group(session, "Team")))
    with reading(desk.engine) as session, pytest.raises(NotFound):
        find_group(session, "team")
    act(desk, lambda session: create_group(session, CONSOLE, "team"))

    assert len(desk.actor("bob").principals) == 1


def test_a_renamed_group_keeps_its_members(desk: Desk) -> None:
    bob = desk.user("bob", "team")

    act(desk, lambda session: rename_group(session, CONSOLE, find_group(session, "team"), "Crew"))

    with reading(desk.engine) as session:
        assert find_group(session, "crew").id in bob.principals
    assert desk.actor("bob").principals == bob.principals


def test_groups_hold_no_groups(desk: Desk) -> None:
    desk.user("bob", "team", "crew")

    with pytest.raises(InvalidValue, match="Groups hold"):
        act(
            desk,
            lambda session: add_members(session, CONSOLE, find_group(session, "team"), [find_group(session, "crew")]),
        )


def last_administrator(change: Callable[[Session, Principal], object]) -> Callable[[Session], object]:
    return lambda session: change(session, require_account(session, "ann"))


@pytest.mark.parametrize(
    "change",
    [
        lambda session, ann: set_active(session, CONSOLE, ann, active=False),
        lambda session, ann: delete_principal(session, CONSOLE, ann),
        lambda session, ann: remove_members(session, CONSOLE, principal_of_row(session, ADMINS_ID), [ann]),
    ],
    ids=["disable", "delete", "remove"],
)
def test_the_last_administrator_stays(desk: Desk, change: Callable[[Session, Principal], object]) -> None:
    desk.user("ann", "admins")

    with pytest.raises(InvalidState, match="without an administrator"):
        act(desk, last_administrator(change))
    desk.user("bob", "admins")
    act(desk, last_administrator(change))

    assert desk.actor("bob").is_admin


def test_of_two_administrators_who_remove_each_other_at_once_one_stays(desk: Desk) -> None:
    desk.user("ann", "admins")
    desk.user("bob", "admins")
    barrier, refused = Barrier(2), []

    def remove(name: str) -> None:
        barrier.wait()
        try:
            act(desk, lambda session: set_active(session, CONSOLE, require_account(session, name), active=False))
        except InvalidState:
            refused.append(name)

    threads = [Thread(target=remove, args=[name]) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert desk.actor(refused[0]).is_admin


@pytest.mark.parametrize(
    "change",
    [
        lambda session: delete_group(session, CONSOLE, find_group(session, "admins")),
        lambda session: rename_group(session, CONSOLE, find_group(session, "admins"), "root"),
        lambda session: delete_principal(session, CONSOLE, require_account(session, "local")),
        lambda session: set_active(session, CONSOLE, require_account(session, "admin"), active=False),
        lambda session: remove_members(
            session, CONSOLE, find_group(session, "admins"), [require_account(session, "admin")]
        ),
    ],
)
def test_what_the_registry_needs_itself_stays(desk: Desk, change: Callable[[Session], object]) -> None:
    with pytest.raises(InvalidState, match="own"):
        act(desk, change)


@pytest.mark.parametrize(
    "change",
    [
        lambda session, actor: create_user(session, actor, "new"),
        lambda session, actor: create_service_principal(session, actor, APPLICATION),
        lambda session, actor: create_group(session, actor, "new"),
        lambda session, actor: delete_group(session, actor, find_group(session, "team")),
        lambda session, actor: rename_group(session, actor, find_group(session, "team"), "new"),
        lambda session, actor: add_members(session, actor, find_group(session, "team"), []),
        lambda session, actor: remove_members(session, actor, find_group(session, "team"), []),
        lambda session, actor: set_active(session, actor, require_account(session, "bob"), active=False),
        lambda session, actor: delete_principal(session, actor, require_account(session, "bob")),
    ],
)
def test_only_administrators_change_people_and_not_by_every_token(
    desk: Desk, change: Callable[[Session, Actor], object]
) -> None:
    bob = desk.user("bob", "team")
    limited = Actor("ann", is_admin=True, limits=TokenLimits(Scope.WRITE))

    for actor in (bob, limited):
        with transaction(desk.engine) as session, pytest.raises(PermissionDenied):
            change(session, actor)


def test_each_change_of_people_stands_in_the_audit_log(desk: Desk) -> None:
    desk.user("bob", "team")
    act(desk, lambda session: delete_principal(session, CONSOLE, require_account(session, "bob")))

    entries = [(entry.actor, entry.action, entry.principal, entry.after) for entry in desk.audit()]

    assert entries == [
        ("console", "createPrincipal", "user:bob", {"display_name": ""}),
        ("console", "createPrincipal", "group:team", {"name": "team"}),
        ("console", "changeGroupMembers", "group:team", {"members": ["bob"]}),
        ("console", "deletePrincipal", "user:bob", None),
    ]


def test_what_is_refused_leaves_nothing_behind(desk: Desk) -> None:
    bob = desk.user("bob")
    before = len(desk.audit())

    with pytest.raises(ModelyardError):
        act(desk, lambda session: create_user(session, bob, "new"))

    assert len(desk.audit()) == before


def test_members_are_listed_in_the_order_of_their_numbers(desk: Desk) -> None:
    for name in ("zoe", "bob", "ann"):
        desk.user(name, "team")

    with reading(desk.engine) as session:
        group = find_group(session, "team")
        assert [member.name for member in members_of(session, [group.id])[group.id]] == ["zoe", "bob", "ann"]
