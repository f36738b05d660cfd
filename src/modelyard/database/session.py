"""Transactions: the only ways in to the database, and what runs after a commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel import Session

from modelyard.database.appending import write_appended
from modelyard.database.clock import now_ms
from modelyard.database.engine import SQLITE_BEGIN

Answer = TypeVar("Answer")

_AFTER_COMMIT = "modelyard_after_commit"
_CONFLICTS = frozenset({"40001", "40P01"})
# A manifest that a collector took meanwhile; a blob that PostgreSQL's upsert overlooks while others update its row, and
# then tries to insert into the index that its ON CONFLICT does not name.
_PASSING_CONSTRAINTS = frozenset({"fk_model_versions_manifest_digest", "uq_blobs_digest_state"})
_TRIES = 5
_NOW = select(now_ms())


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Open a writing transaction; leaving it commits, an exception rolls back.

    What `after_commit` was given runs once the commit is acknowledged, outside of the transaction.
    """
    with Session(engine, expire_on_commit=False) as session:
        with session.begin():
            yield session
            # Whoever rolled back by hand has taken it all back.
            if session.in_transaction():
                write_appended(session)
        callbacks: list[Callable[[], object]] = session.info.pop(_AFTER_COMMIT, [])
    for callback in callbacks:
        callback()


@contextmanager
def statements(engine: Engine) -> Iterator[Connection]:
    """Open a writing transaction for a few statements that need no session, which costs as much as one of them."""
    with engine.begin() as connection:
        yield connection


def after_commit(session: Session, callback: Callable[[], object]) -> None:
    """Run `callback` when this session's transaction has committed; never when it rolls back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(callback)


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Open a session that only reads, on one snapshot in SQLite; it takes no write lock and commits nothing."""
    with engine.connect().execution_options(**{SQLITE_BEGIN: "DEFERRED"}) as connection:
        with Session(connection) as session:
            yield session
        connection.rollback()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Session]:
    """Open a session that only reads, all of it as of one moment on both databases."""
    with reading(engine) as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield session


@contextmanager
def autocommit(engine: Engine) -> Iterator[Connection]:
    """Open a connection whose every statement stands alone: the cheapest way to read one row."""
    # SQLite's connections stand in this mode when nobody says BEGIN. To say it again costs a PRAGMA, at which SQLite
    # throws its prepared statements away.
    options = {SQLITE_BEGIN: ""} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    with engine.connect().execution_options(**options) as connection:
        yield connection


def current_ms(session: Session) -> int:
    """Return the database's time in epoch milliseconds, for rows in which two times must be equal."""
    return session.connection().scalar(_NOW) or 0


def is_conflict(error: BaseException) -> bool:
    """Whether `error` is nobody's fault and gone when the transaction is repeated.

    Deadlocks, serialization failures, and constraints that are broken only for the moment.
    """
    if not isinstance(error, DBAPIError):
        return False
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS or constraint in _PASSING_CONSTRAINTS


def is_outage(error: BaseException) -> bool:
    """Whether `error` says that the database is away, overloaded or locked, rather than that a statement is wrong."""
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def repeat_conflicts(work: Callable[[], Answer]) -> Answer:
    """Return `work()`, repeated up to five times while it fails by a deadlock or serialization failure.

    `work` opens its own transaction, so that each repetition starts afresh.
    """
    for _ in range(_TRIES - 1):
        try:
            return work()
        except DBAPIError as error:
            if not is_conflict(error):
                raise
    return work()
