"""Collections, on both databases and a real store: what goes, what stays, and what a crash in between leaves."""

import os
import shutil

import pytest
from sqlalchemy import delete, update

from modelyard.database.session import transaction
from modelyard.registry import blobs, collection
from modelyard.registry.blobs import JOB_ITSELF
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.storage.identity import Owner
from modelyard.storage.store import StoredBlob
from tests.worker.conftest import random_bytes

HOUR_MS = 3_600_000


@pytest.fixture
def hasty(house):
    """A house whose bytes may go as soon as nobody refers to them."""
    return house.with_context(grace_ms=0)


def files_on_disk(house):
    return {(blob.digest, blob.gen) for blob in house.store.list_blobs()}


def rows_in(house, state):
    return {(row.digest, row.gen) for row in house.rows("blobs") if row.state == state}


def test_what_no_version_refers_to_goes_and_the_bytes_are_counted(hasty):
    hasty.ready(1, shared=b"shared", own=random_bytes(50_000))
    kept = hasty.ready(2, shared=b"shared")
    freed = sum(path.stat().st_size for path in (hasty.store.root / "blobs").rglob("*") if path.is_file())
    hasty.forget(1)

    job = hasty.do(JobKind.COLLECT)

    freed -= sum(path.stat().st_size for path in (hasty.store.root / "blobs").rglob("*") if path.is_file())
    assert job.status == JobStatus.SUCCEEDED
    assert (job.items_done, job.bytes_done) == (2, freed)  # The large file and the manifest.
    assert job.status_message == (
        f"Freed {freed / 1000:.1f} kB in 2 files; removed 1 manifest that no version refers to."
    )
    assert files_on_disk(hasty) == rows_in(hasty, "live")
    assert {row.manifest_digest for row in hasty.rows("manifest_blobs")} == {kept.manifest_digest}
    assert hasty.files_of(2) == {"MLmodel": b"flavors: {}\n", "shared": b"shared"}


def test_a_version_in_the_trash_keeps_its_bytes(hasty):
    hasty.ready(1, a=b"bytes")
    with transaction(hasty.engine) as session:
        session.execute(update(collection.versions).values(deleted_at_ms=1))

    job = hasty.do(JobKind.COLLECT)

    assert job.items_done == 0
    assert hasty.files_of(1)["a"] == b"bytes"


def test_within_the_grace_period_nothing_goes(house, set_clock):
    house.ready(1, a=b"bytes")
    house.forget(1)

    assert house.do(JobKind.COLLECT).items_done == 0
    set_clock(23 * HOUR_MS)
    assert house.do(JobKind.COLLECT).items_done == 0
    assert house.rows("manifests") == []
    set_clock(25 * HOUR_MS)
    assert house.do(JobKind.COLLECT).items_done == 3


def test_the_grace_period_begins_when_the_last_reference_goes(house, set_clock):
    house.ready(1, a=b"bytes")
    set_clock(100 * HOUR_MS)
    house.forget(1)

    assert house.do(JobKind.COLLECT).items_done == 0
    assert house.do(JobKind.COLLECT).items_done == 0


def test_a_lease_and_an_upload_hold_a_blob(hasty):
    hasty.ready(1, leased=b"leased", uploaded=b"uploaded")
    leased, uploaded = hasty.digest_of("leased"), hasty.digest_of("uploaded")
    with transaction(hasty.engine) as session:
        blobs.lease(session, [leased], job_id=99, attempt=JOB_ITSELF)
        blobs.record_upload(session, actor_name="ann", path="r/m", digest=uploaded, size_bytes=8, hours=1)
    hasty.forget(1)

    hasty.do(JobKind.COLLECT)

    assert {digest for digest, _gen in files_on_disk(hasty)} == {leased, uploaded}


def test_uploads_that_nobody_registered_in_time_go_with_their_bytes(hasty, set_clock):
    hasty.ready(1, a=b"uploaded")
    with transaction(hasty.engine) as session:
        blobs.record_upload(session, actor_name="ann", path="r/m", digest=hasty.digest_of("a"), size_bytes=8, hours=1)
    hasty.forget(1)
    set_clock(2 * HOUR_MS)

    hasty.do(JobKind.COLLECT)

    assert (hasty.rows("uploads"), files_on_disk(hasty)) == ([], set())


def test_staging_of_an_attempt_that_is_over_goes(hasty):
    (hasty.store.root / "ingest" / "99-1-00000000").mkdir()

    hasty.do(JobKind.COLLECT)

    assert hasty.store.list_staging() == []


def test_a_dry_run_tells_and_changes_nothing(hasty):
    hasty.ready(1, own=random_bytes(50_000))
    hasty.ready(2)
    hasty.forget(1)
    hasty.do(JobKind.COLLECT, arguments={"dry_run": True})
    before = (files_on_disk(hasty), hasty.rows("blobs"), hasty.rows("manifest_blobs"))

    job = hasty.do(JobKind.COLLECT, arguments={"dry_run": True})

    assert job.status_message == (
        "Dry run: 0 bytes in 0 files would be freed now, 50.7 kB in 2 files later; "
        "1 manifest that no version refers to would go."
    )
    assert (files_on_disk(hasty), hasty.rows("blobs"), hasty.rows("manifest_blobs")) == before


def test_a_store_that_names_another_database_is_not_touched_until_it_is_adopted(hasty):
    hasty.ready(1, a=b"bytes")
    hasty.forget(1)
    hasty.store.adopt(Owner("house", "another database"))

    job = hasty.do(JobKind.COLLECT)

    assert job.status == JobStatus.FAILED
    assert "modelyard store adopt" in job.status_message
    assert len(files_on_disk(hasty)) == 3

    hasty.store.adopt(hasty.context.owner)
    assert hasty.do(JobKind.COLLECT).items_done == 3


def test_what_a_dead_collector_marked_is_finished_by_the_next(hasty):
    hasty.ready(1, a=b"bytes")
    digest = hasty.digest_of("a")
    hasty.forget(1)
    with transaction(hasty.engine) as session:
        session.execute(delete(blobs.manifest_blobs))
        session.execute(delete(blobs.manifests))
        assert collection.begin_deleting(session, [digest], grace_ms=0) == [StoredBlob(digest, 0, 5)]

    hasty.with_context(grace_ms=HOUR_MS).do(JobKind.COLLECT)

    assert not hasty.blob_path(digest).exists()
    assert rows_in(hasty, "gone") == {(digest, 0)}


def test_a_collector_that_was_paused_before_its_unlink_takes_nothing_from_the_next_registration(hasty):
    hasty.ready(1, a=b"bytes")
    digest = hasty.digest_of("a")
    hasty.forget(1)
    with transaction(hasty.engine) as session:
        session.execute(delete(blobs.manifest_blobs))
        session.execute(delete(blobs.manifests))
        [marked] = collection.begin_deleting(session, [digest], grace_ms=0)

    hasty.ready(2, a=b"bytes")  # While the collector stands still.
    hasty.store.remove_blob(marked.digest, marked.gen)
    with transaction(hasty.engine) as session:
        collection.finish_deleting(session, [marked])

    assert (digest, 1) in rows_in(hasty, "live")
    assert hasty.files_of(2)["a"] == b"bytes"


def test_a_blob_that_was_collected_comes_back_under_the_next_generation_and_can_go_again(hasty):
    for number in (1, 2, 3):
        hasty.ready(number, a=b"bytes")
        assert hasty.files_of(number)["a"] == b"bytes"
        hasty.forget(number)
        hasty.do(JobKind.COLLECT)

    assert files_on_disk(hasty) == set()
    assert {gen for _digest, gen in rows_in(hasty, "gone")} == {2}


def test_rows_of_collected_blobs_are_forgotten_after_a_month(hasty, set_clock):
    hasty.ready(1, a=b"bytes")
    hasty.forget(1)
    hasty.do(JobKind.COLLECT)
    set_clock(29 * 24 * HOUR_MS)
    hasty.do(JobKind.COLLECT)
    assert len(hasty.rows("blobs")) == 3

    set_clock(31 * 24 * HOUR_MS)
    hasty.do(JobKind.COLLECT)

    assert hasty.rows("blobs") == []


def test_files_without_a_row_are_entered_and_go_when_their_time_has_come(house, set_clock):
    house.ready(1, a=b"bytes")
    house.forget(1)
    with transaction(house.engine) as session:  # A database restored from before the registration.
        for table in (blobs.manifest_blobs, blobs.manifests, blobs.blobs):
            session.execute(delete(table))

    job = house.do(JobKind.COLLECT)

    assert "entered 3 files that no row told of" in job.status_message
    assert files_on_disk(house) == rows_in(house, "live")
    set_clock(25 * HOUR_MS)
    assert house.do(JobKind.COLLECT).items_done == 3
    assert files_on_disk(house) == set()


def test_a_file_of_an_earlier_generation_goes_once_it_is_old(house):
    version = house.ready(1, a=b"bytes")
    path = house.blob_path(version.manifest_digest)
    with transaction(house.engine) as session:
        mine = blobs.blobs.c.digest == version.manifest_digest
        session.execute(update(blobs.blobs).where(mine).values(gen=2))
    shutil.copy(path, house.blob_path(version.manifest_digest, gen=2))

    house.do(JobKind.COLLECT)
    assert path.exists()
    house.with_context(grace_ms=0).do(JobKind.COLLECT)

    assert not path.exists()
    assert house.files_of(1)["a"] == b"bytes"


def test_a_file_that_a_paused_writer_named_after_the_collection_goes(hasty):
    hasty.ready(1, a=b"bytes")
    digest = hasty.digest_of("a")
    hasty.forget(1)
    hasty.do(JobKind.COLLECT)
    hasty.blob_path(digest).write_bytes(b"bytes")

    assert hasty.do(JobKind.COLLECT).items_done == 1
    assert files_on_disk(hasty) == set()


@pytest.mark.parametrize("state", ["live", "gone"])
def test_a_row_follows_a_good_file_of_a_later_generation(house, state):
    house.ready(1, a=b"bytes")
    digest = house.digest_of("a")
    os.rename(house.blob_path(digest), house.blob_path(digest, gen=3))  # The database was restored from before.
    if state == "gone":
        house.forget(1)
        with transaction(house.engine) as session:
            session.execute(delete(blobs.manifest_blobs))
            session.execute(update(blobs.blobs).where(blobs.blobs.c.digest == digest).values(state="gone"))

    house.do(JobKind.COLLECT)

    assert (digest, 3) in rows_in(house, "live")
    assert house.read(digest) == b"bytes"


def test_a_damaged_file_of_a_later_generation_is_told_and_left_alone(house):
    house.ready(1, a=b"bytes")
    digest = house.digest_of("a")
    house.blob_path(digest, gen=3).write_bytes(b"wrong")

    job = house.do(JobKind.COLLECT)

    assert "left 1 damaged file of a later generation alone" in job.status_message
    assert (digest, 0) in rows_in(house, "live")
    assert house.files_of(1)["a"] == b"bytes"


def test_a_collection_of_many_goes_in_batches_and_can_be_repeated(hasty, monkeypatch):
    monkeypatch.setattr("modelyard.worker.collecting._BATCH", 3)
    monkeypatch.setattr("modelyard.worker.collecting._TOUCHED_TOGETHER", 2)
    hasty.ready(1, **{f"file {number}": random_bytes(100, number) for number in range(20)})
    hasty.ready(2, **{f"file {number}": random_bytes(100, number) for number in range(5)})
    hasty.forget(1)

    assert hasty.do(JobKind.COLLECT).items_done == 15 + 1
    assert hasty.do(JobKind.COLLECT).items_done == 0
    assert files_on_disk(hasty) == rows_in(hasty, "live")
