"""Rows gathered into JSON by the database, so that one statement answers for a row and all that hangs on it.

Both dialects give text; `parsed` turns it into lists.
"""

from typing import Any, cast

import orjson
from sqlalchemy import ColumnElement, Select, String, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _GatheredRows(FunctionElement[str]):
    """An aggregate over rows: the text of a JSON array that holds one array of values for each row."""

    type = String()
    inherit_cache = True


@compiles(_GatheredRows, "sqlite")
def _sqlite(element: _GatheredRows, compiler: Any, **options: Any) -> str:
    # Made plain text, or one of these inside of another would be nested by some releases and quoted by others.
    return f"(json_group_array(json_array({compiler.process(element.clauses, **options)})) || '')"


@compiles(_GatheredRows, "postgresql")
def _postgresql(element: _GatheredRows, compiler: Any, **options: Any) -> str:
    return f"json_agg(json_build_array({compiler.process(element.clauses, **options)}))::text"


def gathered(*columns: ColumnElement[Any]) -> Select[Any]:
    """Return a SELECT of one JSON text, to be given its WHERE and made a scalar subquery.

    The rows come in no order that one may lean on: let a first column say it, and sort what `parsed` returns.
    """
    return select(_GatheredRows(*columns))


def gathered_rows(statement: Select[Any]) -> Select[Any]:
    """Return a SELECT of one JSON text that holds all rows of `statement`, in no order that one may lean on."""
    return gathered(*statement.subquery("rows").c)


def parsed(text: str | None) -> list[list[Any]]:
    """Return the rows of a gathered text, each a list of its values. PostgreSQL gives NULL for no rows at all."""
    return cast(list[list[Any]], orjson.loads(text)) if text else []
