"""Membership in a list of numbers that is one value of the statement, however many there are.

An IN with a place for each number is another statement for each length, which PostgreSQL plans anew.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Text, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean, TypeDecorator


class _Numbers(TypeDecorator[list[int]]):
    """A list of numbers as a text: PostgreSQL's way of writing an array, a JSON array on SQLite.

    As a list psycopg would look at each number to find out how to write them all, which costs more than the lookup.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[int] | None, dialect: Dialect) -> str:
        numbers = ",".join(map(str, value or ()))
        return f"{{{numbers}}}" if dialect.name == "postgresql" else f"[{numbers}]"


class _IsAnyOf(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


@compiles(_IsAnyOf, "sqlite")
def _sqlite(element: _IsAnyOf, compiler: Any, **options: Any) -> str:
    column, numbers = element.clauses
    tested, listed = compiler.process(column, **options), compiler.process(numbers, **options)
    return f"{tested} IN (SELECT value FROM json_each({listed}))"  # noqa: S608 - compiled parts, and a place.


@compiles(_IsAnyOf, "postgresql")
def _postgresql(element: _IsAnyOf, compiler: Any, **options: Any) -> str:
    column, numbers = element.clauses
    return f"{compiler.process(column, **options)} = ANY (CAST({compiler.process(numbers, **options)} AS BIGINT[]))"


def is_any_of(column: ColumnElement[Any], numbers: BindParameter[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of the `numbers`, which `numbers_given` or `numbers_named` made."""
    return _IsAnyOf(column, numbers)


def numbers_named(name: str) -> BindParameter[Any]:
    """Return numbers that a statement is run with, under this name."""
    return bindparam(name, type_=_Numbers())


def numbers_given(numbers: Iterable[int]) -> BindParameter[Any]:
    """Return these numbers."""
    return bindparam("numbers", tuple(numbers), type_=_Numbers(), unique=True)
