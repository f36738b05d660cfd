"""What stands before every handler: a number for the request, the host check, the caller's identity."""

from collections.abc import Callable

from flask import Flask, g, request
from werkzeug.exceptions import RequestHeaderFieldsTooLarge

from modelyard.errors import InvalidValue, PermissionDenied
from modelyard.registry.access import Actor
from modelyard.rules.hosts import host_name, is_allowed, origin_name
from modelyard.web.addresses import caller_address
from modelyard.web.identity import came_by
from modelyard.web.request_ids import begin_request, request_id
from modelyard.web.site import site

MAX_HEADER_CHARACTERS = 65_536


def register_guard(app: Flask, open_endpoints: frozenset[str], *, actor_of_browser: Callable[[], Actor | None]) -> None:
    """Check every request to `app`; those for `open_endpoints` need no credentials.

    `actor_of_browser` returns who a page's cookies say is calling, None for requests to which cookies open nothing.
    """

    def before() -> None:
        begin_request(request.headers.get("X-Request-Id"))
        _check_headers()
        _check_addresses()
        # Unknown paths ask for credentials too: whoever has none learns nothing about them.
        if request.endpoint not in open_endpoints:
            g.actor = identify(actor_of_browser)

    app.before_request(before)


def identify(actor_of_browser: Callable[[], Actor | None] = lambda: None) -> Actor:
    """Return who sends this request. Raises Unauthorized, LimitReached after too many wrong tokens."""
    header, address = request.headers.get("Authorization"), calling_address()
    actor = actor_of_browser() if header is None else None
    actor = actor or site().identity.actor_of(header, address=address)
    return came_by(actor, address=address, request_id=request_id())


def calling_address() -> str:
    """Return where the request comes from, a trusted proxy's word taken for it."""
    return caller_address(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""), site().trusted_proxies)


def _check_headers() -> None:
    # The server under us lets single headers of half a megabyte pass.
    if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADER_CHARACTERS:
        raise RequestHeaderFieldsTooLarge(f"The headers have more than {MAX_HEADER_CHARACTERS} characters.")


def _check_addresses() -> None:
    allowed = site().allowed_hosts
    host = request.environ.get("HTTP_HOST", "")
    if not is_allowed(host_name(host), allowed):
        raise InvalidValue(
            f"This server does not answer as {host[:100]!r}. The operator adds names to MODELYARD_ALLOWED_HOSTS."
        )
    origin = request.headers.get("Origin")
    if origin is not None and not is_allowed(origin_name(origin), allowed):
        raise PermissionDenied(
            f"Pages of {origin[:100]!r} may not call this server. The operator adds names to MODELYARD_ALLOWED_HOSTS."
        )
