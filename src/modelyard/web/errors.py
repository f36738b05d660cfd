"""Errors as answers: every failure leaves as the contract's JSON, with a code that old clients know."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias, cast

import structlog
from flask import Flask, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException, InternalServerError

from modelyard.database.session import is_outage
from modelyard.errors import (
    BodyTooLarge,
    EndpointNotFound,
    LimitReached,
    MethodNotAllowed,
    ModelyardError,
    Unavailable,
)
from modelyard.web.json_answers import json_answer
from modelyard.web.request_ids import request_id

RETRY_AFTER_S: Final = 2
_TRANSIENT: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

log = structlog.get_logger(__name__)


class Refusal(TypedDict):
    """What is answered when something cannot be done: a code for programs, a sentence for people."""

    error_code: str
    message: str


# What failed (None where nothing was raised), its HTTP status, code and text -> a page that says so.
ErrorPage: TypeAlias = Callable[[Exception | None, int, str, str], Response]


@dataclass(frozen=True, slots=True)
class _Pages:
    for_a_person: Callable[[], bool]
    page: ErrorPage


_EXTENSION: Final = "modelyard.error_pages"


def show_errors_as_pages(app: Flask, *, for_a_person: Callable[[], bool], page: ErrorPage) -> None:
    """Let `app` answer failures by `page` instead of JSON where a person asks."""
    app.extensions[_EXTENSION] = _Pages(for_a_person, page)


def register_error_handlers(app: Flask) -> None:
    """Let `app` answer every failure: in JSON, or by a page."""
    app.register_error_handler(ModelyardError, _answer_modelyard_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(SQLAlchemyError, _answer_database_error)
    app.register_error_handler(InternalServerError, _answer_bug)


def _answer_modelyard_error(error: ModelyardError) -> Response:
    if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _answer_bug(error)
    answer = _answer(error.http_status, error.error_code, error.message, error)
    if isinstance(error, LimitReached) and error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _answer_http_exception(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug raise by themselves."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    match status:
        case HTTPStatus.NOT_FOUND:
            return _answer_modelyard_error(EndpointNotFound(f"There is no endpoint {request.path[:200]!r}."))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
            answer = _answer_modelyard_error(
                MethodNotAllowed(f"{request.path[:200]!r} does not take {request.method}; it takes {allowed}.")
            )
            answer.headers["Allow"] = allowed
            return answer
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            most = request.max_content_length
            return _answer_modelyard_error(
                BodyTooLarge(f"The request's body is too large; at most {most} bytes are taken.")
            )
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _answer(status, "INVALID_PARAMETER_VALUE", "The file has no such range.")
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _answer(status, "BAD_REQUEST", error.description or HTTPStatus(status).phrase)
        case _:
            return _answer_bug(error)


def _answer_database_error(error: SQLAlchemyError) -> Response:
    if is_outage(error) or isinstance(error, NoFreeConnection):
        log.warning("the database does not answer", reason=str(error).splitlines()[0])
        return _answer_modelyard_error(Unavailable("The database does not answer. Nothing was done."))
    return _answer_bug(error)


def _answer_bug(error: BaseException) -> Response:
    """Log a bug of ours whole, show its number only."""
    cause = getattr(error, "original_exception", None) or error
    log.error("a request failed by a bug", exc_info=cause)
    text = f"Modelyard failed to answer; the operator finds the reason in the log under {request_id()}."
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", text)


def _answer(status: int, error_code: str, message: str, error: Exception | None = None) -> Response:
    pages = cast("_Pages | None", current_app.extensions.get(_EXTENSION))
    for_a_person = pages is not None and pages.for_a_person()
    if pages is not None and for_a_person:
        answer = pages.page(error, status, error_code, message)
    else:
        refusal: Refusal = {"error_code": error_code, "message": message}
        answer = json_answer(refusal, status)
    if status in _TRANSIENT:
        # Without it the plain client waits by its own rule, which begins with no pause at all.
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    # A browser would open a window of its own and ask for a name and password, which nobody has.
    if status == HTTPStatus.UNAUTHORIZED and not for_a_person:
        answer.headers["WWW-Authenticate"] = 'Basic realm="modelyard"'
    return answer
