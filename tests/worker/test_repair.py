"""Repairs: damaged files come back from a source that still has the same bytes, and from nothing else."""

import shutil

import pytest
from sqlalchemy import update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import ModelVersion
from modelyard.errors import ClaimLost
from modelyard.registry import integrity
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.worker.ledger import JobLedger
from modelyard.worker.repair import repair_version
from tests.worker.conftest import random_bytes

GOOD = random_bytes(50_000)


def verify(house, number=1):
    version = house.version(number)
    return house.do(JobKind.VERIFY_VERSION, version_id=version.id, model_id=version.model_id)


def repair(house, number=1, source=None):
    version = house.version(number)
    return house.do(
        JobKind.REPAIR_VERSION,
        version_id=version.id,
        model_id=version.model_id,
        arguments={"source": str(source or version.source)},
    )


def damage(house, number=1):
    with reading(house.engine) as session:
        return set(integrity.integrity_of(session, house.version(number).manifest_digest).damaged)


@pytest.mark.parametrize("lost", [False, True], ids=["changed", "missing"])
def test_a_damaged_file_is_repaired_from_the_source(house, lost):
    house.ready(1, a=GOOD, b=b"other")
    digest = house.digest_of("a")
    house.blob_path(digest).unlink() if lost else house.spoil(digest)
    verify(house)
    assert damage(house) == {digest}

    job = repair(house)

    assert (job.status, job.items_done) == (JobStatus.SUCCEEDED, 1)
    assert job.status_message.startswith("Repaired 1 file from ")
    assert damage(house) == set()
    assert house.files_of(1)["a"] == GOOD
    assert house.blob_path(digest).stat().st_mode & 0o777 == 0o444
    assert house.rows("blob_leases") == []
    assert house.store.list_staging() == []
    assert verify(house).status_message.endswith("all as they were stored.")


def test_only_what_is_damaged_is_read(house):
    house.ready(1, a=GOOD, b=b"other")
    house.spoil(house.digest_of("a"))
    verify(house)
    source = house.sources / "model-1"
    (source / "b").write_bytes(b"changed since")

    assert repair(house).status == JobStatus.SUCCEEDED
    assert len(house.rows("blobs")) == 4


def test_a_source_with_other_bytes_repairs_nothing_and_says_which(house):
    house.ready(1, a=GOOD, b=b"other")
    for path in ("a", "b"):
        house.spoil(house.digest_of(path))
    verify(house)
    (house.sources / "model-1" / "a").write_bytes(b"another model")

    job = repair(house)

    assert job.status == JobStatus.FAILED
    assert job.status_message.startswith("1 file repaired, 1 not (m/1: a): ")
    assert damage(house) == {house.digest_of("a")}
    assert house.files_of(1)["b"] == b"other"


def test_a_source_that_is_gone_says_so(house):
    house.ready(1, a=GOOD)
    house.spoil(house.digest_of("a"))
    verify(house)
    shutil.rmtree(house.sources / "model-1")

    job = repair(house)

    assert job.status == JobStatus.FAILED
    assert "moved or deleted" in job.status_message


def test_the_same_files_elsewhere_repair_too(house):
    house.ready(1, a=GOOD)
    house.spoil(house.digest_of("a"))
    verify(house)
    shutil.rmtree(house.sources / "model-1")
    elsewhere = house.model_folder("elsewhere", a=GOOD)

    assert repair(house, source=elsewhere).status == JobStatus.SUCCEEDED
    assert damage(house) == set()


@pytest.mark.parametrize("same", [True, False])
def test_a_damaged_list_of_files_is_made_again_from_the_whole_source(house, same):
    house.ready(1, a=GOOD)
    manifest = house.version().manifest_digest
    good = house.blob_path(manifest).read_bytes()
    house.spoil(manifest)
    verify(house)
    if not same:
        (house.sources / "model-1" / "new").write_bytes(b"x")

    job = repair(house)

    assert job.status == (JobStatus.SUCCEEDED if same else JobStatus.FAILED)
    assert (house.blob_path(manifest).read_bytes() == good) is same
    assert damage(house) == (set() if same else {manifest})


def test_one_repair_heals_every_version_that_shares_the_file(house):
    house.ready(1, shared=GOOD, own=b"1")
    house.ready(2, shared=GOOD, own=b"2")
    house.spoil(house.digest_of("shared"))
    verify(house, 2)

    repair(house, 1)

    assert damage(house, 1) == damage(house, 2) == set()


def test_registering_the_same_good_bytes_heals_too(house):
    house.ready(1, a=GOOD)
    house.spoil(house.digest_of("a"))
    verify(house)

    house.ready(2, a=GOOD)

    assert damage(house, 1) == set()
    assert house.files_of(1)["a"] == GOOD


def test_a_repair_that_was_interrupted_is_whole_after_the_next_attempt(house, monkeypatch):
    house.ready(1, a=GOOD)
    digest = house.digest_of("a")
    house.spoil(digest)
    verify(house)
    version = house.version()
    job = house.enqueue(
        JobKind.REPAIR_VERSION,
        version_id=version.id,
        model_id=version.model_id,
        arguments={"source": version.source},
    )

    def lose(ledger, digests):
        raise ClaimLost(ledger.claim.job_id, ledger.claim.attempt)

    with monkeypatch.context() as patch:
        patch.setattr(JobLedger, "settle", lose)
        house.run(job, repair_version)
    assert damage(house) == {digest}  # The file is good again, and nobody has written that down.
    house.queue_again(job)

    assert house.run(job, repair_version) == JobStatus.SUCCEEDED
    assert damage(house) == set()


def test_a_version_that_was_deleted_meanwhile_is_not_repaired(house):
    house.ready(1, a=GOOD)
    house.spoil(house.digest_of("a"))
    verify(house)
    with transaction(house.engine) as session:
        session.execute(update(ModelVersion).values(deleted_at_ms=1))

    assert repair(house).status == JobStatus.CANCELLED


def test_a_repair_reads_only_where_a_registration_may(house, tmp_path):
    house.ready(1, a=GOOD)
    house.spoil(house.digest_of("a"))
    verify(house)
    outside = tmp_path / "outside"
    shutil.copytree(house.sources / "model-1", outside)
    (house.sources / "link").symlink_to(outside)

    for source in (outside, house.sources / "link"):
        assert repair(house, source=source).status == JobStatus.FAILED
    assert damage(house) == {house.digest_of("a")}
