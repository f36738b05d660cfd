"""The clock that tests stop: it stands where it was put, in every statement and every connection."""

from sqlalchemy import select

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit, current_ms, transaction
from tests.stopped_clock import START_MS, StoppedClock


def test_it_stands_still_until_it_is_moved(engine):
    clock = StoppedClock(engine)

    with transaction(engine) as session, autocommit(engine) as connection:
        assert current_ms(session) == connection.scalar(select(now_ms())) == START_MS

    for by_ms in (1, 999, -12_345):
        clock.move(by_ms)
        with transaction(engine) as session:
            assert current_ms(session) == clock.now_ms
