"""Purges, on both databases and a real store: rows go in batches, bytes are told and go with the next collection."""

import pytest
from sqlalchemy import insert, select, update

from modelyard.database.session import transaction
from modelyard.database.tables import Job, ModelVersion, ModelVersionTag, RegisteredModel, metadata
from modelyard.errors import ClaimLost
from modelyard.registry import purging
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.purges import PURGES
from modelyard.registry.registered_models import delete_registered_model
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.storage import sizes
from modelyard.worker.chores import enqueue_due_purges
from modelyard.worker.tasks import WORK
from tests.worker.conftest import random_bytes

ANN = Actor("ann", is_admin=True)
DAY_MS = 24 * 3600 * 1000


def delete_version(house, number=1):
    with transaction(house.engine) as session:
        delete_model_version(session, ANN, "m", number, lifecycle=house.context.lifecycle, purge_at_once=True)
    return purge_job(house)


def delete_model(house):
    with transaction(house.engine) as session:
        delete_registered_model(session, ANN, "m", lifecycle=house.context.lifecycle, purge_at_once=True)
    return purge_job(house)


def purge_job(house):
    with transaction(house.engine) as session:
        return session.scalars(select(Job).where(Job.kind.in_(PURGES)).order_by(Job.id.desc())).first()


def run(house, job):
    house.run(job, WORK[JobKind(job.kind)])
    return house.job(job)


def tag(house, number, count):
    with transaction(house.engine) as session:
        rows = [{"version_id": house.version(number).id, "key": f"k{n}", "value": "v"} for n in range(count)]
        session.execute(insert(ModelVersionTag), rows)


@pytest.mark.shows("all-goes")
def test_a_purged_version_leaves_no_row_and_its_bytes_are_told_and_collected(house):
    house.ready(1, own=random_bytes(60_000), shared=b"shared")
    house.ready(2, shared=b"shared")
    tag(house, 1, 3)
    before = {row.id for row in house.rows("activities")}

    job = run(house, delete_version(house))

    assert job.status == JobStatus.SUCCEEDED
    freed = sizes.written(job.bytes_done)
    assert job.status_message == f"Purged 1 version: {freed} are no longer referenced; a collection frees them."
    assert [row.version for row in house.rows("model_versions")] == [2]
    assert house.rows("model_version_tags") == []
    [left] = [row for row in house.rows("activities") if row.id not in before]
    assert (left.activity_type, left.version_id, left.actor) == ("PURGED_VERSION", None, "ann")
    collected = house.with_context(grace_ms=0).do(JobKind.COLLECT)
    assert collected.bytes_done == job.bytes_done
    assert house.files_of(2)["shared"] == b"shared"


@pytest.mark.shows("all-goes")
def test_a_purged_model_takes_its_versions_along_and_tells_shared_bytes_once(house):
    for number in (1, 2, 3):
        house.ready(number, own=random_bytes(1000, number), shared=random_bytes(5000))
    tag(house, 2, 3)

    job = run(house, delete_model(house))

    assert (job.status, job.items_done, job.items_total) == (JobStatus.SUCCEEDED, 3, 3)
    for table in ("registered_models", "model_versions", "activities", "model_version_tags"):
        assert house.rows(table) == []
    collected = house.with_context(grace_ms=0).do(JobKind.COLLECT)
    assert collected.bytes_done == job.bytes_done
    assert list(house.store.list_blobs()) == []


def test_many_rows_go_in_batches(house, monkeypatch):
    monkeypatch.setattr("modelyard.worker.purging._BATCH", 5)
    house.ready(1)
    tag(house, 1, 23)

    assert run(house, delete_version(house)).status == JobStatus.SUCCEEDED
    assert house.rows("model_version_tags") == []


def test_a_purge_that_lost_its_worker_goes_on_and_counts_once(house, monkeypatch):
    for number in (1, 2, 3, 4):
        house.ready(number, own=random_bytes(1000, number))
    job = delete_model(house)
    taken = []

    def lose_the_claim(session, target, row_id, *, limit):
        if len(taken) == 2:
            taken.append(row_id)
            raise ClaimLost(job.id, 1)
        taken.append(row_id)
        return original(session, target, row_id, limit=limit)

    original = purging.remove_dependents
    monkeypatch.setattr(purging, "remove_dependents", lose_the_claim)
    run(house, job)
    assert len(house.rows("model_versions")) == 2
    house.queue_again(job)

    after = run(house, job)

    assert (after.status, after.items_done, after.items_total) == (JobStatus.SUCCEEDED, 4, 4)
    assert house.with_context(grace_ms=0).do(JobKind.COLLECT).bytes_done == after.bytes_done


@pytest.mark.parametrize("delete", [delete_version, delete_model])
def test_a_purge_that_had_only_to_say_so_says_so(house, delete):
    house.ready(1)
    job = delete(house)

    def stop_late(context, claim, pulse):
        WORK[JobKind(job.kind)](context, claim, pulse)
        raise ClaimLost(claim.job_id, claim.attempt)

    house.run(job, stop_late)
    house.queue_again(job)

    after = run(house, job)

    assert (after.status, after.items_done) == (JobStatus.SUCCEEDED, 1)


def test_versions_that_are_worked_on_are_left_for_later(house):
    house.ready(1)
    house.ready(2)
    busy = house.enqueue(JobKind.PROBE, subject=f"model_version:{house.version(1).public_id}")
    job = delete_model(house)

    waiting = run(house, job)
    assert (waiting.status, waiting.error_code) == (JobStatus.QUEUED, "TEMPORARILY_UNAVAILABLE")
    assert waiting.status_message == "1 version still being worked on; the purge goes on after that."
    assert [row.version for row in house.rows("model_versions")] == [1]

    house.run(busy, WORK[JobKind.PROBE])
    house.queue_again(job)
    assert run(house, job).status == JobStatus.SUCCEEDED
    assert house.rows("model_versions") == []


@pytest.mark.parametrize(("delete", "table"), [(delete_version, ModelVersion), (delete_model, RegisteredModel)])
def test_what_was_restored_meanwhile_is_not_purged(house, delete, table):
    house.ready(1)
    job = delete(house)
    with transaction(house.engine) as session:
        session.execute(update(table).values(deleted_at_ms=None))

    after = run(house, job)

    assert after.status_message == "It was restored meanwhile; nothing was purged."
    assert len(house.rows("model_versions")) == 1


def test_a_version_deleted_while_it_is_registered_is_purged_when_that_has_ended(house):
    source = house.model_folder(a=b"bytes")
    registration = house.register(source)
    job = delete_model(house)

    assert house.run(registration) is None  # The delete has cancelled it.
    assert run(house, job).status == JobStatus.SUCCEEDED
    assert house.rows("model_versions") == []


def test_the_sweep_has_what_is_due_purged(house, set_clock):
    house.ready(1)
    with transaction(house.engine) as session:
        delete_model_version(session, ANN, "m", 1, lifecycle=house.context.lifecycle)

    assert enqueue_due_purges(house.context) == 0
    set_clock(8 * DAY_MS)
    assert enqueue_due_purges(house.context) == 1
    assert enqueue_due_purges(house.context) == 0

    assert run(house, purge_job(house)).status == JobStatus.SUCCEEDED
    assert house.rows("model_versions") == []


def test_whatever_hangs_on_a_version_or_model_names_it_directly():
    """A table that only refers to, say, an activity would keep that from being purged."""
    targets = {purging.versions, purging.models}
    known = targets | {dependent.table for target in targets for dependent in purging.dependents_of(target)}
    hanging = {
        table.name
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table in known and table not in known
    }

    assert hanging == set()
    assert {"activities", "model_version_tags"} <= {d.table.name for d in purging.dependents_of(purging.versions)}
