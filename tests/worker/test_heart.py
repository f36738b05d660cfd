"""The heart of a running job: keeps its lease while the work moves, and tells the work when to stop."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from modelyard.database.session import transaction
from modelyard.errors import CancelRequested, ClaimLost, Released, TimeLimitReached
from modelyard.jobs.guards import jobs
from modelyard.worker import heart as heart_module
from modelyard.worker.heart import Heart
from tests.waiting import wait_until
from tests.worker.conftest import House

LEASE_MS = 30_000


@pytest.fixture
def make_heart(house: House) -> Callable[..., Heart]:
    """A function that claims a job and returns a heart for it, which does not beat yet."""

    def make(*, lease_ms: int = LEASE_MS, claimed_ago_s: float = 0.0, **options: Any) -> Heart:
        lifecycle = replace(house.context.lifecycle, lease_ms=lease_ms)
        claim = lifecycle.claim(house.register("/x").id, "w1")
        assert claim is not None
        return Heart(lifecycle, claim, house.drain, 60, time.monotonic() - claimed_ago_s, **options)

    return make


def row(house: House) -> Any:
    (found,) = house.rows("jobs")
    return found


def lines(house: House) -> list[str]:
    return [found.line for found in house.rows("job_log")]


def test_progress_and_what_the_work_says_are_written_while_it_goes_on(house, make_heart):
    with make_heart() as heart:
        heart(step="Copying", bytes_done=5, bytes_total=10)
        heart.say("half of it")
        wait_until(lambda: row(house).bytes_done == 5 and lines(house) == ["Copying", "half of it"], what="progress")

    assert (row(house).step, row(house).bytes_total) == ("Copying", 10)
    assert heart.unwritten() == []


def test_a_step_is_told_once_when_it_begins(make_heart):
    heart = make_heart()
    for step in ("Copying", "Copying", "Checking", "Copying"):
        heart(step=step, bytes_done=5)
        heart(items_done=1)

    told = [(line.level, line.text) for line in heart.unwritten()]
    assert told == [("step", "Copying"), ("step", "Checking"), ("step", "Copying")]


def test_a_slow_piece_of_work_does_not_cost_the_lease(house, make_heart):
    with make_heart(lease_ms=1000):
        before = row(house).lease_until_ms
        wait_until(lambda: row(house).lease_until_ms > before + 1000, what="renewals")


def test_nothing_is_written_after_the_heart_has_stopped(make_heart):
    with make_heart(lease_ms=900) as heart:
        wait_until(lambda: heart._renewed_s > heart.claimed_s)
    renewed_s = heart._renewed_s
    time.sleep(0.7)  # More than two beats.

    assert heart._renewed_s == renewed_s


@pytest.mark.parametrize(("claimed_ago_s", "stops"), [(0.7 * LEASE_MS / 1000, False), (0.81 * LEASE_MS / 1000, True)])
def test_work_whose_lease_was_not_renewed_stops_while_the_lease_still_holds(make_heart, claimed_ago_s, stops):
    heart = make_heart(claimed_ago_s=claimed_ago_s)

    if not stops:
        heart()
        return
    with pytest.raises(ClaimLost):
        heart()


def beat_until_it_stops(heart: Heart) -> None:
    with heart:
        while True:
            heart()
            threading.Event().wait(0.01)


def test_work_that_somebody_cancelled_hears_of_it(house, make_heart):
    heart = make_heart(lease_ms=4000)
    with transaction(house.engine) as session:
        heart.lifecycle.cancel(session, heart.claim.job_id, by="bob")

    with pytest.raises(CancelRequested):
        beat_until_it_stops(heart)


def test_work_whose_claim_was_taken_hears_of_it(house, make_heart):
    heart = make_heart(lease_ms=4000)
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(worker="another"))

    with pytest.raises(ClaimLost):
        beat_until_it_stops(heart)


def test_work_on_a_worker_that_drains_is_released(house, make_heart):
    heart = make_heart()
    house.drain.request()

    with pytest.raises(Released):
        heart()


def test_work_beyond_the_limit_of_its_kind_is_stopped(make_heart):
    heart = make_heart(claimed_ago_s=5, time_limit_s=4)

    with pytest.raises(TimeLimitReached, match="longer than 4 s"):
        heart()


def test_a_beat_that_does_not_reach_the_database_loses_no_line_and_costs_no_job(house, make_heart):
    failures: list[str] = []

    def lose_the_database(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE jobs SET") and len(failures) < 2:
            failures.append(statement)
            raise OperationalError(statement, {}, Exception("the connection is lost"))

    heart = make_heart(lease_ms=6000)
    event.listen(house.engine, "before_cursor_execute", lose_the_database)
    with heart:
        heart.say("first")
        wait_until(lambda: failures)
        heart.say("second")
        wait_until(lambda: len(lines(house)) == 2, what="both lines")
        heart()

    assert lines(house) == ["first", "second"]


STALL = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from modelyard.worker.heart import Heart
from modelyard.jobs.guards import Claim
from modelyard.worker.drain import DrainFlag
class Quick:
    lease_ms = 400
    def heartbeat(self, claim, progress, said): return False
claim = Claim(1, 1, "w", "k", None, {}, None, None, "ann")
moves = int(sys.argv[2])
with Heart(Quick(), claim, DrainFlag(), 2, time.monotonic()) as heart:
    for _ in range(moves):
        threading.Event().wait(0.15)
        heart()
    if not moves:
        threading.Event().wait(50)
"""


@pytest.mark.parametrize(("moves", "status"), [(0, -signal.SIGKILL), (20, 0)], ids=["stands still", "moves"])
def test_a_child_ends_itself_only_when_its_work_stands_still(moves, status):
    source = Path(heart_module.__file__).parents[2]
    program = [sys.executable, "-c", STALL, str(source), str(moves)]

    assert subprocess.run(program, capture_output=True, timeout=60, check=False).returncode == status
