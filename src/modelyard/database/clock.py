"""The one clock: `now_ms()`, milliseconds since the epoch as the database sees them, in both dialects.

Workers on several machines disagree about the time; the database does not. Clocks decide only *when* something
happens, never *whether*.
"""

from typing import Any

from sqlalchemy import BigInteger, Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# Only tests move it, by `shift_clock`.
_offset_ms = 0


class now_ms(FunctionElement[int]):  # noqa: N801 - it reads as the SQL function that it stands for.
    """The current time in milliseconds since the epoch, as an SQL expression."""

    type = BigInteger()
    # A FunctionElement knows how to take part in a statement's cache key; on a bare ColumnElement this line is without
    # effect, and each statement that asks for the time is compiled anew.
    inherit_cache = True


def clock_offset_ms() -> int:
    """Return by how much `now_ms()` runs ahead in this process: 0 outside of tests. It is part of the SQL text."""
    return _offset_ms


def shift_clock(engine: Engine, offset_ms: int) -> None:
    """Let `now_ms()` run `offset_ms` ahead in this process, on `engine`. For tests alone."""
    global _offset_ms
    _offset_ms = offset_ms
    # The offset is part of the SQL text, so statements compiled before must not be found again.
    cache: Any = engine._compiled_cache
    cache.clear()


@compiles(now_ms, "sqlite")
def _sqlite(element: now_ms, compiler: Any, **options: Any) -> str:
    # SQLite before 3.42 has no sub-second unixepoch.
    return _shifted("CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)")


@compiles(now_ms, "postgresql")
def _postgresql(element: now_ms, compiler: Any, **options: Any) -> str:
    # As a subselect, because a bare clock_timestamp() in a WHERE cannot use an index.
    return _shifted("(SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint)")


def _shifted(expression: str) -> str:
    return f"({expression} + ({_offset_ms}))" if _offset_ms else expression
