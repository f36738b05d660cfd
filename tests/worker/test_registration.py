"""The registration copy, from a folder to READY, on both databases and a real store."""

import os
import shutil

import pytest
from sqlalchemy import delete, update

from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.errors import ClaimLost
from modelyard.registry import blobs
from modelyard.rules.jobs import JobStatus
from modelyard.storage.local_folders import LocalFolders
from modelyard.storage.local_ingest import LocalBatch
from modelyard.storage.tree import Limits
from modelyard.worker.chores import remove_lost_staging
from modelyard.worker.registration import register_version
from tests.worker.conftest import random_bytes

versions = metadata.tables["model_versions"]


def test_a_folder_becomes_a_ready_version_that_needs_its_source_no_more(house):
    data = random_bytes(300_000)
    folder = house.model_folder(**{"data/model.bin": data, "empty": b""})
    job = house.register(folder)

    assert house.run(job) is JobStatus.SUCCEEDED
    shutil.rmtree(folder)

    version = house.version()
    assert (version.status, version.status_message) == ("READY", "")
    assert (version.file_count, version.size_bytes) == (3, 300_000 + 12)
    assert house.files_of() == {"MLmodel": b"flavors: {}\n", "data/model.bin": data, "empty": b""}


def test_nothing_of_the_work_stays_behind(house):
    job = house.register(house.model_folder())

    house.run(job)

    assert house.rows("blob_leases") == []
    assert house.store.list_staging() == []


def test_the_manifest_refers_to_each_blob_and_to_itself(house):
    house.run(house.register(house.model_folder(a=b"same", b=b"same")))

    version = house.version()
    references = {row.digest for row in house.rows("manifest_blobs")}
    assert references == {file.digest for file in house.manifest(version.manifest_digest)} | {version.manifest_digest}
    assert {row.state for row in house.rows("blobs")} == {"live"}


def test_equal_files_have_equal_manifests_and_are_stored_once(house):
    house.run(house.register(house.model_folder("one", big=random_bytes(1000))))
    stored = house.rows("blobs")
    house.run(house.register(house.model_folder("two", big=random_bytes(1000)), number=2))

    assert house.version(1).manifest_digest == house.version(2).manifest_digest
    assert len(house.rows("blobs")) == len(stored)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "MLmodel").unlink(), "MLmodel"),
        (shutil.rmtree, "moved or deleted"),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "link"),
        (lambda folder: os.mkfifo(folder / "pipe"), "pipe"),
        (lambda folder: (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"x"), "UTF-8"),
    ],
    ids=["no MLmodel", "gone", "symlink", "fifo", "name"],
)
def test_a_source_that_cannot_be_copied_fails_with_its_reason(house, spoil, reason):
    folder = house.model_folder(other=b"x")
    job = house.register(folder)
    spoil(folder)

    assert house.run(job) is JobStatus.FAILED

    version = house.version()
    assert version.status == "FAILED_REGISTRATION"
    assert version.status_message == house.job(job).status_message
    assert reason in version.status_message
    assert house.rows("blob_leases") == []
    assert house.store.list_staging() == []


def test_a_path_outside_the_roots_is_not_read(house, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "MLmodel").write_text("flavors: {}")
    job = house.register(tmp_path / "outside")

    assert house.run(job) is JobStatus.FAILED
    assert "MODELYARD_SOURCE_ROOTS" in house.version().status_message


def test_a_deleted_version_is_not_made_ready(house):
    job = house.register(house.model_folder())
    with transaction(house.engine) as session:
        session.execute(update(versions).values(deleted_at_ms=1))

    assert house.run(job) is JobStatus.CANCELLED
    assert (house.version().status, house.version().manifest_digest) == ("FAILED_REGISTRATION", None)


def test_a_second_attempt_reads_nothing_that_the_first_stored(house):
    folder = house.model_folder(big=random_bytes(100_000))
    job = house.register(folder)

    def stop_late(context, claim, pulse):
        register_version(context, claim, pulse)
        raise ClaimLost(claim.job_id, claim.attempt)

    house.run(job, stop_late)
    assert len(house.rows("job_files")) == 2
    with transaction(house.engine) as session:
        session.execute(update(metadata.tables["jobs"]).values(status="QUEUED", lease_until_ms=None, worker=None))
    os.chmod(folder / "big", 0)  # For people who are not root: reading it now would fail.
    before = {path: path.stat().st_ino for path in (house.store.root / "blobs").rglob("*") if path.is_file()}
    ctime = os.stat(folder / "big").st_ctime_ns
    with transaction(house.engine) as session:
        files = metadata.tables["job_files"]
        session.execute(update(files).where(files.c.path == "big").values(ctime_ns=ctime))

    assert house.run(job) is JobStatus.SUCCEEDED
    assert {path: path.stat().st_ino for path in (house.store.root / "blobs").rglob("*") if path.is_file()} == before


def test_a_file_that_changed_between_two_attempts_leaves_no_reference(house):
    folder = house.model_folder(big=b"first")
    job = house.register(folder)

    def stop_late(context, claim, pulse):
        register_version(context, claim, pulse)
        raise ClaimLost(claim.job_id, claim.attempt)

    house.run(job, stop_late)
    (folder / "big").write_bytes(b"second")
    with transaction(house.engine) as session:
        session.execute(update(metadata.tables["jobs"]).values(status="QUEUED", lease_until_ms=None, worker=None))
    house.run(job)

    version = house.version()
    references = {row.digest for row in house.rows("manifest_blobs")}
    assert house.files_of()["big"] == b"second"
    assert references == {file.digest for file in house.manifest(version.manifest_digest)} | {version.manifest_digest}


def test_a_blob_that_came_back_gets_a_file_of_its_own(house):
    house.run(house.register(house.model_folder(a=b"bytes")))
    with transaction(house.engine) as session:
        session.execute(update(versions).values(manifest_digest=None))
        session.execute(delete(metadata.tables["manifest_blobs"]))
        session.execute(delete(metadata.tables["manifests"]))
        session.execute(update(blobs.blobs).values(state="gone"))  # As a collector leaves it.
    house.run(house.register(house.model_folder(a=b"bytes"), number=2))

    assert {row.gen for row in house.rows("blobs")} == {1}
    assert house.files_of(2)["a"] == b"bytes"


def test_rotten_bytes_are_healed_by_registering_good_ones(house):
    house.run(house.register(house.model_folder(a=b"bytes")))
    (digest,) = [f.digest for f in house.manifest(house.version().manifest_digest) if f.path == "a"]
    path = house.store.root / "blobs" / "sha256" / digest[:2] / digest
    path.chmod(0o644)
    path.write_bytes(b"rotte")
    with transaction(house.engine) as session:
        session.execute(update(blobs.blobs).values(broken_at_ms=5))

    assert house.run(house.register(house.model_folder(a=b"bytes"), number=2)) is JobStatus.SUCCEEDED

    assert house.files_of(2)["a"] == b"bytes"
    assert [row.broken_at_ms for row in house.rows("blobs") if row.digest == digest] == [None]


def uploaded(house, *paths):
    """Return the job that registers these files of version 1 as an upload, as version 2."""
    stored = {f.path: f for f in house.manifest(house.version().manifest_digest)}
    with transaction(house.engine) as session:
        for path in paths:
            file = stored[path]
            blobs.record_upload(
                session, actor_name="ann", path=f"r1/m/{path}", digest=file.digest, size_bytes=file.size_bytes, hours=1
            )
    with transaction(house.engine) as session:
        found = blobs.find_uploads(session, actor_name="ann", source_path="r1/m")
    job = house.register("dbfs:/databricks/mlflow/tmp-external-source/r1/m", number=2, upload_folder=found.folder)
    with transaction(house.engine) as session:
        blobs.claim_uploads(session, found, job_id=job.id)
    return job


def test_uploaded_files_are_registered_without_being_read_again(house):
    house.run(house.register(house.model_folder(a=b"bytes")))
    job = uploaded(house, "MLmodel", "a")

    assert house.run(job) is JobStatus.SUCCEEDED
    assert house.version(2).manifest_digest == house.version(1).manifest_digest
    assert house.rows("uploads") == []
    assert house.rows("blob_leases") == []


def test_an_upload_without_an_mlmodel_fails_with_the_remedy(house):
    house.run(house.register(house.model_folder(a=b"bytes")))

    assert house.run(uploaded(house, "a")) is JobStatus.FAILED
    assert "MLmodel" in house.version(2).status_message


@pytest.mark.parametrize("way", ["a folder", "an upload"])
def test_plain_files_are_a_version_where_the_operator_allows_them(house, way):
    house.run(house.register(house.model_folder(a=b"bytes")))
    house.with_context(limits=Limits(plain_files=True))
    (house.sources / "model" / "MLmodel").unlink()
    job = uploaded(house, "a") if way == "an upload" else house.register(house.sources / "model", number=2)

    assert house.run(job) is JobStatus.SUCCEEDED
    assert house.files_of(2) == {"a": b"bytes"}


def test_a_version_is_not_ready_while_a_live_row_lacks_its_file(house):
    house.run(house.register(house.model_folder(a=b"bytes")))
    digest = house.digest_of("a")
    job = uploaded(house, "MLmodel", "a")
    house.blob_path(digest).unlink()

    assert house.run(job) is JobStatus.QUEUED
    assert f"The store holds nothing for the blob {digest}" in house.job(job).status_message
    assert house.version(2).status == "PENDING_REGISTRATION"


def test_a_worker_that_died_between_row_and_file_leaves_nothing_that_others_stumble_over(house, monkeypatch):
    folder = house.model_folder(a=b"bytes")
    first, second = house.register(folder), house.register(folder, number=2)

    def die(*_arguments):
        raise ClaimLost(first.id, 1)

    with monkeypatch.context() as patch:
        patch.setattr(LocalBatch, "place", die)
        house.run(first)
    house.queue_again(first)
    assert {row.state for row in house.rows("blobs")} == {"live"}
    assert list(house.store.list_blobs()) == []

    assert house.run(second) is JobStatus.SUCCEEDED
    assert house.run(first) is JobStatus.SUCCEEDED
    assert house.files_of(1) == house.files_of(2) == {"MLmodel": b"flavors: {}\n", "a": b"bytes"}


def test_a_full_disk_lets_the_job_wait_and_says_how_much_is_missing(house, monkeypatch):
    job = house.register(house.model_folder(a=b"x" * 5000))
    monkeypatch.setattr(LocalFolders, "free_bytes", lambda _self: 1000)

    assert house.run(job) is JobStatus.QUEUED
    assert "The disk of the store is full: 5.0 kB are needed, 1.0 kB are free." in house.job(job).status_message
    assert list(house.store.list_blobs()) == []
    monkeypatch.undo()
    house.queue_again(job)
    assert house.run(job) is JobStatus.SUCCEEDED


def test_staging_of_an_attempt_that_is_over_is_removed_and_of_a_running_one_kept(house):
    job = house.register(house.model_folder())
    claim = house.context.lifecycle.claim(job.id, "w1")
    for name in (f"{job.id}-{claim.attempt}-00000000", f"{job.id}-7-00000000", "99-1-00000000", "0-0-00000000"):
        (house.store.root / "ingest" / name).mkdir()

    removed = remove_lost_staging(house.context)

    assert sorted(removed) == [f"{job.id}-7-00000000", "99-1-00000000"]
