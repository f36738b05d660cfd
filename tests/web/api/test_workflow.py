"""Requests, comments and activities on the wire, as databricks-sdk reads them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.yards import Yard


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors: ann manages the model `m` with one READY version, bob reads it, eve has nothing."""
    yard = open_yard(auth="token")
    yard.people = {name: yard.person(name) for name in ("ann", "bob", "eve")}
    yard.token = yard.people["ann"]
    yard.ready()
    model = yard.call("GET", "databricks/registered-models/get", name="m")["registered_model_databricks"]
    body = {"access_control_list": [{"user_name": "bob", "permission_level": "CAN_READ"}]}
    yard.call("PATCH", f"/api/2.0/permissions/registered-models/{model['id']}", body)
    return yard


def by(yard: Yard, name: str) -> Yard:
    yard.token = yard.people[name]
    return yard


def ask(yard: Yard, stage: str = "Production", **fields: Any) -> dict[str, Any]:
    body = {"name": "m", "version": "1", "stage": stage, **fields}
    wish: dict[str, Any] = yard.call("POST", "transition-requests/create", body)["request"]
    return wish


def comment(yard: Yard, text: str = "hi") -> dict[str, Any]:
    body = {"name": "m", "version": "1", "comment": text}
    said: dict[str, Any] = yard.call("POST", "comments/create", body)["comment"]
    return said


def activities(yard: Yard) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yard.call("GET", "model-versions/list-activities", name="m", version="1")[
        "activities"
    ]
    return found


@pytest.mark.shows("pending")
def test_a_request_is_shown_whole_everywhere(yard: Yard) -> None:
    wish = ask(by(yard, "bob"), "pRODUCTION", comment="please")

    assert wish["id"].isdigit()
    assert wish == {
        "id": wish["id"],
        "activity_type": "REQUESTED_TRANSITION",
        "user_id": "bob",
        "creation_timestamp": wish["creation_timestamp"],
        "last_updated_timestamp": wish["creation_timestamp"],
        "comment": "please",
        "from_stage": "None",
        "to_stage": "Production",
        "available_actions": ["CANCEL_TRANSITION_REQUEST"],
    }
    assert yard.call("GET", "transition-requests/list", name="m", version="1") == {"requests": [wish]}
    assert activities(yard) == [wish]


@pytest.mark.shows("available-options")
def test_what_one_may_do_about_a_request_depends_on_who_looks(yard: Yard) -> None:
    wish = ask(by(yard, "bob"))

    (seen,) = yard.call("GET", "transition-requests/list", name="m", version="1")["requests"]
    (managed,) = by(yard, "ann").call("GET", "transition-requests/list", name="m", version="1")["requests"]

    assert seen == wish
    assert managed["available_actions"] == [
        "APPROVE_TRANSITION_REQUEST",
        "REJECT_TRANSITION_REQUEST",
        "CANCEL_TRANSITION_REQUEST",
    ]


def test_an_approval_is_one_activity_and_the_request_is_open_no_more(yard: Yard) -> None:
    ask(by(yard, "bob"))
    body = {"name": "m", "version": "1", "stage": "Production", "archive_existing_versions": True, "comment": "go"}

    approval = by(yard, "ann").call("POST", "transition-requests/approve", body)["activity"]

    assert (approval["activity_type"], approval["user_id"], approval["comment"]) == ("APPROVED_REQUEST", "ann", "go")
    assert (approval["from_stage"], approval["to_stage"]) == ("None", "Production")
    assert approval["available_actions"] == []
    assert "system_comment" not in approval
    assert yard.call("GET", "transition-requests/list", name="m", version="1") == {"requests": []}
    assert [one["available_actions"] for one in activities(yard)] == [[], []]
    assert yard.version()["current_stage"] == "Production"


@pytest.mark.shows("creator-cancels")
@pytest.mark.parametrize("as_body", [True, False])
def test_a_request_is_cancelled_by_query_or_body(yard: Yard, as_body: bool) -> None:
    ask(by(yard, "bob"))
    fields = {"name": "m", "version": "1", "stage": "Production", "creator": "bob", "comment": "c d"}

    answer = (
        yard.call("DELETE", "transition-requests/delete", fields)
        if as_body
        else yard.call("DELETE", "transition-requests/delete", **fields)
    )

    assert (answer["activity"]["activity_type"], answer["activity"]["comment"]) == ("CANCELLED_REQUEST", "c d")


@pytest.mark.parametrize("as_body", [True, False])
def test_a_comment_is_written_changed_and_deleted(yard: Yard, as_body: bool) -> None:
    said = comment(by(yard, "bob"))

    assert said == {
        "id": said["id"],
        "activity_type": "NEW_COMMENT",
        "user_id": "bob",
        "creation_timestamp": said["creation_timestamp"],
        "last_updated_timestamp": said["creation_timestamp"],
        "comment": "hi",
        "available_actions": ["EDIT_COMMENT", "DELETE_COMMENT"],
    }
    changed = yard.call("PATCH", "comments/update", {"id": said["id"], "comment": "ho"})["comment"]
    assert changed["last_updated_timestamp"] > changed["creation_timestamp"]
    assert changed == {**said, "comment": "ho", "last_updated_timestamp": changed["last_updated_timestamp"]}
    assert activities(by(yard, "ann"))[-1]["available_actions"] == ["DELETE_COMMENT"]
    place = {"id": said["id"]}
    by(yard, "bob")
    assert yard.call("DELETE", "comments/delete", place if as_body else None, **({} if as_body else place)) == {}
    assert activities(yard) == []
    assert yard.refused("DELETE", "comments/delete", id=said["id"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_everything_that_happened_is_listed_oldest_first(yard: Yard) -> None:
    by(yard, "bob")
    ask(yard, "Staging")
    ask(yard, "Production")
    ask(yard, "Archived")
    comment(yard)
    by(yard, "ann")
    where = {"name": "m", "version": "1"}
    yard.call("POST", "transition-requests/reject", {**where, "stage": "Staging"})
    yard.call("POST", "transition-requests/approve", {**where, "stage": "Production"})
    yard.call("DELETE", "transition-requests/delete", {**where, "stage": "Archived", "creator": "bob"})
    yard.call("POST", "model-versions/transition-stage", {**where, "stage": "Staging"})
    yard.call("POST", "model-versions/transition-stage", {**where, "stage": "Production"})
    second = yard.ready()
    body = {"name": "m", "version": second, "stage": "Production", "archive_existing_versions": True}
    yard.call("POST", "model-versions/transition-stage", body)
    yard.work()

    found = activities(yard)

    assert [one["activity_type"] for one in found] == [
        "REQUESTED_TRANSITION",
        "REQUESTED_TRANSITION",
        "REQUESTED_TRANSITION",
        "NEW_COMMENT",
        "REJECTED_REQUEST",
        "APPROVED_REQUEST",
        "CANCELLED_REQUEST",
        "APPLIED_TRANSITION",
        "APPLIED_TRANSITION",
        "SYSTEM_TRANSITION",
    ]
    assert found[-1]["system_comment"] == "Archived because version 2 was transitioned to Production."
    assert (found[-1]["from_stage"], found[-1]["to_stage"], found[-1]["user_id"]) == ("Production", "Archived", "ann")
    assert len({one["id"] for one in found}) == 10


def test_the_databricks_answer_has_both_names_and_the_callers_rights(yard: Yard) -> None:
    ask(by(yard, "bob"), "Archived")
    body = {"name": "m", "version": "1", "stage": "staging", "archive_existing_versions": False, "comment": "c"}

    answer = by(yard, "ann").call("POST", "databricks/model-versions/transition-stage", body)

    shown = answer["model_version_databricks"]
    assert answer["model_version"] == shown
    assert (shown["current_stage"], shown["version"]) == ("Staging", "1")
    assert shown["permission_level"] == "CAN_MANAGE"
    assert [one["to_stage"] for one in shown["open_requests"]] == ["Archived"]
    assert shown["open_requests"][0]["available_actions"][0] == "APPROVE_TRANSITION_REQUEST"
    assert shown["email_subscription_status"] == "SUBSCRIBED"


@pytest.mark.parametrize(("name", "level"), [("ann", "CAN_MANAGE"), ("bob", "CAN_READ")])
def test_a_model_is_shown_with_its_id_and_the_callers_level(yard: Yard, name: str, level: str) -> None:
    plain = by(yard, name).call("GET", "registered-models/get", name="m")["registered_model"]

    shown = yard.call("GET", "databricks/registered-models/get", name="m")["registered_model_databricks"]

    assert len(shown["id"]) == 32
    assert shown == plain | {"id": shown["id"], "permission_level": level}


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("POST", "transition-requests/create", {"stage": "Production"}),
        ("POST", "comments/create", {"comment": "hi"}),
    ],
)
def test_a_repeated_create_under_a_key_makes_one(yard: Yard, method: str, route: str, body: dict[str, str]) -> None:
    by(yard, "bob")
    headers = yard.bearer(yard.token) | {"Idempotency-Key": "k"}
    sent = {"name": "m", "version": "1", **body}

    first, second = (yard.send(method, route, sent, headers=headers).get_json() for _ in range(2))

    assert first == second
    assert len(activities(yard)) == 1
    other = yard.send(method, route, {**sent, "comment": "other"}, headers=headers)
    assert (other.status_code, other.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    ("method", "route", "body", "refusal"),
    [
        ("POST", "transition-requests/create", {"stage": "None"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "transition-requests/create", {"stage": "Prod"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "transition-requests/create", {}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "transition-requests/create", {"stage": "Staging", "version": "x"}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "transition-requests/create", {"stage": "Staging", "version": "9"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("POST", "transition-requests/create", {"stage": "Staging", "name": "n"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("POST", "transition-requests/create", {"stage": "Staging", "version": "2"}, (400, "INVALID_STATE")),
        ("POST", "transition-requests/approve", {"stage": "Staging"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("POST", "transition-requests/approve", {"stage": "Staging", "version": "2"}, (400, "INVALID_STATE")),
        (
            "POST",
            "transition-requests/approve",
            {"stage": "None", "archive_existing_versions": True},
            (400, "INVALID_PARAMETER_VALUE"),
        ),
        (
            "POST",
            "transition-requests/approve",
            {"stage": "Staging", "archive_existing_versions": "perhaps"},
            (400, "INVALID_PARAMETER_VALUE"),
        ),
        ("POST", "transition-requests/reject", {"stage": "Staging"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("DELETE", "transition-requests/delete", {"stage": "Staging"}, (400, "INVALID_PARAMETER_VALUE")),
        (
            "DELETE",
            "transition-requests/delete",
            {"stage": "Staging", "creator": "x"},
            (404, "RESOURCE_DOES_NOT_EXIST"),
        ),
        ("POST", "comments/create", {}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "comments/create", {"comment": ""}, (400, "INVALID_PARAMETER_VALUE")),
        ("POST", "comments/create", {"comment": "x" * 65_536}, (400, "INVALID_PARAMETER_VALUE")),
        ("PATCH", "comments/update", {"id": "999", "comment": "x"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("PATCH", "comments/update", {"id": 7, "comment": "x"}, (400, "INVALID_PARAMETER_VALUE")),
        ("DELETE", "comments/delete", {"id": "m"}, (404, "RESOURCE_DOES_NOT_EXIST")),
        ("GET", "model-versions/list-activities", None, (400, "INVALID_PARAMETER_VALUE")),
    ],
)
def test_bad_input_is_refused_with_the_code_of_the_contract(
    yard: Yard, method: str, route: str, body: dict[str, Any] | None, refusal: tuple[int, str]
) -> None:
    yard.register()

    sent = None if body is None else {"name": "m", "version": "1", **body}

    assert yard.refused(method, route, sent) == refusal


def test_whoever_has_nothing_on_the_model_is_refused_and_sees_nothing_of_it(yard: Yard) -> None:
    said = comment(by(yard, "bob"))
    where = {"name": "m", "version": "1"}
    by(yard, "eve")

    for method, route, body, query in [
        ("POST", "transition-requests/create", {**where, "stage": "Staging"}, {}),
        ("POST", "transition-requests/approve", {**where, "stage": "Staging"}, {}),
        ("POST", "transition-requests/reject", {**where, "stage": "Staging"}, {}),
        ("DELETE", "transition-requests/delete", {**where, "stage": "Staging", "creator": "eve"}, {}),
        ("GET", "transition-requests/list", None, where),
        ("GET", "model-versions/list-activities", None, where),
        ("POST", "comments/create", {**where, "comment": "x"}, {}),
        ("PATCH", "comments/update", {"id": said["id"], "comment": "x"}, {}),
        ("DELETE", "comments/delete", {"id": said["id"]}, {}),
        ("GET", "databricks/registered-models/get", None, {"name": "m"}),
        ("POST", "databricks/model-versions/transition-stage", {**where, "stage": "Staging"}, {}),
    ]:
        assert yard.refused(method, route, body, **query) == (403, "PERMISSION_DENIED"), route
