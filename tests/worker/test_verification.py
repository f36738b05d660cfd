"""Verifications, on both databases and a real store: what is found, whom it concerns, and what is never reported."""

import pytest
from sqlalchemy import delete, select, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Job, JobLogLine, ModelVersion, RegisteredModel
from modelyard.errors import ClaimLost
from modelyard.registry import blobs, collection, integrity, verifying
from modelyard.registry.verifying import Suspect
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.storage import sizes
from modelyard.storage.store import StoredBlob
from modelyard.worker.verification import verify_store
from tests.worker.conftest import random_bytes

HOUR_MS = 3_600_000


def verify(house, number=1):
    version = house.version(number)
    return house.do(JobKind.VERIFY_VERSION, version_id=version.id, model_id=version.model_id)


def verify_all(house, **options):
    return house.do(JobKind.VERIFY_STORE, **options)


def row_of(house, digest):
    [row] = [row for row in house.rows("blobs") if row.digest == digest]
    return row


def damaged_digests(house):
    return {row.digest for row in house.rows("blobs") if row.broken_at_ms is not None}


def log_of(house, job):
    with reading(house.engine) as session:
        return list(session.scalars(select(JobLogLine.line).where(JobLogLine.job_id == job.id).order_by(JobLogLine.id)))


def test_a_version_as_it_was_stored_is_verified(house):
    house.ready(1, a=random_bytes(100_000))

    job = verify(house)

    assert job.status == JobStatus.SUCCEEDED
    assert job.items_done == 3
    size = sizes.written(sum(row.size_bytes for row in house.rows("blobs")))
    assert job.status_message == f"Verified 3 files, {size}: all as they were stored."
    assert all(row.verified_at_ms is not None for row in house.rows("blobs"))
    assert house.rows("blob_leases") == []


def test_one_flipped_byte_is_found_named_and_seen_from_every_version_that_holds_it(house):
    house.ready(1, **{"data/model.bin": random_bytes(1000), "own": b"1"})
    house.ready(2, **{"data/model.bin": random_bytes(1000), "own": b"2"})
    house.ready(3, own=b"3")
    digest = house.digest_of("data/model.bin")
    house.spoil(digest)

    job = verify(house)

    assert job.status == JobStatus.SUCCEEDED
    assert "1 file damaged (m/1: data/model.bin, m/2: data/model.bin)" in job.status_message
    assert "m/1: data/model.bin is changed." in log_of(house, job)
    assert damaged_digests(house) == {digest}
    with reading(house.engine) as session:
        assert [found.version for found in integrity.damaged_versions(session, limit=10)] == [1, 2]
        assert integrity.count_damage(session.connection()) == (1, 2)


@pytest.mark.parametrize(
    ("hurt", "word"),
    [
        (lambda house, digest: house.blob_path(digest).unlink(), "missing"),
        (lambda house, digest: house.spoil(digest, b"short"), "of another size"),
    ],
)
def test_a_lost_or_cut_file_is_damage(house, hurt, word):
    house.ready(1, a=b"bytes of a model")
    hurt(house, house.digest_of("a"))

    assert f"m/1: a is {word}." in log_of(house, verify(house))


def test_a_damaged_manifest_is_found_and_named(house):
    house.ready(1)
    manifest = house.version().manifest_digest
    house.spoil(manifest)

    job = verify(house)

    assert "m/1: the list of its files is changed." in log_of(house, job)
    assert damaged_digests(house) == {manifest}


def test_damage_moves_the_change_counter_of_the_models_concerned(house):
    house.ready(1, a=b"bytes")
    house.spoil(house.digest_of("a"))
    [before] = [row.change_counter for row in house.rows("registered_models")]

    verify(house)

    assert [row.change_counter for row in house.rows("registered_models")] == [before + 1]


def test_bytes_that_are_right_again_lose_their_mark(house):
    house.ready(1, a=b"bytes")
    digest = house.digest_of("a")
    house.spoil(digest)
    verify(house)
    house.spoil(digest, b"bytes")

    verify(house)

    assert damaged_digests(house) == set()


def test_a_version_that_was_deleted_meanwhile_is_nothing_to_verify(house):
    house.ready(1)
    with transaction(house.engine) as session:
        session.execute(update(ModelVersion).values(deleted_at_ms=1))

    assert verify(house).status == JobStatus.CANCELLED


def test_of_the_whole_store_what_waits_longest_is_read_first_and_what_nobody_uses_never(house, monkeypatch):
    monkeypatch.setattr("modelyard.worker.verification._BATCH", 1)
    for number in (1, 2, 3):
        house.ready(number, own=random_bytes(1000, number))
    house.forget(3)
    digests = [house.digest_of("own", number) for number in (1, 2)]
    with transaction(house.engine) as session:
        table = blobs.blobs
        session.execute(update(table).values(verified_at_ms=500))
        session.execute(update(table).where(table.c.digest == digests[0]).values(verified_at_ms=100))
        session.execute(update(table).where(table.c.digest == digests[1]).values(verified_at_ms=None))
    read = []
    original = house.store.open_blob
    monkeypatch.setattr(house.store, "open_blob", lambda digest, gen: read.append(digest) or original(digest, gen))

    job = verify_all(house)

    assert read[:2] == [digests[1], digests[0]]
    assert job.items_done == 2 + 2 + 1  # Two files of their own, two manifests, one MLmodel.
    assert len([row for row in house.rows("blobs") if row.verified_at_ms == 500]) == 2


def test_a_model_is_verified_with_what_its_versions_share_read_once(house):
    house.ready(1, own=b"1", shared=random_bytes(1000))
    house.ready(2, own=b"2", shared=random_bytes(1000))
    with transaction(house.engine) as session:
        other = RegisteredModel(name="other", created_by="ann")
        session.add(other)
        session.flush()

    assert verify_all(house, model_id=house.model_id).items_done == 6
    assert verify_all(house, model_id=other.id).items_done == 0


def test_a_later_attempt_goes_on_where_the_first_stopped(house, monkeypatch):
    monkeypatch.setattr("modelyard.worker.verification._BATCH", 2)
    house.ready(1, **{f"f{n}": random_bytes(100, n) for n in range(6)})
    house.spoil(house.digest_of("f3"))
    job = house.enqueue(JobKind.VERIFY_STORE)
    original, read = house.store.open_blob, []

    def open_four(digest, gen):
        if len(read) == 4:
            read.append("lost")
            raise ClaimLost(job.id, 1)
        read.append(digest)
        return original(digest, gen)

    monkeypatch.setattr(house.store, "open_blob", open_four)
    house.run(job, verify_store)
    house.queue_again(job)
    house.run(job, verify_store)

    after = house.job(job)
    assert (after.status, after.items_done) == (JobStatus.SUCCEEDED, 8)
    assert len([digest for digest in read if digest != "lost"]) < 16
    assert "1 file damaged (m/1: f3)" in after.status_message


def test_many_blobs_are_read_in_pages_and_batches(house, monkeypatch):
    monkeypatch.setattr("modelyard.worker.verification._PAGE", 4)
    monkeypatch.setattr("modelyard.worker.verification._BATCH", 3)
    monkeypatch.setattr("modelyard.worker.verification._BATCH_BYTES", 250)
    house.ready(1, **{f"f{n}": random_bytes(100, n) for n in range(10)})

    assert verify(house).items_done == 12
    assert verify_all(house).items_done == 12


def suspect_of(house, digest):
    row = row_of(house, digest)
    return Suspect(StoredBlob(digest, row.gen, row.size_bytes), row.verified_at_ms)


def marks(house, suspect):
    with transaction(house.engine) as session:
        return verifying.note_damaged(session, [suspect], before_ms=0)


def test_what_nobody_uses_any_more_is_not_reported(house):
    house.ready(1, a=b"bytes")
    suspect = suspect_of(house, house.digest_of("a"))
    house.forget(1)

    assert marks(house, suspect) == []


def test_what_was_collected_or_came_back_is_not_reported(house):
    house.ready(1, a=b"bytes")
    suspect = suspect_of(house, house.digest_of("a"))
    house.forget(1)
    house.with_context(grace_ms=0).do(JobKind.COLLECT)
    assert marks(house, suspect) == []

    house.ready(2, a=b"bytes")
    assert marks(house, suspect) == []


def test_what_was_healed_while_it_was_read_is_not_reported(house):
    house.ready(1, a=b"bytes")
    digest = house.digest_of("a")
    suspect = suspect_of(house, digest)
    with transaction(house.engine) as session:
        blobs.note_verified(session, [digest])

    assert marks(house, suspect) == []


def test_a_blob_that_is_being_read_is_not_collected(house):
    house.ready(1, a=b"bytes")
    suspect = suspect_of(house, house.digest_of("a"))
    with transaction(house.engine) as session:
        assert verifying.hold_suspects(session, [suspect], job_id=99, attempt=1) == [suspect]
    house.forget(1)

    house.with_context(grace_ms=0).do(JobKind.COLLECT)

    assert house.blob_path(suspect.blob.digest).exists()


def test_a_blob_that_a_collector_has_is_not_read(house):
    house.ready(1, a=b"bytes")
    suspect = suspect_of(house, house.digest_of("a"))
    house.forget(1)
    with transaction(house.engine) as session:
        session.execute(delete(blobs.manifest_blobs))
        collection.begin_deleting(session, [suspect.blob.digest], grace_ms=0)

    with transaction(house.engine) as session:
        assert verifying.hold_suspects(session, [suspect], job_id=99, attempt=1) == []


def test_a_clock_that_fell_back_does_not_verify_for_ever(house, set_clock):
    house.ready(1)
    job = house.enqueue(JobKind.VERIFY_STORE)
    set_clock(-HOUR_MS)
    with transaction(house.engine) as session:
        session.execute(update(Job).where(Job.id == job.id).values(run_after_ms=0))

    house.run(job, verify_store)

    assert house.job(job).items_done == 2


def test_what_is_known_of_a_version(house):
    house.ready(1, a=b"bytes")
    manifest = house.version().manifest_digest

    def known():
        with reading(house.engine) as session:
            return integrity.integrity_of(session, manifest)

    with transaction(house.engine) as session:
        session.execute(update(blobs.blobs).values(verified_at_ms=None))
    assert (known().damaged, known().unverified, known().verified_at_ms) == ({}, 3, None)
    verify(house)
    assert known().unverified == 0
    assert known().verified_at_ms > 0
    house.spoil(house.digest_of("a"))
    verify(house)
    assert list(known().damaged) == [house.digest_of("a")]
