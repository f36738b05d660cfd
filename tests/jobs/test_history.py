"""The history of a job: a row for each attempt and the lines of its log, right however the attempt ended."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from modelyard.database.session import transaction
from modelyard.errors import ClaimLost
from modelyard.jobs.attempts import LINE_CHARACTERS, LogLine, attempts, job_log
from modelyard.jobs.guards import Claim, jobs
from tests.jobs.conftest import LEASE_MS, Jobs

SAID = [LogLine("info", "began"), LogLine("warning", "slow")]


def rows(house: Jobs, table: Any) -> list[Any]:
    with house.engine.connect() as connection:
        return list(connection.execute(select(table)))


def lines(house: Jobs) -> list[tuple[int, str, str]]:
    return [(row.attempt, row.level, row.line) for row in rows(house, job_log)]


def give_back(house: Jobs, claim: Claim) -> None:
    house.lifecycle.give_back(claim, delay_ms=0, error_code="X", message="away")


def reap(house: Jobs, claim: Claim) -> None:
    house.pass_time(2 * LEASE_MS)
    house.lifecycle.reap(claim, delay_ms=0)


ENDS: dict[str, Callable[[Jobs, Claim], object]] = {
    "finish": lambda house, claim: house.lifecycle.finish(claim, None),
    "fail": lambda house, claim: house.lifecycle.fail(claim, "X", "no"),
    "acknowledge": lambda house, claim: house.lifecycle.acknowledge_cancel(claim),
    "give back": give_back,
    "release": lambda house, claim: house.lifecycle.release(claim),
    "reap": reap,
}


@pytest.mark.parametrize(
    ("end", "outcome", "error_code", "message"),
    [
        ("finish", "SUCCEEDED", None, ""),
        ("fail", "FAILED", "X", "no"),
        ("acknowledge", "CANCELLED", None, "Cancelled by an unknown actor."),
        ("give back", "RETRIED", "X", "away"),
        ("release", "RELEASED", "worker_stopped", "The worker stopped; waiting for another."),
        ("reap", "LOST", "worker_lost", "The worker that ran this job was lost."),
    ],
)
def test_an_attempt_tells_how_it_ended(job_house, end, outcome, error_code, message):
    claim = job_house.claimed(worker="w7")

    ENDS[end](job_house, claim)

    (attempt,) = rows(job_house, attempts)
    assert (attempt.job_id, attempt.attempt, attempt.worker) == (claim.job_id, 1, "w7")
    assert (attempt.outcome, attempt.error_code, attempt.status_message) == (outcome, error_code, message)
    assert attempt.ended_at_ms >= attempt.started_at_ms


def test_an_attempt_under_way_has_no_end(job_house):
    job_house.claimed()

    (attempt,) = rows(job_house, attempts)
    assert (attempt.ended_at_ms, attempt.outcome) == (None, None)


@pytest.mark.parametrize(("end", "outcome"), [("give back", "FAILED"), ("reap", "LOST")])
def test_a_last_attempt_is_not_said_to_be_retried(job_house, end, outcome):
    job_id = job_house.add()
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).values(max_attempts=1))

    ENDS[end](job_house, job_house.claimed(job_id))

    assert [attempt.outcome for attempt in rows(job_house, attempts)] == [outcome]


@pytest.mark.parametrize(("end", "outcome"), [("give back", "CANCELLED"), ("release", "CANCELLED"), ("reap", "LOST")])
def test_an_attempt_that_a_cancel_kept_from_the_queue_says_so(job_house, end, outcome):
    claim = job_house.claimed()
    job_house.cancel(claim.job_id)

    ENDS[end](job_house, claim)

    (attempt,) = rows(job_house, attempts)
    assert (attempt.outcome, attempt.status_message) == (outcome, "Cancelled by bob.")


def test_an_attempt_that_found_nothing_to_change_was_cancelled(job_house):
    job_house.something_to_change = False

    ENDS["finish"](job_house, job_house.claimed())

    (attempt,) = rows(job_house, attempts)
    assert (attempt.outcome, attempt.status_message) == ("CANCELLED", "What the job worked on was deleted.")


def test_every_attempt_is_kept(job_house):
    job_id = job_house.add()
    for worker, end in [("w1", "give back"), ("w2", "reap"), ("w3", "finish")]:
        ENDS[end](job_house, job_house.claimed(job_id, worker=worker))

    found = [(row.attempt, row.worker, row.outcome) for row in rows(job_house, attempts)]
    assert found == [(1, "w1", "RETRIED"), (2, "w2", "LOST"), (3, "w3", "SUCCEEDED")]


SAYING: dict[str, Callable[[Jobs, Claim], object]] = {
    "heartbeat": lambda house, claim: house.lifecycle.heartbeat(claim, {}, SAID),
    "finish": lambda house, claim: house.lifecycle.finish(claim, None, SAID),
    "fail": lambda house, claim: house.lifecycle.fail(claim, "X", "no", SAID),
    "acknowledge": lambda house, claim: house.lifecycle.acknowledge_cancel(claim, SAID),
    "give back": lambda house, claim: house.lifecycle.give_back(
        claim, delay_ms=0, error_code="X", message="away", said=SAID
    ),
    "release": lambda house, claim: house.lifecycle.release(claim, SAID),
}


@pytest.mark.parametrize("move", SAYING)
def test_what_the_work_said_is_in_the_log_in_its_order(job_house, move):
    SAYING[move](job_house, job_house.claimed())

    assert lines(job_house) == [(1, "info", "began"), (1, "warning", "slow")]


@pytest.mark.parametrize("move", SAYING)
def test_a_worker_that_lost_its_claim_says_nothing(job_house, move):
    slow = job_house.claimed()
    reap(job_house, slow)
    job_house.claimed(slow.job_id, worker="w2")

    with pytest.raises(ClaimLost):
        SAYING[move](job_house, slow)

    assert lines(job_house) == []


def test_a_line_that_no_database_would_take_is_cut_to_one_that_it_takes(job_house):
    job_house.lifecycle.heartbeat(job_house.claimed(), {}, [LogLine("info", "a\0b" + "x" * 5000)])

    ((_, _, line),) = lines(job_house)
    assert line == ("ab" + "x" * 5000)[:LINE_CHARACTERS]


def test_a_line_bears_the_moment_when_it_was_said(job_house):
    now_s = time.monotonic()
    said = [LogLine("step", "Opening", now_s - 5), LogLine("step", "Copying", now_s - 2)]
    job_house.lifecycle.heartbeat(job_house.claimed(), {}, said)

    opened, copied = rows(job_house, job_log)
    assert copied.at_ms - opened.at_ms == pytest.approx(3000, abs=1)
    assert 1000 * time.time() - 15_000 < opened.at_ms <= 1000 * time.time() - 4900


def test_a_heartbeat_that_fails_has_written_no_line_either(job_house):
    claim = job_house.claimed()

    def lose_the_database(_connection, _cursor, statement, _parameters, _context, _many):
        if statement.startswith("UPDATE jobs SET lease_until_ms"):
            raise OperationalError(statement, {}, Exception("the connection is lost"))

    event.listen(job_house.engine, "before_cursor_execute", lose_the_database)
    with pytest.raises(OperationalError):
        SAYING["heartbeat"](job_house, claim)
    event.remove(job_house.engine, "before_cursor_execute", lose_the_database)

    # The heart says them again with its next beat.
    assert lines(job_house) == []
