"""Transactions, the clock, and what runs after a commit, on both databases."""

import sqlite3
import threading
import time

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from modelyard.database import engine as database_engine
from modelyard.database.clock import now_ms
from modelyard.database.engine import create_engine
from modelyard.database.session import (
    after_commit,
    autocommit,
    current_ms,
    is_conflict,
    is_outage,
    reading,
    repeat_conflicts,
    transaction,
)
from modelyard.database.tables import RegisteredModel
from modelyard.errors import ConfigurationError


def test_the_clock_tells_milliseconds_of_now(engine):
    with reading(engine) as session:
        told = current_ms(session)

    assert abs(told - time.time() * 1000) < 2000


def test_the_clock_of_a_test_can_be_moved(engine, set_clock):
    set_clock(3_600_000)

    with autocommit(engine) as connection:
        told = connection.scalar(select(now_ms()))

    assert told - time.time() * 1000 > 3_500_000


def test_what_was_to_follow_a_commit_runs_after_it(engine):
    seen = []

    with transaction(engine) as session:
        session.add(RegisteredModel(name="m", created_by="ann"))
        after_commit(session, lambda: seen.append(_names(engine)))

    assert seen == [["m"]]


def test_nothing_follows_a_transaction_that_rolled_back(engine):
    seen = []

    def fail() -> None:
        with transaction(engine) as session:
            after_commit(session, lambda: seen.append(1))
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert seen == []


def test_a_reader_is_not_kept_waiting_by_a_writer(engine):
    with transaction(engine) as session:
        session.add(RegisteredModel(name="m", created_by="ann"))
        session.flush()

        assert _names(engine) == []


def test_writers_take_turns_without_losing_anything(engine):
    def write(number: int) -> None:
        for step in range(10):
            with transaction(engine) as session:
                session.add(RegisteredModel(name=f"m{number}-{step}", created_by="ann"))

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(_names(engine)) == 40


def test_who_waits_for_the_write_lock_too_long_is_told_of_an_outage(tmp_path, monkeypatch):
    monkeypatch.setattr(database_engine, "BUSY_TIMEOUT_MS", 50)
    engine = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    second = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    waits: list[int] = []

    @event.listens_for(second, "before_cursor_execute")
    def note(connection, _cursor, statement, *_):
        if statement == "BEGIN IMMEDIATE":
            waits.extend(connection.connection.dbapi_connection.execute("PRAGMA busy_timeout").fetchone())

    with transaction(engine) as session:
        session.connection()
        with pytest.raises(OperationalError, match="locked") as told, transaction(second) as waiting:
            waiting.connection()

    assert is_outage(told.value)
    # The last try, after all that waiting, waits no second time.
    assert waits == [0]
    with transaction(second) as session:
        assert session.scalar(text("PRAGMA busy_timeout")) == 50
    engine.dispose()
    second.dispose()


def test_a_thread_whose_turn_it_is_not_does_not_ask_for_the_write_lock(tmp_path, monkeypatch):
    engine = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    asked: list[str] = []
    begin = database_engine._has_begun
    monkeypatch.setattr(
        database_engine, "_has_begun", lambda driver: asked.append(threading.current_thread().name) or begin(driver)
    )

    def write() -> None:
        with transaction(engine) as session:
            session.execute(text("CREATE TABLE second (id INTEGER)"))

    second = threading.Thread(target=write, name="second")
    with transaction(engine) as session:
        session.execute(text("CREATE TABLE first (id INTEGER)"))
        second.start()
        second.join(0.2)
        waiting = second.is_alive()
    second.join()

    assert waiting
    # It asked once, when the lock was free.
    assert asked == ["MainThread", "second"]
    engine.dispose()


@pytest.mark.parametrize("failing", ["in the work", "at the commit", "at the begin"])
def test_a_turn_ends_with_its_transaction_however_that_ends(tmp_path, monkeypatch, failing):
    monkeypatch.setattr(database_engine, "BUSY_TIMEOUT_MS", 50)
    engine = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    with transaction(engine) as session:
        session.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        session.execute(text("CREATE TABLE children (id INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"))

    def fail() -> None:
        with transaction(engine) as session:
            session.execute(text("INSERT INTO children VALUES (7)"))
            if failing == "in the work":
                raise KeyError

    if failing == "at the begin":
        other = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
        with transaction(other) as session:
            session.connection()
            with pytest.raises(OperationalError, match="locked"):
                fail()
        other.dispose()
    else:
        with pytest.raises((KeyError, DBAPIError)):
            fail()

    def write() -> None:
        with transaction(engine) as session:
            session.execute(text("INSERT INTO parents VALUES (1)"))

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    with autocommit(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM parents")) == 1
        assert connection.scalar(text("SELECT count(*) FROM children")) == 0
    engine.dispose()


def test_a_turn_that_does_not_come_is_told_of_as_an_outage(tmp_path, monkeypatch):
    monkeypatch.setattr(database_engine, "BUSY_TIMEOUT_MS", 50)
    engine = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    told: list[OperationalError] = []

    def write() -> None:
        with pytest.raises(OperationalError, match="locked") as failure, transaction(engine) as session:
            session.connection()
        told.append(failure.value)

    with transaction(engine) as session:
        session.connection()
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    assert [is_outage(error) for error in told] == [True]
    engine.dispose()


def test_a_connection_that_ended_while_it_lay_idle_costs_nobody_an_error(postgresql, monkeypatch):
    monkeypatch.setattr(database_engine, "BELIEVED_S", 0)
    name = postgresql.create_database()
    engine, other = create_engine(postgresql.url(name)), create_engine(postgresql.url(name))
    with autocommit(engine) as connection:
        first = connection.scalar(text("SELECT pg_backend_pid()"))
    with autocommit(other) as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})

    with transaction(engine) as session:
        second = session.scalar(text("SELECT pg_backend_pid()"))

    assert second != first
    engine.dispose()
    other.dispose()
    postgresql.drop_database(name)


class _Conflict(Exception):
    sqlstate = "40P01"


def test_a_deadlock_is_repeated_and_another_error_is_not():
    tries = []

    def deadlocked_twice() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise DBAPIError("UPDATE", {}, _Conflict())
        return "done"

    def wrong() -> None:
        tries.append(1)
        raise OperationalError("UPDATE", {}, Exception("no such table"))

    assert repeat_conflicts(deadlocked_twice) == "done"
    tries.clear()
    with pytest.raises(OperationalError):
        repeat_conflicts(wrong)
    assert len(tries) == 1


def test_a_deadlock_is_a_conflict_and_a_lost_server_an_outage():
    assert is_conflict(DBAPIError("UPDATE", {}, _Conflict()))
    assert not is_outage(DBAPIError("UPDATE", {}, _Conflict()))
    assert is_outage(OperationalError("UPDATE", {}, Exception("server closed the connection")))


def test_sqlite_survives_a_power_loss_and_keeps_references(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'm.db'}")

    with engine.connect() as connection:
        found = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert found == ["wal", 2, 1]
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "not a url", ""])
def test_another_database_is_refused(url):
    with pytest.raises(ConfigurationError, match="MODELYARD_DATABASE_URL"):
        create_engine(url)


def _names(engine):
    with reading(engine) as session:
        return list(session.scalars(select(RegisteredModel.name).order_by(RegisteredModel.id)))


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_every_kind_of_busy_is_waited_for(code):
    answers = iter([code, None])

    class Driver:
        """A connection to a file that somebody else has locked, once."""

        def execute(self, statement):
            if statement == "BEGIN IMMEDIATE" and (found := next(answers)) is not None:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = found
                raise error

    assert [database_engine._has_begun(Driver()) for _ in range(2)] == [False, True]


def test_what_is_not_busy_is_not_waited_for():
    class Driver:
        """A connection to a disk that gave out."""

        def execute(self, statement):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        database_engine._has_begun(Driver())
