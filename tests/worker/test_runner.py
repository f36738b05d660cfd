"""How one job is run: whatever the work does, its outcome is recorded once, on both databases."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.errors import InvalidValue, SourceUnreadable, TemporaryFailure
from modelyard.rules.jobs import JobStatus
from modelyard.worker import heart, runner
from modelyard.worker.beliefs import Beliefs, ZombieWatch
from modelyard.worker.heart import Heart
from tests.waiting import wait_until
from tests.worker.conftest import random_bytes

jobs = metadata.tables["jobs"]


def counted(house):
    """Return the figures that no row tells."""
    return {(row.name, row.labels): row.value for row in house.rows("counters")}


def raising(error):
    def work(context, claim, pulse):
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "version_status"),
    [
        (SourceUnreadable("No MLmodel."), JobStatus.FAILED, "FAILED_REGISTRATION"),
        (InvalidValue("bad source"), JobStatus.FAILED, "FAILED_REGISTRATION"),
        (TemporaryFailure("The server did not answer."), JobStatus.QUEUED, "PENDING_REGISTRATION"),
        (ZeroDivisionError("secret"), JobStatus.FAILED, "FAILED_REGISTRATION"),
    ],
)
def test_what_the_work_raises_decides_the_outcome(house, error, status, version_status):
    job = house.register("/x")

    assert house.run(job, raising(error)) is status
    assert house.version().status == version_status


@pytest.mark.parametrize("arguments", [{}, {"source": 3}, [], "text", {"source": "/x", "upload_folder": []}])
def test_a_job_with_arguments_of_another_release_fails_with_a_reason(house, arguments):
    job = house.register("/x")
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(arguments=arguments))

    assert house.run(job) is JobStatus.FAILED

    assert house.job(job).error_code == "INVALID_PARAMETER_VALUE"
    assert "not made by this release" in house.job(job).status_message
    assert house.version().status_message == house.job(job).status_message
    assert house.run(job) is None


def test_a_defect_of_ours_shows_a_number_and_no_secret(house):
    job = house.register("/x")

    house.run(job, raising(ZeroDivisionError("secret")))

    assert "secret" not in house.version().status_message
    assert "number" in house.version().status_message


def test_the_last_temporary_failure_fails_the_version_with_its_reason(house):
    job = house.register("/x")
    for _ in range(3):
        with transaction(house.engine) as session:
            session.execute(update(jobs).values(run_after_ms=0))
        status = house.run(job, raising(TemporaryFailure("The server did not answer.")))

    assert status is JobStatus.FAILED
    assert house.version().status_message == "The server did not answer."


def test_a_drained_worker_gives_its_job_back(house):
    job = house.register("/x")
    house.drain.request()

    assert house.run(job) is JobStatus.QUEUED
    assert house.job(job).releases == 1
    assert house.rings == [job.id, job.id]


def test_a_cancelled_job_ends_with_the_name_of_who_cancelled(house):
    job = house.register("/x")

    def work(context, claim, pulse):
        with transaction(house.engine) as session:
            context.lifecycle.cancel(session, claim.job_id, by="bob")
        stop = threading.Event()
        while not stop.wait(0.02):
            pulse(items_done=1)

    assert house.run(job, work) is JobStatus.CANCELLED
    assert (house.version().status, house.version().status_message) == ("FAILED_REGISTRATION", "Cancelled by bob.")


def test_a_worker_whose_claim_was_taken_records_nothing(house):
    job = house.register("/x")

    def work(context, claim, pulse):
        with transaction(house.engine) as session:
            session.execute(update(jobs).values(worker="another"))

    assert house.run(job, work) is None
    assert house.version().status == "PENDING_REGISTRATION"


def test_a_lost_claim_is_counted(house):
    job = house.register("/x")

    def work(context, claim, pulse):
        with transaction(house.engine) as session:
            session.execute(update(jobs).values(worker="another"))

    house.run(job, work)

    assert counted(house) == {("lost_claims", "register_version"): 1}


def test_copied_bytes_are_counted_however_the_attempt_ends(house):
    def work(context, claim, pulse):
        pulse(copied_bytes=3)
        pulse(copied_bytes=8)
        raise TemporaryFailure("away")

    house.run(house.register("/x"), work)
    house.run(house.register(house.model_folder(a=b"12345"), number=2))

    assert counted(house) == {("copied_bytes", "register_version"): 8 + 5 + len(b"flavors: {}\n")}


def test_copied_bytes_are_counted_while_the_work_goes_on(house, monkeypatch):
    monkeypatch.setattr(heart, "_COUNT_S", 0)
    job = house.register("/x")
    seen = []

    def work(context, claim, pulse):
        pulse(copied_bytes=7)
        seen.append(wait_until(lambda: counted(house), what="copied bytes"))
        raise SourceUnreadable("enough")

    house.run(job, work)

    assert seen == [{("copied_bytes", "register_version"): 7}]
    assert counted(house) == seen[0]


def test_bytes_that_could_not_be_counted_are_counted_later(house, monkeypatch):
    job = house.register("/x")
    beating = Heart(house.context.lifecycle, house.context.lifecycle.claim(job.id, "w"), house.drain, 60, 0.0)
    beating.meter.note(9)
    counting = heart.count

    def away(engine, figures):
        raise OperationalError("INSERT", {}, Exception("server closed"))

    monkeypatch.setattr(heart, "count", away)
    beating.count_copied()
    monkeypatch.setattr(heart, "count", counting)
    beating.count_copied()
    beating.count_copied()

    assert counted(house) == {("copied_bytes", "register_version"): 9}


def test_a_database_that_is_away_during_the_work_ends_no_job(house):
    job = house.register("/x")

    assert house.run(job, raising(OperationalError("SELECT", {}, Exception("server closed")))) is None
    assert house.job(job).status == "RUNNING"


def test_an_outcome_whose_commit_was_not_heard_is_looked_up(house, monkeypatch):
    job = house.register(house.model_folder())
    lifecycle = type(house.context.lifecycle)
    finish, calls = lifecycle.finish, []

    def finish_and_lose_the_answer(self, claim, *told):
        calls.append(1)
        status = finish(self, claim, *told)
        if len(calls) == 1:
            raise OperationalError("COMMIT", {}, Exception("connection lost"))
        return status

    monkeypatch.setattr(lifecycle, "finish", finish_and_lose_the_answer)

    assert house.run(job) is JobStatus.SUCCEEDED
    assert len(calls) == 2
    assert house.version().status == "READY"


def test_a_doubled_message_runs_nothing_twice(house):
    job = house.register(house.model_folder())

    assert house.run(job) is JobStatus.SUCCEEDED
    assert house.run(job) is None


def test_the_heartbeat_writes_progress_while_the_work_goes_on(house):
    job = house.register("/x")
    seen = []

    def work(context, claim, pulse):
        pulse(step="Copying", bytes_done=5, bytes_total=10)
        seen.append(wait_until(lambda: house.job(job).bytes_done == 5 and house.job(job).step, what="progress"))
        raise SourceUnreadable("enough")

    house.run(job, work)

    assert seen == ["Copying"]


def test_the_heartbeat_writes_how_fast_the_work_copies(house):
    job = house.register("/x")
    seen = []

    def work(context, claim, pulse):
        pulse(bytes_done=1000, bytes_total=9000, copied_bytes=0)
        pulse(bytes_done=1500, bytes_total=9000, copied_bytes=500)
        seen.append(wait_until(lambda: house.job(job).bytes_per_s, what="a speed"))
        raise SourceUnreadable("enough")

    house.run(job, work)

    # The first beat comes after a second; the thousand bytes that were there before do not count.
    assert 0 < seen[0] <= 520


def test_a_new_attempt_has_no_speed_yet(house):
    job = house.register("/x")
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(bytes_per_s=7))

    house.context.lifecycle.claim(job.id, runner.new_owner())

    assert house.job(job).bytes_per_s is None


def test_a_job_that_succeeded_shows_all_of_its_progress(house):
    data = {f"file-{number}": random_bytes(1000, number) for number in range(3)}
    job = house.register(house.model_folder(**data))

    house.run(job)

    row = house.job(job)
    assert (row.items_done, row.items_total) == (4, 4)
    assert (row.bytes_done, row.bytes_total) == (3012, 3012)


def test_a_worker_that_could_not_renew_stops_by_itself(house):
    job = house.register("/x")
    claim = house.context.lifecycle.claim(job.id, runner.new_owner())
    late = Heart(house.context.lifecycle, claim, house.drain, 60, claimed_s=-1000.0)

    with pytest.raises(runner.ClaimLost):
        late()


STALL = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from modelyard.worker.heart import Heart
from modelyard.jobs.guards import Claim
from modelyard.worker.drain import DrainFlag
import time
class Quick:
    lease_ms = 400
    def heartbeat(self, claim, progress, said): return False
claim = Claim(1, 1, "w", "k", None, {}, None, None, "ann")
with Heart(Quick(), claim, DrainFlag(), 0.5, time.monotonic()) as heart:
    threading.Event().wait(30)
"""


def test_a_child_whose_work_stands_still_ends_itself():
    source = Path(runner.__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", STALL, str(source)], capture_output=True, timeout=25, check=False)

    assert ended.returncode == -signal.SIGKILL


def test_a_child_that_runs_another_s_job_is_killed(house):
    job = house.register("/x")
    beliefs = Beliefs(1)
    child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait(60)"])
    claim = house.context.lifecycle.claim(job.id, f"host:{child.pid}:abc")
    beliefs._write(f"{child.pid} {claim.job_id} {claim.worker} .")
    watch = ZombieWatch(house.engine, beliefs, lambda: {child.pid}, lease_s=0)

    watch()
    assert child.poll() is None
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(worker="another"))
    watch()

    assert child.wait(10) == -signal.SIGKILL


def test_a_pid_that_is_no_child_of_this_worker_is_left_alone(house):
    beliefs = Beliefs(1)
    beliefs._write(f"{os.getpid()} 1 gone .")

    ZombieWatch(house.engine, beliefs, set, lease_s=0)()

    assert beliefs.read() == {os.getpid(): (1, "gone")}


def test_each_line_of_a_job_s_log_names_it(house):
    job = house.register("/x")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        house.run(job, raising(SourceUnreadable("No MLmodel.")))

    assert {line["job_id"] for line in lines} == {job.id}
