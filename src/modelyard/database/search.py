"""Searches in SQL: comparisons -> WHERE, an order -> ORDER BY, the last row of a page -> where the next one begins.

A statement is put together from the shape of a search and used again for every search of that shape: the values stand
in it as names, `values_of` says for what. Pages continue behind the last row seen ("keyset"), so that a row which
comes or goes shifts nothing, and the hundredth page costs no more than the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    Dialect,
    Integer,
    Text,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import FromClause, Join
from sqlalchemy.types import TypeDecorator

from modelyard.database.tables import VALUE_START_CHARACTERS
from modelyard.rules.filters import Attribute, Comparison, Operator, OptionalTag, Tag
from modelyard.rules.ordering import OrderKey

Columns: TypeAlias = Mapping[str, ColumnElement[Any]]
# What is compared, and how: the name of an attribute, or a kind of tag. Which tag is a value.
Compared: TypeAlias = tuple[str | type[Tag] | type[OptionalTag], Operator]


@dataclass(frozen=True, slots=True)
class Shape:
    """A search without its values; `continued` when it begins behind the last row of another page."""

    compared: tuple[Compared, ...]
    order: tuple[OrderKey, ...]
    continued: bool


@dataclass(frozen=True, slots=True)
class Tagged:
    """Rows that may bear tags: their id, the table of the tags, and the tags' column that holds the id."""

    row_id: ColumnElement[int]
    tags: FromClause
    owner: ColumnElement[int]


def shape_of(comparisons: Sequence[Comparison], order: Sequence[OrderKey], last: Sequence[Any] | None) -> Shape:
    """Return the shape of a search."""
    return Shape(tuple(_compared(comparison) for comparison in comparisons), tuple(order), last is not None)


def values_of(comparisons: Sequence[Comparison], last: Sequence[Any] | None) -> dict[str, Any]:
    """Return name -> value for a statement with the search's shape."""
    values: dict[str, Any] = {}
    for place, comparison in enumerate(comparisons):
        values[f"value_{place}"] = comparison.value
        if not isinstance(comparison.subject, Attribute):
            values[f"key_{place}"] = comparison.subject.key
            values[f"start_{place}"] = str(comparison.value)[:VALUE_START_CHARACTERS]
    return values | {f"last_{place}": value for place, value in enumerate(last or ())}


def conditions(
    shape: Shape, columns: Columns, tagged: Tagged, *, begin_at_tags: bool = True
) -> list[ColumnElement[bool]]:
    """Return the conditions of a search; `columns` maps the attributes of its grammar -> columns.

    `begin_at_tags` lets SQLite find rows by their tags; without, it asks the rows that it has found for their tags.
    """
    return [
        _condition(place, compared, columns, tagged, begin_at_tags) for place, compared in enumerate(shape.compared)
    ]


def order_clauses(order: Sequence[OrderKey], columns: Columns) -> list[ColumnElement[Any]]:
    """Return the ORDER BY for `order`; `columns` maps its keys -> columns."""
    return [columns[key.name].desc() if key.descending else columns[key.name].asc() for key in order]


def behind(order: Sequence[OrderKey], columns: Columns) -> ColumnElement[bool]:
    """Return the condition for rows that come behind the one with the last values.

    For each key: not before it, and where it is equal, behind by the keys that follow. Said like this the first key has
    a plain bound, without which no database begins in the middle of an index, and PostgreSQL guesses well how many rows
    follow: of "before or equal" joined by OR it believes a tenth, and then sorts them all instead of reading a page.
    """
    found: ColumnElement[bool] = false()
    for place, key in reversed(list(enumerate(order))):
        column = columns[key.name]
        last: BindParameter[Any] = bindparam(f"last_{place}")
        found = and_(column <= last if key.descending else column >= last, or_(column != last, found))
    return found


def _compared(comparison: Comparison) -> Compared:
    subject = comparison.subject
    return (subject.name if isinstance(subject, Attribute) else type(subject), comparison.operator)


def _condition(
    place: int, compared: Compared, columns: Columns, tagged: Tagged, begin_at_tags: bool
) -> ColumnElement[bool]:
    subject, operator = compared
    if isinstance(subject, str):
        return _compare(columns[subject], operator, place)
    keyed = tagged.tags.c.key == bindparam(f"key_{place}")
    if subject is OptionalTag:
        equal = tagged.tags.c.value == bindparam(f"value_{place}")
        return ~exists().where(tagged.owner == tagged.row_id, keyed, equal).correlate_except(tagged.tags)
    valued = _compare_value(tagged.tags.c.value, operator, place)
    if begin_at_tags:
        return tagged.row_id.in_(select(tagged.owner).where(keyed, valued))
    return exists().where(tagged.owner == tagged.row_id, keyed, valued).correlate_except(tagged.tags)


def _compare_value(value: ColumnElement[str], operator: Operator, place: int) -> ColumnElement[bool]:
    if operator is not Operator.EQUAL:
        return _compare(value, operator, place)
    # The index holds only the beginning of a value, written out as here. With a plain `value = ?` beside it SQLite
    # would put the bound value in its place, and know the index's expression no more.
    start = func.substr(value, literal_column("1"), literal_column(str(VALUE_START_CHARACTERS)))
    whole = value + literal_column("''")
    return and_(start == bindparam(f"start_{place}", type_=Text), _compare(whole, operator, place))


def _compare(column: ColumnElement[Any], operator: Operator, place: int) -> ColumnElement[bool]:
    name = f"value_{place}"
    value: BindParameter[Any] = bindparam(name, type_=BigInteger() if isinstance(column.type, Integer) else column.type)
    match operator:
        case Operator.EQUAL:
            return column == value
        case Operator.UNEQUAL:
            return column != value
        case Operator.IN:
            return column.in_(bindparam(name, expanding=True))
        case Operator.NOT_IN:
            return column.not_in(bindparam(name, expanding=True))
        case Operator.LIKE:
            return _Like(column, bindparam(name, type_=_Pattern))
        case Operator.ILIKE:
            return _Ilike(column, bindparam(name, type_=Text))
        case Operator.LESS:
            return column < value
        case Operator.LESS_EQUAL:
            return column <= value
        case Operator.GREATER:
            return column > value
        case Operator.GREATER_EQUAL:
            return column >= value


class LeftFirst(Join):
    """A join whose left side SQLite reads first. It has no statistics by which it could choose well itself."""

    inherit_cache = True


@compiles(LeftFirst, "sqlite")
def _sqlite_left_first(element: LeftFirst, compiler: Any, **options: Any) -> str:
    return str(compiler.visit_join(element, **options)).replace(" JOIN ", " CROSS JOIN ", 1)


class _Pattern(TypeDecorator[str]):
    """A pattern of LIKE, written for the operator of each database that minds the case of letters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return _as_glob(value) if value is not None and dialect.name == "sqlite" else value


class _Like(FunctionElement[bool]):
    """`column LIKE pattern`, minding the case of letters; the grammar knows no escape."""

    type = Boolean()
    inherit_cache = True


class _Ilike(FunctionElement[bool]):
    """`column ILIKE pattern`, which does not mind the case of ASCII letters, on both databases alike."""

    type = Boolean()
    inherit_cache = True


@compiles(_Like, "sqlite")
def _sqlite_like(element: _Like, compiler: Any, **options: Any) -> str:
    # SQLite's LIKE does not mind the case of letters; its GLOB does.
    return _infix(element, compiler, "GLOB", **options)


@compiles(_Ilike, "sqlite")
def _sqlite_ilike(element: _Ilike, compiler: Any, **options: Any) -> str:
    return _infix(element, compiler, "LIKE", **options)


@compiles(_Like, "postgresql")
def _postgresql_like(element: _Like, compiler: Any, **options: Any) -> str:
    # The default escape would be the backslash.
    return f"{_infix(element, compiler, 'LIKE', **options)} ESCAPE ''"


@compiles(_Ilike, "postgresql")
def _postgresql_ilike(element: _Ilike, compiler: Any, **options: Any) -> str:
    # Under the database's own collation it would depend on how the database was created.
    return f"""{_infix(element, compiler, 'COLLATE "C" ILIKE', **options)} ESCAPE ''"""


def _infix(element: FunctionElement[bool], compiler: Any, operator: str, **options: Any) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{left} {operator} {right}"


def _as_glob(pattern: str) -> str:
    escaped = {"[": "[[]", "*": "[*]", "?": "[?]", "%": "*", "_": "?"}
    return "".join(escaped.get(character, character) for character in pattern)
