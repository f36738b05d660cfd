"""Each guarded statement of the job engine, one example, on both databases."""

import threading

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from modelyard.database.session import transaction
from modelyard.jobs.guards import Claim, jobs
from modelyard.jobs.lifecycle import outcome_of
from modelyard.rules.jobs import MAX_GRANTED_RELEASES, JobKind, JobStatus
from tests.jobs.conftest import LEASE_MS

OVER_MS = 2 * LEASE_MS


def test_a_new_job_waits_and_is_rung_after_the_commit(job_house):
    job_id = job_house.add()

    assert job_house.row(job_id).status == "QUEUED"
    assert job_house.rings == [job_id]


def test_a_job_of_a_transaction_that_rolls_back_never_was(job_house):
    with Session(job_house.engine) as session, session.begin() as begun:
        job_house.lifecycle.queue.enqueue(session, JobKind.REGISTER_VERSION, requested_by="ann")
        begun.rollback()

    assert job_house.rings == []
    assert job_house.lifecycle.claim(1, "w1") is None


def test_a_second_job_of_the_same_dedupe_key_is_refused(job_house):
    job_house.add(dedupe_key="register:a")

    with pytest.raises(IntegrityError):
        job_house.add(dedupe_key="register:a")


def test_a_claim_charges_an_attempt_and_takes_a_lease(job_house):
    claim = job_house.claimed()

    row = job_house.row(claim.job_id)
    assert (row.status, row.attempt, row.worker) == ("RUNNING", 1, "w1")
    assert row.lease_until_ms > row.created_at_ms
    assert row.started_at_ms is not None


def test_a_doubled_message_claims_nothing(job_house):
    claim = job_house.claimed()

    assert job_house.lifecycle.claim(claim.job_id, "w2") is None
    assert job_house.row(claim.job_id).worker == "w1"


def test_a_job_is_not_claimed_before_its_delay_is_over(job_house):
    claim = job_house.claimed()
    job_house.lifecycle.give_back(claim, delay_ms=60_000, error_code="X", message="later")

    assert job_house.lifecycle.claim(claim.job_id, "w2") is None
    job_house.pass_time(61_000)
    assert job_house.lifecycle.claim(claim.job_id, "w2") is not None


def test_a_job_of_a_kind_that_this_release_does_not_know_is_left_waiting(job_house):
    job_id = job_house.add()
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).values(kind="of_the_next_release"))

    assert job_house.lifecycle.claim(job_id, "w1") is None
    assert (job_house.row(job_id).status, job_house.row(job_id).attempt) == ("QUEUED", 0)


def test_many_workers_claim_a_job_once(job_house):
    job_id = job_house.add()
    claims: list[Claim | None] = []
    workers = [
        threading.Thread(target=lambda n=n: claims.append(job_house.lifecycle.claim(job_id, f"w{n}"))) for n in range(8)
    ]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len([claim for claim in claims if claim is not None]) == 1
    assert job_house.row(job_id).attempt == 1


def test_a_heartbeat_extends_the_lease_and_writes_progress(job_house):
    claim = job_house.claimed()
    before = job_house.row(claim.job_id).lease_until_ms
    job_house.pass_time(10_000)

    wanted = job_house.lifecycle.heartbeat(claim, {"step": "Copying", "bytes_done": 7})

    row = job_house.row(claim.job_id)
    assert not wanted
    assert (row.step, row.bytes_done) == ("Copying", 7)
    assert row.lease_until_ms >= before + 10_000


def test_finish_ends_the_job_with_its_effect(job_house):
    claim = job_house.claimed()

    assert job_house.lifecycle.finish(claim, "result") is JobStatus.SUCCEEDED

    row = job_house.row(claim.job_id)
    assert (row.status, row.lease_until_ms) == ("SUCCEEDED", None)
    assert row.finished_at_ms is not None
    assert job_house.ended == [(JobStatus.SUCCEEDED, "")]


def test_an_effect_with_nothing_left_to_change_cancels_the_job(job_house):
    claim = job_house.claimed()
    job_house.something_to_change = False

    assert job_house.lifecycle.finish(claim, None) is JobStatus.CANCELLED
    assert job_house.row(claim.job_id).status == "CANCELLED"


def test_fail_leaves_the_reason_behind(job_house):
    claim = job_house.claimed()

    job_house.lifecycle.fail(claim, "INVALID_STATE", "No MLmodel.\nName its folder.")

    row = job_house.row(claim.job_id)
    assert (row.status, row.error_code) == ("FAILED", "INVALID_STATE")
    assert row.status_message == "No MLmodel. Name its folder."
    assert job_house.ended == [(JobStatus.FAILED, "No MLmodel. Name its folder.")]


def test_a_temporary_failure_waits_and_keeps_its_attempts(job_house):
    claim = job_house.claimed()

    status = job_house.lifecycle.give_back(claim, delay_ms=1000, error_code="X", message="away")

    row = job_house.row(claim.job_id)
    assert status is JobStatus.QUEUED
    assert (row.attempt, row.max_attempts, row.worker, row.lease_until_ms) == (1, 3, None, None)
    assert row.run_after_ms > row.created_at_ms


def test_the_last_temporary_failure_is_final(job_house):
    job_id = job_house.add()
    statuses = []
    for _ in range(3):
        claim = job_house.claimed(job_id)
        statuses.append(job_house.lifecycle.give_back(claim, delay_ms=0, error_code="X", message="away"))

    assert statuses == [JobStatus.QUEUED, JobStatus.QUEUED, JobStatus.FAILED]
    assert job_house.ended[-1] == (JobStatus.FAILED, "away")


def test_a_release_grants_one_more_attempt_and_rings(job_house):
    claim = job_house.claimed()

    assert job_house.lifecycle.release(claim) is JobStatus.QUEUED

    row = job_house.row(claim.job_id)
    assert (row.attempt, row.max_attempts, row.releases) == (1, 4, 1)
    assert job_house.rings == [claim.job_id, claim.job_id]


def test_releases_are_granted_up_to_a_bound(job_house):
    job_id = job_house.add()
    status, rounds = JobStatus.QUEUED, 0
    while status is JobStatus.QUEUED:
        status = job_house.lifecycle.release(job_house.claimed(job_id))
        rounds += 1

    assert status is JobStatus.FAILED
    assert rounds == MAX_GRANTED_RELEASES + 3


def test_a_lost_worker_s_job_is_taken_back(job_house):
    claim = job_house.claimed()
    job_house.pass_time(OVER_MS)

    assert job_house.lifecycle.reap(claim, delay_ms=0) is JobStatus.QUEUED
    assert job_house.row(claim.job_id).error_code == "worker_lost"


def test_a_worker_that_came_back_to_life_is_not_reaped(job_house):
    claim = job_house.claimed()
    job_house.pass_time(OVER_MS)
    job_house.lifecycle.heartbeat(claim, {})

    assert job_house.lifecycle.reap(claim, delay_ms=0) is None
    assert job_house.row(claim.job_id).status == "RUNNING"


def test_a_lease_far_in_the_future_is_overdue_too(job_house):
    job_house.pass_time(10 * LEASE_MS)
    claim = job_house.claimed()
    job_house.pass_time(0)  # The database's clock fell back by minutes.

    assert job_house.lifecycle.reap(claim, delay_ms=0) is JobStatus.QUEUED


def test_a_job_that_kills_its_workers_ends_failed(job_house):
    job_id = job_house.add()
    for attempt in range(1, 4):
        claim = job_house.claimed(job_id)
        job_house.pass_time(attempt * OVER_MS)
        status = job_house.lifecycle.reap(claim, delay_ms=0)

    assert status is JobStatus.FAILED
    assert job_house.row(job_id).error_code == "worker_lost"


def test_a_worker_that_did_not_hear_of_its_commit_finds_its_outcome(job_house):
    claim = job_house.claimed()
    job_house.lifecycle.finish(claim, None)

    assert outcome_of(job_house.engine, claim) is JobStatus.SUCCEEDED
