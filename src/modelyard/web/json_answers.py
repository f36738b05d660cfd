"""JSON on its way out."""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response


def json_answer(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return an answer with a JSON object as its body; `{}` when there is nothing to say, never an empty body."""
    return Response(orjson.dumps(body), status=status, mimetype="application/json")
