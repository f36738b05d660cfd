"""The database's clock: one expression for both dialects, moved by tests alone."""

import time

from sqlalchemy import Engine, select, update

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit
from modelyard.database.tables import Job


def test_the_time_is_that_of_the_day_in_milliseconds(engine: Engine) -> None:
    with autocommit(engine) as connection:
        found = connection.scalar(select(now_ms()))

    assert found is not None
    assert abs(found - time.time() * 1000) < 60_000


def test_the_clock_runs_ahead_as_far_as_a_test_says(engine, set_clock) -> None:
    set_clock(3_600_000)
    with autocommit(engine) as connection:
        found = connection.scalar(select(now_ms()))

    assert found is not None
    assert found - time.time() * 1000 > 3_500_000


def test_statements_that_ask_for_the_time_are_compiled_once() -> None:
    statement = update(Job).where(Job.run_after_ms <= now_ms()).values(wake_at_ms=now_ms() + 5)

    assert statement._generate_cache_key() is not None
