"""Texts that leave the server and come back: links to files and page tokens, signed so that nobody makes their own."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from modelyard.errors import InvalidValue, NotFound

# The client fetches at once; large files by parallel ranges, each of which shows the link again.
LINK_LIFE_S = 900
LOGIN_LINK_LIFE_S = 600


@dataclass(frozen=True, slots=True)
class FileLink:
    """A promise to give one file of one version to one user: the version's public id and the file's digest."""

    version_id: str
    digest: str
    user: str


class Signer:
    """Signs with the newest of `keys` (newest first) and accepts all of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        oldest_first = list(reversed(keys))
        self._links = URLSafeTimedSerializer(oldest_first, salt="modelyard.file-link")
        self._pages = URLSafeSerializer(oldest_first, salt="modelyard.page-token")
        self._browsers = URLSafeSerializer(oldest_first, salt="modelyard.browser")
        self._forms = URLSafeSerializer(oldest_first, salt="modelyard.form")
        self._sessions = URLSafeSerializer(oldest_first, salt="modelyard.session")
        self._login_links = URLSafeTimedSerializer(oldest_first, salt="modelyard.login-link")
        self._notices = URLSafeTimedSerializer(oldest_first, salt="modelyard.notice")

    def sign_link(self, link: FileLink) -> str:
        """Return a text that `open_link` accepts for `LINK_LIFE_S` seconds."""
        return str(self._links.dumps([link.version_id, link.digest, link.user]))

    def open_link(self, signature: str) -> FileLink:
        """Return what was signed. Raises NotFound: a link that has ended says no more than one that never was."""
        try:
            version_id, digest, user = self._links.loads(signature, max_age=LINK_LIFE_S)
        except (BadData, ValueError, TypeError) as error:
            raise NotFound("This link is not valid, or not any more. Ask for a new one.") from error
        return FileLink(str(version_id), str(digest), str(user))

    def sign_page(self, question: str, last: Sequence[Any]) -> str:
        """Return a page token; it continues the search `question` behind the row with the values `last`."""
        return str(self._pages.dumps([question, list(last)]))

    def open_page(self, token: str, question: str) -> list[Any]:
        """Return where a page begins. Raises InvalidValue for a token of something else."""
        try:
            asked, last = self._pages.loads(token)
        except (BadData, ValueError, TypeError) as error:
            raise InvalidValue("Invalid page_token; expected the next_page_token of the page before.") from error
        if asked != question:
            raise InvalidValue("Invalid page_token: it belongs to another search. Keep filter and order_by unchanged.")
        return list(last)

    def sign_browser(self, number: str) -> str:
        """Return a browser's number as its cookie holds it."""
        return str(self._browsers.dumps(number))

    def open_browser(self, sealed: str) -> str | None:
        """Return the number in a browser's cookie; None for one that is not ours."""
        return _text(self._browsers, sealed)

    def sign_form(self, number: str) -> str:
        """Return the token that forms of the browser with this number bring back."""
        return str(self._forms.dumps(number))

    def is_form_of(self, token: str, number: str) -> bool:
        """Whether a form's token belongs to the browser with this number."""
        return _text(self._forms, token) == number

    def sign_session(self, browser: str, public_id: str, begun_with: str) -> str:
        """Return what a signed-in browser's cookie holds; it is worth nothing in another browser."""
        return str(self._sessions.dumps([browser, public_id, begun_with]))

    def open_session(self, sealed: str, browser: str) -> tuple[str, str] | None:
        """Return the public id of this browser's session and of what began it; None for a cookie of somebody else."""
        try:
            bound, public_id, begun_with = self._sessions.loads(sealed)
        except (BadData, ValueError, TypeError):
            return None
        return (str(public_id), str(begun_with)) if bound == browser else None

    def sign_login_link(self, name: str, nonce: str) -> str:
        """Return the text of a one-time link by which `name` signs in."""
        return str(self._login_links.dumps([name, nonce]))

    def login_address(self, base: str, name: str) -> str:
        """Return a new address below `base` by which `name` signs in, within ten minutes and once."""
        return f"{base.rstrip('/')}/login/link?link={self.sign_login_link(name, secrets.token_hex(16))}"

    def open_login_link(self, sealed: str) -> tuple[str, str]:
        """Return whose link it is, and its number. Raises NotFound for an old or strange one."""
        try:
            name, nonce = self._login_links.loads(sealed, max_age=LOGIN_LINK_LIFE_S)
        except (BadData, ValueError, TypeError) as error:
            raise NotFound("This link is not valid, or not any more. Ask for a new one.") from error
        return str(name), str(nonce)

    def sign_notice(self, text: str) -> str:
        """Return a text for somebody's next page, so that nobody else can put words there."""
        return str(self._notices.dumps(text))

    def open_notice(self, sealed: str, life_s: int) -> str:
        """Return a text that was left for this page; "" for an old or strange one."""
        try:
            return str(self._notices.loads(sealed, max_age=life_s))
        except (BadData, ValueError, TypeError):
            return ""


def _text(serializer: URLSafeSerializer, sealed: str) -> str | None:
    try:
        found = serializer.loads(sealed)
    except (BadData, ValueError, TypeError):
        return None
    return found if isinstance(found, str) else None
