"""The work of `archive_versions`: each version that stepped aside is told of once, however often it is tried."""

import pytest
from sqlalchemy import insert, update

from modelyard.database.session import transaction
from modelyard.database.tables import Job, metadata
from modelyard.errors import ClaimLost
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.worker.archival import archive_versions
from tests.worker.conftest import House

jobs = metadata.tables["jobs"]
versions = metadata.tables["model_versions"]


def archive(house: House, numbers: list[int]) -> Job:
    """Enter archived versions with these numbers, and the job that tells of them."""
    with transaction(house.engine) as session:
        session.execute(
            insert(versions),
            [
                {
                    "public_id": f"{number:032x}",
                    "model_id": house.model_id,
                    "version": number,
                    "stage": "Archived",
                    "status": "READY",
                    "status_message": "",
                    "description": "",
                    "source": "/x",
                    "run_id": "",
                    "run_link": "",
                    "logged_model_id": "",
                    "registration_mode": "copy",
                    "created_by": "ann",
                }
                for number in numbers
            ],
        )
        return house.context.lifecycle.queue.enqueue(
            session,
            JobKind.ARCHIVE_VERSIONS,
            requested_by="ann",
            arguments={"versions": numbers, "from_stage": "Production", "promoted": 99},
            model_id=house.model_id,
        )


def test_each_version_gets_one_activity_that_says_why(house):
    job = archive(house, [1, 2])

    assert house.run(job, archive_versions) is JobStatus.SUCCEEDED

    first, second = house.rows("activities")
    assert (first.activity_type, first.actor, first.job_id) == ("SYSTEM_TRANSITION", "ann", job.id)
    assert (first.from_stage, first.to_stage) == ("Production", "Archived")
    assert first.system_comment == "Archived because version 99 was transitioned to Production."
    assert first.version_id != second.version_id


def test_a_second_attempt_writes_nothing_twice(house):
    job = archive(house, [1, 2])

    def stop_late(context, claim, pulse):
        archive_versions(context, claim, pulse)
        raise SystemExit

    with pytest.raises(SystemExit):
        house.run(job, stop_late)
    house.run(job, archive_versions)

    assert len(house.rows("activities")) == 2
    assert house.job(job).attempt == 2


def test_each_version_is_announced_once_however_often_it_is_tried(house):
    job = archive(house, [1, 2])

    def stop_late(context, claim, pulse):
        archive_versions(context, claim, pulse)
        raise SystemExit

    with pytest.raises(SystemExit):
        house.run(job, stop_late)
    house.run(job, archive_versions)

    assert [(row.event, row.actor, row.payload) for row in house.rows("outbox_events")] == [
        (
            "MODEL_VERSION_TRANSITIONED_STAGE",
            "ann",
            {"model_name": "m", "version": number, "from_stage": "Production", "to_stage": "Archived"},
        )
        for number in ("1", "2")
    ]


def test_more_versions_than_one_batch_are_all_told_of(house):
    job = archive(house, list(range(1, 402)))

    assert house.run(job, archive_versions) is JobStatus.SUCCEEDED

    assert len({row.version_id for row in house.rows("activities")}) == 401


def test_a_version_that_is_not_there_any_more_is_left_out(house):
    job = archive(house, [1])
    with transaction(house.engine) as session:
        session.execute(update(jobs).values(arguments={"versions": [1, 7], "from_stage": "Staging", "promoted": 2}))

    assert house.run(job, archive_versions) is JobStatus.SUCCEEDED
    assert len(house.rows("activities")) == 1


def test_a_worker_that_lost_its_claim_tells_of_nothing(house):
    job = archive(house, [1, 2])
    claim = house.context.lifecycle.claim(job.id, "w1")
    house.context.lifecycle.release(claim)

    with pytest.raises(ClaimLost):
        archive_versions(house.context, claim, lambda **_: None)

    assert house.rows("activities") == []
