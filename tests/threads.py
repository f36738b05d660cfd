"""Things that happen in the same moment, in threads of their own, and whether one of them waits for another."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from sqlalchemy import Engine, event, text

from modelyard.database.session import autocommit


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Make these calls in the same moment; return what each answered or raised."""
    barrier = Barrier(len(calls))

    def make(call: Callable[[], object]) -> object:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        made = [pool.submit(make, call) for call in calls]
        return [future.exception(60) or future.result() for future in made]


def somebody_waits(engine: Engine) -> bool:
    """Whether somebody waits for a row; on SQLite, where all wait for the one lock, nobody can tell."""
    if engine.dialect.name == "sqlite":
        return True
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with autocommit(engine) as connection:
        return bool(connection.scalar(text(waiting)))


@contextmanager
def noted_conflicts(engine: Engine) -> Iterator[list[str]]:
    """Collect the deadlocks and serialization failures that the database reports, repeated or not."""
    met: list[str] = []

    def note(context: Any) -> None:
        if getattr(context.original_exception, "sqlstate", None) in ("40P01", "40001"):
            met.append(str(context.original_exception))

    event.listen(engine, "handle_error", note)
    yield met
    event.remove(engine, "handle_error", note)
