"""Pages on the wire: `max_results`, `page_token` and `next_page_token`."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from modelyard.errors import InvalidValue
from modelyard.registry.pages import Search, check_limit
from modelyard.rules.filters import Comparison
from modelyard.rules.ordering import OrderKey
from modelyard.web.api.arguments import Arguments, Text, Whole
from modelyard.web.site import site


class PageArguments(Arguments):
    """What every list takes."""

    max_results: Whole | None = None
    page_token: Text = ""


class SearchArguments(PageArguments):
    """What every search takes."""

    filter: Text = ""
    order_by: list[Text] = Field(default_factory=list)


def search_of(
    asked: PageArguments,
    comparisons: Sequence[Comparison],
    order: Sequence[OrderKey],
    *,
    default: int,
    maximum: int,
) -> Search:
    """Return the search for a page. Raises InvalidValue for a wrong max_results or page_token."""
    limit = check_limit(asked.max_results, default=default, maximum=maximum)
    if not asked.page_token:
        return Search(comparisons, order, limit)
    last = site().signer.open_page(asked.page_token, _question(comparisons, order))
    if len(last) != len(order):
        raise InvalidValue("Invalid page_token; expected the next_page_token of the page before.")
    return Search(comparisons, order, limit, last)


def next_page(wanted: Search, last: Sequence[Any] | None) -> dict[str, str]:
    """Return `next_page_token` when more follows behind the row with the values `last`, else nothing."""
    if last is None:
        return {}
    return {"next_page_token": site().signer.sign_page(_question(wanted.comparisons, wanted.order), last)}


def question_of(*parts: object) -> str:
    """Return a short text that is the same for the same search, whatever its page or page size."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _question(comparisons: Sequence[Comparison], order: Sequence[OrderKey]) -> str:
    return question_of(list(comparisons), list(order))
