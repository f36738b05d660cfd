"""A slot of a schedule is fired once, however many sweeps see it, and by none that saw it too long ago."""

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from modelyard.database.session import autocommit, transaction
from modelyard.jobs.guards import jobs
from modelyard.jobs.schedules import _fire, fire_due, rule_of, schedules
from modelyard.rules.jobs import JobKind
from tests.jobs.conftest import Jobs
from tests.stopped_clock import START_MS, StoppedClock
from tests.threads import at_once

HOUR_MS = 3_600_000
LONG_AGO_MS = START_MS - 10 * HOUR_MS


@pytest.fixture
def clock(engine) -> StoppedClock:
    return StoppedClock(engine)


@pytest.fixture
def row(clock: StoppedClock, job_house: Jobs) -> Any:
    """What a sweep saw of an hourly schedule that is long due."""
    hourly = {"public_id": "s" * 32, "name": "hourly", "kind": JobKind.PROBE, "arguments": {}, "created_by": "ann"}
    hourly |= {"rule": "every", "expression": "3600", "time_zone": "UTC", "enabled": True, "revision": 1}
    with transaction(job_house.engine) as session:
        session.execute(insert(schedules).values(hourly | {"next_at_ms": LONG_AGO_MS}))
    return seen(job_house)


def seen(house: Jobs) -> Any:
    with autocommit(house.engine) as connection:
        return connection.execute(select(schedules)).one()


def fired(house: Jobs) -> list[str]:
    with autocommit(house.engine) as connection:
        return list(connection.scalars(select(jobs.c.dedupe_key).order_by(jobs.c.id)))


@pytest.mark.usefixtures("row")
def test_sweeps_that_see_a_slot_at_once_fire_it_once(job_house):
    queue = job_house.lifecycle.queue

    counts = at_once(*[lambda: fire_due(job_house.engine, queue)] * 4)

    assert sorted(counts) == [0, 0, 0, 1]
    assert fired(job_house) == [f"schedule:{'s' * 32}:{START_MS}"]


def test_a_sweep_that_saw_a_slot_before_it_was_fired_and_done_fires_nothing(job_house, row):
    queue = job_house.lifecycle.queue
    fire_due(job_house.engine, queue)
    job_house.lifecycle.finish(job_house.claimed(1), None)

    assert _fire(job_house.engine, queue, row, rule_of(row)) == 0

    assert len(fired(job_house)) == 1


@pytest.mark.parametrize("change", [{"revision": 2}, {"enabled": False}])
def test_a_schedule_that_was_edited_meanwhile_is_not_fired_as_it_was(job_house, row, change):
    with transaction(job_house.engine) as session:
        session.execute(update(schedules).values(**change))

    assert _fire(job_house.engine, job_house.lifecycle.queue, row, rule_of(row)) == 0

    assert (fired(job_house), seen(job_house).next_at_ms) == ([], LONG_AGO_MS)


def test_no_job_is_made_while_one_of_the_schedule_is_open(job_house, row, clock):
    queue = job_house.lifecycle.queue
    fire_due(job_house.engine, queue)
    clock.move(HOUR_MS)

    assert fire_due(job_house.engine, queue) == 0

    assert len(fired(job_house)) == 1
    assert seen(job_house).next_at_ms == START_MS + 2 * HOUR_MS
