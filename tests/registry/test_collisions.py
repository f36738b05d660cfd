"""Deletes and cancels that meet the end of a job: one order of locks, one truth. Real threads on both databases."""

import threading
from collections.abc import Callable

import pytest
from sqlmodel import Session

from modelyard.database.session import transaction
from modelyard.errors import InvalidState, ModelyardError, NotFound
from modelyard.jobs.guards import Claim, lock_registry_rows
from modelyard.registry import blobs
from modelyard.registry.job_effects import StoredVersion
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.registered_models import delete_registered_model, find_registered_model
from modelyard.registry.tags import set_model_version_tag
from modelyard.registry.transition_requests import create_transition_request
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.jobs import JobStatus
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, Desk
from tests.threads import at_once, no_conflicts, somebody_waits
from tests.waiting import wait_until

ROUNDS = 5
OVER_MS = 600_000
DIGEST = "d" * 64
STORED = StoredVersion(manifest_digest=DIGEST, file_count=1, size_bytes=5)


ENDS: dict[str, Callable[[Desk, Claim], object]] = {
    "finish": lambda desk, claim: desk.lifecycle.finish(claim, STORED),
    "fail": lambda desk, claim: desk.lifecycle.fail(claim, "X", "no"),
    "acknowledge": lambda desk, claim: desk.lifecycle.acknowledge_cancel(claim),
    "give back": lambda desk, claim: desk.lifecycle.give_back(claim, delay_ms=0, error_code="X", message="away"),
    "release": lambda desk, claim: desk.lifecycle.release(claim),
    "reap": lambda desk, claim: desk.lifecycle.reap(claim, delay_ms=0),
}


def registering(desk: Desk, name: str) -> Claim:
    """Return the claim of a registration that has stored its bytes."""
    desk.model(name)
    desk.pending(name)
    claim = desk.lifecycle.claim(desk.jobs()[-1].id, "w1")
    assert claim is not None
    with transaction(desk.engine) as session:
        blobs.make_live(session, {DIGEST: 5}, trust_ms=1000)
        blobs.lease(session, [DIGEST], job_id=claim.job_id, attempt=claim.attempt)
    return claim


# How each ends a job whose model is being deleted, or that is being cancelled, whoever comes first.
FINAL_STATUS = dict.fromkeys(ENDS, "CANCELLED") | {"fail": "FAILED"}


@pytest.mark.parametrize("end", ENDS)
def test_a_delete_that_has_begun_and_the_end_of_a_job_do_not_block_each_other(
    desk: Desk, set_clock: Callable[[int], None], end: str
) -> None:
    claim = registering(desk, "m")
    set_clock(OVER_MS if end == "reap" else 0)
    ending = threading.Thread(target=ENDS[end], args=[desk, claim])

    with no_conflicts(desk.engine):
        with transaction(desk.engine) as session:
            find_registered_model(session, "m", lock=True)
            ending.start()
            wait_until(lambda: somebody_waits(desk.engine), what="the end of the job behind the delete")
            delete_registered_model(session, ANN, "m", lifecycle=desk.lifecycle)
        ending.join(30)

    assert not ending.is_alive()
    assert desk.jobs()[0].status == FINAL_STATUS[end]
    assert desk.version().status == "FAILED_REGISTRATION"


def behind(desk: Desk, first: Callable[[Session], object], then: Callable[[Session], object]) -> BaseException | None:
    """Do `then` while `first` has not committed; return the error that it met."""
    met: list[BaseException | None] = [None]

    def do() -> None:
        try:
            with transaction(desk.engine) as session:
                then(session)
        except ModelyardError as error:
            met[0] = error

    waiting = threading.Thread(target=do)
    with transaction(desk.engine) as session:
        first(session)
        session.flush()
        waiting.start()
        wait_until(lambda: somebody_waits(desk.engine), what="the second behind the first")
    waiting.join(30)
    assert not waiting.is_alive()
    return met[0]


def delete(desk: Desk) -> Callable[[Session], object]:
    return lambda session: delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)


def move(desk: Desk, to: Stage) -> Callable[[Session], object]:
    return lambda session: transition_model_version_stage(
        session, ANN, "m", 1, to=to, archive_existing=False, queue=desk.queue
    )


def test_whoever_waited_sees_the_version_as_it_is_then(desk: Desk) -> None:
    desk.model()
    desk.ready()

    assert behind(desk, move(desk, Stage.STAGING), move(desk, Stage.PRODUCTION)) is None

    steps = [(one.from_stage, one.to_stage) for one in desk.activities() if one.activity_type == "APPLIED_TRANSITION"]
    assert steps == [("None", "Staging"), ("Staging", "Production")]


@pytest.mark.parametrize(
    "then",
    [
        lambda desk: move(desk, Stage.STAGING),
        lambda desk: lambda session: set_model_version_tag(session, ANN, "m", 1, "k", "v"),
        lambda desk: lambda session: create_transition_request(session, ANN, "m", 1, to=Stage.STAGING),
    ],
    ids=["move", "tag", "request"],
)
def test_whoever_waited_for_a_delete_finds_nothing(
    desk: Desk, then: Callable[[Desk], Callable[[Session], object]]
) -> None:
    desk.model()
    desk.ready()
    before = len(desk.activities())

    assert isinstance(behind(desk, delete(desk), then(desk)), NotFound)
    assert len(desk.activities()) == before + 1


def test_of_a_delete_and_a_finish_each_may_be_first(desk: Desk) -> None:
    for number in range(ROUNDS):
        claim = registering(desk, f"m{number}")

        def delete(name: str = f"m{number}") -> None:
            with transaction(desk.engine) as session:
                delete_registered_model(session, ANN, name, lifecycle=desk.lifecycle)

        with no_conflicts(desk.engine):
            deleted, finished = at_once(delete, lambda claim=claim: desk.lifecycle.finish(claim, STORED))

        job, version = desk.jobs()[-1], desk.version(f"m{number}")
        assert (deleted, finished) == (None, job.status)
        assert (job.status, version.status) in [("SUCCEEDED", "READY"), ("CANCELLED", "FAILED_REGISTRATION")]
        assert version.deleted_at_ms is not None


def test_a_version_is_deleted_only_when_its_registration_is_over(desk: Desk) -> None:
    for number in range(ROUNDS):
        claim = registering(desk, f"m{number}")

        def delete(name: str = f"m{number}") -> None:
            with transaction(desk.engine) as session:
                delete_model_version(session, ANN, name, 1, lifecycle=desk.lifecycle)

        with no_conflicts(desk.engine):
            refused, status = at_once(delete, lambda claim=claim: desk.lifecycle.fail(claim, "X", "no"))

        assert status is JobStatus.FAILED
        assert isinstance(refused, InvalidState) is (desk.version(f"m{number}").deleted_at_ms is None)


def cancel(desk: Desk, claim: Claim) -> JobStatus | None:
    """Cancel a job as a person does, in the order of locks that everybody keeps."""
    with transaction(desk.engine) as session:
        lock_registry_rows(session, claim.model_id, claim.version_id)
        return desk.lifecycle.cancel(session, claim.job_id, by="bob")


@pytest.mark.parametrize(
    ("end", "answers", "status"),
    [
        # Asked to stop and too late, or over before anybody asked.
        ("finish", (JobStatus.RUNNING, None), "SUCCEEDED"),
        ("fail", (JobStatus.RUNNING, None), "FAILED"),
        ("acknowledge", (JobStatus.RUNNING, None), "CANCELLED"),
        # Asked to stop, or cancelled while it waits again.
        ("give back", (JobStatus.RUNNING, JobStatus.CANCELLED), "CANCELLED"),
        ("release", (JobStatus.RUNNING, JobStatus.CANCELLED), "CANCELLED"),
        ("reap", (JobStatus.RUNNING, JobStatus.CANCELLED), "CANCELLED"),
    ],
)
def test_a_cancel_that_meets_the_end_of_an_attempt_is_never_lost(
    desk: Desk, set_clock: Callable[[int], None], end: str, answers: tuple[object, ...], status: str
) -> None:
    for number in range(ROUNDS):
        claim = registering(desk, f"m{number}")
        set_clock((number + 1) * OVER_MS if end == "reap" else 0)

        with no_conflicts(desk.engine):
            answer, _ = at_once(lambda claim=claim: cancel(desk, claim), lambda claim=claim: ENDS[end](desk, claim))

        assert answer in answers
        assert desk.jobs()[-1].status == status
        assert (desk.version(f"m{number}").status == "READY") is (status == "SUCCEEDED")
