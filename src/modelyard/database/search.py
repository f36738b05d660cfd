"""Searches in SQL: comparisons -> WHERE, an order -> ORDER BY, the last row of a page -> where the next one begins.

Pages continue behind the last row seen ("keyset"), so that a row which comes or goes shifts nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Dialect, and_, false, or_
from sqlalchemy.sql.elements import SQLCoreOperations

from modelyard.errors import InvalidValue
from modelyard.rules.filters import Attribute, Comparison, Operator
from modelyard.rules.ordering import OrderKey

# Mapped columns of the table classes, or columns of tables.
Columns: TypeAlias = Mapping[str, SQLCoreOperations[Any]]


def condition(comparison: Comparison, columns: Columns, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition for one comparison; `columns` maps the attributes that are served -> columns.

    Raises InvalidValue for one that the grammar knows and this release does not serve.
    """
    subject = comparison.subject
    column = columns.get(subject.name) if isinstance(subject, Attribute) else None
    if column is None:
        asked = subject.name if isinstance(subject, Attribute) else "tags"
        raise InvalidValue(f"Searching by {asked} is not served by this release; search by {', '.join(columns)}.")
    return _compare(column, comparison, dialect)


def order_clauses(order: Sequence[OrderKey], columns: Columns) -> list[ColumnElement[Any]]:
    """Return the ORDER BY for `order`; `columns` maps its keys -> columns."""
    return [columns[key.name].desc() if key.descending else columns[key.name].asc() for key in order]


def behind(order: Sequence[OrderKey], columns: Columns, last: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition for rows that come behind the one whose keys have the values `last`."""
    found: ColumnElement[bool] = false()
    for key, value in zip(reversed(order), reversed(last), strict=True):
        column = columns[key.name]
        beyond = column < value if key.descending else column > value
        found = or_(beyond, and_(column == value, found))
    return found


def _compare(column: SQLCoreOperations[Any], comparison: Comparison, dialect: Dialect) -> ColumnElement[bool]:
    value: Any = comparison.value
    found: ColumnElement[bool]
    match comparison.operator:
        case Operator.EQUAL:
            found = column == value
        case Operator.UNEQUAL:
            found = column != value
        case Operator.IN:
            found = column.in_(value)
        case Operator.NOT_IN:
            found = column.not_in(value)
        case Operator.LIKE:
            found = _like(column, value, dialect)
        case Operator.ILIKE:
            found = _ilike(column, value, dialect)
        case Operator.LESS:
            found = column < value
        case Operator.LESS_EQUAL:
            found = column <= value
        case Operator.GREATER:
            found = column > value
        case Operator.GREATER_EQUAL:
            found = column >= value
    return found


def _like(column: SQLCoreOperations[Any], pattern: str, dialect: Dialect) -> ColumnElement[bool]:
    if dialect.name == "sqlite":
        # SQLite's LIKE does not mind the case of letters; its GLOB does.
        return column.op("GLOB", is_comparison=True)(_as_glob(pattern))
    # The grammar knows no escape, PostgreSQL's default would be the backslash.
    return column.like(pattern, escape="")


def _ilike(column: SQLCoreOperations[Any], pattern: str, dialect: Dialect) -> ColumnElement[bool]:
    if dialect.name == "sqlite":
        return column.like(pattern)
    return column.ilike(pattern, escape="")


def _as_glob(pattern: str) -> str:
    escaped = {"[": "[[]", "*": "[*]", "?": "[?]", "%": "*", "_": "?"}
    return "".join(escaped.get(character, character) for character in pattern)
