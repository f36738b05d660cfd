"""Schedules of an installation: entered once, then the operator's. On both databases."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select

from modelyard.database.session import autocommit, reading, transaction
from modelyard.database.tables import Schedule
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.jobs.queue import JobQueue
from modelyard.jobs.schedules import fire_due, schedules
from modelyard.registry.installation import open_registry
from modelyard.registry.policies import READY_MADE
from modelyard.registry.schedules import BUILT_IN, ScheduleChange, change_schedule, list_schedules
from tests.registry.desks import ANN, STRANGER
from tests.rules.test_schedules import BERLIN, at

NAME = "prune_jobs"
KEYS = ["k" * 32]


@pytest.fixture
def installed(engine: Engine, set_clock: Callable[[int], None]) -> Engine:
    """A registry that was opened once, at noon."""
    set_clock(at("2026-11-25 12:00") - int(time.time() * 1000))
    open_registry(engine, KEYS)
    return engine


def change(engine: Engine, name: str = NAME, **fields: object) -> Schedule:
    with transaction(engine) as session:
        return change_schedule(session, ANN, name, ScheduleChange(**fields))


def the_schedule(engine: Engine) -> Schedule:
    with reading(engine) as session:
        return next(schedule for schedule in list_schedules(session) if schedule.name == NAME)


def test_an_installation_prunes_its_jobs_every_night(installed):
    schedule = the_schedule(installed)

    assert (schedule.name, schedule.kind, schedule.rule, schedule.expression) == (NAME, NAME, "cron", "30 2 * * *")
    assert schedule.enabled
    assert schedule.next_at_ms == at("2026-11-26 02:30")


def test_what_an_operator_disabled_or_edited_stays_so_when_a_process_starts(installed):
    change(installed, enabled=False)
    change(installed, expression="0 4 * * *")

    open_registry(installed, KEYS)

    schedule = the_schedule(installed)
    assert (schedule.enabled, schedule.expression) == (False, "0 4 * * *")


def test_a_change_raises_the_revision_and_sets_the_next_slot(installed):
    changed = change(installed, rule="every", expression="3600", enabled=True)

    assert changed.revision == 2
    assert changed.next_at_ms == at("2026-11-25 13:00")


def test_enabling_again_skips_what_was_missed(installed, set_clock):
    change(installed, enabled=False)
    set_clock(at("2026-12-24 12:00") - int(time.time() * 1000))

    changed = change(installed, enabled=True)

    assert changed.next_at_ms == at("2026-12-25 02:30")
    assert fire_due(installed, JobQueue()) == len(BUILT_IN) - 1


def test_a_time_zone_moves_the_slots(installed):
    assert change(installed, time_zone=BERLIN).next_at_ms == at("2026-11-26 02:30", BERLIN)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"expression": "every night"}, "expression 'every night' is no cron line"),
        ({"rule": "weekly"}, "rule 'weekly' is not known; expected 'cron' or 'every'"),
        ({"rule": "every"}, "expression '30 2 * * *' is no interval"),
        ({"time_zone": "Berlin"}, "time_zone 'Berlin' is not known"),
        ({"expression": "0 0 */30 2 MON#5"}, "does not come within fifty years"),
        ({}, "give enabled, rule, expression or time_zone"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_and_nothing_changes(installed, fields, told):
    with pytest.raises(InvalidValue) as refused:
        change(installed, **fields)

    assert told in refused.value.message
    assert the_schedule(installed).revision == 1


def test_a_schedule_that_cannot_be_read_can_be_disabled(installed):
    with transaction(installed) as session:
        session.execute(schedules.update().values(expression="never"))

    assert not change(installed, enabled=False).enabled


def test_a_schedule_that_is_not_there_is_not_found(installed):
    with pytest.raises(NotFound, match="There is no schedule 'nightly'"):
        change(installed, "nightly", enabled=False)


def test_only_administrators_change_schedules(installed):
    with transaction(installed) as session, pytest.raises(PermissionDenied):
        change_schedule(session, STRANGER, NAME, ScheduleChange(enabled=False))


def test_processes_that_start_at_once_enter_a_schedule_once(engine):
    starters = [threading.Thread(target=open_registry, args=[engine, KEYS]) for _ in range(4)]

    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()

    with autocommit(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(schedules)) == len(BUILT_IN) + len(READY_MADE)
