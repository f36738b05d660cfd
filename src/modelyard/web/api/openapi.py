"""The native API described as OpenAPI 3.1, from what its routes say of themselves.

A handler's annotations are all there is: the class of its request checks what comes in, and the type of its answer is
what the type checker holds it to. Nothing is written down a second time.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from inspect import cleandoc
from typing import Annotated, Any, Final, get_args, get_origin

from flask import current_app
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

import modelyard
from modelyard.web.api.answers import Json
from modelyard.web.api.route import Route, Texts
from modelyard.web.errors import Refusal
from modelyard.web.site import site

# Where `mount` leaves the routes to be described.
EXTENSION: Final = "modelyard.native_routes"

_REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"<(\w+)>")
_FAILURES: Final = {
    "4XX": "The request is wrong or not allowed, and nothing was changed.",
    "503": "The database does not answer; come back after Retry-After.",
}


def show_description() -> Json:
    """Show this description of the native API, as OpenAPI 3.1."""
    prefix, routes = current_app.extensions[EXTENSION]
    return document(prefix, tuple(routes), site().public_url)


@lru_cache(maxsize=1)
def document(prefix: str, routes: Sequence[Route], server_url: str) -> Json:
    """Return the description of `routes`, which are mounted below `prefix` of the server at `server_url`."""
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for route in routes:
        path = prefix + _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Modelyard",
            "version": modelyard.__version__,
            "summary": "The native API of a self-hosted model registry.",
            "description": "Names that end in _ms are milliseconds since 1970 UTC or spans of time, in _s seconds; "
            "sizes are bytes. What is absent is null.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "security": [{"token": []}, {"password": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.found,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic", "description": "The token is the password."},
            },
        },
    }


def _operation(route: Route, schemas: "_Schemas") -> Json:
    summary, _, description = cleandoc(route.handler.__doc__ or "").partition("\n\n")
    operation: Json = {
        "operationId": route.handler.__name__,
        "tags": [route.handler.__module__.rpartition(".")[2]],
        "summary": " ".join(summary.split()),
        **({"description": " ".join(description.split())} if description else {}),
        **_request(route, schemas),
        "responses": {
            "200": {"description": "What was asked for.", **_content(route.handler.__annotations__["return"], schemas)},
            **{code: {"description": text, **_content(Refusal, schemas)} for code, text in _FAILURES.items()},
        },
    }
    return operation | ({"security": []} if route.open else {})


def _request(route: Route, schemas: "_Schemas") -> Json:
    """Describe what a route is asked: the path's names as parameters, all others by the query or in the body."""
    if route.asked is None:
        return {}
    whole = schemas.taken_apart(route.asked)
    required = set(whole.get("required", ()))
    in_path = _PARAMETER.findall(route.path)
    others = {name: schema for name, schema in whole["properties"].items() if name not in in_path}
    parameters = [_parameter("path", name, whole["properties"][name], required=True) for name in in_path]
    if route.method == "GET":
        parameters += [_parameter("query", name, others[name], required=name in required) for name in others]
        others = {}
    return ({"parameters": parameters} if parameters else {}) | (_body(whole, others) if others else {})


def _parameter(place: str, name: str, schema: Json, *, required: bool) -> Json:
    schema = dict(schema)
    if schema.get("default", "") is None:
        # An absent field is None to us; a query cannot say null.
        del schema["default"]
        (kind,) = [kind for kind in schema.pop("anyOf") if kind != {"type": "null"}]
        schema |= kind
    description = schema.pop("description", None)
    parameter: Json = {"name": name, "in": place, "required": required, "schema": schema}
    return parameter | ({"description": description} if description else {})


def _body(whole: Json, properties: Mapping[str, Json]) -> Json:
    needed = [name for name in whole.get("required", ()) if name in properties]
    schema = {**whole, "properties": dict(properties), "required": needed}
    if not needed:
        del schema["required"]
    return {"requestBody": {"required": bool(needed), "content": {"application/json": {"schema": schema}}}}


def _content(answer: Any, schemas: "_Schemas") -> Json:
    """Describe an answer by the type that its handler's annotation gives it."""
    texts = [extra for extra in get_args(answer)[1:] if isinstance(extra, Texts)] if _is_annotated(answer) else []
    if not texts:
        return {"content": {"application/json": {"schema": schemas.named(answer)}}}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in texts[0].headers.items()}
    content = {media: {"schema": schemas.named(line)} for media, line in texts[0].contents.items()}
    return {"headers": headers, "content": content}


def _is_annotated(hint: Any) -> bool:
    return get_origin(hint) is Annotated


class _Plain(GenerateJsonSchema):
    """pydantic's schemas without a title made of each field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Say that no field needs one."""
        return False


class _Schemas:
    """The schemas that a description refers to: name -> schema."""

    def __init__(self) -> None:
        self.found: dict[str, Json] = {}

    def named(self, kind: Any) -> Json:
        """Return the schema of an answer; that of a class of ours is a reference."""
        schema = self._schema(TypeAdapter(kind), "serialization")
        if "title" not in schema:
            return schema
        self._keep(kind.__name__, schema)
        return {"$ref": _REFERENCE.format(model=kind.__name__)}

    def taken_apart(self, kind: Any) -> Json:
        """Return the schema of a request's class itself, since its fields come from several places."""
        return self._schema(TypeAdapter(kind), "validation")

    def _schema(self, adapter: TypeAdapter[Any], mode: JsonSchemaMode) -> Json:
        schema = adapter.json_schema(mode=mode, ref_template=_REFERENCE, schema_generator=_Plain)
        for name, definition in schema.pop("$defs", {}).items():
            self._keep(name, definition)
        return schema

    def _keep(self, name: str, schema: Json) -> None:
        if self.found.setdefault(name, schema) != schema:
            raise ValueError(f"two types of the native API are called {name}")
