"""What the end of a job changes in the registry: once, together with the job, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from modelyard.database.session import reading, transaction
from modelyard.database.tables import metadata
from modelyard.errors import InvalidState
from modelyard.jobs.guards import Claim, jobs
from modelyard.registry import blobs
from modelyard.registry.job_effects import StoredVersion
from modelyard.registry.registered_models import delete_registered_model
from modelyard.rules.jobs import JobStatus
from tests.registry.desks import ANN, Desk

DIGEST = "b" * 64
STORED = StoredVersion(manifest_digest=DIGEST, file_count=2, size_bytes=30, source_run_id="r7")

versions = metadata.tables["model_versions"]


@pytest.fixture
def claim(desk: Desk) -> Claim:
    """The claim of a registration that has stored one blob, which is its manifest, too."""
    desk.model()
    desk.pending()
    return stored_again(desk)


def stored_again(desk: Desk) -> Claim:
    claim = desk.lifecycle.claim(desk.jobs()[0].id, "w1")
    assert claim is not None
    with transaction(desk.engine) as session:
        blobs.make_live(session, {DIGEST: 5}, trust_ms=1000)
        blobs.lease(session, [DIGEST], job_id=claim.job_id, attempt=claim.attempt)
    return claim


def rows(desk: Desk, table: str) -> list[Any]:
    with reading(desk.engine) as session:
        return list(session.execute(select(metadata.tables[table])))


def change_counter(desk: Desk) -> int:
    (model,) = rows(desk, "registered_models")
    return int(model.change_counter)


def test_a_finished_registration_is_ready_with_its_manifest_and_lets_its_leases_go(desk: Desk, claim: Claim) -> None:
    assert desk.lifecycle.finish(claim, STORED) is JobStatus.SUCCEEDED

    version = desk.version()
    assert (version.status, version.manifest_digest, version.file_count, version.size_bytes) == ("READY", DIGEST, 2, 30)
    assert version.run_id == "r7"
    assert [(row.manifest_digest, row.digest) for row in rows(desk, "manifest_blobs")] == [(DIGEST, DIGEST)]
    assert rows(desk, "blob_leases") == []


ENDS: dict[str, Callable[[Desk, Claim], object]] = {
    "finish": lambda desk, claim: desk.lifecycle.finish(claim, STORED),
    "fail": lambda desk, claim: desk.lifecycle.fail(claim, "X", "no MLmodel"),
    "acknowledge": lambda desk, claim: desk.lifecycle.acknowledge_cancel(claim),
    "give back": lambda desk, claim: desk.lifecycle.give_back(claim, delay_ms=0, error_code="X", message="away"),
    "release": lambda desk, claim: desk.lifecycle.release(claim),
}


@pytest.mark.parametrize("end", ENDS)
def test_however_an_attempt_ends_it_leaves_no_lease(desk: Desk, claim: Claim, end: str) -> None:
    ENDS[end](desk, claim)

    assert rows(desk, "blob_leases") == []


@pytest.mark.parametrize(("end", "left"), [("give back", 1), ("release", 1), ("fail", 0), ("acknowledge", 0)])
def test_what_the_job_itself_holds_is_kept_until_it_is_final(desk: Desk, claim: Claim, end: str, left: int) -> None:
    with transaction(desk.engine) as session:
        blobs.lease(session, [DIGEST], job_id=claim.job_id, attempt=blobs.JOB_ITSELF)

    ENDS[end](desk, claim)

    assert len(rows(desk, "blob_leases")) == left


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        ("fail", "FAILED_REGISTRATION", "no MLmodel"),
        ("acknowledge", "FAILED_REGISTRATION", "Cancelled by an unknown actor."),
        ("give back", "PENDING_REGISTRATION", ""),
        ("release", "PENDING_REGISTRATION", ""),
    ],
)
def test_the_version_follows_its_job(desk: Desk, claim: Claim, end: str, status: str, message: str) -> None:
    before = change_counter(desk)

    ENDS[end](desk, claim)

    assert (desk.version().status, desk.version().status_message) == (status, message)
    assert change_counter(desk) - before == (status == "FAILED_REGISTRATION")


def test_the_last_temporary_failure_fails_the_version(desk: Desk, claim: Claim) -> None:
    with transaction(desk.engine) as session:
        session.execute(update(jobs).values(max_attempts=1))

    ENDS["give back"](desk, claim)

    assert (desk.version().status, desk.version().status_message) == ("FAILED_REGISTRATION", "away")


def test_a_version_deleted_meanwhile_ends_its_job_cancelled_and_is_not_ready(desk: Desk, claim: Claim) -> None:
    with transaction(desk.engine) as session:
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)

    assert desk.lifecycle.finish(claim, STORED) is JobStatus.CANCELLED

    (job,), version = desk.jobs(), desk.version()
    assert (job.status, job.status_message) == ("CANCELLED", "What the job worked on was deleted.")
    assert (version.status, version.manifest_digest) == ("FAILED_REGISTRATION", None)
    assert rows(desk, "blob_leases") == []


def test_an_effect_that_fails_leaves_the_job_as_it_was(desk: Desk, claim: Claim) -> None:
    unstorable = replace(STORED, size_bytes=None)

    with pytest.raises(IntegrityError):
        desk.lifecycle.finish(claim, unstorable)

    assert (desk.jobs()[0].status, desk.version().status) == ("RUNNING", "PENDING_REGISTRATION")
    assert len(rows(desk, "blob_leases")) == 1


def retry(desk: Desk, job_id: int) -> None:
    with transaction(desk.engine) as session:
        desk.lifecycle.retry(session, job_id)


def cancel(desk: Desk, job_id: int) -> None:
    with transaction(desk.engine) as session:
        desk.lifecycle.cancel(session, job_id, by="bob")


def test_a_retried_registration_is_pending_again_and_may_become_ready(desk: Desk, claim: Claim) -> None:
    desk.lifecycle.fail(claim, "X", "no MLmodel")
    before = change_counter(desk)

    retry(desk, claim.job_id)

    assert (desk.version().status, desk.version().status_message) == ("PENDING_REGISTRATION", "")
    assert change_counter(desk) == before + 1
    assert desk.lifecycle.finish(stored_again(desk), STORED) is JobStatus.SUCCEEDED
    assert desk.version().status == "READY"


def test_the_registration_of_a_deleted_version_is_not_retried(desk: Desk, claim: Claim) -> None:
    desk.lifecycle.fail(claim, "X", "no MLmodel")
    with transaction(desk.engine) as session:
        delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)

    with pytest.raises(InvalidState, match="deleted"):
        retry(desk, claim.job_id)

    assert (desk.jobs()[0].status, desk.version().status) == ("FAILED", "FAILED_REGISTRATION")


def failed_upload(desk: Desk, claim: Claim) -> None:
    """Make of `claim` the failed registration of an upload of one file."""
    file = {"job_id": claim.job_id, "path": "MLmodel", "size_bytes": 5, "digest": DIGEST}
    with transaction(desk.engine) as session:
        session.execute(update(jobs).values(arguments={"source": "dbfs:/x", "upload_folder": "r1/m"}))
        session.execute(insert(metadata.tables["job_files"]).values(file))
    desk.lifecycle.fail(claim, "X", "the disk was full")


def test_a_retried_upload_holds_its_files_again(desk: Desk, claim: Claim) -> None:
    failed_upload(desk, claim)

    retry(desk, claim.job_id)

    (lease,) = rows(desk, "blob_leases")
    assert (lease.job_id, lease.attempt, lease.digest) == (claim.job_id, blobs.JOB_ITSELF, DIGEST)


def test_an_upload_whose_files_were_collected_is_not_retried(desk: Desk, claim: Claim) -> None:
    failed_upload(desk, claim)
    with transaction(desk.engine) as session:
        session.execute(update(blobs.blobs).values(state="gone"))

    with pytest.raises(InvalidState, match="upload and register again"):
        retry(desk, claim.job_id)

    assert (desk.jobs()[0].status, desk.version().status) == ("FAILED", "FAILED_REGISTRATION")


MOVES: dict[str, Callable[[Desk, int], object]] = {"cancel": cancel, "retry": retry}


@pytest.mark.parametrize(("move", "status"), [("cancel", "QUEUED"), ("retry", "FAILED")])
def test_a_kind_that_this_release_does_not_know_is_left_alone(desk: Desk, claim: Claim, move: str, status: str) -> None:
    ENDS["release" if status == "QUEUED" else "fail"](desk, claim)
    with transaction(desk.engine) as session:
        session.execute(update(jobs).values(kind="of_the_next_release"))

    with pytest.raises(InvalidState, match="of_the_next_release"):
        MOVES[move](desk, claim.job_id)

    assert desk.jobs()[0].status == status
