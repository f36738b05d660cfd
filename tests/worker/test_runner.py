"""How one job is run: whatever the work does, its outcome is recorded once, on both databases."""

import threading
from dataclasses import replace

import pytest
import structlog
from sqlalchemy import update
from sqlalchemy.exc import DataError, OperationalError

from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.errors import ClaimLost, InvalidValue, SourceUnreadable, TemporaryFailure
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.rules.jobs import RULES, JobKind, JobStatus
from modelyard.worker import heart, runner
from modelyard.worker.heart import Heart
from modelyard.worker.registration import register_version
from tests.waiting import wait_until
from tests.worker.conftest import random_bytes

jobs = metadata.tables["jobs"]

LOST = OperationalError("COMMIT", {}, Exception("the connection is lost"))


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

    assert house.run(job, raising(LOST)) is None

    assert (house.job(job).status, house.version().status) == ("RUNNING", "PENDING_REGISTRATION")


def test_a_statement_that_the_database_refuses_is_a_defect_of_ours(house):
    job = house.register("/x")

    assert house.run(job, raising(DataError("SELECT", {}, Exception("out of range")))) is JobStatus.FAILED
    assert house.job(job).error_code == "INTERNAL_ERROR"


# The move that ends an attempt, the work that comes to it, and the status that it leaves.
ENDS = {
    "finish": (register_version, JobStatus.SUCCEEDED),
    "fail": (raising(SourceUnreadable("No MLmodel.")), JobStatus.FAILED),
    "give_back": (raising(TemporaryFailure("away")), JobStatus.QUEUED),
}


@pytest.fixture
def lose_answers(monkeypatch):
    """A function that lets a move of the lifecycle lose the answers to its first commits, or the commits as well."""

    def lose(move: str, *, committed: bool, times: int = 1) -> list[str]:
        real, calls = getattr(Lifecycle, move), []

        def unheard(*arguments, **options):
            calls.append(move)
            if len(calls) > times:
                return real(*arguments, **options)
            if committed:
                real(*arguments, **options)
            raise LOST

        monkeypatch.setattr(Lifecycle, move, unheard)
        return calls

    return lose


@pytest.mark.parametrize("move", ENDS)
def test_an_outcome_whose_commit_was_not_heard_is_looked_up(house, lose_answers, move):
    work, status = ENDS[move]
    job = house.register(house.model_folder())
    calls = lose_answers(move, committed=True)

    # A job that waits again is nobody's, so that nobody can tell whose commit that was.
    assert house.run(job, work) is (status if status is not JobStatus.QUEUED else None)

    assert len(calls) == 2
    assert (house.job(job).status, house.job(job).attempt) == (status, 1)
    assert len({row.line for row in house.rows("job_log")}) == len(house.rows("job_log"))


@pytest.mark.parametrize("move", ENDS)
def test_an_outcome_that_was_not_written_is_written_again(house, lose_answers, move):
    work, status = ENDS[move]
    job = house.register(house.model_folder())
    calls = lose_answers(move, committed=False)

    assert house.run(job, work) is status

    assert len(calls) == 2
    assert house.job(job).status == status


@pytest.mark.parametrize("move", ENDS)
def test_an_outcome_that_cannot_be_written_is_left_to_the_lease(house, lose_answers, move):
    work, _ = ENDS[move]
    job = house.register(house.model_folder())
    house.context = replace(house.context, lifecycle=replace(house.context.lifecycle, lease_ms=2500))
    lose_answers(move, committed=False, times=1000)

    with pytest.raises(OperationalError):
        house.run(job, work)

    assert (house.job(job).status, house.version().status) == ("RUNNING", "PENDING_REGISTRATION")


@pytest.mark.parametrize(
    ("kind", "arguments", "wanted"),
    [
        (JobKind.REGISTER_VERSION, {}, "'source' as a text"),
        (JobKind.REGISTER_VERSION, {"source": 7}, "'source' as a text"),
        (JobKind.REGISTER_VERSION, {"source": "gopher://x"}, "gopher"),
        (JobKind.ARCHIVE_VERSIONS, {"versions": "all", "from_stage": "Staging", "promoted": 1}, "'versions' as a list"),
    ],
)
def test_a_job_with_arguments_that_its_kind_does_not_accept_fails_and_says_which(house, kind, arguments, wanted):
    job = house.register("/x")
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(kind=kind, arguments=arguments))

    assert house.run(job) is JobStatus.FAILED

    assert wanted in house.job(job).status_message


def test_a_job_that_takes_longer_than_its_kind_may_fails_for_good(house, monkeypatch):
    job = house.register("/x")
    monkeypatch.setitem(RULES, JobKind.REGISTER_VERSION, replace(RULES[JobKind.REGISTER_VERSION], time_limit_s=0))

    assert house.run(job, raising(AssertionError("not reached"))) is JobStatus.FAILED

    assert house.job(job).error_code == "RESOURCE_LIMIT_EXCEEDED"
    assert "longer than 0 s" in house.version().status_message


def test_a_child_that_is_told_to_exit_gives_its_job_back_and_exits(house):
    job = house.register("/x")

    with pytest.raises(SystemExit):
        house.run(job, raising(SystemExit()))

    assert (house.job(job).status, house.job(job).releases) == ("QUEUED", 1)


@pytest.mark.parametrize("error", [ClaimLost(1, 1), LOST], ids=["the claim is lost", "the database is away"])
def test_a_child_that_cannot_give_its_job_back_exits_all_the_same(house, monkeypatch, error):
    job = house.register("/x")

    def release(*_):
        raise error

    monkeypatch.setattr(Lifecycle, "release", release)

    with pytest.raises(SystemExit):
        house.run(job, raising(SystemExit()))


def test_a_doubled_message_runs_nothing_twice(house):
    job = house.register(house.model_folder())

    assert house.run(job) is JobStatus.SUCCEEDED
    assert house.run(job) is None


def test_each_line_of_a_job_s_log_names_it(house):
    job = house.register("/x")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        house.run(job, raising(SourceUnreadable("No MLmodel.")))

    assert {line["job_id"] for line in lines} == {job.id}


def test_the_heartbeat_writes_how_fast_the_work_copies(house):
    job = house.register("/x")
    seen = []

    def work(context, claim, pulse):
        pulse(bytes_done=10**12, bytes_total=2 * 10**12, copied_bytes=0)
        pulse(bytes_done=10**12 + 500, bytes_total=2 * 10**12, copied_bytes=500)
        seen.append(wait_until(lambda: house.job(job).bytes_per_s, what="a speed"))
        raise SourceUnreadable("enough")

    house.run(job, work)

    # What was there before does not count: of it, there is so much that no clock could hide it.
    assert 0 < seen[0] < 10**9


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
