"""A database's clock that stands still until it is moved, so that a test may stand on either side of a limit.

The statements under test stay as they are: what is replaced is the function that they ask for the time, by one of the
same name that this engine's connections find first.
"""

from typing import Any

from sqlalchemy import Engine, event, text

from modelyard.database.session import autocommit

START_MS = 1_800_000_000_000
# What SQLite's julianday counts from, to the epoch of Unix.
_JULIAN_DAYS = 2_440_587.5
_DAY_MS = 86_400_000

_POSTGRESQL = (
    "CREATE SCHEMA stopped",
    "CREATE TABLE stopped.clock AS SELECT 0::bigint AS now_ms",
    """CREATE FUNCTION stopped.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
       AS 'SELECT to_timestamp(now_ms / 1000.0) FROM stopped.clock'""",
)


class StoppedClock:
    """The clock of one engine; make it before the engine is used."""

    def __init__(self, engine: Engine) -> None:
        self.now_ms = START_MS
        self._engine = engine
        if engine.dialect.name == "postgresql":
            self._move = text("UPDATE stopped.clock SET now_ms = :now_ms")
            with autocommit(engine) as connection:
                for statement in _POSTGRESQL:
                    connection.exec_driver_sql(statement)
        self.move(0)
        event.listen(engine, "connect", self._replace_clock)
        engine.dispose()

    def move(self, by_ms: int) -> None:
        """Let time pass, or fall back."""
        self.now_ms += by_ms
        if self._engine.dialect.name == "postgresql":
            with autocommit(self._engine) as connection:
                connection.execute(self._move, {"now_ms": self.now_ms})

    def _replace_clock(self, connection: Any, _record: object) -> None:
        if self._engine.dialect.name == "sqlite":
            connection.create_function("julianday", 1, lambda _: self.now_ms / _DAY_MS + _JULIAN_DAYS)
            return
        connection.autocommit = True
        connection.execute("SET search_path = stopped, pg_catalog, public")
        connection.autocommit = False
