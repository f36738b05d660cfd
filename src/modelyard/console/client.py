"""The HTTP client of the console: one server, its token, and errors of one line that say what to do.

Source: the native API below /api/v1; `modelyard.web` answers it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError, TimeoutError

from modelyard.errors import ConfigurationError, InvalidValue, ModelyardError

API = "/api/v1"

_CONNECT_S = 5.0
_ANSWER_S = 30.0
_SHOWN_CHARACTERS = 300
# What a proxy answers for a server that is away, and a server for its database.
_AWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})

Query = Mapping[str, str | int | Sequence[str] | None]


class ServerAway(ModelyardError):
    """The server cannot be reached now, or says so itself; it may be back in a moment."""


class ServerFailed(ModelyardError):
    """The server's answer is none that this command understands."""


class ServerRefused(ModelyardError):
    """The server says no; the text is its own, or says how to get in."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: the body as it came, and its headers."""

    text: str
    headers: Mapping[str, str]

    def document(self) -> Any:
        """Return the JSON of the body. Raises ServerFailed."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise ServerFailed(f"The answer is not JSON, but {_clipped(self.text)!r}. Is this a Modelyard?") from error


class Server:
    """A Modelyard at `url`, asked with `token` (None for none). Close it, or use it as a context."""

    def __init__(self, url: str, token: str | None) -> None:
        if not _is_address(url):
            raise ConfigurationError(f"MODELYARD_URL is {url!r}; expected an address such as http://127.0.0.1:5080.")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A request is never repeated here: who asks decides whether it may be.
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=_CONNECT_S, read=_ANSWER_S))

    def close(self) -> None:
        """Give back the connections."""
        self._http.clear()

    def get(self, path: str, query: Query | None = None) -> Answer:
        """Ask for a path below the API; fields of `query` that are None are left out.

        Raises ServerAway, ServerFailed, and what the server refuses by its own words.
        """
        fields = [(name, value) for name, value in (query or {}).items() if value is not None]
        asked = urlencode(fields, doseq=True)
        return self._ask("GET", f"{path}?{asked}" if asked else path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send a body to a path below the API. Raises as `get` does."""
        return self._ask("POST", path, body or {})

    def patch(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Change what a path below the API names. Raises as `get` does."""
        return self._ask("PATCH", path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        url = f"{self.url}{API}{path}"
        try:
            answer = self._http.request(method, url, json=body, headers=self._headers, redirect=False)
        except HTTPError as error:
            raise ServerAway(
                f"The server {self.url} does not answer: {_reason(error)}. Start it, or set MODELYARD_URL."
            ) from error
        text = answer.data.decode(errors="replace")
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer.status, text, answer.headers)
        return Answer(text, answer.headers)

    def _refusal(self, status: int, text: str, headers: Mapping[str, str]) -> ModelyardError:
        error_code, message = _error_of(text)
        if status == HTTPStatus.UNAUTHORIZED:
            sent = "the token that was sent" if self._headers else "anybody without a token"
            return ServerRefused(f"{self.url} does not let in {sent}. Set MODELYARD_TOKEN to a token of that server.")
        if status in _AWAY:
            return ServerAway(f"The server {self.url} cannot answer now: {message or f'status {status}.'}")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            place = _clipped(headers.get("Location", "nowhere"))
            return ServerFailed(f"{self.url} sends everybody to {place}. Set MODELYARD_URL to that address.")
        if not message or error_code == "ENDPOINT_NOT_FOUND":
            which = "It is no Modelyard, or an older one than this command."
            return ServerFailed(f"{self.url} does not know this question (status {status}). {which}")
        return ServerRefused(message)


def segment(name: str) -> str:
    """Return a name as one segment of a path. Raises InvalidValue for one that cannot stand there."""
    if not name or "/" in name:
        # Servers decode %2F before they part a path.
        raise InvalidValue(f"{name!r} is no name; names hold no slash and are not empty.")
    return quote(name, safe="")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # A port that is no number, or half of an IPv6 address.
        return False


def _error_of(text: str) -> tuple[str, str]:
    """Return the error code and message of an answer; "" for what it does not have."""
    try:
        document = json.loads(text)
        return str(document["error_code"]), _clipped(str(document["message"]))
    except (ValueError, KeyError, TypeError):
        return "", ""


def _reason(error: HTTPError) -> str:
    """Return why a request failed in a few words; the libraries' texts name objects and memory addresses."""
    if isinstance(error, NameResolutionError):
        return "its name is not known"
    if isinstance(error, NewConnectionError):
        cause = error.__cause__
        return getattr(cause, "strerror", None) or "no connection"
    if isinstance(error, SSLError):
        return f"its certificate or TLS is not accepted ({_clipped(str(error.args[0]))})"
    if isinstance(error, TimeoutError):
        return "it took too long"
    return "the connection broke"


def _clipped(text: str) -> str:
    """Return `text` on one line, cut where it says no more."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1] + "…"
