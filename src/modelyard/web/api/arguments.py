"""The arguments of a request, from its query or its JSON body, checked by the class that describes them.

Source: contracts/mlflow.md 1.4. GET asks by query, POST and PATCH by body, DELETE by either. Unknown fields are
ignored, null counts as absent, and so does "" where a text is required.
"""

import hashlib
from reprlib import Repr
from typing import Annotated, Any, TypeVar, get_origin

import orjson
from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from werkzeug.datastructures import MultiDict

from modelyard.errors import InvalidValue
from modelyard.rules.tags import MAX_TAGS
from modelyard.rules.texts import check_storable

MAX_INTEGER_DIGITS = 18

# What was found may be megabytes: only its beginning is ever put into words.
_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring = 2, 3, 3, 60


class Arguments(BaseModel):
    """Base of the classes that describe requests."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


A = TypeVar("A", bound=Arguments)


def _storable(text: str) -> str:
    try:
        check_storable("text", text)
    except InvalidValue as error:
        raise ValueError(error.message) from error
    return text


def _present(text: str) -> str:
    if not text:
        raise ValueError("a value is missing")
    return text


def _boolean(value: Any) -> Any:
    words = {"true": True, "false": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _integer(value: Any) -> Any:
    """Numbers may come as JSON strings, and always do in a query."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    digits = value.removeprefix("-")
    return int(value) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_INTEGER_DIGITS else value


Text = Annotated[str, AfterValidator(_storable)]
Required = Annotated[Text, AfterValidator(_present)]
Flag = Annotated[bool, BeforeValidator(_boolean)]
Whole = Annotated[int, BeforeValidator(_integer)]


class TagArgument(Arguments):
    """One tag of a create request."""

    key: Text = ""
    value: Text = ""


Tags = Annotated[list[TagArgument], Field(default_factory=list, max_length=MAX_TAGS)]


def arguments(kind: type[A]) -> A:
    """Return what the request asks, as `kind` describes it. Raises InvalidValue naming the first wrong field."""
    given = _from_query(kind, request.args) if request.method in ("GET", "HEAD", "DELETE") else {}
    if request.method not in ("GET", "HEAD"):
        given |= _from_body()
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise _refusal(error) from error


def body_digest(asked: Arguments) -> str:
    """Return the SHA-256 of what a request asks, the same for every way of writing it."""
    return hashlib.sha256(orjson.dumps(asked.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _from_query(kind: type[Arguments], query: MultiDict[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name in query:
            values = query.getlist(name)
            given[name] = values if get_origin(field.annotation) is list else values[-1]
    return given


def _from_body() -> dict[str, Any]:
    content = request.get_data(cache=False)
    announced = request.content_length
    if announced is not None and announced != len(content):
        # The server under us ends a broken body like a whole one.
        raise InvalidValue(f"The request's body has {len(content)} bytes where {announced} were announced.")
    if not content:
        return {}
    document = _decoded(content)
    if isinstance(document, str):
        # Very old clients send a JSON string that holds the JSON.
        document = _decoded(document.encode())
    if not isinstance(document, dict):
        raise InvalidValue("The request's body is not a JSON object.")
    return document


def _decoded(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidValue(f"The request's body is not JSON: {error}.") from error


def _refusal(error: ValidationError) -> InvalidValue:
    problem = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    found = problem["input"]
    if problem["type"] == "missing" or found == "":
        return InvalidValue(f"Missing value for required parameter '{name}'.")
    return InvalidValue(f"Invalid value {_SHORT.repr(found)} for parameter '{name}': {problem['msg']}.")
