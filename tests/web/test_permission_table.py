"""The permission table: each level, for each ability, by each route of each dialect, on both databases."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from werkzeug.test import TestResponse

from modelyard.rules.permissions import NEEDED, Ability, Level, includes
from modelyard.web.api.routes import NATIVE_PREFIX, PREFIXES, REGISTRY
from tests.databases import MOSTLY_SQLITE
from tests.web.permission_rows import TABLE, Listed, Row, Who
from tests.web.scenes import ADMINISTRATOR, Holder, Theatre
from tests.web.yards import Yard

HOLDERS: tuple[Holder, ...] = (None, *Level, ADMINISTRATOR)
# Each dialect, and below which prefixes it is served.
SERVED = [
    ("registry", PREFIXES[0]),
    # The same routes once more.
    *(pytest.param("registry", prefix, marks=pytest.mark.more) for prefix in PREFIXES[1:]),
    ("native", NATIVE_PREFIX),
    ("files", ""),
    ("people", ""),
    ("permissions", ""),
]
# Nothing asks for it yet: webhooks come later.
WITHOUT_ROUTE = {Ability.MANAGE_WEBHOOKS}


@pytest.fixture
def theatre(open_yard: Callable[..., Yard]) -> Theatre:
    """Locked doors, and somebody for each level."""
    return Theatre(open_yard(auth="token"))


def filled(value: Any, scene: dict[str, str]) -> Any:
    """Return a value with the scene's texts in its braces."""
    if isinstance(value, dict):
        return {key: filled(inner, scene) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, scene) for inner in value]
    if isinstance(value, str) and "{" in value:
        for key, text in scene.items():
            value = value.replace(f"{{{key}}}", text)
        assert "{" not in value, value
    return value


def ask(theatre: Theatre, prefix: str, row: Row, holder: Holder, scene: dict[str, str]) -> TestResponse:
    """Send a row's request as whoever holds this."""
    method, path = row.route.split(" ")
    for placeholder, value in row.path.items():
        path = path.replace(f"<{placeholder}>", filled(value, scene)).replace(
            f"<path:{placeholder}>", filled(value, scene).strip("/")
        )
    theatre.yard.token = theatre.token_of(holder)
    return theatre.yard.send(
        method, prefix + path, filled(row.body, scene), query_string=filled(row.query, scene) or None
    )


def level(holder: Holder) -> Level | None:
    """Return the level that a holder has on the scene's model."""
    return Level.CAN_MANAGE if holder == ADMINISTRATOR else holder  # type: ignore[return-value]


def expected(row: Row, holder: Holder) -> int:
    """Return the status that the table promises."""
    match row.who:
        case Ability():
            allowed = includes(level(holder), NEEDED[row.who])
        case Who.ADMIN:
            allowed = holder == ADMINISTRATOR
        case Who.NOBODY:
            allowed = False
        case _:
            allowed = True
    return row.answer if allowed else row.refused


def broken_promise(theatre: Theatre, prefix: str, row: Row, holder: Holder) -> str:
    """Return what of a row does not hold for one holder; "" when all of it holds."""
    scene = theatre.scene(holder, row.given)
    answer = ask(theatre, prefix, row, holder, scene)
    text = answer.get_data(as_text=True)
    wanted = expected(row, holder)
    if answer.status_code != wanted:
        return f"{row.route} ({row.who}) by {holder}: {answer.status_code}, not {wanted}: {text[:200]}"
    if wanted == 403 and (answer.get_json() or {}).get("error_code") != "PERMISSION_DENIED":
        return f"{row.route} by {holder}: {text[:200]}"
    if isinstance(row.who, Listed):
        shown = filled(row.who.shows, scene) in text
        if shown is not includes(level(holder), row.who.level):
            return f"{row.route} by {holder} {'shows' if shown else 'hides'} {filled(row.who.shows, scene)}"
    return ""


@pytest.mark.shows("permission-moves", "may-request", "api-permission")
@MOSTLY_SQLITE
@pytest.mark.parametrize(("dialect", "prefix"), SERVED, ids=str)
def test_the_table_holds_for_every_level(theatre: Theatre, dialect: str, prefix: str) -> None:
    _, rows = TABLE[dialect]
    asked = [(row, holder) for row, holder in product(rows, HOLDERS) if row.who is not Who.OPEN]

    broken = [broken_promise(theatre, prefix, row, holder) for row, holder in asked]

    assert [promise for promise in broken if promise] == []


@pytest.mark.parametrize(("dialect", "prefix"), [*SERVED, ("service", "")], ids=str)
def test_without_credentials_only_open_routes_answer(theatre: Theatre, dialect: str, prefix: str) -> None:
    _, rows = TABLE[dialect]
    # Only what requests name; a set has another order in each process, and some of it keeps others from happening.
    named = {event for row in rows for event in row.given} - {"trashed", "in_production"}
    scene = theatre.scene(None, tuple(sorted(named)))
    theatre.yard.token = ""

    answered = []
    for row in rows:
        method, path = row.route.split(" ")
        for placeholder in row.path:
            path = path.replace(f"<{placeholder}>", "1").replace(f"<path:{placeholder}>", "x")
        answer = theatre.yard.client.open(prefix + path, method=method, json=filled(row.body, scene | {"trashed": "1"}))
        answered += [row.route] if answer.status_code != 401 else []

    # A signed link is what its holder shows instead.
    own_proof = {row.route for row in rows if row.given == ("signature",)}
    assert set(answered) == {row.route for row in rows if row.who is Who.OPEN} | own_proof


@pytest.mark.parametrize("dialect", TABLE)
def test_every_route_has_a_row(dialect: str) -> None:
    routes, rows = TABLE[dialect]

    assert {row.route for row in rows} == {f"{route.method} {route.path}" for route in routes}


def test_open_routes_are_the_ones_that_say_so() -> None:
    for routes, rows in TABLE.values():
        opened = {f"{route.method} {route.path}" for route in routes if route.open}

        assert {row.route for row in rows if row.who is Who.OPEN or row.given == ("signature",)} == opened


def test_every_ability_is_asked_for_by_some_route() -> None:
    asked = {row.who for _, rows in TABLE.values() for row in rows if isinstance(row.who, Ability)}

    assert asked == set(Ability) - WITHOUT_ROUTE
    assert len(REGISTRY) == len({row.route for row in TABLE["registry"][1]})
