"""Tokens as use-cases, and the way from a token to an actor."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from modelyard.database.session import autocommit, reading, transaction
from modelyard.errors import InvalidState, NotFound, PermissionDenied, Unauthorized
from modelyard.registry.access import Actor
from modelyard.registry.authentication import actor_of_token, note_use
from modelyard.registry.overview import navigation_counts
from modelyard.registry.principals import find_principal, require_account
from modelyard.registry.tokens import (
    create_token,
    expiring_tokens,
    find_token,
    list_tokens,
    revoke_token,
    tokens_seen_by,
)
from modelyard.registry.users import delete_principal, set_active
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import UNLIMITED, Scope, TokenLimits, public_id_of, write_token
from tests.registry.desks import CONSOLE, Desk

DAY_S = 24 * 3600
NARROW = TokenLimits(Scope.WRITE, frozenset({"m"}), Stage.STAGING)


def make(
    desk: Desk, owner: str = "bob", limits: TokenLimits = UNLIMITED, *, actor: Actor = CONSOLE, days: int = 1
) -> str:
    with transaction(desk.engine) as session:
        _, text = create_token(session, actor, require_account(session, owner), limits, lifetime_s=days * DAY_S)
    return text


def opens(desk: Desk, text: str) -> Actor:
    with reading(desk.engine) as session:
        return actor_of_token(session, text)


def test_a_token_is_its_owner_with_the_tokens_limits(desk: Desk) -> None:
    bob = desk.user("bob", "team", "admins")

    actor = opens(desk, make(desk, limits=NARROW))

    assert (actor.name, actor.is_admin, actor.principals) == ("bob", True, bob.principals)
    assert actor.limits == NARROW


def test_the_database_keeps_no_token(desk: Desk) -> None:
    desk.user("bob")
    text = make(desk)

    with reading(desk.engine) as session:
        ((token, owner),) = list_tokens(session)

    assert (token.public_id, owner.name) == (public_id_of(text), "bob")
    assert text not in str(token) + str(desk.audit())
    assert text.split("_", 2)[2] not in str(token) + str([entry.after for entry in desk.audit()])


def test_no_two_tokens_are_alike(desk: Desk) -> None:
    desk.user("bob")

    assert len({make(desk) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "dapi" + "0" * 32,
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:21] + text[21:].swapcase(),
        lambda text: write_token("0" * 16, text[21:]),
        lambda text: text + "x",
    ],
    ids=["empty", "foreign", "last letter", "case", "unknown id", "longer"],
)
def test_a_self_made_token_opens_nothing(desk: Desk, spoil: Callable[[str], str]) -> None:
    desk.user("bob")
    text = make(desk)

    with pytest.raises(Unauthorized, match="not known"):
        opens(desk, spoil(text))


def test_a_wrong_token_costs_the_same_statements_whatever_is_right_about_it(desk: Desk) -> None:
    desk.user("bob")
    text = make(desk)
    guesses = [write_token("0" * 16, text[21:]), text[:-1] + ("A" if text[-1] != "A" else "B")]
    statements: list[str] = []
    event.listen(desk.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    for guess in guesses:
        with pytest.raises(Unauthorized):
            opens(desk, guess)

    asked = [statement for statement in statements if "tokens" in statement]
    assert len(asked) == 2
    assert asked[0] == asked[1]


def test_a_token_ends(desk: Desk, set_clock: Callable[[int], None]) -> None:
    desk.user("bob")
    text = make(desk, days=2)

    set_clock((2 * DAY_S - 60) * 1000)
    assert opens(desk, text).name == "bob"
    set_clock((2 * DAY_S + 60) * 1000)

    with pytest.raises(Unauthorized, match="expired"):
        opens(desk, text)
    with reading(desk.engine) as session:
        assert list_tokens(session) == []


def test_a_revoked_token_opens_nothing_and_may_be_revoked_again(desk: Desk) -> None:
    bob = desk.user("bob")
    text = make(desk)

    for _ in range(2):
        with transaction(desk.engine) as session:
            revoke_token(session, bob, public_id_of(text) or "")

    with pytest.raises(Unauthorized, match="revoked"):
        opens(desk, text)
    assert [entry.action for entry in desk.audit()].count("revokeToken") == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda session, bob: set_active(session, CONSOLE, bob, active=False), "disabled"),
        (lambda session, bob: delete_principal(session, CONSOLE, bob), "revoked"),
    ],
)
def test_a_token_goes_with_its_owner(desk: Desk, change: Callable, reason: str) -> None:
    desk.user("bob")
    text = make(desk)

    with transaction(desk.engine) as session:
        change(session, require_account(session, "bob"))

    with pytest.raises(Unauthorized, match=reason):
        opens(desk, text)


def test_whoever_comes_back_needs_a_new_token(desk: Desk) -> None:
    desk.user("bob")
    text = make(desk)
    with transaction(desk.engine) as session:
        delete_principal(session, CONSOLE, require_account(session, "bob"))

    desk.user("bob")

    with pytest.raises(Unauthorized, match="revoked"):
        opens(desk, text)


def test_people_make_their_own_tokens_and_administrators_everybodys(desk: Desk) -> None:
    ann, bob = desk.user("ann", "admins"), desk.user("bob")

    assert opens(desk, make(desk, "bob", actor=bob)).name == "bob"
    assert opens(desk, make(desk, "bob", actor=ann)).name == "bob"
    with pytest.raises(PermissionDenied, match="administrator"):
        make(desk, "ann", actor=bob)


def test_a_token_makes_none_that_reaches_further(desk: Desk) -> None:
    desk.user("bob")
    limited = opens(desk, make(desk, limits=NARROW))

    assert opens(desk, make(desk, limits=NARROW, actor=limited)).limits == NARROW
    with pytest.raises(PermissionDenied, match="reaches further"):
        make(desk, actor=limited)


def test_a_token_that_may_only_read_makes_none(desk: Desk) -> None:
    desk.user("bob")
    reader = opens(desk, make(desk, limits=TokenLimits(Scope.READ)))

    with pytest.raises(PermissionDenied, match="scope"):
        make(desk, limits=TokenLimits(Scope.READ), actor=reader)


def test_the_registrys_own_users_have_no_tokens(desk: Desk) -> None:
    with pytest.raises(InvalidState, match="Create a user"):
        make(desk, "admin")


def test_others_learn_nothing_of_a_token(desk: Desk) -> None:
    desk.user("ann", "admins")
    bob, eve = desk.user("bob"), desk.user("eve")
    public_id = public_id_of(make(desk, "bob")) or ""

    with transaction(desk.engine) as session:
        assert find_token(session, bob, public_id)[1].name == "bob"
        assert len(tokens_seen_by(session, desk.actor("ann"), None)) == 1
        with pytest.raises(NotFound):
            find_token(session, eve, public_id)
        with pytest.raises(NotFound):
            revoke_token(session, eve, public_id)
        with pytest.raises(PermissionDenied):
            tokens_seen_by(session, eve, None)
        with pytest.raises(PermissionDenied):
            tokens_seen_by(session, eve, find_principal(session, PrincipalKind.USER, "bob"))


def test_the_last_use_is_written_once_an_hour(desk: Desk, set_clock: Callable[[int], None]) -> None:
    desk.user("bob")
    public_id = public_id_of(make(desk)) or ""

    def use_after(minutes: int) -> int | None:
        set_clock(minutes * 60_000)
        with transaction(desk.engine) as session:
            note_use(session, public_id)
        with reading(desk.engine) as session:
            return list_tokens(session)[0][0].last_used_at_ms

    first, second, third = use_after(0), use_after(59), use_after(61)

    assert first is not None
    assert second == first
    assert third is not None
    assert third > first


@pytest.mark.parametrize(
    ("made_for_days", "passed_days", "told"),
    [(30, 22, False), (30, 24, True), (30, 31, False), (15, 9, True), (14, 9, False), (1, 0, False)],
)
def test_a_token_is_told_of_in_its_last_week_unless_it_was_made_for_a_fortnight(
    desk: Desk, set_clock: Callable[[int], None], made_for_days: int, passed_days: int, told: bool
) -> None:
    bob = desk.user("bob")
    text = make(desk, days=made_for_days)

    set_clock(passed_days * DAY_S * 1000)

    with reading(desk.engine) as session:
        found = expiring_tokens(session)
        owned = expiring_tokens(session, owner_id=bob.principals[0])
        others = expiring_tokens(session, owner_id=bob.principals[0] + 1)
    assert [(token.public_id, owner.name) for token, owner in found] == [(public_id_of(text), "bob")] * told
    assert [token.public_id for token, _ in owned] == [public_id_of(text)] * told
    assert others == []
    with autocommit(desk.engine) as connection:
        assert navigation_counts(connection, bob).tokens == told


def test_nobody_is_told_of_a_token_that_opens_nothing(desk: Desk, set_clock: Callable[[int], None]) -> None:
    desk.user("ann")
    desk.user("bob")
    make(desk, "bob", days=30)
    revoked = make(desk, "ann", days=30)
    with transaction(desk.engine) as session:
        revoke_token(session, CONSOLE, public_id_of(revoked) or "")
        set_active(session, CONSOLE, require_account(session, "bob"), active=False)

    set_clock(25 * DAY_S * 1000)

    with reading(desk.engine) as session:
        assert expiring_tokens(session) == []
