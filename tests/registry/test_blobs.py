"""Who refers to a blob, who leases it and which generation is live, kept by the database itself."""

from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from modelyard.database.session import reading, transaction
from modelyard.database.tables import metadata
from modelyard.errors import TemporaryFailure
from modelyard.registry import blobs
from tests.registry.desks import Desk

A, B, C = "a" * 64, "b" * 64, "c" * 64
DAY_MS = 24 * 3600 * 1000


def store(desk: Desk, *digests: str) -> dict[str, blobs.LiveBlob]:
    """Enter blobs as live, as a batch of a copy does."""
    with transaction(desk.engine) as session:
        return blobs.make_live(session, dict.fromkeys(digests, 5), trust_ms=DAY_MS)


def lease(desk: Desk, *digests: str, job_id: int = 1, attempt: int = 1) -> None:
    with transaction(desk.engine) as session:
        blobs.lease(session, digests, job_id=job_id, attempt=attempt)


def change(desk: Desk, digest: str, **values: Any) -> None:
    with transaction(desk.engine) as session:
        session.execute(update(blobs.blobs).where(blobs.blobs.c.digest == digest).values(**values))


def rows(desk: Desk, table: str) -> list[Any]:
    with reading(desk.engine) as session:
        return list(session.execute(select(metadata.tables[table])))


def blob(desk: Desk, digest: str) -> Any:
    (found,) = [row for row in rows(desk, "blobs") if row.digest == digest]
    return found


def leases(desk: Desk) -> set[tuple[int, int, str]]:
    return {(row.job_id, row.attempt, row.digest) for row in rows(desk, "blob_leases")}


def test_a_new_blob_is_of_generation_0_and_not_believed_before_it_was_hashed(desk: Desk) -> None:
    assert store(desk, A) == {A: blobs.LiveBlob(gen=0, recheck=True)}
    assert blob(desk, A).state == "live"


def test_a_blob_that_is_live_keeps_its_generation_and_its_proof(desk: Desk) -> None:
    store(desk, A)
    with transaction(desk.engine) as session:
        blobs.note_verified(session, [A])

    assert store(desk, A) == {A: blobs.LiveBlob(gen=0, recheck=False)}


@pytest.mark.parametrize("state", ["deleting", "gone"])
def test_a_blob_that_comes_back_gets_the_next_generation_and_no_old_proof(desk: Desk, state: str) -> None:
    store(desk, A)
    change(desk, A, state=state, verified_at_ms=5, broken_at_ms=5)

    assert store(desk, A) == {A: blobs.LiveBlob(gen=1, recheck=True)}
    assert (blob(desk, A).verified_at_ms, blob(desk, A).broken_at_ms) == (None, None)


@pytest.mark.parametrize("doubt", ["broken_at_ms", "verified_at_ms"])
def test_a_blob_that_is_broken_or_long_unverified_is_hashed_again(desk: Desk, doubt: str) -> None:
    store(desk, A)
    with transaction(desk.engine) as session:
        blobs.note_verified(session, [A])
    change(desk, A, **{doubt: 5})

    assert store(desk, A)[A].recheck


def test_verified_bytes_are_not_broken_any_more(desk: Desk) -> None:
    store(desk, A)
    change(desk, A, broken_at_ms=5)

    with transaction(desk.engine) as session:
        blobs.note_verified(session, [A])

    assert blob(desk, A).broken_at_ms is None


@pytest.mark.parametrize("state", ["deleting", "gone"])
def test_a_blob_that_is_leased_cannot_be_collected(desk: Desk, state: str) -> None:
    store(desk, A)
    lease(desk, A)

    with pytest.raises(IntegrityError):
        change(desk, A, state=state)


@pytest.mark.parametrize("state", ["deleting", "gone"])
def test_a_blob_that_is_collected_cannot_be_leased(desk: Desk, state: str) -> None:
    store(desk, A)
    change(desk, A, state=state)

    with pytest.raises(IntegrityError):
        lease(desk, A)


def test_a_lease_is_held_once_however_often_it_is_asked_for(desk: Desk) -> None:
    store(desk, A, B)
    lease(desk, A)

    lease(desk, A, B)

    assert leases(desk) == {(1, 1, A), (1, 1, B)}


@pytest.mark.parametrize(
    ("final", "left"), [(False, {(1, 0, A), (1, 2, A), (2, 1, A)}), (True, {(1, 2, A), (2, 1, A)})]
)
def test_an_attempt_lets_go_of_its_own_and_a_job_that_is_over_of_its_own_too(
    desk: Desk, final: bool, left: set[tuple[int, int, str]]
) -> None:
    store(desk, A)
    for job_id, attempt in [(1, blobs.JOB_ITSELF), (1, 1), (1, 2), (2, 1)]:
        lease(desk, A, job_id=job_id, attempt=attempt)

    with transaction(desk.engine) as session:
        blobs.drop_leases(session, job_id=1, attempt=1, final=final)

    assert leases(desk) == left


def test_whatever_lets_go_of_a_blob_touches_it(desk: Desk) -> None:
    store(desk, A, B)
    lease(desk, A)
    for digest in (A, B):
        change(desk, digest, touched_at_ms=5)

    with transaction(desk.engine) as session:
        blobs.drop_leases(session, job_id=1, attempt=1, final=True)

    assert (blob(desk, A).touched_at_ms > 5, blob(desk, B).touched_at_ms) == (True, 5)


def test_only_what_is_live_is_touched_and_counted(desk: Desk) -> None:
    store(desk, A, B)
    change(desk, B, state="gone", touched_at_ms=5)

    with transaction(desk.engine) as session:
        assert blobs.touch(session, [A, A, B, C]) == 1

    assert blob(desk, B).touched_at_ms == 5


def test_what_must_be_live_and_is_not_may_be_stored_again(desk: Desk) -> None:
    store(desk, A)

    with pytest.raises(TemporaryFailure), transaction(desk.engine) as session:
        blobs.require_live(session, [A, B])


def test_leases_on_what_a_manifest_does_not_name_are_dropped(desk: Desk) -> None:
    store(desk, A, B)
    lease(desk, A, B)
    lease(desk, B, attempt=2)

    with transaction(desk.engine) as session:
        blobs.keep_leases(session, [A], job_id=1, attempt=1)

    assert leases(desk) == {(1, 1, A), (1, 2, B)}


def record(desk: Desk, digest: str, *, job_id: int = 1, attempt: int = 1) -> None:
    with transaction(desk.engine) as session:
        blobs.record_manifest(session, digest, file_count=1, size_bytes=5, job_id=job_id, attempt=attempt)


def references(desk: Desk) -> set[tuple[str, str]]:
    return {(row.manifest_digest, row.digest) for row in rows(desk, "manifest_blobs")}


def test_a_manifest_refers_to_what_its_attempt_and_its_job_lease(desk: Desk) -> None:
    store(desk, A, B, C)
    lease(desk, A, attempt=blobs.JOB_ITSELF)
    lease(desk, A, B)
    lease(desk, C, attempt=2)

    record(desk, B)

    assert references(desk) == {(B, A), (B, B)}


def test_a_manifest_that_is_known_keeps_its_references(desk: Desk) -> None:
    store(desk, A, B)
    lease(desk, A)
    record(desk, A)
    lease(desk, A, B, job_id=2)

    record(desk, A, job_id=2)

    assert references(desk) == {(A, A)}


def test_a_blob_of_a_manifest_cannot_be_collected_without_it(desk: Desk) -> None:
    store(desk, A)
    lease(desk, A)
    record(desk, A)
    with transaction(desk.engine) as session:
        session.execute(delete(blobs.blob_leases))

    with pytest.raises(IntegrityError):
        change(desk, A, state="deleting")


def test_generations_are_told_of_what_is_live(desk: Desk) -> None:
    store(desk, A, B)
    change(desk, A, state="gone")
    store(desk, A)
    change(desk, B, state="gone")

    with reading(desk.engine) as session:
        assert blobs.generations(session, [A, B, C]) == {A: 1}


def test_an_upload_holds_its_blob_until_it_expires(desk: Desk, set_clock: Any) -> None:
    store(desk, A)
    with transaction(desk.engine) as session:
        blobs.record_upload(session, actor_name="ann", path="r/m", digest=A, size_bytes=5, hours=1)
    with pytest.raises(IntegrityError):
        change(desk, A, state="deleting")
    set_clock(3_601_000)

    with transaction(desk.engine) as session:
        assert blobs.expire_uploads(session) == 1

    change(desk, A, state="deleting")


def test_blobs_beyond_one_statement_are_all_stored_and_leased(desk: Desk) -> None:
    digests = [f"{number:064x}" for number in range(1101)]

    store(desk, *digests)
    lease(desk, *digests)

    with transaction(desk.engine) as session:
        assert blobs.touch(session, digests) == 1101
    assert len(leases(desk)) == 1101


def test_the_database_knows_no_reference_that_is_not_live(desk: Desk) -> None:
    store(desk, A)
    dead = {"job_id": 1, "attempt": 1, "digest": A, "state": "gone"}

    with pytest.raises(IntegrityError), transaction(desk.engine) as session:
        session.execute(insert(blobs.blob_leases).values(dead))
