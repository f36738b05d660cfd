"""Permissions as databricks-sdk and Terraform see and set them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.yards import Yard

ADMINS_INHERITED = {
    "group_name": "admins",
    "all_permissions": [
        {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/registered-models/root"]}
    ],
}
ADMINS_DIRECT = {
    "group_name": "admins",
    "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": False}],
}
APPLICATION = "f37d18cd-98a8-4db5-8112-12dd0a6bfe38"


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors, a model `m` of ann's, an administrator `root`, and bob in the group Team."""
    yard = open_yard(auth="token")
    yard.people = {
        name: yard.person(name, *groups) for name, *groups in [("root@x", "admins"), ("ann",), ("bob", "Team")]
    }
    yard.token = yard.people["root@x"]
    yard.call("POST", "/api/2.0/preview/scim/v2/ServicePrincipals", {"applicationId": APPLICATION, "displayName": "ci"})
    yard.token = yard.people["ann"]
    yard.call("POST", "registered-models/create", {"name": "m"})
    return yard


def place(yard: Yard, name: str = "m") -> str:
    model = yard.call("GET", "databricks/registered-models/get", name=name)["registered_model_databricks"]
    return f"/api/2.0/permissions/registered-models/{model['id']}"


ROOT = "/api/2.0/permissions/registered-models/root"


def entry(level: str, *, inherited: bool = False, **named: str) -> dict[str, Any]:
    permission: dict[str, Any] = {"permission_level": level, "inherited": inherited}
    if inherited:
        permission["inherited_from_object"] = ["/registered-models/root"]
    return {**named, "all_permissions": [permission]}


def wanted(*entries: tuple[str, str, str]) -> dict[str, Any]:
    return {"access_control_list": [{kind: name, "permission_level": level} for kind, name, level in entries]}


def as_person(yard: Yard, name: str) -> Yard:
    yard.token = yard.people[name]
    return yard


def test_a_new_model_belongs_to_its_creator_and_the_administrators(yard: Yard) -> None:
    where = place(yard)

    shown = yard.call("GET", where)

    assert shown == {
        "object_id": where.removeprefix("/api/2.0/permissions"),
        "object_type": "registered-model",
        "access_control_list": [entry("CAN_MANAGE", user_name="ann", display_name="ann"), ADMINS_INHERITED],
    }


def test_put_replaces_every_direct_entry_even_the_creators(yard: Yard) -> None:
    where = place(yard)
    body = wanted(
        ("user_name", "BOB", "CAN_READ"),
        ("group_name", "team", "CAN_EDIT"),
        ("service_principal_name", APPLICATION, "CAN_MANAGE_STAGING_VERSIONS"),
    )

    shown = yard.call("PUT", where, body)["access_control_list"]

    assert shown == [
        entry("CAN_READ", user_name="bob", display_name="bob"),
        entry("CAN_EDIT", group_name="Team"),
        entry("CAN_MANAGE_STAGING_VERSIONS", service_principal_name=APPLICATION, display_name="ci"),
        ADMINS_INHERITED,
    ]
    assert yard.refused("GET", where) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("body", [{}, {"access_control_list": []}])
def test_put_of_nothing_removes_every_direct_entry(yard: Yard, body: dict[str, Any]) -> None:
    where = place(yard)

    assert yard.call("PUT", where, body)["access_control_list"] == [ADMINS_INHERITED]


def test_patch_changes_those_that_it_names(yard: Yard) -> None:
    where = place(yard)
    yard.call("PATCH", where, wanted(("user_name", "bob", "CAN_READ")))

    shown = yard.call("PATCH", where, wanted(("user_name", "bob", "CAN_EDIT")))["access_control_list"]

    assert shown[:-1] == [
        entry("CAN_MANAGE", user_name="ann", display_name="ann"),
        entry("CAN_EDIT", user_name="bob", display_name="bob"),
    ]


def test_one_principal_named_twice_gets_the_highest_level(yard: Yard) -> None:
    body = wanted(("user_name", "bob", "CAN_EDIT"), ("user_name", "Bob", "CAN_READ"), ("user_name", "bob", "CAN_READ"))

    assert yard.call("PUT", place(yard), body)["access_control_list"][0] == entry(
        "CAN_EDIT", user_name="bob", display_name="bob"
    )


def test_an_application_id_is_accepted_as_a_user_name(yard: Yard) -> None:
    body = wanted(("user_name", APPLICATION.upper(), "CAN_READ"))

    assert yard.call("PATCH", place(yard), body)["access_control_list"][1] == entry(
        "CAN_READ", service_principal_name=APPLICATION, display_name="ci"
    )


def test_whoever_holds_a_level_twice_has_one_entry(yard: Yard) -> None:
    where = place(yard)
    as_person(yard, "root@x").call("PATCH", ROOT, wanted(("user_name", "ann", "CAN_READ")))

    shown = yard.call("GET", where)["access_control_list"]

    assert shown[0]["user_name"] == "ann"
    assert [(one["permission_level"], one["inherited"]) for one in shown[0]["all_permissions"]] == [
        ("CAN_MANAGE", False),
        ("CAN_READ", True),
    ]


def test_others_see_only_what_concerns_themselves(yard: Yard) -> None:
    where = place(yard)
    yard.call("PATCH", where, wanted(("group_name", "Team", "CAN_READ")))

    shown = as_person(yard, "bob").call("GET", where)["access_control_list"]

    assert shown == [entry("CAN_READ", group_name="Team")]
    assert yard.refused("PUT", where, {}) == (403, "PERMISSION_DENIED")
    assert yard.refused("PATCH", where, {}) == (403, "PERMISSION_DENIED")


def test_the_levels_are_described(yard: Yard) -> None:
    levels = yard.call("GET", f"{place(yard)}/permissionLevels")["permission_levels"]

    assert [one["permission_level"] for one in levels] == [
        "CAN_READ",
        "CAN_EDIT",
        "CAN_MANAGE_STAGING_VERSIONS",
        "CAN_MANAGE_PRODUCTION_VERSIONS",
        "CAN_MANAGE",
    ]
    assert all(one["description"] for one in levels)


def test_a_reset_of_the_root_leaves_the_administrators_alone(yard: Yard) -> None:
    as_person(yard, "root@x").call("PATCH", ROOT, wanted(("user_name", "bob", "CAN_EDIT")))

    reset = yard.call("PUT", ROOT, wanted(("group_name", "admins", "CAN_MANAGE")))

    assert reset == {
        "object_id": "/registered-models/root",
        "object_type": "registered-model",
        "access_control_list": [ADMINS_DIRECT],
    }
    assert yard.call("GET", ROOT) == reset


def test_what_the_root_gives_every_model_inherits(yard: Yard) -> None:
    where = place(yard)

    as_person(yard, "root@x").call("PATCH", ROOT, wanted(("group_name", "Team", "CAN_READ")))

    assert as_person(yard, "bob").call("GET", "registered-models/get", name="m")["registered_model"]["name"] == "m"
    assert yard.call("GET", where)["access_control_list"] == [
        entry("CAN_READ", inherited=True, group_name="Team"),
    ]


@pytest.mark.parametrize(
    ("method", "body", "message"),
    [
        ("PUT", {}, "Cannot change permissions for group 'admins' to None."),
        ("PUT", wanted(("user_name", "bob", "CAN_READ")), "Cannot change permissions for group 'admins' to None."),
        (
            "PUT",
            wanted(("group_name", "admins", "CAN_READ")),
            "Cannot change permissions for group 'admins' to CAN_READ.",
        ),
        (
            "PATCH",
            wanted(("group_name", "Admins", "CAN_EDIT")),
            "Cannot change permissions for group 'admins' to CAN_EDIT.",
        ),
    ],
)
def test_the_administrators_cannot_lose_the_root(yard: Yard, method: str, body: dict[str, Any], message: str) -> None:
    answer = as_person(yard, "root@x").send(method, ROOT, body)

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.get_json()["message"] == message
    assert yard.call("GET", ROOT)["access_control_list"] == [ADMINS_DIRECT]


def test_a_put_on_a_model_may_leave_out_the_administrators(yard: Yard) -> None:
    shown = yard.call("PUT", place(yard), wanted(("user_name", "ann", "CAN_MANAGE")))

    assert shown["access_control_list"][-1] == ADMINS_INHERITED


@pytest.mark.parametrize(
    "entries",
    [
        [{"user_name": "nobody", "permission_level": "CAN_READ"}],
        [{"group_name": "bob", "permission_level": "CAN_READ"}],
        [{"service_principal_name": "bob", "permission_level": "CAN_READ"}],
        [{"user_name": "bob", "permission_level": "CAN_WRITE"}],
        [{"user_name": "bob", "permission_level": ""}],
        [{"user_name": "bob"}],
        [{"permission_level": "CAN_READ"}],
        [{"user_name": "bob", "group_name": "Team", "permission_level": "CAN_READ"}],
        [{"user_name": 7, "permission_level": "CAN_READ"}],
        ["bob"],
        "bob",
        [{"user_name": "ann", "permission_level": "CAN_READ"}, {"user_name": "nobody", "permission_level": "CAN_READ"}],
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_names_nobody_or_nothing_is_refused_and_changes_nothing(yard: Yard, method: str, entries: Any) -> None:
    where = place(yard)
    before = yard.call("GET", where)

    assert yard.refused(method, where, {"access_control_list": entries}) == (400, "INVALID_PARAMETER_VALUE")

    assert yard.call("GET", where) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_a_name_is_no_id(yard: Yard, method: str) -> None:
    answer = yard.send(method, "/api/2.0/permissions/registered-models/m", None if method == "GET" else {})

    assert answer.status_code == 400
    assert answer.get_json()["message"] == "'m' is not a valid registered model ID."
    unknown = f"/api/2.0/permissions/registered-models/{'0' * 32}"
    assert yard.refused(method, unknown, None if method == "GET" else {}) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_root_is_for_those_who_hold_something_on_it(yard: Yard) -> None:
    assert yard.refused("GET", ROOT) == (403, "PERMISSION_DENIED")
    as_person(yard, "root@x").call("PATCH", ROOT, wanted(("user_name", "bob", "CAN_MANAGE")))

    assert as_person(yard, "bob").call("GET", ROOT)["access_control_list"][0] == ADMINS_DIRECT
    yard.call("PATCH", ROOT, wanted(("user_name", "ann", "CAN_READ")))


def test_without_locks_terraform_manages_as_local(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard()
    yard.call("POST", "registered-models/create", {"name": "m"})

    shown = yard.call("PUT", place(yard), wanted(("user_name", "local", "CAN_MANAGE")))["access_control_list"]

    assert shown == [entry("CAN_MANAGE", user_name="local", display_name="local"), ADMINS_INHERITED]


def test_a_deleted_users_entry_is_gone(yard: Yard) -> None:
    where = place(yard)
    yard.call("PATCH", where, wanted(("user_name", "bob", "CAN_READ")))
    as_person(yard, "root@x")
    bob = yard.call("GET", "/api/2.0/preview/scim/v2/Users", filter='userName eq "bob"')["Resources"][0]

    yard.call("DELETE", f"/api/2.0/preview/scim/v2/Users/{bob['id']}")

    assert [one.get("user_name") for one in yard.call("GET", where)["access_control_list"]] == ["ann", None]
