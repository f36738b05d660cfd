"""Short storms: nothing is lost, doubled, stuck or wrong, and without the sweep that would show."""

import shutil

import pytest

from tests.chaos.report import print_outcome
from tests.chaos.storm import Storm
from tests.databases import BOTH_DATABASES

pytestmark = pytest.mark.more

SECONDS = 20
CONTROL_DRAIN_S = 20


@pytest.mark.parametrize("database", BOTH_DATABASES)
def test_nothing_is_lost_in_a_storm(database):
    outcome = Storm(database, seed=1, seconds=SECONDS).run()

    print_outcome(outcome)
    assert outcome.violations == []
    assert outcome.verdict.ready > 0
    assert outcome.faults.total() >= SECONDS / 2


@pytest.mark.parametrize("database", BOTH_DATABASES)
def test_without_the_sweep_jobs_are_stuck(database):
    outcome = Storm(database, seed=1, seconds=SECONDS, sweep=False, drain_s=CONTROL_DRAIN_S).run()

    # What is expected here needs no logs to be understood.
    shutil.rmtree(outcome.folder)
    assert outcome.verdict.stuck
