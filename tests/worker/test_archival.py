"""What archiving leaves behind for each version that a promotion moved aside."""

from modelyard.database.session import transaction
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.worker.archival import archive_versions
from tests.worker.conftest import House


def enter_versions(house: House, *numbers: int) -> None:
    for number in numbers:
        house.register(house.model_folder(), number=number)


def archive(house: House, *numbers: int) -> JobStatus | None:
    with transaction(house.engine) as session:
        job = house.context.lifecycle.queue.enqueue(
            session,
            JobKind.ARCHIVE_VERSIONS,
            requested_by="ann",
            arguments={"versions": list(numbers), "from_stage": "Production", "promoted": 9},
            model_id=house.model_id,
        )
    return house.run(job, archive_versions)


def test_each_version_gets_one_activity_and_one_event(house: House) -> None:
    enter_versions(house, 1, 2)

    assert archive(house, 1, 2) is JobStatus.SUCCEEDED

    activities, events = house.rows("activities"), house.rows("outbox_events")
    assert [(row.activity_type, row.actor, row.from_stage, row.to_stage) for row in activities] == [
        ("SYSTEM_TRANSITION", "ann", "Production", "Archived")
    ] * 2
    assert {row.system_comment for row in activities} == {"Archived because version 9 was transitioned to Production."}
    assert [(row.event, row.payload) for row in events] == [
        (
            "MODEL_VERSION_TRANSITIONED_STAGE",
            {"model_name": "m", "version": number, "from_stage": "Production", "to_stage": "Archived"},
        )
        for number in ("1", "2")
    ]


def test_a_version_that_is_gone_is_passed_over(house: House) -> None:
    enter_versions(house, 1)

    assert archive(house, 1, 7) is JobStatus.SUCCEEDED

    assert len(house.rows("activities")) == len(house.rows("outbox_events")) == 1
