"""What children believe to run, and the end of those that run another's job."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.jobs.guards import Claim, jobs
from modelyard.worker.beliefs import Beliefs, ZombieWatch
from tests.worker.conftest import House

CLAIM = Claim(7, 2, "host:1:abc", "probe", None, {}, None, None, "ann")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a child of the pool."""
    process = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait(60)"])
    yield process
    process.kill()
    process.wait()


def believing(house: House, pid: int) -> Beliefs:
    """Return the notes of a worker whose child `pid` has claimed a job."""
    claim = house.context.lifecycle.claim(house.register("/x").id, f"host:{pid}:abc")
    beliefs = Beliefs(1)
    beliefs._write(f"{pid} {claim.job_id} {claim.worker} .")
    return beliefs


def take_away(house: House) -> None:
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(worker="another"))


def test_a_note_is_read_from_when_it_is_held_until_it_is_dropped():
    beliefs = Beliefs(3)

    beliefs.hold(CLAIM)
    held = beliefs.read()
    beliefs.drop()

    assert held == {os.getpid(): (7, "host:1:abc")}
    assert beliefs.read() == {}


def test_a_note_that_is_still_being_written_is_not_read():
    beliefs = Beliefs(1)

    beliefs._write("123 7 host:1:ab")

    assert beliefs.read() == {}


def test_a_child_that_owns_its_job_is_left_alone(house, child):
    watch = ZombieWatch(house.engine, believing(house, child.pid), lambda: {child.pid}, lease_s=0)

    for _ in range(3):
        watch()

    assert child.poll() is None


def test_a_child_that_runs_another_s_job_is_ended(house, child):
    watch = ZombieWatch(house.engine, believing(house, child.pid), lambda: {child.pid}, lease_s=0)
    take_away(house)

    watch()

    assert child.wait(10) == -signal.SIGKILL


def test_a_child_is_given_a_lease_to_notice_by_itself(house, child):
    watch = ZombieWatch(house.engine, believing(house, child.pid), lambda: {child.pid}, lease_s=3600)
    take_away(house)

    for _ in range(3):
        watch()

    assert child.poll() is None


def test_a_pid_that_is_no_child_of_this_worker_is_left_alone(house, child):
    watch = ZombieWatch(house.engine, believing(house, child.pid), set, lease_s=0)
    take_away(house)

    watch()

    assert child.poll() is None


def test_a_child_that_died_in_the_same_moment_is_no_trouble(house, child):
    beliefs = believing(house, child.pid)
    take_away(house)
    child.kill()
    child.wait()

    ZombieWatch(house.engine, beliefs, lambda: {child.pid}, lease_s=0)()
