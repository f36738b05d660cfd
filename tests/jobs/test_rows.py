"""What the database itself refuses to hold of a job, whoever writes it."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from modelyard.database.session import transaction
from modelyard.jobs.guards import jobs


def test_an_id_is_never_given_out_twice(job_house):
    last = job_house.add()
    with transaction(job_house.engine) as session:
        session.execute(jobs.delete())

    assert job_house.add() > last


def test_the_database_refuses_two_running_jobs_of_a_subject(job_house):
    first, second = job_house.add(), job_house.add()
    job_house.claimed(first)
    running = {"status": "RUNNING", "worker": "w2", "lease_until_ms": 1, "attempt": 1}

    with pytest.raises(IntegrityError), transaction(job_house.engine) as session:
        session.execute(update(jobs).where(jobs.c.id == second).values(running))


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "RUNNING"},
        {"lease_until_ms": 5},
        {"status": "SUCCEEDED"},
        {"finished_at_ms": 5},
        {"status": "DONE"},
    ],
)
def test_the_database_refuses_a_status_that_contradicts_itself(job_house, broken):
    job_id = job_house.add()

    with pytest.raises(IntegrityError), transaction(job_house.engine) as session:
        session.execute(update(jobs).where(jobs.c.id == job_id).values(broken))
