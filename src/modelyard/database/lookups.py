"""Whether a SELECT finds a row, looked up for each row that it is asked for."""

from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean


class _IsFound(FunctionElement[bool]):
    """The same condition twice: as EXISTS, and as a subselect of one row that is not NULL."""

    type = Boolean()
    inherit_cache = True


@compiles(_IsFound, "sqlite")
def _sqlite(element: _IsFound, compiler: Any, **options: Any) -> str:
    as_exists, _ = element.clauses
    return str(compiler.process(as_exists, **options))


@compiles(_IsFound, "postgresql")
def _postgresql(element: _IsFound, compiler: Any, **options: Any) -> str:
    # Of EXISTS it would make a join, and gather all rows of the one side to look one up among them.
    _, as_value = element.clauses
    return str(compiler.process(as_value, **options))


def is_found(looked_up: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that `looked_up`, which is correlated, finds a row."""
    first = looked_up.limit(literal_column("1")).scalar_subquery()
    return _IsFound(looked_up.exists(), first.is_not(None).self_group())
