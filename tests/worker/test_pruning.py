"""Old jobs are forgotten with their history; what they told the metrics is not."""

import pytest
from sqlalchemy import update

from modelyard.database.session import snapshot, transaction
from modelyard.database.tables import metadata
from modelyard.errors import SourceUnreadable
from modelyard.jobs.counters import read_figures
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.worker.pruning import prune_jobs

jobs = metadata.tables["jobs"]
versions = metadata.tables["model_versions"]

LONG_AGO_MS = 1


def prune(house):
    """Run a job that prunes, and return the ids of the other jobs that are left."""
    with transaction(house.engine) as session:
        job = house.context.lifecycle.queue.enqueue(session, JobKind.PRUNE_JOBS, requested_by="scheduler")
    assert house.run(job, prune_jobs) is JobStatus.SUCCEEDED
    return [row.id for row in house.rows("jobs") if row.id != job.id]


def end_long_ago(house, job):
    with transaction(house.engine) as session:
        session.execute(update(jobs).where(jobs.c.id == job.id).values(finished_at_ms=LONG_AGO_MS))


def failing(context, claim, pulse):
    raise SourceUnreadable("No MLmodel.")


def test_a_job_is_removed_with_its_history_when_its_time_is_over(house):
    old, young = (house.register(house.model_folder(), number=number) for number in (1, 2))
    house.run(old)
    house.run(young)
    end_long_ago(house, old)

    assert prune(house) == [young.id]

    for table in ("job_attempts", "job_log", "job_files"):
        assert old.id not in {row.job_id for row in house.rows(table)}


@pytest.mark.parametrize(("deleted_at_ms", "stays"), [(None, True), (5, False)])
def test_a_failed_job_stays_while_its_version_does(house, deleted_at_ms, stays):
    job = house.register("/x")
    house.run(job, failing)
    end_long_ago(house, job)
    with transaction(house.engine) as session:
        session.execute(update(versions).values(deleted_at_ms=deleted_at_ms))

    assert prune(house) == ([job.id] if stays else [])


def test_a_job_that_waits_is_never_removed(house):
    job = house.register("/x")
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(created_at_ms=LONG_AGO_MS))

    assert prune(house) == [job.id]


def test_what_a_removed_job_told_stays_counted(house):
    for number in (1, 2, 3):
        job = house.register(house.model_folder(), number=number)
        house.run(job)
        end_long_ago(house, job)

    assert prune(house) == []

    with snapshot(house.engine) as session:
        figures = read_figures(session)
    assert figures["job_attempts", "register_version,SUCCEEDED"] == 3
    waited = {labels: amount for (name, labels), amount in figures.items() if name == "job_wait_ms_bucket"}
    assert sum(amount for labels, amount in waited.items() if labels.startswith("copy,")) == 3
