"""Many rows handed to the database as one JSON text: a statement of the same form however many there are.

A list of VALUES is a new statement for each number of rows, and compiling one for hundreds of rows takes longer than
running it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, FromClause, String, bindparam, cast, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Rows(FunctionElement[Any]):
    """A table of the rows that a JSON text holds, each an array of values."""

    inherit_cache = True


@compiles(_Rows, "sqlite")
def _rows_of_sqlite(element: _Rows, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Rows, "postgresql")
def _rows_of_postgresql(element: _Rows, compiler: Any, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS json))"


class _Value(FunctionElement[Any]):
    """One value of such a row, as text."""

    type = String()
    inherit_cache = True


@compiles(_Value, "sqlite")
def _value_of_sqlite(element: _Value, compiler: Any, **options: Any) -> str:
    row, place = (compiler.process(part, **options) for part in element.clauses)
    return f"json_extract({row}, '$[{place}]')"


@compiles(_Value, "postgresql")
def _value_of_postgresql(element: _Value, compiler: Any, **options: Any) -> str:
    row, place = (compiler.process(part, **options) for part in element.clauses)
    return f"({row} ->> {place})"


class JsonRows:
    """The rows of the statement's parameter `name`, as `written` writes them; each has the same values in one order."""

    def __init__(self, name: str = "rows") -> None:
        self._rows = _Rows(bindparam(name, type_=String())).table_valued("value")

    @property
    def table(self) -> FromClause:
        """What to select from."""
        return self._rows

    def text(self, place: int) -> ColumnElement[str]:
        """Return the value at `place` of a row, counted from 0."""
        return _Value(self._rows.c.value, literal_column(str(place)))

    def number(self, place: int) -> ColumnElement[int]:
        """Return the whole number at `place` of a row."""
        return cast(self.text(place), BigInteger)


def written(rows: Iterable[Sequence[str | int]]) -> str:
    """Return the parameter that hands over these rows."""
    return orjson.dumps(list(rows)).decode()
