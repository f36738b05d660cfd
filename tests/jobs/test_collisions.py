"""Two who want the same job in the same moment. Real threads on both databases."""

from typing import Any

from sqlalchemy import event

from modelyard.database.session import transaction
from modelyard.errors import ClaimLost
from modelyard.rules.jobs import JobKind, JobStatus
from tests.jobs.conftest import Jobs
from tests.threads import at_once

ROUNDS = 5


def test_a_job_cannot_slip_past_its_cancel_into_the_queue(job_house: Jobs) -> None:
    claim = job_house.claimed()

    def release_meanwhile(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        # Where a cancel looked for the waiting job and did not find it, its worker gives it back.
        if statement.startswith("UPDATE jobs") and cursor.rowcount == 0:
            event.remove(job_house.engine, "after_cursor_execute", release_meanwhile)
            job_house.lifecycle.release(claim)

    if job_house.engine.dialect.name == "postgresql":  # On SQLite nobody writes inside of another's transaction.
        event.listen(job_house.engine, "after_cursor_execute", release_meanwhile)

    assert job_house.cancel(claim.job_id) is JobStatus.RUNNING
    assert job_house.row(claim.job_id).cancel_requested


def test_a_job_is_retried_once_however_many_ask(job_house: Jobs) -> None:
    claim = job_house.claimed()
    job_house.lifecycle.fail(claim, "X", "no")
    job_house.rings.clear()

    answers = at_once(*[lambda: job_house.retry(claim.job_id)] * 4)

    assert sorted(map(str, answers)) == ["FAILED", "None", "None", "None"]
    assert job_house.rings == [claim.job_id]


def test_of_the_worker_and_a_sweep_one_ends_the_attempt(job_house: Jobs) -> None:
    for round_ in range(ROUNDS):
        claim = job_house.claimed(job_house.add(f"s{round_}"))
        job_house.pass_time((round_ + 1) * 600_000)

        finished, reaped = at_once(
            lambda claim=claim: job_house.lifecycle.finish(claim, None),
            lambda claim=claim: job_house.lifecycle.reap(claim, delay_ms=0),
        )

        outcomes = [(JobStatus.SUCCEEDED, None, "SUCCEEDED"), (ClaimLost, JobStatus.QUEUED, "QUEUED")]
        kind = ClaimLost if isinstance(finished, ClaimLost) else finished
        assert (kind, reaped, job_house.row(claim.job_id).status) in outcomes


def test_two_jobs_of_a_subject_that_are_claimed_at_once_do_not_both_run(job_house: Jobs) -> None:
    for round_ in range(ROUNDS):
        first, second = job_house.add(f"s{round_}"), job_house.add(f"s{round_}")

        claims = at_once(
            lambda first=first: job_house.lifecycle.claim(first, "w1"),
            lambda second=second: job_house.lifecycle.claim(second, "w2"),
        )

        assert [claim is not None for claim in claims] == [True, False]


def test_an_older_job_that_commits_late_does_not_run_beside_a_younger_one(job_house: Jobs) -> None:
    if job_house.engine.dialect.name == "sqlite":
        return  # Writers come one after another, and so do their ids.
    queue = job_house.lifecycle.queue
    with transaction(job_house.engine) as session:
        late = queue.enqueue(session, JobKind.REGISTER_VERSION, requested_by="ann", subject="s")
        younger = job_house.claimed(job_house.add("s"))
        assert younger.job_id > late.id

    assert job_house.lifecycle.claim(late.id, "w2") is None
    job_house.lifecycle.finish(younger, None)
    assert job_house.rings[-1] == late.id
    assert job_house.lifecycle.claim(late.id, "w2") is not None
