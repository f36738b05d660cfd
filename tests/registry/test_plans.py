"""Reads at many rows: each hot one begins at an index, and costs what its answer costs, however many rows there are.

Costs are counted, not timed: steps of SQLite's machine, pages that PostgreSQL looks at.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from modelyard.database.engine import create_engine
from modelyard.registry import queries
from modelyard.registry.pages import Search
from modelyard.registry.searches import list_registered_models, search_model_versions, search_registered_models
from modelyard.rules.filters import MODEL_VERSIONS, REGISTERED_MODELS, parse_filter
from modelyard.rules.ordering import (
    MODEL_VERSION_DEFAULT,
    MODEL_VERSION_KEYS,
    MODEL_VERSION_TIES,
    REGISTERED_MODEL_KEYS,
    REGISTERED_MODEL_TIES,
    parse_order,
)
from tests.costs import Question, cost, plan_of
from tests.databases import BOTH_DATABASES
from tests.registry.crowds import BIG, fill, last_of_models, last_of_versions
from tests.registry.desks import ANN
from tests.servers import PostgreSQL

FEW = 2_000
MANY = 20_000
MORE = 100_000
PAGE = 100


def models(text: str = "", *order_by: str, last: list[Any] | None = None) -> Question:
    """A page of a search of models."""
    order = parse_order(order_by, REGISTERED_MODEL_KEYS, ties=REGISTERED_MODEL_TIES)
    wanted = Search(parse_filter(text, REGISTERED_MODELS), order, PAGE, last)
    return lambda connection: search_registered_models(connection, ANN, wanted)


def versions(text: str = "", *order_by: str, last: list[Any] | None = None, page: int = PAGE) -> Question:
    """A page of a search of versions."""
    order = parse_order(order_by, MODEL_VERSION_KEYS, default=MODEL_VERSION_DEFAULT, ties=MODEL_VERSION_TIES)
    wanted = Search(parse_filter(text, MODEL_VERSIONS), order, page, last)
    return lambda connection: search_model_versions(connection, ANN, wanted)


HOT: dict[str, Question] = {
    "get a model": lambda connection: queries.registered_model(connection, ANN, "m00010"),
    "get a version": lambda connection: queries.model_version(connection, ANN, "m00010", 3),
    "get by alias": lambda connection: queries.model_version_by_alias(connection, ANN, "m00010", "champion"),
    "get latest versions": lambda connection: queries.latest_versions(connection, ANN, "m00010"),
    "search models": models(),
    "search models by name": models("name = 'm00010'"),
    "search models by tag": models("tags.own = 'value-77'"),
    "search models by time": models("", "timestamp DESC"),
    "list models": lambda connection: list_registered_models(connection, ANN, Search([], REGISTERED_MODEL_TIES, PAGE)),
    "search versions": versions(),
    "search versions of a model": versions("name = 'm00010'"),
    "search versions of models": versions("name IN ('m00010', 'm00011')"),
    "search versions by run": versions("run_id = 'run-777'"),
    "search versions by tag": versions("tags.own = 'value-777'"),
    "search versions by model and tag": versions("name = 'm00010' AND tags.team = 'team-3'"),
    "search versions in order of names": versions("", "name"),
    "search versions in order of creation": versions("", "creation_timestamp DESC"),
}


@contextmanager
def database(kind: str, count: int, request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    """A database of `kind` with `count` versions."""
    server: PostgreSQL | None = None
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), folder / "modelyard.db")
        url = f"sqlite:///{folder / 'modelyard.db'}"
    else:
        server = request.getfixturevalue("postgresql")
        name = server.create_database(template=request.getfixturevalue("migrated_database"))
        url = server.url(name)
    engine = create_engine(url)
    fill(engine, count)
    yield engine
    engine.dispose()
    if server is not None:
        server.drop_database(name)


@pytest.fixture(
    scope="module",
    params=[(kind, MANY) for kind in BOTH_DATABASES]
    + [pytest.param((kind, MORE), marks=pytest.mark.more) for kind in BOTH_DATABASES],
    ids=lambda chosen: f"{chosen[0]}-{chosen[1]}",
)
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with many versions."""
    kind, count = request.param
    with database(kind, count, request, tmp_path_factory.mktemp("crowd")) as engine:
        yield engine


@pytest.fixture(scope="module")
def handful(
    crowd: Engine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A database of the same kind as `crowd` with few versions."""
    with database(crowd.dialect.name, FEW, request, tmp_path_factory.mktemp("handful")) as engine:
        yield engine


def full_scans(plan: list[str]) -> list[str]:
    """Return the lines that look at every row of a table that grows with the registry."""
    sqlite = re.compile(r"SCAN (?!page|stages|CONSTANT ROW)(?!.*USING (COVERING )?INDEX)")
    # A page of models is a good part of them, so that PostgreSQL may look through that small table.
    postgresql = re.compile(r"Seq Scan on (model_versions|model_version_tags|registered_model_tags)")
    return [line for line in plan if sqlite.search(line) or postgresql.search(line)]


@pytest.mark.parametrize("name", HOT)
def test_a_hot_read_begins_at_an_index(crowd: Engine, name: str) -> None:
    plan = plan_of(crowd, HOT[name])

    print(f"\n{name} ({crowd.dialect.name})", *plan, sep="\n    ")
    assert full_scans(plan) == []


@pytest.mark.parametrize(
    "name", [name for name in HOT if name.startswith(("get", "search versions by run", "search versions by tag"))]
)
def test_a_read_costs_the_same_at_few_versions_and_at_many(crowd: Engine, handful: Engine, name: str) -> None:
    # A tree of more rows is a level deeper, or two.
    assert cost(crowd, HOT[name]) <= 1.3 * cost(handful, HOT[name]) + 10


def test_the_latest_of_a_thousand_versions_cost_what_the_latest_of_ten_cost(crowd: Engine) -> None:
    few = cost(crowd, lambda connection: queries.latest_versions(connection, ANN, "m00010"))
    many = cost(crowd, lambda connection: queries.latest_versions(connection, ANN, BIG))

    assert many <= 1.2 * few


@pytest.mark.parametrize("order", [("name", "version_number DESC"), ("version_number",)])
def test_a_page_of_a_thousand_versions_costs_what_one_of_ten_costs(crowd: Engine, order: tuple[str, ...]) -> None:
    few = cost(crowd, versions("name = 'm00010'", *order, page=5))
    many = cost(crowd, versions(f"name = '{BIG}'", *order, page=5))

    assert many <= 1.3 * few + 5


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_deep_page_costs_what_the_first_one_costs(crowd: Engine, share: float) -> None:
    name, moment = last_of_models(crowd, share), last_of_versions(crowd, share)

    pages = {
        "models by name": (models(), models(last=[name])),
        "versions by time": (versions(), versions(last=[moment, "m00010", 1])),
        "versions by name": (versions("", "name"), versions("", "name", last=[name, 5])),
    }

    ratios = {what: cost(crowd, deep) / cost(crowd, first) for what, (first, deep) in pages.items()}
    assert max(ratios.values()) <= 1.3
