"""Users, groups, tokens, explanations and the audit log in the native API."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.web.yards import Yard

V1 = "/api/v1"


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors, entered by the administrator ann; bob is nobody in particular."""
    yard = open_yard(auth="token")
    yard.people = {"ann": yard.person("ann", "admins"), "bob": yard.person("bob")}
    yard.token = yard.people["ann"]
    return yard


def by(yard: Yard, name: str) -> Yard:
    yard.token = yard.people[name]
    return yard


def user_id(yard: Yard, name: str) -> int:
    (user,) = yard.call("GET", f"{V1}/users", name=name)["users"]
    return int(user["id"])


def test_a_user_is_entered_changed_and_deleted(yard: Yard) -> None:
    yard.call("POST", f"{V1}/groups", {"name": "team"})
    body = {"name": "Eve@x", "display_name": "Eve", "groups": ["team"], "admin": True}

    eve = yard.call("POST", f"{V1}/users", body)["user"]

    assert (eve["name"], eve["kind"], eve["is_admin"], eve["active"]) == ("eve@x", "user", True, True)
    assert sorted(eve["groups"]) == ["admins", "team"]
    place = f"{V1}/users/{eve['id']}"
    assert yard.call("GET", place)["user"] == eve
    changed = yard.call("PATCH", place, {"active": False})["user"]
    assert changed == {**eve, "active": False}
    assert yard.call("DELETE", place) == {}
    assert yard.refused("GET", place) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_service_principal_gets_an_application_id(yard: Yard) -> None:
    robot = yard.call("POST", f"{V1}/users", {"kind": "service_principal", "display_name": "ci"})["user"]

    assert len(robot["name"]) == 36
    assert [one["id"] for one in yard.call("GET", f"{V1}/users", kind="service_principal")["users"]] == [robot["id"]]


def test_a_group_gains_and_loses_members(yard: Yard) -> None:
    group = yard.call("POST", f"{V1}/groups", {"name": "team"})["group"]
    member = f"{V1}/groups/{group['id']}/members/{user_id(yard, 'bob')}"

    assert yard.call("PUT", member)["group"]["members"] == ["bob"]
    assert yard.call("PUT", member)["group"]["members"] == ["bob"]
    assert yard.call("DELETE", member)["group"]["members"] == []
    assert yard.call("PATCH", f"{V1}/groups/{group['id']}", {"name": "crew"})["group"]["name"] == "crew"
    assert yard.call("DELETE", f"{V1}/groups/{group['id']}") == {}
    assert [one["name"] for one in yard.call("GET", f"{V1}/groups")["groups"]] == ["admins"]


def test_lists_go_on_where_they_ended(yard: Yard) -> None:
    for number in range(3):
        yard.call("POST", f"{V1}/users", {"name": f"user-{number}"})

    first = yard.call("GET", f"{V1}/users", max_results=3)
    second = yard.call("GET", f"{V1}/users", max_results=3, page_token=first["next_page_token"])

    assert [one["name"] for one in first["users"] + second["users"]] == ["ann", "bob", "user-0", "user-1", "user-2"]
    assert "next_page_token" not in second
    token = first["next_page_token"]
    assert yard.refused("GET", f"{V1}/groups", page_token=token) == (400, "INVALID_PARAMETER_VALUE")


def test_a_token_is_made_with_limits_used_listed_and_ended(yard: Yard) -> None:
    by(yard, "bob")
    body = {"comment": "ci", "expires_days": 7, "scope": "read", "models": ["m"], "highest_stage": "staging"}

    made = yard.call("POST", f"{V1}/tokens", body)

    info = made["info"]
    assert (info["user"], info["scope"], info["models"], info["highest_stage"]) == ("bob", "read", ["m"], "Staging")
    assert info["expires_at_ms"] - info["created_at_ms"] == 7 * 24 * 3600 * 1000
    assert made["token"] not in json.dumps(yard.call("GET", f"{V1}/tokens"))
    yard.token = made["token"]
    assert yard.refused("POST", "registered-models/create", {"name": "m"}) == (403, "PERMISSION_DENIED")
    assert len(by(yard, "bob").call("GET", f"{V1}/tokens")["tokens"]) == 2
    assert yard.call("DELETE", f"{V1}/tokens/{info['id']}") == {}
    assert yard.send("GET", f"{V1}/tokens", headers=yard.bearer(made["token"])).status_code == 401


def test_tokens_of_others_are_for_administrators(yard: Yard) -> None:
    assert {one["user"] for one in yard.call("GET", f"{V1}/tokens", everybody="true")["tokens"]} == {"ann", "bob"}
    assert [one["user"] for one in yard.call("GET", f"{V1}/tokens", user="bob")["tokens"]] == ["bob"]
    assert yard.call("POST", f"{V1}/tokens", {"user": "bob"})["info"]["user"] == "bob"
    by(yard, "bob")

    assert yard.refused("GET", f"{V1}/tokens", everybody="true") == (403, "PERMISSION_DENIED")
    assert yard.refused("GET", f"{V1}/tokens", user="ann") == (403, "PERMISSION_DENIED")
    assert yard.refused("POST", f"{V1}/tokens", {"user": "ann"}) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "users", {"name": "a b"}),
        ("POST", "users", {"name": ""}),
        ("POST", "users", {"name": "new", "kind": "robot"}),
        ("POST", "users", {"name": "new", "groups": ["nobody's"]}),
        ("POST", "users", {"nam": "new"}),
        ("POST", "users", {"name": "ann"}),
        ("POST", "groups", {"name": "Admins"}),
        ("POST", "groups", {}),
        ("POST", "tokens", {"scope": "root"}),
        ("POST", "tokens", {"expires_days": 0}),
        ("POST", "tokens", {"expires_days": 10**6}),
        ("POST", "tokens", {"models": ["a/b"]}),
        ("POST", "tokens", {"highest_stage": "Prod"}),
        ("POST", "tokens", {"user": "nobody"}),
        ("PATCH", "users/x", {"active": False}),
        ("PATCH", "users/2", {"active": False}),
        ("DELETE", "groups/1", None),
        ("PUT", "groups/1/members/1", None),
        ("GET", "permissions/explain", None),
        ("GET", "audit?after_ms=soon", None),
        ("GET", "audit?page_token=x", None),
    ],
)
def test_bad_input_is_refused_and_nothing_is_half_done(
    yard: Yard, method: str, path: str, body: dict[str, Any] | None
) -> None:
    before = yard.call("GET", f"{V1}/users"), yard.call("GET", f"{V1}/groups")

    status, _ = yard.refused(method, f"{V1}/{path}", body)

    assert status in (400, 404)
    assert (yard.call("GET", f"{V1}/users"), yard.call("GET", f"{V1}/groups")) == before


def test_why_somebody_may_do_something(yard: Yard) -> None:
    yard.call("POST", f"{V1}/groups", {"name": "team"})
    group = yard.call("GET", f"{V1}/groups", name="team")["groups"][0]["id"]
    yard.call("PUT", f"{V1}/groups/{group}/members/{user_id(yard, 'bob')}")
    yard.call("POST", "registered-models/create", {"name": "m"})
    model = yard.call("GET", "databricks/registered-models/get", name="m")["registered_model_databricks"]
    for object_id, entry in [
        (model["id"], {"user_name": "bob", "permission_level": "CAN_READ"}),
        ("root", {"group_name": "team", "permission_level": "CAN_EDIT"}),
    ]:
        yard.call("PATCH", f"/api/2.0/permissions/registered-models/{object_id}", {"access_control_list": [entry]})

    told = by(yard, "bob").call("GET", f"{V1}/permissions/explain", model="m", principal="BOB")

    assert (told["principal"], told["level"]) == ("user:bob", "CAN_EDIT")
    assert told["reasons"] == [
        {"level": "CAN_READ", "holder": "user:bob", "object": "model"},
        {"level": "CAN_EDIT", "holder": "group:team", "object": "root"},
    ]
    allowed = {one["ability"]: one["allowed"] for one in told["abilities"]}
    assert allowed["change a tag"]
    assert not allowed["rename the model"]
    assert yard.refused("GET", f"{V1}/permissions/explain", model="m", principal="ann") == (403, "PERMISSION_DENIED")
    assert yard.refused("GET", f"{V1}/permissions/explain", model="m", principal="nobody") == (403, "PERMISSION_DENIED")
    by(yard, "ann")
    assert yard.call("GET", f"{V1}/permissions/explain", model="m", principal="team")["level"] == "CAN_EDIT"
    unknown = yard.refused("GET", f"{V1}/permissions/explain", model="m", principal="nobody")
    assert unknown == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_audit_log_tells_by_which_request_something_was_done(yard: Yard) -> None:
    headers = yard.bearer(yard.token) | {"X-Request-Id": "req-42"}
    yard.send("POST", "registered-models/create", {"name": "m", "description": "d"}, headers=headers)

    (entry,) = yard.call("GET", f"{V1}/audit", request_id="req-42")["entries"]

    assert (entry["actor"], entry["action"], entry["model"]) == ("ann", "createRegisteredModel", "m")
    assert (entry["address"], len(entry["token_id"])) == ("127.0.0.1", 16)
    assert entry["after"]["permissions"] == {"user:ann": "CAN_MANAGE"}


def test_the_audit_log_is_paged_and_exported(yard: Yard) -> None:
    for name in "abc":
        yard.call("POST", "registered-models/create", {"name": name})
    created = {"action": "createRegisteredModel"}

    first = yard.call("GET", f"{V1}/audit", max_results=2, **created)
    second = yard.call("GET", f"{V1}/audit", max_results=2, page_token=first["next_page_token"], **created)
    piece = yard.send("GET", f"{V1}/audit/export", query_string={"max_results": 2, **created})
    rest = yard.send("GET", f"{V1}/audit/export", query_string={"after": piece.headers["X-Next-Offset"], **created})
    end = yard.send("GET", f"{V1}/audit/export", query_string={"after": rest.headers["X-Next-Offset"], **created})

    assert [entry["model"] for entry in first["entries"] + second["entries"]] == ["c", "b", "a"]
    exported = [json.loads(line) for answer in (piece, rest) for line in answer.get_data(as_text=True).splitlines()]
    assert exported == (first["entries"] + second["entries"])[::-1]
    assert end.get_data() == b""


def test_others_see_the_audit_log_of_what_they_manage(yard: Yard) -> None:
    yard.call("POST", "registered-models/create", {"name": "anns"})
    by(yard, "bob").call("POST", "registered-models/create", {"name": "bobs"})

    assert [entry["model"] for entry in yard.call("GET", f"{V1}/audit")["entries"]] == ["bobs"]
    assert "anns" not in yard.send("GET", f"{V1}/audit/export").get_data(as_text=True)
