"""One page of a search: how many rows, where it begins, where the next one begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from modelyard.errors import InvalidValue
from modelyard.rules.filters import Comparison
from modelyard.rules.ordering import OrderKey

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. `last` holds the order's values of the row behind which the page begins, None for the first.

    The order is total: its last keys are unique together.
    """

    comparisons: Sequence[Comparison]
    order: Sequence[OrderKey]
    limit: int
    last: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of a page, and the order's values of its last row when more follow."""

    rows: list[Row]
    last: Sequence[Any] | None


def check_limit(found: int | None, *, default: int, maximum: int) -> int:
    """Return how many rows a page holds. Raises InvalidValue outside of 1 to `maximum`."""
    if found is None:
        return default
    if not 1 <= found <= maximum:
        raise InvalidValue(f"Invalid max_results {str(found)[:30]}; expected a whole number from 1 to {maximum}.")
    return found
