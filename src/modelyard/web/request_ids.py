"""The number of a request, which stands in its answer and in every line that is logged meanwhile."""

import re
import uuid

import structlog
from flask import g, has_request_context

HEADER = "X-Request-Id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def begin_request(offered: str | None) -> None:
    """Give the request that begins a number: the one that a proxy offers, or a new one."""
    number = offered if offered and _ACCEPTED.fullmatch(offered) else uuid.uuid4().hex
    g.request_id = number
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=number)


def request_id() -> str:
    """Return the number of the request that is answered now."""
    return str(g.get("request_id", "-")) if has_request_context() else "-"
