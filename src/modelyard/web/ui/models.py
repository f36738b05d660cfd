"""The list of registered models, and the form that makes one."""

from typing import Any

from flask import Response

from modelyard.database.session import autocommit, transaction
from modelyard.errors import AlreadyExists, InvalidValue
from modelyard.registry import registered_models as registry
from modelyard.registry.narrowing import Narrowing
from modelyard.registry.overview import newest_versions
from modelyard.registry.pages import Search
from modelyard.registry.searches import search_registered_models
from modelyard.rules.filters import Attribute, Comparison, Operator
from modelyard.rules.ordering import OrderKey
from modelyard.rules.versions import VersionStatus
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import chosen, page_size, place, queries, query, sealed_place, seq_of, tag_lines, typed
from modelyard.web.ui.frame import Refusal, fragment, go, page, sheet, unchanged
from modelyard.web.ui.words import address

_NAME = OrderKey("name")
_ORDERS = {
    "modified": [OrderKey("updated_at", descending=True), _NAME],
    "name": [_NAME],
    "-name": [OrderKey("name", descending=True)],
}
_CHIPS = {
    Narrowing.STAGING: "In Staging",
    Narrowing.PRODUCTION: "In Production",
    Narrowing.ARCHIVED: "With archived",
    Narrowing.PENDING: "Being registered",
    Narrowing.FAILED: "Failed",
    Narrowing.REQUESTED: "Has pending request",
}
_BUSY_S, _QUIET_S = 1, 5


def show() -> Response:
    """Show the models that somebody may see, by name or by their last change."""
    found = _find()
    title = f"“{found['q']}” in models" if found["q"] else "Models"
    return page("models.html", title=title, section="models", **found)


def live() -> Response:
    """Show the same rows again if any of them looks different by now."""
    found = _find()
    return unchanged(found["seq"]) or fragment("_models.html", **found)


def new() -> Response:
    """Ask for the name of a new model."""
    return _form({"name": query("name"), "description": "", "tags": ""})


def create() -> Response:
    """Make a model without versions, and show it."""
    given = {name: typed(name) for name in ("name", "description", "tags")}
    try:
        tags = list(tag_lines(given["tags"]).items())
        with transaction(site().engine) as session:
            model = registry.create_registered_model(
                session, current_actor(), given["name"], description=given["description"], tags=tags
            )
            made = model.name
    except AlreadyExists as error:
        return _form(given, Refusal(f"{error.error_code}: {error.message}", "name"))
    except InvalidValue as error:
        return _form(given, Refusal(error.message, "tags" if "tag" in error.message.lower() else "name"))
    return go(address("models", made), f"The model {made} was created. Register its first version.")


def _form(given: dict[str, str], refusal: Refusal | None = None) -> Response:
    return sheet(
        "new_model.html",
        title="Create model",
        section="models",
        action="/new",
        back="/models",
        refusal=refusal,
        given=given,
    )


def _chips(here: dict[str, Any], narrowed: frozenset[Narrowing], owner: str) -> list[tuple[str, str, bool]]:
    """Return text, address and state of each filter that a click adds or takes away."""
    chips = []
    for one, text in _CHIPS.items():
        toggled = sorted(narrowed ^ {one})
        chips.append((text, address("models", **{**here, "with": toggled}), one in narrowed))
    me = current_actor().name
    mine = owner == me
    return [*chips, ("Mine", address("models", **{**here, "owner": "" if mine else me}), mine)]


def _find() -> dict[str, Any]:
    q, sort, limit = query("q").strip(), chosen("sort", _ORDERS) or "modified", page_size()
    comparisons = [Comparison(Attribute("name"), Operator.ILIKE, f"%{q}%")] if q else []
    narrowed = frozenset(one for one in Narrowing if one in queries("with"))
    owner = query("owner").strip()
    question = seq_of("models", q, sort, sorted(narrowed), owner)
    wanted = Search(comparisons, _ORDERS[sort], limit, place(question))
    with autocommit(site().engine) as connection:
        found = search_registered_models(connection, current_actor(), wanted, narrowed=narrowed, owner=owner or None)
        newest = newest_versions(connection, [model.id for model in found.rows])
    pending = any(one.status == VersionStatus.PENDING for one in newest.values())
    here = {
        "q": q,
        "with": sorted(narrowed),
        "owner": owner,
        "sort": sort if sort != "modified" else "",
        "size": limit if limit != 25 else "",
    }
    return {
        "q": q,
        "sort": sort,
        "size": limit,
        "models": found.rows,
        "chips": _chips(here, narrowed, owner),
        "sorts": {key: address("models", **{**here, "sort": key if key != "modified" else ""}) for key in _ORDERS},
        "is_narrowed": bool(narrowed or owner),
        "newest": newest,
        "first": address("models", **here) if wanted.last else "",
        "following": address("models", **here, after=sealed_place(question, found.last)) if found.last else "",
        "here": address("ui", "models", **here, after=query("after")),
        "seq": seq_of(found.rows, sorted(newest.values())),
        "seconds": _BUSY_S if pending else _QUIET_S,
    }
