"""Cancelling: at once while a job waits, by a flag while it runs, not at all when it is over."""

import pytest
from sqlalchemy.exc import OperationalError

from modelyard.database.session import transaction
from modelyard.rules.jobs import JobStatus
from tests.jobs.conftest import LEASE_MS

OVER_MS = 2 * LEASE_MS


def test_a_waiting_job_is_cancelled_at_once(job_house):
    job_id = job_house.add()

    assert job_house.cancel(job_id) is JobStatus.CANCELLED

    row = job_house.row(job_id)
    assert (row.status, row.status_message) == ("CANCELLED", "Cancelled by bob.")
    assert job_house.ended == [(JobStatus.CANCELLED, "Cancelled by bob.")]


def test_a_job_that_waits_out_a_delay_is_cancelled_at_once_too(job_house):
    claim = job_house.claimed()
    job_house.lifecycle.give_back(claim, delay_ms=60_000, error_code="X", message="away")

    assert job_house.cancel(claim.job_id) is JobStatus.CANCELLED
    assert job_house.row(claim.job_id).status_message == "Cancelled by bob."


def test_a_cancelled_job_is_claimed_by_nobody(job_house):
    job_id = job_house.add()
    job_house.cancel(job_id)

    assert job_house.lifecycle.claim(job_id, "w1") is None


def test_a_cancel_that_is_rolled_back_never_was(job_house):
    job_id = job_house.add()

    def fail_late():
        with transaction(job_house.engine) as session:
            job_house.lifecycle.cancel(session, job_id, by="bob")
            raise OperationalError("COMMIT", {}, Exception("the connection is lost"))

    with pytest.raises(OperationalError):
        fail_late()

    assert (job_house.row(job_id).status, job_house.row(job_id).cancel_requested) == ("QUEUED", False)


def test_the_first_who_cancels_is_the_one_who_is_named(job_house):
    claim = job_house.claimed()
    job_house.cancel(claim.job_id)
    with transaction(job_house.engine) as session:
        assert job_house.lifecycle.cancel(session, claim.job_id, by="eve") is JobStatus.RUNNING

    job_house.lifecycle.acknowledge_cancel(claim)

    assert job_house.row(claim.job_id).status_message == "Cancelled by bob."


def test_a_running_job_is_only_asked_to_stop(job_house):
    claim = job_house.claimed()

    assert job_house.cancel(claim.job_id) is JobStatus.RUNNING
    assert job_house.row(claim.job_id).status == "RUNNING"
    assert job_house.lifecycle.heartbeat(claim, {}) is True
    assert job_house.lifecycle.acknowledge_cancel(claim) is JobStatus.CANCELLED
    assert job_house.ended == [(JobStatus.CANCELLED, "Cancelled by bob.")]


@pytest.mark.parametrize("end", ["finish", "fail", "cancel"])
def test_a_job_that_is_over_is_not_cancelled(job_house, end):
    claim = job_house.claimed()
    {
        "finish": lambda: job_house.lifecycle.finish(claim, None),
        "fail": lambda: job_house.lifecycle.fail(claim, "X", "no"),
        "cancel": lambda: job_house.lifecycle.acknowledge_cancel(claim),
    }[end]()
    before = job_house.row(claim.job_id)

    assert job_house.cancel(claim.job_id) is None
    assert job_house.row(claim.job_id) == before


def test_a_job_that_does_not_exist_is_not_cancelled(job_house):
    assert job_house.cancel(4711) is None


def test_work_that_is_done_before_it_hears_of_the_cancel_counts(job_house):
    claim = job_house.claimed()
    job_house.cancel(claim.job_id)

    assert job_house.lifecycle.finish(claim, None) is JobStatus.SUCCEEDED


@pytest.mark.parametrize("move", ["give_back", "release", "reap"])
def test_a_cancelled_job_does_not_go_back_to_the_queue(job_house, move):
    claim = job_house.claimed()
    job_house.cancel(claim.job_id)
    job_house.pass_time(OVER_MS)

    status = {
        "give_back": lambda: job_house.lifecycle.give_back(claim, delay_ms=0, error_code="X", message="away"),
        "release": lambda: job_house.lifecycle.release(claim),
        "reap": lambda: job_house.lifecycle.reap(claim, delay_ms=0),
    }[move]()

    assert status is JobStatus.CANCELLED
    assert job_house.row(claim.job_id).finished_at_ms is not None
    assert job_house.ended == [(JobStatus.CANCELLED, "Cancelled by bob.")]
