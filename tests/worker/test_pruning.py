"""The work of `prune_jobs`: what has long ended is forgotten, what may still be mended is kept."""

from collections.abc import Callable

import pytest
from sqlalchemy import insert, select, update

from modelyard.database.session import snapshot, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.counters import read_figures
from modelyard.jobs.guards import jobs
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.worker.probe import probe
from modelyard.worker.pruning import _remove, prune_jobs
from tests.worker.conftest import DAY_MS, House

versions = metadata.tables["model_versions"]


@pytest.fixture
def set_ages(house: House) -> Callable[..., None]:
    """A function that sets job id -> how many days ago it ended, and its status."""

    def set_ages(**ended: tuple[str, int]) -> None:
        with transaction(house.engine) as session:
            for job_id, (status, days) in ended.items():
                session.execute(
                    update(jobs)
                    .where(jobs.c.id == int(job_id.removeprefix("job_")))
                    .values(status=status, finished_at_ms=jobs.c.created_at_ms - days * DAY_MS)
                )

    return set_ages


def prune(house: House) -> JobStatus | None:
    with transaction(house.engine) as session:
        job = house.context.lifecycle.queue.enqueue(session, JobKind.PRUNE_JOBS, requested_by="scheduler")
    return house.run(job, prune_jobs)


def left(house: House) -> list[int]:
    """Return the jobs that are left but the one that pruned."""
    with transaction(house.engine) as session:
        return list(session.scalars(select(jobs.c.id).where(jobs.c.kind != JobKind.PRUNE_JOBS).order_by(jobs.c.id)))


@pytest.mark.parametrize(
    ("status", "days", "kept"),
    [
        ("SUCCEEDED", 29, True),
        ("SUCCEEDED", 31, False),
        ("CANCELLED", 31, False),
        # The record of something that people may still mend.
        ("FAILED", 31, True),
    ],
)
def test_what_ended_long_ago_is_forgotten_unless_it_may_be_mended(house, set_ages, status, days, kept):
    job = house.register("/x")
    set_ages(**{f"job_{job.id}": (status, days)})

    assert prune(house) is JobStatus.SUCCEEDED

    assert left(house) == ([job.id] if kept else [])


def test_a_failure_goes_with_its_version(house, set_ages):
    job = house.register("/x")
    set_ages(**{f"job_{job.id}": ("FAILED", 31)})
    with transaction(house.engine) as session:
        session.execute(update(versions).values(deleted_at_ms=1))

    prune(house)

    assert left(house) == []


def test_what_waits_or_runs_is_kept_however_old_it_is(house):
    waiting, running = house.register("/x"), house.register("/y", number=2)
    house.context.lifecycle.claim(running.id, "w1")
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(created_at_ms=1))

    prune(house)

    assert left(house) == [waiting.id, running.id]


def test_the_history_of_a_forgotten_job_goes_too(house, set_ages):
    job = house.register(house.model_folder())
    house.run(job)
    assert all(house.rows(table) for table in ("job_attempts", "job_log", "job_files"))
    set_ages(**{f"job_{job.id}": ("SUCCEEDED", 31)})

    prune(house)

    for table in ("job_attempts", "job_log", "job_files"):
        assert [row for row in house.rows(table) if row.job_id == job.id] == []
    assert house.version().status == "READY"


def test_more_than_one_batch_goes_in_one_job_that_says_how_many(house):
    old = {"kind": "probe", "queue": "fast", "arguments": {}, "status": "SUCCEEDED", "attempt": 1, "max_attempts": 5}
    old |= {"releases": 0, "wakes": 0, "cancel_requested": False, "requested_by": "ann", "finished_at_ms": 1}
    old |= dict.fromkeys(("items_done", "items_total", "bytes_done", "bytes_total"), 0) | {"step": ""}
    with transaction(house.engine) as session:
        session.execute(insert(jobs), [old] * 401)

    prune(house)

    assert left(house) == []
    assert [row.line for row in house.rows("job_log") if row.level == "info"] == [
        "Removed 401 jobs that ended more than 30 days ago."
    ]


def test_a_job_that_was_retried_in_the_same_moment_is_kept(house, set_ages):
    with transaction(house.engine) as session:
        job = house.context.lifecycle.queue.enqueue(session, JobKind.PROBE, requested_by="ann")
    house.run(job, probe)
    set_ages(**{f"job_{job.id}": ("FAILED", 31)})

    with transaction(house.engine) as session:
        # What another transaction commits between the list of old jobs and their end.
        house.context.lifecycle.retry(session, job.id)
        removed = _remove(session, house.context, [job.id])

    assert (removed, left(house)) == (0, [job.id])
    assert len(house.rows("job_attempts")) == 1


def test_what_a_removed_job_told_stays_counted(house, set_ages):
    for number in (1, 2, 3):
        job = house.register(house.model_folder(), number=number)
        house.run(job)
        set_ages(**{f"job_{job.id}": ("SUCCEEDED", 31)})

    prune(house)

    assert left(house) == []

    with snapshot(house.engine) as session:
        figures = read_figures(session)
    assert figures["job_attempts", "register_version,SUCCEEDED"] == 3
    waited = {labels: amount for (name, labels), amount in figures.items() if name == "job_wait_ms_bucket"}
    assert sum(amount for labels, amount in waited.items() if labels.startswith("copy,")) == 3
