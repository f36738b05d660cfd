"""Cancelling jobs and having them tried again over HTTP, also while their workers end them."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from modelyard.database.session import reading
from modelyard.database.tables import ModelVersion
from modelyard.errors import ClaimLost
from modelyard.rules.jobs import FINAL
from tests.web.yards import Yard

JOBS = "/api/v1/jobs"
ROUNDS = 12


def change(yard: Yard, job_id: int, verb: str) -> Any:
    """Cancel or retry a job, which must succeed; return the job as the answer shows it."""
    return yard.call("POST", f"{JOBS}/{job_id}/{verb}")["job"]


def refusal(yard: Yard, job_id: int, verb: str) -> str:
    """Cancel or retry a job, which must be refused for its status; return the message."""
    answer = yard.send("POST", f"{JOBS}/{job_id}/{verb}")
    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_STATE")
    return str(answer.get_json()["message"])


def failed_registration(yard: Yard, name: str = "m") -> int:
    """Register a version from a folder that is gone by the time a worker looks; return its job's id."""
    folder = yard.model_folder(f"for-{name}")
    yard.register(name, source=folder)
    shutil.rmtree(folder)
    yard.work()
    return yard.jobs()[-1].id


def test_a_waiting_job_is_cancelled_at_once_with_its_version(yard: Yard) -> None:
    yard.register("m")
    job_id = yard.jobs()[0].id

    job = change(yard, job_id, "cancel")

    assert (job["status"], job["cancelled_by"]) == ("CANCELLED", "local")
    assert job["status_message"] == "Cancelled by local."
    version = yard.version("m")
    assert (version["status"], version["status_message"]) == ("FAILED_REGISTRATION", "Cancelled by local.")


def test_a_running_job_is_asked_to_stop_as_often_as_one_likes(yard: Yard) -> None:
    yard.register("m")
    claim = yard.claim(yard.jobs()[0].id)

    shown = [change(yard, claim.job_id, "cancel") for _ in range(2)]

    assert [(job["status"], job["cancel_requested"]) for job in shown] == [("RUNNING", True)] * 2
    assert yard.runtime.lifecycle.heartbeat(claim, {}) is True
    yard.runtime.lifecycle.acknowledge_cancel(claim)
    assert yard.call("GET", f"{JOBS}/{claim.job_id}")["job"]["status"] == "CANCELLED"


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_job_that_is_over_cannot_be_cancelled(yard: Yard, status: str) -> None:
    message = refusal(yard, yard.add_job(status=status), "cancel")

    assert f"is {status}" in message


def test_an_archive_job_is_not_cancelled_half_way(yard: Yard) -> None:
    arguments = {"versions": [1], "from_stage": "Staging", "promoted": 2}
    job_id = yard.add_job(kind="archive_versions", arguments=arguments)

    message = refusal(yard, job_id, "cancel")

    assert "archive_versions cannot be cancelled" in message
    assert yard.jobs()[0].status == "QUEUED"


def test_a_failed_registration_is_tried_again_until_it_is_ready(yard: Yard) -> None:
    job_id = failed_registration(yard)
    yard.model_folder("for-m")

    job = change(yard, job_id, "retry")

    assert (job["status"], job["status_message"], job["error_code"], job["finished_at_ms"]) == (
        "QUEUED",
        "",
        None,
        None,
    )
    assert (job["attempt"], job["max_attempts"], len(job["attempts"])) == (1, 6, 1)
    assert yard.version()["status"] == "PENDING_REGISTRATION"
    yard.work()
    assert yard.version()["status"] == "READY"
    assert [row["outcome"] for row in yard.call("GET", f"{JOBS}/{job_id}")["job"]["attempts"]] == [
        "FAILED",
        "SUCCEEDED",
    ]


def test_a_cancelled_job_forgets_who_cancelled_it_when_it_is_tried_again(yard: Yard) -> None:
    yard.register("m")
    job_id = yard.jobs()[0].id
    change(yard, job_id, "cancel")

    job = change(yard, job_id, "retry")

    assert (job["status"], job["cancel_requested"], job["cancelled_by"]) == ("QUEUED", False, None)
    yard.work()
    assert yard.version()["status"] == "READY"


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "SUCCEEDED"])
def test_only_what_failed_or_was_cancelled_is_tried_again(yard: Yard, status: str) -> None:
    job_id = yard.add_job(status="SUCCEEDED" if status == "SUCCEEDED" else "QUEUED")
    if status == "RUNNING":
        yard.claim(job_id)

    assert f"is {status}" in refusal(yard, job_id, "retry")


def test_a_job_whose_version_was_deleted_is_not_tried_again(yard: Yard) -> None:
    job_id = failed_registration(yard)
    yard.call("DELETE", "model-versions/delete", {"name": "m", "version": "1"})

    assert "deleted" in refusal(yard, job_id, "retry")
    assert yard.jobs()[0].status == "FAILED"


@pytest.mark.parametrize("arguments", [{}, {"source": 3}])
def test_a_job_that_could_only_fail_again_is_not_tried_again(yard: Yard, arguments: dict[str, object]) -> None:
    job_id = yard.add_job(kind="register_version", arguments=arguments, status="FAILED")

    assert yard.refused("POST", f"{JOBS}/{job_id}/retry") == (400, "INVALID_PARAMETER_VALUE")
    assert yard.jobs()[0].status == "FAILED"


def test_every_failed_job_that_is_meant_is_tried_again(yard: Yard) -> None:
    failed = [yard.add_job(status="FAILED") for _ in range(3)]
    for left_alone in ({"status": "CANCELLED"}, {"status": "SUCCEEDED"}, {"status": "FAILED", "requested_by": "bob"}):
        yard.add_job(**left_alone)

    answer = yard.call("POST", f"{JOBS}/retry", {"kind": ["probe"], "queue": "fast", "actor": "ann"})

    assert answer == {"retried": 3, "refused": []}
    assert [job.id for job in yard.jobs() if job.status == "QUEUED"] == failed
    assert yard.call("POST", f"{JOBS}/retry", {"actor": "ann"}) == {"retried": 0, "refused": []}


def test_one_job_that_is_refused_stops_no_other(yard: Yard) -> None:
    gone, kept = failed_registration(yard, "gone"), failed_registration(yard, "kept")
    unknown = yard.add_job(status="FAILED", kind="of_another_release")
    yard.call("DELETE", "model-versions/delete", {"name": "gone", "version": "1"})

    answer = yard.call("POST", f"{JOBS}/retry")

    assert answer["retried"] == 1
    assert [refused["id"] for refused in answer["refused"]] == [gone, unknown]
    assert "deleted" in answer["refused"][0]["message"]
    assert yard.call("GET", f"{JOBS}/{kept}")["job"]["status"] == "QUEUED"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"kind": "probe"}, "kind"),
        ({"kind": [3]}, "kind"),
        ({"kind": [""]}, "kind"),
        ({"knd": ["probe"]}, "knd"),
        ({"status": ["FAILED"]}, "status"),
        ({"queue": ["fast"]}, "queue"),
        ({"model": 3}, "model"),
        ({"actor": "a\0b"}, "actor"),
        ({"actor": {}}, "actor"),
        ({"created_after_ms": -1}, "created_after_ms"),
        ({"created_after_ms": 1e300}, "created_after_ms"),
        ({"created_before_ms": 2**63}, "created_before_ms"),
        ({"created_before_ms": True}, "created_before_ms"),
    ],
)
def test_a_wrong_filter_retries_nothing(yard: Yard, body: dict[str, object], named: str) -> None:
    yard.add_job(status="FAILED")

    answer = yard.send("POST", f"{JOBS}/retry", body)

    assert answer.status_code == 400
    assert named in answer.get_json()["message"]
    assert yard.jobs()[0].status == "FAILED"


@pytest.mark.parametrize("status", ["QUEUED", "FAILED"])
@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_job_of_another_release_is_left_to_it(yard: Yard, status: str, verb: str) -> None:
    job_id = yard.add_job(kind="of_another_release", status=status)

    message = refusal(yard, job_id, verb)

    assert status in message
    assert (yard.jobs()[0].status, yard.call("GET", f"{JOBS}/{job_id}")["job"]["kind"]) == (
        status,
        "of_another_release",
    )


def test_a_model_is_deleted_in_spite_of_a_job_of_another_release(yard: Yard) -> None:
    number = yard.ready()
    with reading(yard.engine) as session:
        version = session.scalars(select(ModelVersion)).one()
    yard.add_job(kind="of_another_release", model_id=version.model_id, version_id=version.id)

    yard.call("DELETE", "model-versions/delete", {"name": "m", "version": number})

    assert yard.jobs()[-1].status == "QUEUED"


def at_once(*works: Any) -> list[Any]:
    """Run `works` in threads that begin together; return their results in order."""
    barrier = Barrier(len(works))

    def begin(work: Any) -> Any:
        barrier.wait(10)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(30) for future in [pool.submit(begin, work) for work in works]]


def post(yard: Yard, job_id: int, verb: str) -> TestResponse:
    """Cancel or retry a job from a client of its own, as another thread must."""
    return yard.app.test_client().post(f"{JOBS}/{job_id}/{verb}")


def test_a_cancel_that_meets_the_end_of_a_job_is_in_time_or_refused(yard: Yard) -> None:
    for number in range(1, ROUNDS + 1):
        yard.register("m")
        claim = yard.claim(yard.jobs()[-1].id)

        answer, _ = at_once(
            lambda claim=claim: post(yard, claim.job_id, "cancel"),
            lambda claim=claim: yard.runtime.lifecycle.fail(claim, "X", "Broken."),
        )

        job = yard.call("GET", f"{JOBS}/{claim.job_id}")["job"]
        assert (job["status"], job["status_message"]) == ("FAILED", "Broken.")
        assert yard.version("m", str(number))["status_message"] == "Broken."
        assert answer.status_code == 200 or "is FAILED" in answer.get_json()["message"]
        # In time means that the flag stands, although the work was over before its worker could hear of it.
        assert job["cancel_requested"] is (answer.status_code == 200)


def test_a_cancel_that_meets_the_return_of_a_job_cancels_it(yard: Yard) -> None:
    for number in range(1, ROUNDS + 1):
        yard.register("m")
        claim = yard.claim(yard.jobs()[-1].id)

        answer, _ = at_once(
            lambda claim=claim: post(yard, claim.job_id, "cancel"),
            lambda claim=claim: yard.runtime.lifecycle.release(claim),
        )

        assert answer.status_code == 200
        assert yard.call("GET", f"{JOBS}/{claim.job_id}")["job"]["status"] == "CANCELLED"
        assert yard.version("m", str(number))["status_message"] == "Cancelled by local."


def test_a_retry_that_meets_the_end_of_a_job_queues_it_once_or_is_refused(yard: Yard) -> None:
    for _ in range(ROUNDS):
        yard.register("m")
        claim = yard.claim(yard.jobs()[-1].id)

        answers = at_once(
            lambda claim=claim: post(yard, claim.job_id, "retry"),
            lambda claim=claim: post(yard, claim.job_id, "retry"),
            lambda claim=claim: yard.runtime.lifecycle.fail(claim, "X", "Broken."),
        )[:2]

        accepted = [answer for answer in answers if answer.status_code == 200]
        assert all(answer.get_json()["error_code"] == "INVALID_STATE" for answer in answers if answer not in accepted)
        job = yard.call("GET", f"{JOBS}/{claim.job_id}")["job"]
        assert (job["status"], len(accepted)) in (("QUEUED", 1), ("FAILED", 0))
        with pytest.raises(ClaimLost):
            yard.runtime.lifecycle.heartbeat(claim, {})
