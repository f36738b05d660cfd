"""Texts that leave the server and come back: links to files and page tokens, signed so that nobody makes their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from modelyard.errors import InvalidValue, NotFound

# The client fetches at once; large files by parallel ranges, each of which shows the link again.
LINK_LIFE_S = 900


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
