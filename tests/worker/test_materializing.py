"""The work of `materialize`: a version that was only remembered gets its files, or stays as it is."""

from typing import Any

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.database.tables import ModelVersion
from modelyard.errors import InvalidState
from modelyard.jobs.queue import Enqueued
from modelyard.rules.jobs import JobKind
from tests.worker.conftest import House

WHOLE = {"data": b"some bytes", "more": b"some bytes"}


def remember(house: House, **fields: Any) -> None:
    """Enter version 1 as `MODELYARD_REGISTRATION=reference` does, in Production."""
    source = str(house.model_folder(**WHOLE))
    row = {"version": 1, "source": source, "status": "READY", "stage": "Production", "registration_mode": "reference"}
    with transaction(house.engine) as session:
        session.add(ModelVersion(model_id=house.model_id, created_by="ann", **{**row, **fields}))


def ask(house: House) -> Enqueued:
    version = house.version()
    arguments = {"source": version.source}
    return house.enqueue(
        JobKind.MATERIALIZE, arguments=arguments, model_id=house.model_id, version_id=version.id, subject="the version"
    )


def try_again(house: House, job: Enqueued) -> None:
    with transaction(house.engine) as session:
        house.context.lifecycle.retry(session, job.id)


def change(house: House, **values: Any) -> None:
    with transaction(house.engine) as session:
        session.execute(update(ModelVersion).values(**values))


def test_a_remembered_version_gets_its_files_and_keeps_all_else(house: House) -> None:
    remember(house, run_id="r1", description="as it was")
    before = house.version()

    assert house.run(ask(house)) == "SUCCEEDED"

    after = house.version()
    assert (after.registration_mode, after.file_count, after.size_bytes) == ("copy", 3, 32)
    assert house.files_of() == {"MLmodel": b"flavors: {}\n", **WHOLE}
    kept = ("status", "stage", "source", "run_id", "description", "created_at_ms", "stage_changed_at_ms")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    entry = house.rows("audit_log")[-1]
    assert (entry.action, entry.after["manifest_digest"]) == ("materializeModelVersion", after.manifest_digest)
    assert house.rows("blob_leases") == []


def test_a_source_that_is_gone_leaves_the_version_alone(house: House) -> None:
    remember(house, source=str(house.sources / "gone"))

    job = ask(house)
    assert house.run(job) == "FAILED"

    version = house.version()
    assert (version.status, version.registration_mode, version.manifest_digest) == ("READY", "reference", None)
    assert "gone" in house.job(job).status_message
    try_again(house, job)
    house.model_folder("gone", **WHOLE)
    assert house.run(job) == "SUCCEEDED"
    assert house.version().registration_mode == "copy"


def test_a_version_that_was_deleted_meanwhile_gets_nothing(house: House) -> None:
    remember(house)
    job = ask(house)
    change(house, deleted_at_ms=1)

    house.run(job)

    assert house.version().manifest_digest is None
    assert house.rows("blob_leases") == []


@pytest.mark.parametrize("meanwhile", [{"deleted_at_ms": 1}, {"registration_mode": "copy"}])
def test_a_job_with_nothing_left_to_take_over_is_not_tried_again(house: House, meanwhile: dict[str, Any]) -> None:
    remember(house, source=str(house.sources / "gone"))
    job = ask(house)
    house.run(job)
    change(house, **meanwhile)

    with pytest.raises(InvalidState, match="nothing to try again"):
        try_again(house, job)
