"""What Databricks' page "Manage models" says of stages and requests, on the wire, by people with different rights."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.yards import Yard

STAGES = ["None", "Staging", "Production", "Archived"]


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """Locked doors: mona manages the model `m`, which has four READY versions; rita reads it."""
    yard = open_yard(auth="token")
    yard.people = {name: yard.person(name) for name in ("mona", "rita")}
    yard.token = yard.people["mona"]
    for _ in STAGES:
        yard.ready()
    model = yard.call("GET", "databricks/registered-models/get", name="m")["registered_model_databricks"]
    body = {"access_control_list": [{"user_name": "rita", "permission_level": "CAN_READ"}]}
    yard.call("PATCH", f"/api/2.0/permissions/registered-models/{model['id']}", body)
    return yard


def by(yard: Yard, name: str) -> Yard:
    yard.token = yard.people[name]
    return yard


def move(yard: Yard, number: int, stage: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "m", "version": str(number), "stage": stage, **fields}
    moved: dict[str, Any] = yard.call("POST", "databricks/model-versions/transition-stage", body)
    return moved["model_version"]  # type: ignore[no-any-return]


def stages(yard: Yard) -> dict[str, str]:
    found = yard.call("GET", "model-versions/search", filter="name='m'")["model_versions"]
    return {version["version"]: version["current_stage"] for version in found}


def pending(yard: Yard, number: int) -> list[dict[str, Any]]:
    found: dict[str, Any] = yard.call("GET", "transition-requests/list", name="m", version=str(number))
    return found.get("requests", [])  # type: ignore[no-any-return]


@pytest.mark.shows("different-stages", "four-stages")
def test_versions_of_one_model_are_in_different_stages(yard: Yard) -> None:
    for number, stage in enumerate(STAGES, start=1):
        move(yard, number, stage)

    assert stages(yard) == {"1": "None", "2": "Staging", "3": "Production", "4": "Archived"}


@pytest.mark.shows("directly", "permission-moves", "to-production", "optional-comment")
@pytest.mark.parametrize("comment", [{}, {"comment": "it passed"}])
def test_whoever_may_moves_a_version_directly_with_a_comment_or_without(yard: Yard, comment: dict[str, str]) -> None:
    moved = move(by(yard, "mona"), 1, "Production", **comment)

    assert moved["current_stage"] == "Production"
    (activity,) = yard.call("GET", "model-versions/list-activities", name="m", version="1")["activities"]
    assert activity.get("comment", "") == comment.get("comment", "")


@pytest.mark.shows("more-than-one")
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_holds_more_than_one_version(yard: Yard, stage: str) -> None:
    move(yard, 1, stage)
    move(yard, 2, stage)

    assert (stages(yard)["1"], stages(yard)["2"]) == (stage, stage)


@pytest.mark.shows("only-one")
def test_with_the_box_ticked_one_version_stays_in_production(yard: Yard) -> None:
    move(yard, 1, "Production")
    move(yard, 2, "Production")

    move(yard, 3, "Production", archive_existing_versions=True)

    assert stages(yard) == {"1": "Archived", "2": "Archived", "3": "Production", "4": "None"}


@pytest.mark.shows("or-request", "may-request", "pending", "to-production")
def test_whoever_may_not_move_a_version_asks_for_it_and_the_request_is_pending(yard: Yard) -> None:
    body = {"name": "m", "version": "1", "stage": "Production"}
    assert by(yard, "rita").refused("POST", "model-versions/transition-stage", body) == (403, "PERMISSION_DENIED")

    yard.call("POST", "transition-requests/create", body)

    (request,) = pending(by(yard, "mona"), 1)
    assert (request["user_id"], request["to_stage"]) == ("rita", "Production")
    assert stages(yard)["1"] == "None"


@pytest.mark.shows("approve", "reject", "or-request")
@pytest.mark.parametrize(
    ("verb", "stage", "activity"),
    [("approve", "Production", "APPROVED_REQUEST"), ("reject", "None", "REJECTED_REQUEST")],
)
def test_whoever_may_move_a_version_approves_or_rejects(yard: Yard, verb: str, stage: str, activity: str) -> None:
    body = {"name": "m", "version": "1", "stage": "Production"}
    by(yard, "rita").call("POST", "transition-requests/create", body)

    answer = by(yard, "mona").call("POST", f"transition-requests/{verb}", body)["activity"]

    assert (answer["activity_type"], answer["user_id"]) == (activity, "mona")
    assert stages(yard)["1"] == stage
    assert pending(yard, 1) == []


@pytest.mark.shows("cancel", "creator-cancels", "or-request")
@pytest.mark.parametrize("who", ["rita", "mona"])
def test_whoever_asked_or_manages_the_model_cancels(yard: Yard, who: str) -> None:
    body = {"name": "m", "version": "1", "stage": "Production"}
    by(yard, "rita").call("POST", "transition-requests/create", body)

    answer = by(yard, who).call("DELETE", "transition-requests/delete", {**body, "creator": "rita"})["activity"]

    assert (answer["activity_type"], answer["user_id"]) == ("CANCELLED_REQUEST", who)
    assert pending(yard, 1) == []


@pytest.mark.shows("archived-is-inactive", "archive-instead")
def test_an_archived_version_is_kept_and_can_be_deleted(yard: Yard) -> None:
    move(yard, 1, "Production")
    move(yard, 1, "Archived")
    assert yard.version(number="1")["status"] == "READY"

    yard.call("DELETE", "model-versions/delete", {"name": "m", "version": "1"})

    assert sorted(stages(yard)) == ["2", "3", "4"]
