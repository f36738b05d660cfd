"""An operator's retry: the same job waits again, with its history and without what ended it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from modelyard.errors import InvalidState
from modelyard.jobs.attempts import attempts
from modelyard.jobs.guards import Claim
from modelyard.rules.jobs import JobStatus
from tests.jobs.conftest import Jobs

ENDS: dict[str, Callable[[Jobs, Claim], object]] = {
    "FAILED": lambda house, claim: house.lifecycle.fail(claim, "X", "no"),
    "CANCELLED": lambda house, claim: (house.cancel(claim.job_id), house.lifecycle.acknowledge_cancel(claim)),
}


@pytest.mark.parametrize("status", ENDS)
def test_a_retried_job_waits_again_without_what_ended_it(job_house, status):
    claim = job_house.claimed()
    ENDS[status](job_house, claim)
    job_house.pass_time(5000)

    assert job_house.retry(claim.job_id) == status

    row = job_house.row(claim.job_id)
    assert row.status == "QUEUED"
    assert (row.finished_at_ms, row.cancel_requested, row.cancelled_by) == (None, False, None)
    assert (row.error_code, row.status_message) == (None, None)
    assert row.run_after_ms >= row.created_at_ms + 5000
    assert row.wake_at_ms >= row.run_after_ms + job_house.lifecycle.queue.grace_ms


def test_a_retried_job_has_all_its_attempts_again_and_keeps_its_history(job_house):
    claim = job_house.claimed()
    job_house.lifecycle.release(claim)
    job_house.lifecycle.fail(job_house.claimed(claim.job_id), "X", "no")

    job_house.retry(claim.job_id)

    row = job_house.row(claim.job_id)
    assert (row.attempt, row.max_attempts, row.releases, row.wakes) == (2, 5, 0, 0)
    with job_house.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(attempts)) == 2


def test_a_retried_job_is_rung_after_the_commit_and_claimed_as_its_next_attempt(job_house):
    claim = job_house.claimed()
    job_house.lifecycle.fail(claim, "X", "no")
    job_house.rings.clear()

    job_house.retry(claim.job_id)

    assert job_house.rings == [claim.job_id]
    assert job_house.claimed(claim.job_id, "w2").attempt == 2


def test_a_cancel_of_before_the_retry_counts_no_more(job_house):
    claim = job_house.claimed()
    ENDS["CANCELLED"](job_house, claim)
    job_house.retry(claim.job_id)

    again = job_house.claimed(claim.job_id, "w2")

    assert job_house.lifecycle.heartbeat(again, {}) is False
    assert job_house.lifecycle.release(again) is JobStatus.QUEUED


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "SUCCEEDED"])
def test_what_waits_runs_or_succeeded_is_not_retried(job_house, status):
    job_id = job_house.add()
    if status != "QUEUED":
        claim = job_house.claimed(job_id)
    if status == "SUCCEEDED":
        job_house.lifecycle.finish(claim, None)
    before = job_house.row(job_id)

    assert job_house.retry(job_id) is None

    assert job_house.row(job_id) == before


def test_a_job_that_does_not_exist_is_not_retried(job_house):
    assert job_house.retry(4711) is None


def test_a_job_with_nothing_left_to_work_on_stays_as_it_ended(job_house):
    claim = job_house.claimed()
    job_house.lifecycle.fail(claim, "X", "no")
    before = job_house.row(claim.job_id)
    job_house.rings.clear()

    def nothing_left(session, claim):
        raise InvalidState("The version was deleted.")

    job_house.lifecycle = replace(job_house.lifecycle, retry_effects=nothing_left)

    with pytest.raises(InvalidState):
        job_house.retry(claim.job_id)

    assert job_house.row(claim.job_id) == before
    assert job_house.rings == []


def test_a_retried_job_keeps_its_place_before_younger_ones(job_house):
    older, younger = job_house.add(), job_house.add()
    job_house.lifecycle.fail(job_house.claimed(older), "X", "no")

    job_house.retry(older)

    assert job_house.lifecycle.claim(younger, "w2") is None
    assert job_house.lifecycle.claim(older, "w2") is not None
