"""Rows that nothing in their transaction reads again: gathered, and written together at its end.

A change leaves an activity, an event and a line of the audit log behind. Written one by one they cost as much as the
change itself; here PostgreSQL gets them in one statement, and SQLite in one a table.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Insert, Table, bindparam
from sqlalchemy.dialects import sqlite
from sqlmodel import Session

from modelyard.database.clock import clock_offset_ms
from modelyard.database.inserts import insert_for

_ROWS = "modelyard_appended"
# A statement is kept for each combination of tables; longer ones hardly come twice.
_TOGETHER = 8
_KEPT = 256

Convert = Callable[[Any], Any] | None


class _Kind(NamedTuple):
    """What shapes the INSERT of a row: its table, its columns, and whether a row that is there already stays."""

    table: Table
    columns: tuple[str, ...]
    unless_there: bool


class _Prepared(NamedTuple):
    """An INSERT as text, and for each row and column how the driver wants the value, None for as it is."""

    text: str
    names: tuple[tuple[str, Convert], ...]


def append(session: Session, table: Table, row: dict[str, Any], *, unless_there: bool = False) -> None:
    """Have `row` written before the commit; with `unless_there` one with the same key stays as it is.

    What else this transaction does must not ask for it, or `write_appended` comes first. `row` has a value for every
    column but those that the database fills in. Rows of a table get their ids in the order of these calls.
    """
    kind = _Kind(table, tuple(row), unless_there)
    if session.in_nested_transaction():
        # What a savepoint takes back must not be written afterwards.
        session.flush()
        _write(session, {kind: [row]})
    else:
        session.info.setdefault(_ROWS, []).append((kind, row))


def write_appended(session: Session) -> None:
    """Write all that the session still holds: its changed objects, then what was gathered."""
    session.flush()
    together: dict[_Kind, list[dict[str, Any]]] = {}
    for kind, row in session.info.pop(_ROWS, []):
        other_kind = any(kind.table is known.table and kind != known for known in together)
        if other_kind or sum(map(len, together.values())) == _TOGETHER:
            _write(session, together)
            together = {}
        together.setdefault(kind, []).append(row)
    if together:
        _write(session, together)


def _write(session: Session, rows: dict[_Kind, list[dict[str, Any]]]) -> None:
    connection = session.connection()
    shape = tuple((kind, len(some)) for kind, some in rows.items())
    for part in [shape] if connection.dialect.name == "postgresql" else [(one,) for one in shape]:
        prepared = _prepared(connection.dialect, part, clock_offset_ms())
        given = (value for kind, _ in part for row in rows[kind] for value in row.values())
        connection.exec_driver_sql(
            prepared.text,
            {
                name: convert(value) if convert else value
                for (name, convert), value in zip(prepared.names, given, strict=True)
            },
        )


@lru_cache(_KEPT)
def _prepared(dialect: Dialect, shape: tuple[tuple[_Kind, int], ...], _clock_offset_ms: int) -> _Prepared:
    """Return one statement that inserts so many rows of each kind; the tests' clock is part of its text."""
    *before, last = (_insert(dialect, kind, count) for kind, count in shape)
    # Data-modifying CTEs run to their end whether or not anything reads them, but in no order: each has its own table.
    whole = last.add_cte(*(insert.cte(f"part_{number}") for number, insert in enumerate(before)))
    by_name = sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
    return _Prepared(
        str(whole.compile(dialect=by_name)),
        tuple(
            (_name(kind, number, column), kind.table.c[column].type.dialect_impl(dialect).bind_processor(dialect))
            for kind, count in shape
            for number in range(count)
            for column in kind.columns
        ),
    )


def _insert(dialect: Dialect, kind: _Kind, count: int) -> Insert:
    columns = kind.table.c
    rows = [
        {column: bindparam(_name(kind, number, column), type_=columns[column].type) for column in kind.columns}
        for number in range(count)
    ]
    insert: Insert = insert_for(dialect.name, kind.table).values(rows).inline()
    return insert.on_conflict_do_nothing() if kind.unless_there else insert  # type: ignore[attr-defined]


def _name(kind: _Kind, number: int, column: str) -> str:
    return f"{kind.table.name}_{number}_{column}"
