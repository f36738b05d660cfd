"""Workers that lost their claim and do not know: whatever they do for the job is refused."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.errors import ClaimLost
from modelyard.jobs.guards import Claim, hold, jobs
from modelyard.rules.jobs import JobStatus
from tests.jobs.conftest import LEASE_MS, Jobs

OVER_MS = 2 * LEASE_MS


def lose(house: Jobs, claim: Claim) -> Claim:
    """Let the lease of `claim` run out, and a second worker take the job."""
    house.pass_time(OVER_MS)
    assert house.lifecycle.reap(claim, delay_ms=0) is JobStatus.QUEUED
    return house.claimed(claim.job_id, worker="w2")


ZOMBIE: dict[str, Callable[[Jobs, Claim], object]] = {
    "heartbeat": lambda house, claim: house.lifecycle.heartbeat(claim, {"bytes_done": 99}),
    "finish": lambda house, claim: house.lifecycle.finish(claim, None),
    "fail": lambda house, claim: house.lifecycle.fail(claim, "X", "late"),
    "release": lambda house, claim: house.lifecycle.release(claim),
    "temporary failure": lambda house, claim: house.lifecycle.give_back(claim, delay_ms=0, error_code="X", message=""),
    "cancel acknowledgement": lambda house, claim: house.lifecycle.acknowledge_cancel(claim),
}


@pytest.mark.parametrize("move", ZOMBIE)
def test_a_worker_that_lost_its_claim_changes_nothing(job_house, move):
    slow = job_house.claimed()
    lose(job_house, slow)
    before, told = job_house.row(slow.job_id), list(job_house.ended)

    with pytest.raises(ClaimLost):
        ZOMBIE[move](job_house, slow)

    assert job_house.row(slow.job_id) == before
    assert job_house.ended == told


@pytest.mark.parametrize("move", ZOMBIE)
def test_an_attempt_number_that_came_again_is_no_key(job_house, move):
    slow = job_house.claimed()
    lose(job_house, slow)
    with transaction(job_house.engine) as session:  # As after a failover to an older copy of the database.
        session.execute(update(jobs).values(attempt=slow.attempt))
    before = job_house.row(slow.job_id)

    with pytest.raises(ClaimLost):
        ZOMBIE[move](job_house, slow)

    assert job_house.row(slow.job_id) == before


@pytest.mark.parametrize("move", ZOMBIE)
def test_the_same_worker_name_is_no_key_either(job_house, move):
    slow = job_house.claimed(worker="w1")
    job_house.pass_time(OVER_MS)
    job_house.lifecycle.reap(slow, delay_ms=0)
    job_house.claimed(slow.job_id, worker="w1")
    before = job_house.row(slow.job_id)

    with pytest.raises(ClaimLost):
        ZOMBIE[move](job_house, slow)

    assert job_house.row(slow.job_id) == before


def test_work_that_lost_its_claim_cannot_write(job_house):
    slow = job_house.claimed()
    lose(job_house, slow)

    with pytest.raises(ClaimLost), transaction(job_house.engine) as session:
        hold(session, slow)


@pytest.mark.parametrize("move", ZOMBIE)
def test_a_worker_whose_job_was_taken_back_and_waits_changes_nothing(job_house, move):
    slow = job_house.claimed()
    job_house.pass_time(OVER_MS)
    job_house.lifecycle.reap(slow, delay_ms=0)
    before = job_house.row(slow.job_id)

    with pytest.raises(ClaimLost):
        ZOMBIE[move](job_house, slow)

    assert job_house.row(slow.job_id) == before


@pytest.mark.parametrize("retried", [False, True], ids=["ended", "retried"])
@pytest.mark.parametrize("move", ZOMBIE)
def test_what_has_ended_is_not_ended_again_by_the_one_that_ended_it(job_house, move, retried):
    claim = job_house.claimed()
    job_house.lifecycle.fail(claim, "X", "no")
    if retried:  # The row still shows the attempt and the worker of before.
        job_house.retry(claim.job_id)
    before, told = job_house.row(claim.job_id), list(job_house.ended)

    with pytest.raises(ClaimLost):
        ZOMBIE[move](job_house, claim)

    assert job_house.row(claim.job_id) == before
    assert job_house.ended == told
