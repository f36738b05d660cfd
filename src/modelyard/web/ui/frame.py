"""The frame of every page: what all templates know, and how a page, a fragment, a sheet or a redirect is answered."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from flask import Response, g, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from modelyard.database.session import autocommit
from modelyard.errors import ModelyardError
from modelyard.registry.overview import NavigationCounts, navigation_counts
from modelyard.web.request_ids import request_id
from modelyard.web.site import site
from modelyard.web.ui import words
from modelyard.web.ui.assets import asset_address, symbol
from modelyard.web.ui.browser import FORM_FIELD, form_token, leave_notice, signed_in, taken_notice, theme
from modelyard.web.ui.markdown import rendered

# Refusals that a form answers beside its fields; htmx swaps this status and no other error.
REFUSED: Final = 422
_SHEET_TARGET: Final = "dialog"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a form was not taken: the text, and the field beside which it stands ("" for none)."""

    text: str
    field: str = ""


def page(template: str, *, title: str, section: str, status: int = 200, **context: Any) -> Response:
    """Return a whole page; `section` is the entry of the navigation that it belongs to."""
    known = {"title": title, "section": section, "notice": taken_notice(), "counts": _counts(), **context}
    return _html(template, known, status)


def plain_page(template: str, *, title: str, status: int = 200, **context: Any) -> Response:
    """Return a page for somebody who is not known yet: without navigation."""
    known = {"title": title, "section": "", "notice": taken_notice(), "counts": NavigationCounts(), "actor": None}
    return _html(template, {**known, **context}, status)


def fragment(template: str, **context: Any) -> Response:
    """Return a piece of a page, for a live region."""
    answer = _html(template, context, 200)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def unchanged(seq: str) -> Response | None:
    """Return the empty answer when a live region knows the state `seq` already, else None."""
    if request.args.get("since") != seq:
        return None
    return Response(status=204, headers={"Cache-Control": "no-store"})


def sheet(
    template: str, *, title: str, section: str, action: str, back: str, refusal: Refusal | None = None, **context: Any
) -> Response:
    """Return a form: within the dialog of the page that asks, or as a page of its own."""
    known = {
        "title": title,
        "section": section,
        "action": action,
        "back": back,
        "in_dialog": in_dialog(),
        "refusal": refusal.text if refusal else "",
        "refusal_field": refusal.field if refusal else "",
        **context,
    }
    if not known["in_dialog"]:
        known |= {"notice": taken_notice(), "counts": _counts()}
    return _html(template, known, REFUSED if refusal else 200)


def in_dialog() -> bool:
    """Whether the page that asks wants a sheet for its dialog."""
    return request.headers.get("HX-Target") == _SHEET_TARGET


def go(address: str, notice: str = "") -> Response:
    """Answer a form that was taken: on to another page, which says `notice` first."""
    if "HX-Request" in request.headers:
        answer = Response(status=204, headers={"HX-Redirect": address})
    else:
        answer = Response(status=303, headers={"Location": address})
    if notice:
        leave_notice(answer, notice)
    return answer


def error_page(status: int, error_code: str, message: str) -> Response:
    """Return what a browser shows of a failure."""
    again = request.full_path.rstrip("?") if request.method == "GET" else request.referrer or "/models"
    # Of a fragment's refusal nobody looks at the body, and whoever is not known sees no navigation.
    plain = "HX-Request" in request.headers or "actor" not in g
    context = {
        "title": _ERROR_TITLES.get(status, "That did not work"),
        "section": "",
        "notice": "",
        "counts": NavigationCounts() if plain else _counts_or_none(),
        "status": status,
        "error_code": error_code,
        "message": message,
        "again": again,
    }
    answer = _html("error.html", context, status)
    answer.headers["X-Message"] = quote(message[:500])
    return answer


# Parts of the navigation that a template asks for by name.
_SECTIONS: Final = ("requests", "permissions", "audit", "tokens")
_ERROR_TITLES: Final = {
    400: "That cannot be done",
    401: "Please sign in",
    403: "You may not see this",
    404: "Not found",
    429: "Too much at once",
    503: "The database does not answer",
}


def _html(template: str, context: dict[str, Any], status: int) -> Response:
    actor = g.get("actor")
    token = form_token()
    known = {
        "actor": actor,
        "form_token": token,
        "form_field": Markup('<input type="hidden" name="{}" value="{}">').format(FORM_FIELD, token),
        "theme": theme(),
        "keys_off": request.cookies.get("modelyard_keys") == "off",
        "signed_in": signed_in() is not None,
        "sections": _SECTIONS,
        "now_ms": int(time.time() * 1000),
        "request_id": request_id(),
        "public_url": site().public_url,
        "q": "",
    }
    text = _templates().get_template(template).render({**known, **context})
    answer = Response(text, status=status, mimetype="text/html")
    answer.headers["Cache-Control"] = "no-store" if request.path.startswith("/ui/") else "private, no-cache"
    return answer


def _counts() -> NavigationCounts:
    with autocommit(site().engine) as connection:
        return navigation_counts(connection, g.actor)


def _counts_or_none() -> NavigationCounts:
    """Return the counts; none when what failed is the database itself."""
    try:
        return _counts()
    except (ModelyardError, OSError):
        return NavigationCounts()


@lru_cache(1)
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("modelyard.web.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Templates belong to the release; nobody changes them while it runs.
        auto_reload=False,
    )
    environment.globals.update(
        asset=asset_address, symbol=symbol, address=words.address, file_address=words.file_address
    )
    for function in (
        words.size,
        words.number,
        words.span,
        words.moment,
        words.machine_moment,
        words.clock,
        words.when,
        words.one_line,
        words.initials,
        words.web_link,
    ):
        environment.filters[function.__name__] = function
    environment.filters["markdown"] = rendered
    return environment
