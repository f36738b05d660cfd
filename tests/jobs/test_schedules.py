"""Schedules as rows: once for each slot, whoever sweeps and whatever the clock does. On both databases."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, update

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import Schedule
from modelyard.jobs.guards import jobs
from modelyard.jobs.schedules import fire_due, schedules
from modelyard.rules.jobs import JobKind
from tests.jobs.conftest import Jobs
from tests.rules.test_schedules import BERLIN, at

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
NOON = at("2026-11-25 12:00")


@dataclass
class Calendar:
    """One schedule in a house of jobs, and a clock that stands where the test says."""

    house: Jobs

    def set_time(self, moment_ms: int) -> None:
        """Let the database's clock show `moment_ms`, and run on from there."""
        self.house.set_clock(moment_ms - int(time.time() * 1000))

    def add(self, rule: str, expression: str, *, next_at_ms: int, time_zone: str = "UTC", **columns: Any) -> None:
        """Enter the schedule."""
        row = Schedule(
            name="nightly",
            kind=JobKind.PROBE,
            rule=rule,
            expression=expression,
            time_zone=time_zone,
            next_at_ms=next_at_ms,
            created_by="ann",
            **columns,
        )
        with transaction(self.house.engine) as session:
            session.add(row)

    def fire(self) -> int:
        """Do what a sweep does."""
        return fire_due(self.house.engine, self.house.lifecycle.queue)

    def slots(self) -> list[int]:
        """Return the slots that have a job, in the order of the jobs."""
        with autocommit(self.house.engine) as connection:
            keys = connection.scalars(select(jobs.c.dedupe_key).order_by(jobs.c.id)).all()
        return [int(key.rpartition(":")[2]) for key in keys]

    def row(self) -> Any:
        """Return the schedule as it is now."""
        with autocommit(self.house.engine) as connection:
            return connection.execute(select(schedules)).one()

    def end_jobs(self) -> None:
        """Let every open job succeed."""
        with transaction(self.house.engine) as session:
            session.execute(
                update(jobs).where(jobs.c.status == "QUEUED").values(status="SUCCEEDED", finished_at_ms=now_ms())
            )


@pytest.fixture
def calendar(job_house: Jobs) -> Calendar:
    calendar = Calendar(job_house)
    calendar.set_time(NOON)
    return calendar


def test_a_slot_that_has_come_makes_a_job_and_rings_for_it(calendar):
    calendar.add("every", "3600", next_at_ms=NOON + HOUR_MS)
    assert calendar.fire() == 0

    calendar.set_time(NOON + HOUR_MS)

    assert calendar.fire() == 1
    assert calendar.slots() == [NOON + HOUR_MS]
    assert calendar.row().next_at_ms == NOON + 2 * HOUR_MS
    assert calendar.house.rings == [calendar.row().last_job_id]


def test_missed_slots_fold_into_the_latest(calendar):
    calendar.add("every", "3600", next_at_ms=NOON + HOUR_MS)
    calendar.set_time(NOON + 5 * HOUR_MS + MINUTE_MS)

    assert calendar.fire() == 1

    assert calendar.slots() == [NOON + 5 * HOUR_MS]
    assert calendar.row().last_slot_ms == NOON + 5 * HOUR_MS
    assert calendar.row().next_at_ms == NOON + 6 * HOUR_MS


def test_no_job_is_made_while_one_of_the_schedule_is_open(calendar):
    calendar.add("every", "3600", next_at_ms=NOON)
    calendar.fire()
    calendar.set_time(NOON + HOUR_MS)

    assert calendar.fire() == 0

    assert calendar.slots() == [NOON]
    assert calendar.row().next_at_ms == NOON + 2 * HOUR_MS


def test_six_sweepers_in_a_tight_loop_make_one_job_for_each_slot(calendar):
    calendar.add("every", "60", next_at_ms=NOON)
    expected = [NOON + n * MINUTE_MS for n in range(13)]

    for slot in expected:
        calendar.set_time(slot)
        sweepers = [threading.Thread(target=lambda: [calendar.fire() for _ in range(3)]) for _ in range(6)]
        for sweeper in sweepers:
            sweeper.start()
        for sweeper in sweepers:
            sweeper.join()
        calendar.end_jobs()

    assert calendar.slots() == expected


def test_a_disabled_schedule_is_left_alone(calendar):
    calendar.add("every", "3600", next_at_ms=NOON, enabled=False)

    assert calendar.fire() == 0
    assert calendar.row().next_at_ms == NOON


def test_a_time_that_spring_skips_makes_one_job_after_the_gap(calendar):
    calendar.set_time(at("2026-03-28 12:00", BERLIN))
    calendar.add("cron", "30 2 * * *", time_zone=BERLIN, next_at_ms=at("2026-03-29 03:00", BERLIN))

    for moment in ("2026-03-29 01:59", "2026-03-29 03:00", "2026-03-29 03:31", "2026-03-30 02:29"):
        calendar.set_time(at(moment, BERLIN))
        calendar.fire()
        calendar.end_jobs()

    assert calendar.slots() == [at("2026-03-29 03:00", BERLIN)]
    assert calendar.row().next_at_ms == at("2026-03-30 02:30", BERLIN)


def test_a_time_that_autumn_repeats_makes_one_job(calendar):
    calendar.set_time(at("2026-10-25 01:00", BERLIN))
    calendar.add("cron", "30 2 * * *", time_zone=BERLIN, next_at_ms=at("2026-10-25 02:30", BERLIN))

    for moment, fold in (("02:30", 0), ("02:59", 0), ("02:15", 1), ("02:30", 1), ("02:45", 1), ("03:30", 0)):
        calendar.set_time(at(f"2026-10-25 {moment}", BERLIN, fold=fold))
        calendar.fire()
        calendar.end_jobs()

    assert calendar.slots() == [at("2026-10-25 02:30", BERLIN)]
    assert calendar.row().next_at_ms == at("2026-10-26 02:30", BERLIN)


def test_a_clock_that_falls_back_makes_no_second_job_for_a_slot(calendar):
    calendar.add("every", "3600", next_at_ms=NOON)
    calendar.fire()
    calendar.end_jobs()
    calendar.set_time(NOON - 30 * MINUTE_MS)
    calendar.fire()

    calendar.set_time(NOON + MINUTE_MS)

    assert calendar.fire() == 0
    assert calendar.slots() == [NOON]
    assert calendar.row().next_at_ms == NOON + HOUR_MS


def test_a_schedule_that_waits_beyond_its_next_slot_is_set_back_to_it(calendar):
    calendar.add("every", "3600", next_at_ms=NOON + 365 * 24 * HOUR_MS)

    calendar.fire()

    assert calendar.row().next_at_ms == NOON + HOUR_MS
    assert calendar.slots() == []


def test_a_row_that_cannot_be_read_keeps_no_other_waiting(calendar):
    calendar.add("every", "3600", next_at_ms=NOON)
    with transaction(calendar.house.engine) as session:
        session.add(
            Schedule(name="a", kind="probe", rule="cron", expression="never", next_at_ms=NOON, created_by="ann")
        )

    assert calendar.fire() == 1


def test_a_kind_of_another_release_is_left_to_that_release(calendar):
    calendar.add("every", "3600", next_at_ms=NOON)
    with transaction(calendar.house.engine) as session:
        session.execute(update(schedules).values(kind="from_the_future"))

    assert calendar.fire() == 0
    assert calendar.row().next_at_ms == NOON
