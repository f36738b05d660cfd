"""The page of a registered model: its versions, description, tags, and what may be done with it as a whole."""

from typing import Any

from flask import Response

from modelyard.database.session import autocommit, reading, transaction
from modelyard.errors import InvalidState, InvalidValue, NotFound
from modelyard.registry import queries
from modelyard.registry import registered_models as registry
from modelyard.registry import tags as registry_tags
from modelyard.registry.overview import (
    active_versions,
    count_living_versions,
    living_name,
    version_facts,
    versions_in_use,
)
from modelyard.registry.pages import Search
from modelyard.registry.production import production_of, recent_activities
from modelyard.registry.searches import search_model_versions
from modelyard.registry.shown import ShownModel
from modelyard.rules.filters import Attribute, Comparison, Operator
from modelyard.rules.ordering import OrderKey
from modelyard.rules.stages import IN_USE
from modelyard.rules.versions import VersionStatus
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import chosen, page_size, place, query, sealed_place, seq_of, typed
from modelyard.web.ui.editing import description_form, read_edit, tag_form
from modelyard.web.ui.frame import Refusal, fragment, go, page, sheet, unchanged
from modelyard.web.ui.rights import rights_on
from modelyard.web.ui.words import address, size

_NEWEST_FIRST = [OrderKey("name"), OrderKey("version", descending=True)]
_VIEWS = ("active",)
_BUSY_S, _QUIET_S = 1, 5
_SHOWN_IN_USE = 20
_SHOWN_SERVING = 5
_SHOWN_ACTIVITIES = 10


def show(name: str) -> Response:
    """Show a model with a page of its versions, newest first; a former name leads to the one it has now."""
    try:
        found = _find(name)
    except NotFound as error:
        return moved(name, error)
    return page("model.html", title=name, section="models", **found)


def live(name: str) -> Response:
    """Show the versions again if any looks different by now."""
    found = _find(name)
    return unchanged(found["seq"]) or fragment("model_live.html", **found)


def moved(name: str, error: NotFound, *rest: object) -> Response:
    """Lead from a model's former name to where it is now. Raises `error` when nobody was called so."""
    with reading(site().engine) as session:
        now_called = living_name(session, name)
    if now_called is None:
        raise error
    return Response(status=302, headers={"Location": address("models", now_called, *rest)})


def edit_description(name: str) -> Response:
    """Ask for a model's description."""
    model = _model(name)
    return description_form(f"Describe {name}", address("models", name), model.description)


def save_description(name: str) -> Response:
    """Replace a model's description, unless somebody else did so meanwhile."""
    edit = read_edit()
    here = address("models", name)
    title = f"Describe {name}"
    try:
        with transaction(site().engine) as session:
            # Whoever is overtaken is shown the other text, so it must be one that they may read.
            registry.read_registered_model(session, current_actor(), name)
            model = registry.find_registered_model(session, name, lock=True)
            if edit.is_overtaken_by(model.description):
                return description_form(title, here, model.description, edit=edit)
            registry.update_registered_model(session, current_actor(), name, description=edit.text)
    except InvalidValue as error:
        return description_form(title, here, edit.before, edit=edit, refusal=Refusal(error.message, "description"))
    return go(here, "The description was saved.")


def new_tag(name: str) -> Response:
    """Ask for a tag."""
    _model(name)
    return tag_form(f"Add a tag to {name}", address("models", name))


def set_tag(name: str) -> Response:
    """Give a model a tag."""
    here = address("models", name)
    try:
        with transaction(site().engine) as session:
            registry_tags.set_registered_model_tag(session, current_actor(), name, typed("key"), typed("value"))
    except InvalidValue as error:
        return tag_form(f"Add a tag to {name}", here, Refusal(error.message, "key"))
    return go(here)


def delete_tag(name: str) -> Response:
    """Take a tag from a model."""
    with transaction(site().engine) as session:
        registry_tags.delete_registered_model_tag(session, current_actor(), name, typed("key"))
    return go(address("models", name))


def confirm_delete(name: str, refusal: Refusal | None = None) -> Response:
    """Say what goes with a model, and ask for its name."""
    with autocommit(site().engine) as connection:
        model = queries.registered_model(connection, current_actor(), name)
        count, size_bytes = count_living_versions(connection, model.id)
        in_use = versions_in_use(connection, model.id, limit=_SHOWN_IN_USE)
    return sheet(
        "delete_model.html",
        title=f"Delete {name}",
        section="models",
        action=address("models", name, "delete"),
        back=address("models", name),
        refusal=refusal,
        name=name,
        count=count,
        bytes=size(size_bytes),
        in_use=in_use,
        trash_ms=site().trash_ms,
    )


def delete(name: str) -> Response:
    """Delete a model whose name was typed."""
    if typed("name") != name:
        return confirm_delete(name, Refusal(f"Type the model's name exactly: {name}", "name"))
    try:
        with transaction(site().engine) as session:
            registry.delete_registered_model(
                session, current_actor(), name, lifecycle=site().lifecycle, purge_at_once=site().purges_at_once
            )
    except InvalidState as error:
        return confirm_delete(name, Refusal(error.message))
    end = "." if site().purges_at_once else " and can be restored from the trash."
    return go("/models", f"The model {name} was deleted{end}")


def _model(name: str) -> ShownModel:
    with autocommit(site().engine) as connection:
        return queries.registered_model(connection, current_actor(), name)


def _find(name: str) -> dict[str, Any]:
    view, limit = chosen("view", _VIEWS), page_size()
    comparisons = [Comparison(Attribute("name"), Operator.EQUAL, name)]
    if view:
        comparisons.append(Comparison(Attribute("stage"), Operator.IN, tuple(sorted(IN_USE))))
    question = seq_of("versions", name, view)
    wanted = Search(comparisons, _NEWEST_FIRST, limit, place(question))
    with reading(site().engine) as session:
        connection = session.connection()
        # Before all else: what changes while the rest is read makes the counter shown an old one, and the page asks.
        row = registry.read_registered_model(session, current_actor(), name)
        model = queries.registered_model(connection, current_actor(), name)
        rights = rights_on(session, row)
        found = search_model_versions(connection, current_actor(), wanted)
        facts = version_facts(connection, [version.id for version in found.rows])
        active = active_versions(connection, model.id)
        production = production_of(session, row, limit=_SHOWN_SERVING)
        history = recent_activities(session, row, limit=_SHOWN_ACTIVITIES)
    pending = any(version.status == VersionStatus.PENDING for version in found.rows)
    here = {"view": view, "size": limit if limit != 25 else ""}
    after = sealed_place(question, found.last)
    aliases: dict[int, list[str]] = {}
    for alias, number in model.aliases:
        aliases.setdefault(number, []).append(alias)
    return {
        "name": name,
        "model": model,
        "rights": rights,
        "view": view,
        "versions": found.rows,
        "facts": facts,
        "aliases": aliases,
        "active": active,
        "production": production,
        "history": history,
        "first": address("models", name, **here) if wanted.last else "",
        "following": address("models", name, **here, after=after) if after else "",
        "here": address("ui", "models", name, **here, after=query("after")),
        "seq": seq_of(row.change_counter, found.rows, [one.activity.id for one in history]),
        "seconds": _BUSY_S if pending else _QUIET_S,
    }
