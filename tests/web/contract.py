"""Whether an answer of the native API is what its own description says."""

import json
import re
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from modelyard.web.api.openapi import document
from modelyard.web.api.routes import NATIVE, NATIVE_PREFIX


def description() -> dict[str, Any]:
    """Return the description of the native API."""
    return document(NATIVE_PREFIX, tuple(NATIVE), "http://localhost")


def closed(schema: Any) -> Any:
    """Return `schema` as one that allows no key which it does not name: what we leave open to clients."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        schema = [closed(item) for item in schema]
    return schema


DESCRIPTION = closed(deepcopy(description()))


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return what is described for a request, None for a path that is not; names win over parameters."""
    for template in sorted(DESCRIPTION["paths"], key=lambda template: "{" in template):
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            return DESCRIPTION["paths"][template].get(method.lower())  # type: ignore[no-any-return]
    return None


def check_answer(method: str, path: str, answer: TestResponse) -> None:
    """Fail unless `answer` has a described status, media type, headers and content."""
    operation = operation_of(method, path.partition("?")[0])
    if operation is None:
        return
    status = str(answer.status_code)
    responses = operation["responses"]
    response = responses.get(status) or responses[f"{status[0]}XX"]
    assert set(response.get("headers", ())) <= set(answer.headers.keys())
    schema = response["content"][answer.mimetype]["schema"]
    validator = Draft202012Validator({**schema, "components": DESCRIPTION["components"]})
    for instance in _instances(answer):
        validator.validate(instance)


def _instances(answer: TestResponse) -> list[Any]:
    text = answer.get_data(as_text=True)
    if answer.mimetype == "application/json":
        return [json.loads(text)]
    if answer.mimetype == "application/x-ndjson":
        return [json.loads(line) for line in text.splitlines()]
    return [text]
