"""The trash: what is listed, what a restore brings back, what it refuses; and who asks for purges when."""

import pytest
from sqlalchemy import update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import ModelVersion, RegisteredModel
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue, NotFound, PermissionDenied
from modelyard.registry import purges, trash
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.registered_models import delete_registered_model, find_registered_model
from modelyard.rules.jobs import JobKind, JobStatus
from tests.registry.desks import ANN, STRANGER

DAY_MS = 24 * 3600 * 1000


def delete_model(desk, name="m", **options):
    with transaction(desk.engine) as session:
        model = find_registered_model(session, name)
        delete_registered_model(session, ANN, name, lifecycle=desk.lifecycle, **options)
        return model.public_id


def delete_version(desk, name="m", number=1, **options):
    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, name, number, lifecycle=desk.lifecycle, **options)
    return desk.version(name, number).public_id


def listed(desk, **options):
    with reading(desk.engine) as session:
        return trash.list_trash(session, ANN, **{"limit": 10, **options})


def restore(desk, public_id, **options):
    with transaction(desk.engine) as session:
        return trash.restore(session, ANN, public_id, lifecycle=desk.lifecycle, **options)


def purge_jobs(desk):
    return [job for job in desk.jobs() if job.kind in purges.PURGES]


def enqueue_due(desk, trash_ms=7 * DAY_MS):
    with reading(desk.engine) as session:
        due = purges.due_purges(session, trash_ms=trash_ms, limit=50)
    with transaction(desk.engine) as session:
        return [
            purges.enqueue_due_purge(session, one, desk.lifecycle, trash_ms=trash_ms, by="scheduler") for one in due
        ]


def test_the_trash_lists_models_with_their_versions_and_single_versions_latest_first(desk):
    for name in ("m", "n"):
        desk.model(name)
        desk.ready(name)
    desk.ready("m")
    version_id = delete_version(desk, "n")
    model_id = delete_model(desk, "m")

    items, more = listed(desk)

    assert more is None
    assert [(item.public_id, item.name, item.version, item.versions, item.size_bytes) for item in items] == [
        (model_id, "m", None, 2, 60),
        (version_id, "n", 1, 1, 30),
    ]
    assert {item.deleted_by for item in items} == {"ann"}
    assert not any(item.purging for item in items)


def test_the_trash_comes_in_pages_without_gaps(desk):
    desk.model("m")
    for _ in range(5):
        desk.ready("m")
    expected = [delete_version(desk, "m", number) for number in range(1, 6)]

    seen, last = [], None
    while True:
        items, last = listed(desk, limit=2, last=last)
        seen += [item.public_id for item in items]
        if last is None:
            break

    assert sorted(seen) == sorted(expected)
    assert len(seen) == 5


def test_strangers_see_nothing_and_may_restore_nothing(desk):
    desk.model("m")
    model_id = delete_model(desk)

    with reading(desk.engine) as session:
        assert trash.list_trash(session, STRANGER, limit=10) == ([], None)
    with transaction(desk.engine) as session, pytest.raises(PermissionDenied):
        trash.restore(session, STRANGER, model_id, lifecycle=desk.lifecycle)


@pytest.mark.shows("undo")
def test_a_restored_model_brings_back_what_went_with_it_and_nothing_else(desk):
    desk.model("m")
    for _ in range(3):
        desk.ready("m")
    delete_version(desk, "m", 1)
    model_id = delete_model(desk)

    restore(desk, model_id)

    living = [desk.version("m", number).deleted_at_ms is None for number in (1, 2, 3)]
    assert living == [False, True, True]
    assert [activity.activity_type for activity in desk.activities()][-1] == "RESTORED_MODEL"
    assert [item.version for item in listed(desk)[0]] == [1]


def test_a_version_deleted_in_the_same_millisecond_as_its_model_is_told_apart(desk):
    desk.model("m")
    desk.ready("m")
    desk.ready("m")
    delete_version(desk, "m", 1)
    with transaction(desk.engine) as session:  # As if the clock had stood still, or gone back.
        session.execute(update(ModelVersion).where(ModelVersion.version == 1).values(deleted_at_ms=2**52))
    model_id = delete_model(desk)

    restore(desk, model_id)

    assert [desk.version("m", number).deleted_at_ms is None for number in (1, 2)] == [False, True]


@pytest.mark.shows("undo")
def test_a_restored_version_is_as_it_was(desk):
    desk.model("m")
    before = desk.ready("m")

    restore(desk, delete_version(desk))

    after = desk.version("m")
    assert (after.status, after.stage, after.manifest_digest) == (before.status, before.stage, before.manifest_digest)
    assert after.deleted_at_ms is None
    assert listed(desk) == ([], None)


def test_a_name_taken_meanwhile_is_refused_and_another_one_is_taken(desk):
    desk.model("m")
    desk.ready("m")
    model_id = delete_model(desk)
    desk.model("m")

    with pytest.raises(AlreadyExists, match=r"name=m.*already exists.*Restore as another one"):
        restore(desk, model_id)
    with pytest.raises(InvalidValue):
        restore(desk, model_id, name="a/b")
    restore(desk, model_id, name="m-old")

    assert desk.version("m-old").deleted_at_ms is None


def test_a_version_waits_for_its_model(desk):
    desk.model("m")
    desk.ready("m")
    version_id = delete_version(desk)
    model_id = delete_model(desk)

    with pytest.raises(InvalidState, match="Restore the model first"):
        restore(desk, version_id)
    restore(desk, model_id)
    restore(desk, version_id)

    assert desk.version("m").deleted_at_ms is None


def test_what_is_not_in_the_trash_is_not_found(desk):
    desk.model("m")
    version = desk.ready("m")

    for public_id in (version.public_id, "0" * 32, ""):
        with pytest.raises(NotFound):
            restore(desk, public_id)


def test_what_is_being_purged_is_not_restored(desk):
    desk.model("m")
    desk.ready("m")
    version_id = delete_version(desk)
    with transaction(desk.engine) as session:
        session.execute(update(ModelVersion).values(purging_at_ms=1))

    assert listed(desk)[0][0].purging
    with pytest.raises(InvalidState, match="being purged"):
        restore(desk, version_id)


def test_a_purge_is_enqueued_when_the_time_has_come_and_only_once(desk, set_clock):
    desk.model("m")
    desk.model("n")
    desk.ready("m")
    desk.ready("n")
    delete_version(desk, "m")
    delete_model(desk, "n")

    set_clock(6 * DAY_MS)
    assert enqueue_due(desk) == []
    set_clock(8 * DAY_MS)
    assert enqueue_due(desk) == [True, True]
    assert enqueue_due(desk) == []

    assert [(job.kind, job.requested_by) for job in purge_jobs(desk)] == [
        (JobKind.PURGE_VERSION, "scheduler"),
        (JobKind.PURGE_MODEL, "scheduler"),
    ]


def test_a_version_deleted_before_its_model_has_a_purge_of_its_own(desk, set_clock):
    desk.model("m")
    desk.ready("m")
    desk.ready("m")
    delete_version(desk, "m", 1)
    delete_model(desk)
    set_clock(8 * DAY_MS)

    enqueue_due(desk)

    assert sorted(job.kind for job in purge_jobs(desk)) == [JobKind.PURGE_MODEL, JobKind.PURGE_VERSION]


def test_what_was_restored_between_the_look_and_the_enqueue_is_not_purged(desk, set_clock):
    desk.model("m")
    model_id = delete_model(desk)
    set_clock(8 * DAY_MS)
    with reading(desk.engine) as session:
        [due] = purges.due_purges(session, trash_ms=DAY_MS, limit=50)
    restore(desk, model_id)

    with transaction(desk.engine) as session:
        enqueued = purges.enqueue_due_purge(session, due, desk.lifecycle, trash_ms=DAY_MS, by="scheduler")

    assert enqueued is False
    assert purge_jobs(desk) == []


def test_a_restore_cancels_the_purge_that_has_not_begun_and_a_later_delete_has_its_own(desk):
    desk.model("m")
    desk.ready("m")
    version_id = delete_version(desk, purge_at_once=True)

    restore(desk, version_id)
    delete_version(desk, purge_at_once=True)

    assert [job.status for job in purge_jobs(desk)] == [JobStatus.CANCELLED, JobStatus.QUEUED]


@pytest.mark.shows("undo")
def test_where_nothing_is_kept_a_delete_asks_for_the_purge_itself(desk):
    desk.model("m")
    desk.ready("m")
    desk.ready("m")

    delete_version(desk, "m", 1, purge_at_once=True)
    delete_model(desk, purge_at_once=True)

    assert [job.kind for job in purge_jobs(desk)] == [JobKind.PURGE_VERSION, JobKind.PURGE_MODEL]


def test_purging_now_twice_is_one_job_and_a_failed_one_is_tried_again(desk):
    desk.model("m")
    model_id = delete_model(desk)

    def purge():
        with transaction(desk.engine) as session:
            return trash.purge_now(session, ANN, model_id, lifecycle=desk.lifecycle).id

    first = purge()
    assert purge() == first
    claim = desk.lifecycle.claim(first, "w")
    desk.lifecycle.fail(claim, "INTERNAL_ERROR", "broken")
    assert purge() == first

    assert [job.status for job in purge_jobs(desk)] == [JobStatus.QUEUED]


def test_a_purge_names_what_it_locks(desk):
    desk.model("m")
    desk.ready("m")
    delete_version(desk, "m", 1, purge_at_once=True)
    [job] = purge_jobs(desk)
    version = desk.version("m", 1)

    assert job.subject == f"model_version:{version.public_id}"
    assert (job.model_id, job.version_id) == (version.model_id, version.id)
    assert job.arguments == {"deleted_at_ms": version.deleted_at_ms}
    with reading(desk.engine) as session:
        assert session.get(RegisteredModel, version.model_id).deleted_at_ms is None
