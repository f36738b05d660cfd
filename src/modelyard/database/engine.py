"""The SQLAlchemy engine on SQLite or PostgreSQL, set up so that both keep the same promises."""

from typing import Any

import orjson
import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from modelyard.errors import ConfigurationError

BUSY_TIMEOUT_MS = 20_000
# Execution option of a connection: which BEGIN opens its transactions on SQLite; "" for none.
SQLITE_BEGIN = "modelyard_sqlite_begin"


def create_engine(url: str, *, pool_size: int = 8) -> Engine:
    """Return an engine for `url`; nothing is connected yet.

    Call it after a fork only: connections must not be shared by processes.
    Raises ConfigurationError when the URL is not SQLite or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("MODELYARD_DATABASE_URL is not a database URL; expected sqlite:///PATH or "
                                 "postgresql://USER@HOST/NAME.") from error  # fmt: skip
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return _sqlite_engine(url, pool_size)
    if kind == "postgresql":
        return sqlalchemy.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=10,
            # A database that was restarted costs the first caller nothing but a reconnect.
            pool_pre_ping=True,
            json_serializer=_json_text,
            json_deserializer=orjson.loads,
            connect_args={"connect_timeout": 5, "application_name": "modelyard"},
        )
    raise ConfigurationError(f"MODELYARD_DATABASE_URL names {kind!r}; expected sqlite:///PATH or postgresql://….")


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=4,
        json_serializer=_json_text,
        json_deserializer=orjson.loads,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would open transactions by itself, too late for a lock that a writer must take first.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # NORMAL takes acknowledged commits back at a power loss.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when somebody else wrote in between;
    # so writers take the lock at their start.
    begin = connection.get_execution_options().get(SQLITE_BEGIN, "IMMEDIATE")
    if begin:
        connection.exec_driver_sql(f"BEGIN {begin}")
