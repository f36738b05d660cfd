"""The order of search results."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.ordering import (
    MODEL_VERSION_DEFAULT,
    MODEL_VERSION_KEYS,
    MODEL_VERSION_TIES,
    OrderKey,
    parse_order,
)

NAME = OrderKey("name")
NEWEST = OrderKey("version", descending=True)


@pytest.mark.parametrize(
    ("items", "order"),
    [
        ([], [OrderKey("updated_at", descending=True), NAME, NEWEST]),
        (["name"], [NAME, NEWEST]),
        (["name desc"], [OrderKey("name", descending=True), NEWEST]),
        (["version ASC"], [OrderKey("version"), NAME]),
        (["`version_number` DESC", "name ASC"], [NEWEST, NAME]),
        (["creation_timestamp"], [OrderKey("created_at"), NAME, NEWEST]),
        (["stage"], [OrderKey("stage"), NAME, NEWEST]),
    ],
)
def test_ties_are_broken_so_that_every_order_is_total(items: list[str], order: list[OrderKey]) -> None:
    found = parse_order(items, MODEL_VERSION_KEYS, default=MODEL_VERSION_DEFAULT, ties=MODEL_VERSION_TIES)

    assert found == order


@pytest.mark.parametrize(
    "items", [[""], ["run_id"], ["name UP"], ["name ASC DESC"], ["name", "name DESC"], ["version", "version_number"]]
)
def test_what_is_no_order_is_refused(items: list[str]) -> None:
    with pytest.raises(InvalidValue, match="order_by"):
        parse_order(items, MODEL_VERSION_KEYS, ties=MODEL_VERSION_TIES)
