"""One log line for each request, and the headers that every answer carries."""

import time

import structlog
from flask import Flask, Response, g, request

from modelyard.web.request_ids import HEADER, request_id

log = structlog.get_logger(__name__)


def register_access_log(app: Flask) -> None:
    """Time and log every request to `app`. The query is left out: signed links carry their signature there."""

    def begin() -> None:
        g.began_s = time.perf_counter()

    def finish(answer: Response) -> Response:
        answer.headers[HEADER] = request_id()
        answer.headers["X-Content-Type-Options"] = "nosniff"
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=answer.status_code,
            duration_ms=round((time.perf_counter() - g.began_s) * 1000, 1),
            actor=g.actor.name if "actor" in g else None,
        )
        return answer

    app.before_request(begin)
    app.after_request(finish)
