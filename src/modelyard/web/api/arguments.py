"""The arguments of a request, from its query or its JSON body, checked by the class that describes them.

Source: contracts/mlflow.md 1.4. GET asks by query, POST and PATCH by body, DELETE by either. Unknown fields are
ignored, null counts as absent, and so does "" where a text is required.
"""

import hashlib
import reprlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_origin

import orjson
from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from werkzeug.datastructures import MultiDict

from modelyard.errors import InvalidValue
from modelyard.rules.texts import check_storable

MAX_INTEGER_DIGITS = 18
SHOWN_CHARACTERS = 100


class Arguments(BaseModel):
    """Base of the classes that describe requests."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


class StrictArguments(Arguments):
    """Base of the classes that describe requests of the native API, which refuses what it does not know.

    A filter that was misspelt and ignored would mean every job. What stands in the path is a field like any other.
    """

    model_config = ConfigDict(extra="forbid")


A = TypeVar("A", bound=Arguments)
NOTHING: Mapping[str, str] = MappingProxyType({})


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
# Bounds stand before it, or a description of the API does not see them: `Annotated[int, Field(ge=1), WRITTEN]`.
WRITTEN = BeforeValidator(_integer)
Whole = Annotated[int, WRITTEN]


class TagArgument(Arguments):
    """One tag of a create request."""

    key: Text = ""
    value: Text = ""


def arguments(kind: type[A], path_parameters: Mapping[str, str] = NOTHING) -> A:
    """Return what the request asks, as `kind` describes it. Raises InvalidValue naming the first wrong field."""
    given = _from_query(kind, request.args) if request.method in ("GET", "HEAD", "DELETE") else {}
    if request.method not in ("GET", "HEAD"):
        given |= _from_body()
    try:
        return kind.model_validate(given | dict(path_parameters))
    except ValidationError as error:
        raise _refusal(kind, error) from error


def body_digest(asked: Arguments) -> str:
    """Return the SHA-256 of what a request asks, the same for every way of writing it."""
    return hashlib.sha256(orjson.dumps(asked.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _from_query(kind: type[Arguments], query: MultiDict[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, values in query.lists():
        field = kind.model_fields.get(name)
        given[name] = values if field and get_origin(field.annotation) is list else values[-1]
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


def _refusal(kind: type[Arguments], error: ValidationError) -> InvalidValue:
    problem = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    found = problem["input"]
    if problem["type"] == "extra_forbidden":
        return InvalidValue(f"There is no parameter {_clipped(name)}; expected {', '.join(kind.model_fields)}.")
    if problem["type"] == "missing" or found == "":
        return InvalidValue(f"Missing value for required parameter '{name}'.")
    example = _example(kind, problem["loc"])
    return InvalidValue(f"Invalid value {_clipped(found)} for parameter '{name}': {problem['msg']}.{example}")


def _clipped(found: object) -> str:
    """Return how `found` is written, cut: writing out all of a large one would take seconds."""
    shown = repr(found[:SHOWN_CHARACTERS]) if isinstance(found, str) else reprlib.repr(found)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[: SHOWN_CHARACTERS - 1] + "…"


def _example(kind: type[Arguments], location: tuple[int | str, ...]) -> str:
    field = kind.model_fields.get(str(location[0])) if location else None
    if field is None or not field.examples:
        return ""
    example = field.examples[0]
    return f" A right one is {example[0] if isinstance(example, list) else example!r}."
