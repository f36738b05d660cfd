"""What a browser brings along: the number that its forms are bound to, its theme, a notice for its next page.

A form is taken only with the token that belongs to the browser's own cookie: a page of somebody else can make the
browser send the cookie, but knows no token (design/ui.md 7).
"""

import secrets
from typing import Final, Literal, cast

from flask import Response, g, request

from modelyard.errors import PermissionDenied
from modelyard.registry.browser_sessions import LIFE_S, BrowserSession
from modelyard.web.site import site

BROWSER_COOKIE: Final = "modelyard_browser"
THEME_COOKIE: Final = "modelyard_theme"
SESSION_COOKIE: Final = "modelyard_session"
NOTICE_COOKIE: Final = "modelyard_notice"
FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "X-Form-Token"
_YEAR_S: Final = 31_536_000
_NOTICE_LIFE_S: Final = 60
_NOTICE_CHARACTERS: Final = 300


class StaleForm(PermissionDenied):
    """A form without the token of this browser: forged, or older than the browser's cookie."""


def browser_number() -> str:
    """Return the number that this browser is known by; a new one when it shows none that we have given."""
    if "browser" not in g:
        shown = site().signer.open_browser(request.cookies.get(BROWSER_COOKIE, ""))
        g.browser, g.browser_is_new = shown or secrets.token_urlsafe(18), shown is None
    return str(g.browser)


def form_token() -> str:
    """Return the token that a form on this page must bring back."""
    return site().signer.sign_form(browser_number())


def check_form() -> None:
    """Raise StaleForm unless the request brings the token of its own browser."""
    token = request.headers.get(FORM_HEADER) or request.form.get(FORM_FIELD, "")
    if not site().signer.is_form_of(token, browser_number()):
        raise StaleForm(
            "This form is older than your browser's session, so nothing was changed. "
            "What you have typed is still there: go back and send it once more."
        )


def theme() -> Literal["light", "dark"] | None:
    """Return the theme that this browser has chosen, None for that of its system."""
    chosen = request.cookies.get(THEME_COOKIE)
    return cast(Literal["light", "dark"], chosen) if chosen in ("light", "dark") else None


def signed_in() -> BrowserSession | None:
    """Return the session of this browser, None when it has none or shows somebody else's."""
    found = site().signer.open_session(request.cookies.get(SESSION_COOKIE, ""), browser_number())
    return BrowserSession(*found) if found else None


def sign_in(answer: Response, public_id: str, begun_with: str) -> None:
    """Sign this browser in, under a new number: a form or cookie from before opens nothing now."""
    g.browser, g.browser_is_new = secrets.token_urlsafe(18), True
    sealed = site().signer.sign_session(browser_number(), public_id, begun_with)
    answer.set_cookie(SESSION_COOKIE, sealed, max_age=LIFE_S, httponly=True, secure=is_secure(), samesite="Lax")


def sign_out(answer: Response) -> None:
    """Forget this browser's session and number."""
    g.browser, g.browser_is_new = secrets.token_urlsafe(18), True
    answer.delete_cookie(SESSION_COOKIE, httponly=True, secure=is_secure(), samesite="Lax")


def taken_notice() -> str:
    """Return what the page before had to say, and let it be forgotten."""
    sealed = request.cookies.get(NOTICE_COOKIE)
    if sealed is None:
        return ""
    g.notice_taken = True
    return site().signer.open_notice(sealed, _NOTICE_LIFE_S)


def leave_notice(answer: Response, text: str) -> None:
    """Let the next page of this browser say `text`."""
    answer.set_cookie(
        NOTICE_COOKIE,
        site().signer.sign_notice(text[:_NOTICE_CHARACTERS]),
        max_age=_NOTICE_LIFE_S,
        httponly=True,
        secure=is_secure(),
        samesite="Lax",
    )


def keep_cookies(answer: Response) -> None:
    """Write the cookies that this request has made or used up."""
    if g.get("browser_is_new"):
        sealed = site().signer.sign_browser(browser_number())
        answer.set_cookie(BROWSER_COOKIE, sealed, max_age=_YEAR_S, httponly=True, secure=is_secure(), samesite="Lax")
    if g.get("notice_taken"):
        answer.delete_cookie(NOTICE_COOKIE, httponly=True, secure=is_secure(), samesite="Lax")


def is_secure() -> bool:
    """Whether people reach this server by TLS, so that cookies must not travel without it."""
    return site().public_url.startswith("https://")
