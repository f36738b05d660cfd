"""Reads by people at many rows: whoever holds much, and whoever holds little, pays for an answer and no more.

Costs are counted, not timed (`tests/costs.py`), beside those of an administrator, for whom no permission is looked up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text

from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.registry import queries
from modelyard.registry.access import Actor
from modelyard.registry.authentication import actor_of_name
from modelyard.registry.pages import Search
from modelyard.registry.searches import search_model_versions, search_registered_models
from modelyard.rules.filters import MODEL_VERSIONS, parse_filter
from modelyard.rules.ordering import (
    MODEL_VERSION_DEFAULT,
    MODEL_VERSION_KEYS,
    MODEL_VERSION_TIES,
    REGISTERED_MODEL_TIES,
    parse_order,
)
from tests.costs import Question, cost
from tests.databases import BOTH_DATABASES
from tests.registry.crowds import FEW_VERSIONS
from tests.registry.desks import ANN
from tests.registry.test_plans import FEW, MANY, PAGE, database

GROUPS = range(100, 110)
MUCH_ID, LITTLE_ID = 200, 201
# So many models may `little` read, the same before many versions and before few.
OWN = 20


def models(actor: Actor) -> Question:
    """A page of models."""
    return lambda connection: search_registered_models(connection, actor, Search([], REGISTERED_MODEL_TIES, PAGE))


def versions(actor: Actor, filter_text: str = "") -> Question:
    """A page of versions, last changed first."""
    order = parse_order((), MODEL_VERSION_KEYS, default=MODEL_VERSION_DEFAULT, ties=MODEL_VERSION_TIES)
    wanted = Search(parse_filter(filter_text, MODEL_VERSIONS), order, PAGE)
    return lambda connection: search_model_versions(connection, actor, wanted)


ASKED: dict[str, Callable[[Actor], Question]] = {
    "get a model": lambda actor: lambda connection: queries.registered_model(connection, actor, "m00010"),
    "get a version": lambda actor: lambda connection: queries.model_version(connection, actor, "m00010", 3),
    "latest versions": lambda actor: lambda connection: queries.latest_versions(connection, actor, "m00010"),
    "search models": models,
    "search versions": versions,
    "search by run": lambda actor: versions(actor, "run_id = 'run-777'"),
    "search by tag": lambda actor: versions(actor, "tags.own = 'value-777'"),
    "search by name": lambda actor: versions(actor, "name = 'm00010'"),
}


@dataclass
class Crowd:
    """Many versions, and two people."""

    engine: Engine

    def actor(self, name: str) -> Actor:
        """Return somebody as the door knows them."""
        with autocommit(self.engine) as connection:
            found = actor_of_name(connection, name)
        assert found is not None
        return found


def let_people_in(engine: Engine) -> Crowd:
    """Enter `much`, in ten groups that share all models out among themselves, and `little`, who has a few."""
    ids = {number: ("group", f"group-{number}") for number in GROUPS}
    ids |= {MUCH_ID: ("user", "much"), LITTLE_ID: ("user", "little")}
    principals = [
        {"id": number, "kind": kind, "name": name, "folded": name, "created_by": "test"}
        for number, (kind, name) in ids.items()
    ]
    with engine.begin() as connection:
        rows = connection.scalars(select(metadata.tables["registered_models"].c.id)).all()
        granted: list[dict[str, Any]] = [
            {"model_id": row, "principal_id": GROUPS[place % len(GROUPS)], "level": "CAN_READ"}
            for place, row in enumerate(rows)
        ]
        granted += [{"model_id": row, "principal_id": LITTLE_ID, "level": "CAN_READ"} for row in rows[5 : 5 + OWN]]
        connection.execute(insert(metadata.tables["principals"]), principals)
        connection.execute(
            insert(metadata.tables["group_members"]), [{"group_id": group, "member_id": MUCH_ID} for group in GROUPS]
        )
        connection.execute(insert(metadata.tables["grants"]), granted)
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
    return Crowd(engine)


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Two people before many versions."""
    with database(request.param, MANY, request, tmp_path_factory.mktemp("people")) as engine:
        yield let_people_in(engine)


@pytest.fixture(scope="module")
def handful(crowd: Crowd, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """The same two before few versions."""
    kind = crowd.engine.dialect.name
    with database(kind, FEW, request, tmp_path_factory.mktemp("people-few")) as engine:
        yield let_people_in(engine)


def test_the_door_knows_who_holds_much(crowd: Crowd) -> None:
    assert [crowd.actor(name).holds_much for name in ("much", "little")] == [True, False]


@pytest.mark.parametrize("name", ASKED)
def test_whoever_holds_much_pays_little_more_than_an_administrator(crowd: Crowd, name: str) -> None:
    ask = ASKED[name]

    theirs, administrators = cost(crowd.engine, ask(crowd.actor("much"))), cost(crowd.engine, ask(ANN))

    print(f"\n{name} ({crowd.engine.dialect.name}): {theirs} beside {administrators}")
    # Finding the model, and its permissions, is all that a small question adds.
    assert theirs <= 1.25 * administrators + 80


@pytest.mark.parametrize("name", ASKED)
def test_whoever_holds_little_pays_for_that_and_not_for_the_registry(crowd: Crowd, handful: Crowd, name: str) -> None:
    ask = ASKED[name]

    many, few = (cost(each.engine, ask(each.actor("little"))) for each in (crowd, handful))

    print(f"\n{name} ({crowd.engine.dialect.name}): {many} at many, {few} at few")
    # A page of all there is may pass over others' models, in some 14 of SQLite's steps each, but not their versions.
    passed = 20 * (MANY - FEW) // FEW_VERSIONS if name in ("search models", "search versions") else 0
    assert many <= 1.3 * few + 10 + passed


def test_what_is_found_is_what_is_held(crowd: Crowd) -> None:
    with autocommit(crowd.engine) as connection:
        little = models(crowd.actor("little"))(connection)
        much, everything = models(crowd.actor("much"))(connection), models(ANN)(connection)

    assert 0 < len(little.rows) <= OWN + 1
    assert [model.name for model in much.rows] == [model.name for model in everything.rows]
