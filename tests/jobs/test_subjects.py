"""Jobs of one subject: one at a time, in order, and none forgotten behind another."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.jobs.guards import Claim, jobs
from tests.jobs.conftest import LEASE_MS, Jobs


def test_jobs_of_one_subject_run_one_at_a_time_in_order(job_house):
    first, second = job_house.add(), job_house.add()

    assert job_house.lifecycle.claim(second, "w1") is None
    claim = job_house.claimed(first)
    assert job_house.lifecycle.claim(second, "w2") is None
    job_house.lifecycle.finish(claim, None)
    assert job_house.lifecycle.claim(second, "w2") is not None


def test_jobs_without_a_subject_run_side_by_side(job_house):
    first, second = job_house.add(subject=None), job_house.add(subject=None)

    assert job_house.claimed(second).job_id == second
    assert job_house.claimed(first).job_id == first


def test_a_younger_job_that_runs_already_keeps_the_older_waiting(job_house):
    older, younger = job_house.add(), job_house.add()
    with transaction(job_house.engine) as session:  # On PostgreSQL the order of ids is not that of commits.
        running = {"status": "RUNNING", "worker": "w9", "lease_until_ms": 9_999_999_999_999, "attempt": 1}
        session.execute(update(jobs).where(jobs.c.id == younger).values(running))

    assert job_house.lifecycle.claim(older, "w1") is None


# What ends a job. Each leaves it final.
ENDS: dict[str, Callable[[Jobs, Claim], object]] = {
    "finish": lambda house, claim: house.lifecycle.finish(claim, None),
    "fail": lambda house, claim: house.lifecycle.fail(claim, "X", "no"),
    "cancel": lambda house, claim: house.lifecycle.acknowledge_cancel(claim),
    "last temporary failure": lambda house, claim: house.lifecycle.give_back(
        claim, delay_ms=0, error_code="X", message="away"
    ),
    "last loss": lambda house, claim: house.lifecycle.reap(claim, delay_ms=0),
    "release of a cancelled job": lambda house, claim: (house.cancel(claim.job_id), house.lifecycle.release(claim)),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_next_of_the_subject_is_rung_when_one_ends(job_house, end):
    first, second = job_house.add(), job_house.add()
    with transaction(job_house.engine) as session:
        # Its rings were lost behind the long job, and have grown rare.
        session.execute(update(jobs).values(max_attempts=1, wakes=4, wake_at_ms=9_999_999_999_999))
    claim = job_house.claimed(first)
    job_house.pass_time(2 * LEASE_MS)
    job_house.rings.clear()

    ENDS[end](job_house, claim)

    ended, waiting = job_house.row(first), job_house.row(second)
    assert job_house.rings == [second]
    assert waiting.wakes == 0
    assert 0 <= waiting.wake_at_ms - ended.finished_at_ms - job_house.lifecycle.queue.grace_ms < 5000


def test_the_next_of_the_subject_is_rung_when_a_waiting_one_is_cancelled(job_house):
    first, second = job_house.add(), job_house.add()
    job_house.rings.clear()

    job_house.cancel(first)

    assert job_house.rings == [second]


def test_the_next_of_the_subject_is_not_rung_before_its_own_delay_is_over(job_house):
    first, second = job_house.add(), job_house.add()
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).where(jobs.c.id == second).values(run_after_ms=9_999_999_999_999))

    job_house.lifecycle.finish(job_house.claimed(first), None)

    assert job_house.row(second).wake_at_ms == 9_999_999_999_999


def test_a_job_that_goes_back_to_the_queue_keeps_its_place(job_house):
    first, second = job_house.add(), job_house.add()
    claim = job_house.claimed(first)
    job_house.rings.clear()

    job_house.lifecycle.give_back(claim, delay_ms=60_000, error_code="X", message="away")

    assert job_house.lifecycle.claim(second, "w2") is None
    assert job_house.rings == []
