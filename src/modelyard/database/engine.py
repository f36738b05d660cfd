"""The SQLAlchemy engine on SQLite or PostgreSQL, set up so that both keep the same promises."""

import random
import sqlite3
import threading
import time
from functools import partial
from typing import Any

import orjson
import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from modelyard.errors import ConfigurationError

BUSY_TIMEOUT_MS = 20_000
# Execution option of a connection: which BEGIN opens its transactions on SQLite; "" for none.
SQLITE_BEGIN = "modelyard_sqlite_begin"
# A connection of PostgreSQL that was used so lately is not asked whether it still leads anywhere.
BELIEVED_S = 1.0
_USED_S = "modelyard_used_s"
# Whose turn it is to write, among the threads of a process: kept from BEGIN until the connection is back in its pool.
_TURN = "modelyard_turn"
# How long a writer on SQLite pauses before it asks for the lock again: at random, so that each has the same chance.
_PAUSE_S = (0.0002, 0.0006)


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
        return _postgresql_engine(parsed, pool_size)
    raise ConfigurationError(f"MODELYARD_DATABASE_URL names {kind!r}; expected sqlite:///PATH or postgresql://….")


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _postgresql_engine(url: URL, pool_size: int) -> Engine:
    engine = sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        json_serializer=_json_text,
        json_deserializer=orjson.loads,
        connect_args={"connect_timeout": 5, "application_name": "modelyard"},
    )
    event.listen(engine, "checkout", partial(_ping_if_idle, engine))
    event.listen(engine, "checkin", _note_use)
    return engine


def _ping_if_idle(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """See that a connection which lay idle still leads somewhere, so that a restart costs nobody but a reconnect.

    One that was used just now is believed: to ask each time costs as much as the statement that follows.
    """
    used_s = record.info.get(_USED_S)
    if used_s is None or time.monotonic() - used_s < BELIEVED_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        # The pool takes this as its own verdict: it drops what else is as old, and connects anew.
        raise InvalidatePoolError from error


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED_S] = time.monotonic()


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
    event.listen(engine, "begin", partial(_begin_sqlite, threading.Lock()))
    event.listen(engine, "checkin", _end_turn)
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


def _begin_sqlite(turn: threading.Lock, connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when somebody else wrote in between;
    # so writers take the lock at their start.
    begin = connection.get_execution_options().get(SQLITE_BEGIN, "IMMEDIATE")
    if begin == "IMMEDIATE":
        _begin_immediate(connection, turn)
    elif begin:
        connection.exec_driver_sql(f"BEGIN {begin}")


def _begin_immediate(connection: Connection, turn: threading.Lock) -> None:
    """Take the write lock: first before the other threads of this process, who wait without asking, then before others.

    SQLite's own waiting sleeps ever longer, up to 100 ms, while the lock changes hands every millisecond: among eight
    writers the unlucky ones starve for seconds. So it is asked for some two thousand times a second.
    """
    deadline_s = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    if _TURN not in connection.info and turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
        connection.info[_TURN] = turn
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not (begun := _has_begun(driver)) and time.monotonic() < deadline_s:
            time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret, only fairness.
        if not begun:
            # The last try, whose error is SQLAlchemy's as any other statement's. It does not wait once more.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _end_turn(_connection: object, record: ConnectionPoolEntry) -> None:
    turn: threading.Lock | None = record.info.pop(_TURN, None)
    if turn is not None:
        turn.release()


def _has_begun(driver: Any) -> bool:
    """Whether a transaction has begun; False while somebody else writes."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        # The low byte is the kind of error. Others say "busy" in words of their own, as while a first process makes the
        # write-ahead log (SQLITE_BUSY_RECOVERY).
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
