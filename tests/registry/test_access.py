"""Who may do what with which model, however they came by it."""

from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from modelyard.database.session import autocommit, reading, transaction
from modelyard.database.tables import RegisteredModel, metadata
from modelyard.errors import PermissionDenied
from modelyard.registry import access, authentication
from modelyard.registry.access import Actor
from modelyard.registry.authentication import MUCH
from modelyard.registry.pages import Search
from modelyard.registry.permissions import WantedLevel, set_permissions, update_permissions
from modelyard.registry.registered_models import create_registered_model, find_registered_model
from modelyard.registry.searches import list_registered_models
from modelyard.rules.ordering import REGISTERED_MODEL_TIES
from modelyard.rules.permissions import Ability, Level
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope, TokenLimits
from tests.registry.desks import CONSOLE, Desk

USER, GROUP = PrincipalKind.USER, PrincipalKind.GROUP


def grant(desk: Desk, kind: PrincipalKind, name: str, level: Level, on: str = "m") -> None:
    with transaction(desk.engine) as session:
        object_id = "root" if on == "root" else find_registered_model(session, on).public_id
        update_permissions(session, CONSOLE, object_id, [WantedLevel(kind, name, level)])


def level(desk: Desk, actor: Actor, model: str = "m") -> Level | None:
    with reading(desk.engine) as session:
        return access.level_of(session, actor, find_registered_model(session, model))


def seen(desk: Desk, actor: Actor, behind: str | None = None) -> list[str]:
    last = [behind] if behind else None
    with autocommit(desk.engine) as connection:
        page = list_registered_models(connection, actor, Search([], REGISTERED_MODEL_TIES, 100, last))
    return [model.name for model in page.rows]


def limited(actor: Actor, **limits: object) -> Actor:
    return replace(actor, limits=TokenLimits(**limits))  # type: ignore[arg-type]


def test_whoever_makes_a_model_manages_it_and_nobody_else_sees_it(desk: Desk) -> None:
    ann, bob = desk.user("ann"), desk.user("bob")

    with transaction(desk.engine) as session:
        create_registered_model(session, ann, "m")

    assert (level(desk, ann), level(desk, bob)) == (Level.CAN_MANAGE, None)
    assert (seen(desk, ann), seen(desk, bob)) == (["m"], [])


@pytest.mark.parametrize(
    ("kind", "holder", "on"), [(USER, "bob", "m"), (GROUP, "team", "m"), (USER, "bob", "root"), (GROUP, "team", "root")]
)
def test_a_level_counts_however_it_is_held(desk: Desk, kind: PrincipalKind, holder: str, on: str) -> None:
    bob = desk.user("bob", "team")
    desk.model()

    grant(desk, kind, holder, Level.CAN_EDIT, on)

    assert level(desk, bob) is Level.CAN_EDIT
    assert seen(desk, desk.actor("bob")) == ["m"]


def test_what_was_lost_on_the_root_is_lost(desk: Desk) -> None:
    bob = desk.user("bob")
    desk.model()
    grant(desk, USER, "bob", Level.CAN_EDIT, "root")
    assert (level(desk, bob), desk.actor("bob").on_root) == (Level.CAN_EDIT, True)

    with transaction(desk.engine) as session:
        set_permissions(session, CONSOLE, "root", [WantedLevel(GROUP, "admins", Level.CAN_MANAGE)])

    assert (level(desk, bob), seen(desk, desk.actor("bob"))) == (None, [])


def test_whoever_holds_much_is_answered_in_another_way_with_the_same(desk: Desk) -> None:
    bob = desk.user("bob", "team")
    rows = [
        {"public_id": f"{number:032x}", "name": f"m{number:03}", "description": "", "created_by": "ann"}
        for number in range(MUCH + 50)
    ]
    with transaction(desk.engine) as session:
        models = metadata.tables["registered_models"]
        session.execute(insert(models), rows)
        granted = session.scalars(select(models.c.id).order_by(models.c.name).limit(MUCH)).all()
        held = [
            {"model_id": row, "principal_id": bob.principals[place % 2], "level": Level.CAN_READ}
            for place, row in enumerate(granted)
        ]
        session.execute(insert(metadata.tables["grants"]), held)

    much = desk.actor("bob")

    assert (bob.holds_much, much.holds_much) == (False, True)
    assert seen(desk, much) == seen(desk, bob) == [f"m{number:03}" for number in range(100)]
    assert seen(desk, much, behind="m150") == seen(desk, bob, behind="m150") == [f"m{n:03}" for n in range(151, MUCH)]


def test_of_several_levels_the_highest_counts(desk: Desk) -> None:
    bob = desk.user("bob", "team")
    desk.model()

    grant(desk, USER, "bob", Level.CAN_READ)
    grant(desk, GROUP, "team", Level.CAN_MANAGE_STAGING_VERSIONS)
    grant(desk, GROUP, "team", Level.CAN_EDIT, "root")

    assert level(desk, bob) is Level.CAN_MANAGE_STAGING_VERSIONS


def test_administrators_manage_every_model(desk: Desk) -> None:
    ann = desk.user("ann", "admins")
    desk.model()

    assert level(desk, ann) is Level.CAN_MANAGE
    assert seen(desk, ann) == ["m"]


def test_a_level_on_one_model_shows_no_other(desk: Desk) -> None:
    bob = desk.user("bob")
    for name in ("a", "b", "c"):
        desk.model(name)

    grant(desk, USER, "bob", Level.CAN_READ, "b")

    assert seen(desk, bob) == ["b"]
    with reading(desk.engine) as session, pytest.raises(PermissionDenied, match="no permission"):
        access.require(session, bob, find_registered_model(session, "a"), Ability.VIEW)


def test_a_refusal_says_what_is_held_and_what_is_needed(desk: Desk) -> None:
    bob = desk.user("bob")
    desk.model()
    grant(desk, USER, "bob", Level.CAN_EDIT)

    with reading(desk.engine) as session, pytest.raises(PermissionDenied) as refused:
        access.require(session, bob, find_registered_model(session, "m"), Ability.RENAME)

    assert refused.value.message == (
        "bob has CAN_EDIT on the model 'm'; to rename the model takes CAN_MANAGE. Ask somebody with CAN_MANAGE."
    )


@pytest.mark.parametrize("administrator", [True, False])
def test_a_token_for_some_models_shows_no_others(desk: Desk, administrator: bool) -> None:
    bob = desk.user("bob", *(["admins"] if administrator else []))
    for name in ("a", "b"):
        desk.model(name)
        grant(desk, USER, "bob", Level.CAN_MANAGE, name)
    actor = limited(bob, models=frozenset({"b", "later"}))

    assert seen(desk, actor) == ["b"]
    assert (level(desk, actor, "a"), level(desk, actor, "b")) == (None, Level.CAN_MANAGE)
    with transaction(desk.engine) as session:
        create_registered_model(session, actor, "later")
        with pytest.raises(PermissionDenied, match="limited to other models"):
            create_registered_model(session, actor, "other")


@pytest.mark.parametrize("administrator", [True, False])
def test_a_token_for_reading_reads(desk: Desk, administrator: bool) -> None:
    bob = desk.user("bob", *(["admins"] if administrator else []))
    desk.model()
    grant(desk, USER, "bob", Level.CAN_MANAGE)
    actor = limited(bob, scope=Scope.READ)

    assert level(desk, actor) is Level.CAN_READ
    with reading(desk.engine) as session:
        model = find_registered_model(session, "m")
        access.require(session, actor, model, Ability.VIEW)
        for ability in set(Ability) - {Ability.VIEW}:
            with pytest.raises(PermissionDenied, match="scope read"):
                access.require(session, actor, model, ability)


def test_a_token_below_production_moves_nothing_into_or_out_of_it(desk: Desk) -> None:
    ann = limited(desk.user("ann", "admins"), highest_stage=Stage.STAGING)
    desk.model()

    with reading(desk.engine) as session:
        model = find_registered_model(session, "m")
        access.require_transition(session, ann, model, from_stage=Stage.NONE, to_stage=Stage.STAGING)
        for stages in ({"from_stage": Stage.STAGING, "to_stage": Stage.PRODUCTION},
                       {"from_stage": Stage.PRODUCTION, "to_stage": Stage.ARCHIVED}):  # fmt: skip
            assert not access.may_transition(ann, Level.CAN_MANAGE, **stages)
            with pytest.raises(PermissionDenied, match="up to Staging"):
                access.require_transition(session, ann, model, **stages)


def test_a_list_is_one_statement_and_finds_what_is_held_by_an_index(desk: Desk) -> None:
    bob = desk.user("bob", "team", "crew")
    desk.model()
    with desk.engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if not on_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")
        statement = select(RegisteredModel.name).where(access.visible(bob))
        compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
        plan = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' * on_sqlite}{compiled}").fetchall()

    told = str(plan)
    assert "grants" in told
    assert "SCAN grants" not in told
    assert "Seq Scan on grants" not in told


def test_whoever_holds_much_need_not_hold_most(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "MUCH", 3)
    for number in range(10):
        desk.model(f"m{number}")

    seen = [desk.grant("bob", Level.CAN_READ, on=f"m{number}") for number in range(5)]

    assert [actor.holds_much for actor in seen] == [False, False, True, True, True]
    assert [actor.holds_most for actor in seen] == [False, False, False, False, True]
