"""What somebody has chosen for this browser: light or dark, single keys or none."""

from urllib.parse import urlsplit

from flask import Response, request

from modelyard.web.ui.browser import THEME_COOKIE, is_secure, theme
from modelyard.web.ui.frame import go, page

KEYS_COOKIE = "modelyard_keys"
_YEAR_S = 31_536_000


def show() -> Response:
    """Show who is signed in, and what this browser keeps."""
    return page("profile.html", title="Settings", section="settings")


def show_keys() -> Response:
    """Show which keys do something."""
    return page("keys.html", title="Keyboard", section="settings")


def switch_theme() -> Response:
    """Change between light and dark, for whoever has no script that does it at once."""
    answer = go(_back())
    _keep(answer, THEME_COOKIE, "light" if theme() == "dark" else "dark")
    return answer


def switch_keys() -> Response:
    """Switch single keys off, or on again."""
    answer = go("/settings/keys")
    _keep(answer, KEYS_COOKIE, "on" if request.cookies.get(KEYS_COOKIE) == "off" else "off")
    return answer


def _keep(answer: Response, name: str, value: str) -> None:
    # The page's script reads and writes it, too.
    answer.set_cookie(name, value, max_age=_YEAR_S, secure=is_secure(), samesite="Lax")


def _back() -> str:
    """Return the page that asked, without its host: never one of somebody else's."""
    path = urlsplit(request.referrer or "").path
    return path if path.startswith("/") and not path.startswith("//") else "/models"
