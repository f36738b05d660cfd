"""Processes killed at the worst moment of a transaction: before its commit, and between the commit and the ring."""

import signal
import subprocess
import sys

import pytest
from sqlalchemy import Engine

from modelyard.jobs.sweep import Sweep
from tests.jobs.conftest import Jobs

PROGRAM = """
import os, signal, sys
from modelyard.database.engine import create_engine
from modelyard.database.session import transaction
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue
from modelyard.rules.jobs import JobKind

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def effects(session, ended):
    # The last that happens before the commit.
    if moment == "before the commit":
        die()
    return True

url, move, moment = sys.argv[1:]
engine = create_engine(url)
queue = JobQueue(ring=die if moment == "before the ring" else lambda *_: True, attempts=3)
lifecycle = Lifecycle(engine, queue, effects=effects, lease_ms=30_000)
if move == "enqueue":
    with transaction(engine) as session:
        queue.enqueue(session, JobKind.PROBE, requested_by="ann", subject="s")
        effects(session, None)
else:
    claim = lifecycle.claim(1, "killed")
    {
        "claim": lambda: die(),
        "finish": lambda: lifecycle.finish(claim, None),
        "fail": lambda: lifecycle.fail(claim, "X", "no"),
        "release": lambda: lifecycle.release(claim),
    }[move]()
sys.exit("nothing killed this process")
"""


def kill(engine: Engine, move: str, moment: str) -> None:
    """Do one move of a job in a process that is killed at a moment of it."""
    url = engine.url.render_as_string(hide_password=False)
    program = [sys.executable, "-c", PROGRAM, url, move, moment]
    killed = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


class EmptyBroker:
    """A broker with nothing in it, that remembers what was rung."""

    def __init__(self) -> None:
        self.rung: list[int] = []

    def ring(self, kind: str, queue: str, job_id: int) -> bool:
        self.rung.append(job_id)
        return True

    def depth(self, queue: str) -> int:
        return 0


def rung_by_a_sweep(house: Jobs) -> list[int]:
    """Return what a sweep rings once the grace is over."""
    broker = EmptyBroker()
    house.pass_time(6000)
    Sweep(house.lifecycle, broker, period_s=5).ring()
    return broker.rung


def test_a_job_whose_process_died_before_the_commit_never_was(job_house):
    kill(job_house.engine, "enqueue", "before the commit")

    assert job_house.lifecycle.claim(1, "w1") is None
    assert rung_by_a_sweep(job_house) == []


def test_a_job_whose_process_died_before_the_ring_is_rung_by_a_sweep(job_house):
    kill(job_house.engine, "enqueue", "before the ring")

    assert rung_by_a_sweep(job_house) == [1]
    assert job_house.lifecycle.claim(1, "w1") is not None


@pytest.mark.parametrize(
    ("move", "moment"),
    [
        ("claim", "after it"),
        ("finish", "before the commit"),
        ("fail", "before the commit"),
        ("release", "before the commit"),
    ],
)
def test_a_worker_that_died_before_the_commit_has_ended_nothing(job_house, move, moment):
    job_house.add("s")

    kill(job_house.engine, move, moment)

    row = job_house.row(1)
    assert (row.status, row.attempt, row.worker, row.finished_at_ms) == ("RUNNING", 1, "killed", None)


@pytest.mark.parametrize(
    ("move", "status", "rung"), [("finish", "SUCCEEDED", [2]), ("fail", "FAILED", [2]), ("release", "QUEUED", [1])]
)
def test_what_a_worker_that_died_before_its_ring_has_freed_is_rung_by_a_sweep(job_house, move, status, rung):
    job_house.add("s")
    job_house.add("s")

    kill(job_house.engine, move, "before the ring")

    assert job_house.row(1).status == status
    assert rung_by_a_sweep(job_house) == rung
