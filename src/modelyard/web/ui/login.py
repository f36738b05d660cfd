"""Signing in by a token or a one-time link, and out again, here or everywhere."""

from flask import Response, g, request

from modelyard.database.session import transaction
from modelyard.errors import LimitReached, NotFound, Unauthorized
from modelyard.registry import browser_sessions as registry
from modelyard.registry.authentication import actor_of_name
from modelyard.rules.principals import ADMIN
from modelyard.web.guard import calling_address
from modelyard.web.identity import came_by, current_actor
from modelyard.web.request_ids import request_id
from modelyard.web.site import site
from modelyard.web.ui.asked import query, typed
from modelyard.web.ui.browser import sign_in, sign_out, signed_in
from modelyard.web.ui.frame import Refusal, go, plain_page
from modelyard.web.ui.words import address

_WRONG = "That did not work. Check the token, or ask for a new one."


def show() -> Response:
    """Ask for a token; whoever needs none goes on."""
    if site().identity.mode == "none":
        return go(own_address(query("next")))
    return _form(query("next"))


def by_token() -> Response:
    """Sign a browser in with a token, which it does not keep."""
    onward = typed("next")
    try:
        actor = site().identity.actor_of(f"Bearer {typed('token').strip()}", address=calling_address())
        if actor.via.token_id is None:
            return _signed_in(onward, "", site().identity.admin_mark)
        g.actor = came_by(actor, address=calling_address(), request_id=request_id())
        with transaction(site().engine) as session:
            begun = registry.begin_session(session, g.actor)
    except Unauthorized:
        # In the same words whatever was wrong: a guess learns nothing.
        return _form(onward, Refusal(_WRONG, "token"))
    except LimitReached as error:
        return _form(onward, Refusal(error.message, "token"))
    return _signed_in(onward, begun.public_id, begun.begun_with)


def show_link() -> Response:
    """Ask whether a one-time link is meant: to look at it must not use it up. Raises NotFound."""
    sealed = query("link")
    name, _ = site().signer.open_login_link(sealed)
    return plain_page("login_link.html", title="Sign in", name=name, link=sealed)


def by_link() -> Response:
    """Sign a browser in with a one-time link. Raises NotFound, Unauthorized."""
    name, nonce = site().signer.open_login_link(typed("link"))
    with transaction(site().engine) as session:
        actor = site().identity.actor_named(name) if name == ADMIN else actor_of_name(session, name)
        if actor is None:
            raise NotFound(f"{name!r} is not let in any more.")
        registry.redeem_link(session, actor, nonce)
        if name == ADMIN:
            return _signed_in("", "", site().identity.admin_mark)
        g.actor = came_by(actor, address=calling_address(), request_id=request_id())
        begun = registry.begin_session(session, g.actor)
    return _signed_in("", begun.public_id, begun.begun_with)


def leave() -> Response:
    """Sign this browser out."""
    found = signed_in()
    if found is not None and found.public_id:
        with transaction(site().engine) as session:
            registry.end_session(session, current_actor(), found)
        site().identity.forget_all()
    return _signed_out()


def leave_everywhere() -> Response:
    """Sign out of every browser."""
    with transaction(site().engine) as session:
        registry.end_all_sessions(session, current_actor())
    site().identity.forget_all()
    return _signed_out()


def own_address(text: str) -> str:
    """Return where to go on after signing in: a page of ours, whatever a link says."""
    if text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable():
        return text
    return "/models"


def login_address() -> str:
    """Return where to sign in, so that this page comes next."""
    return address("login", next=request.full_path.rstrip("?"))


def _signed_in(onward: str, public_id: str, begun_with: str) -> Response:
    answer = go(own_address(onward))
    sign_in(answer, public_id, begun_with)
    return answer


def _signed_out() -> Response:
    answer = go("/login", "You are signed out.")
    sign_out(answer)
    return answer


def _form(onward: str, refusal: Refusal | None = None) -> Response:
    return plain_page("login.html", title="Sign in", refusal=refusal, onward=onward, status=422 if refusal else 200)
