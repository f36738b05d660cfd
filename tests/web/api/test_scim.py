"""People by SCIM, as databricks-sdk and Terraform see them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.yards import Yard

SCIM = "/api/2.0/preview/scim/v2"
APPLICATION = "f37d18cd-98a8-4db5-8112-12dd0a6bfe38"


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors, entered by the administrator ann."""
    yard = open_yard(auth="token")
    yard.token = yard.person("ann@example.com", "admins")
    return yard


def patch(yard: Yard, path: str, *operations: dict[str, Any]) -> Any:
    return yard.call("PATCH", f"{SCIM}/{path}", {"Operations": list(operations), "schemas": ["x"]})


def names(answer: Any) -> list[str]:
    return [one.get("userName") or one["displayName"] for one in answer["Resources"]]


def group_of(yard: Yard, name: str, *members: dict[str, Any]) -> dict[str, Any]:
    body = {"displayName": name, "members": [{"value": member["id"]} for member in members]}
    group: dict[str, Any] = yard.call("POST", f"{SCIM}/Groups", body)
    return group


def user_of(yard: Yard, name: str, /, **fields: Any) -> dict[str, Any]:
    user: dict[str, Any] = yard.call("POST", f"{SCIM}/Users", {"userName": name, **fields})
    return user


def test_the_caller_is_shown_as_the_contract_says(yard: Yard) -> None:
    answer = yard.send("GET", f"{SCIM}/Me")

    assert answer.mimetype == "application/json"
    assert answer.headers["X-Databricks-Org-Id"] == "1"
    me = answer.get_json()
    assert me["id"].isdigit()
    assert me == {
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:workspace:2.0:User",
        ],
        "id": me["id"],
        "userName": "ann@example.com",
        "displayName": "ann@example.com",
        "active": True,
        "name": {},
        "emails": [{"type": "work", "value": "ann@example.com", "primary": True}],
        "groups": [{"display": "admins", "type": "direct", "value": "1", "$ref": "Groups/1"}],
        "entitlements": [{"value": "workspace-access"}],
    }


def test_terraform_leaves_out_what_it_does_not_want(yard: Yard) -> None:
    assert "entitlements" not in yard.call("GET", f"{SCIM}/Me", excludedAttributes="entitlements,id")
    only = yard.call("GET", f"{SCIM}/Me", attributes="userName,groups.display")
    assert set(only) == {"schemas", "id", "userName", "groups"}


def test_without_locks_the_caller_is_local(open_yard: Callable[..., Yard]) -> None:
    me = open_yard().call("GET", f"{SCIM}/Me")

    assert (me["userName"], [group["display"] for group in me["groups"]]) == ("local", ["admins"])


def test_a_user_is_created_shown_changed_and_deleted(yard: Yard) -> None:
    body = {"name": {"givenName": "Bob", "familyName": "B"}, "externalId": "x1", "entitlements": [{"value": "y"}]}
    bob = user_of(yard, "Bob@Example.com", **body)
    place = f"{SCIM}/Users/{bob['id']}"

    assert (bob["userName"], bob["displayName"], bob["externalId"]) == ("bob@example.com", "Bob B", "x1")
    assert bob["name"] == {"givenName": "Bob", "familyName": "B"}
    assert yard.call("GET", place) == bob
    changed = yard.call("PUT", place, {"userName": "BOB@example.com", "displayName": "Robert", "active": False})
    assert (changed["displayName"], changed["active"], changed["externalId"]) == ("Robert", False, "x1")
    assert yard.call("DELETE", place) == {}
    assert yard.refused("GET", place) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert yard.refused("DELETE", place) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_user_is_changed_in_parts_in_the_words_of_every_identity_provider(yard: Yard) -> None:
    bob = user_of(yard, "bob")
    place = f"Users/{bob['id']}"

    assert patch(yard, place, {"op": "replace", "path": "active", "value": False})["active"] is False
    assert patch(yard, place, {"op": "Replace", "path": "active", "value": "True"})["active"] is True
    assert patch(yard, place, {"op": "replace", "value": {"displayName": "B", "active": False}})["displayName"] == "B"
    assert patch(yard, place, {"op": "remove", "path": "displayName"})["displayName"] == "bob"


def test_a_service_principal_has_an_application_id(yard: Yard) -> None:
    given = yard.call("POST", f"{SCIM}/ServicePrincipals", {"applicationId": APPLICATION, "displayName": "ci"})
    made = yard.call("POST", f"{SCIM}/ServicePrincipals", {"displayName": "cd"})

    assert (given["applicationId"], given["displayName"]) == (APPLICATION, "ci")
    assert len(made["applicationId"]) == 36
    found = yard.call("GET", f"{SCIM}/ServicePrincipals", filter=f'applicationId eq "{APPLICATION}"')
    assert [one["id"] for one in found["Resources"]] == [given["id"]]


def test_a_group_and_its_members(yard: Yard) -> None:
    bob, eve = user_of(yard, "bob"), user_of(yard, "eve")
    group = group_of(yard, "Team", bob)
    place = f"Groups/{group['id']}"

    assert [member["display"] for member in group["members"]] == ["bob"]
    added = patch(yard, place, {"op": "add", "path": "members", "value": [{"value": eve["id"]}]})
    assert [member["value"] for member in added["members"]] == [bob["id"], eve["id"]]
    left = patch(yard, place, {"op": "remove", "path": f'members[value eq "{bob["id"]}"]'})
    assert [member["value"] for member in left["members"]] == [eve["id"]]
    replaced = yard.call("PUT", f"{SCIM}/{place}", {"displayName": "Crew", "members": [{"value": bob["id"]}]})
    assert (replaced["displayName"], [member["value"] for member in replaced["members"]]) == ("Crew", [bob["id"]])
    assert yard.call("GET", f"{SCIM}/Users/{bob['id']}")["groups"][0]["display"] == "Crew"
    assert patch(yard, place, {"op": "remove", "path": "members"})["members"] == []
    assert yard.call("DELETE", f"{SCIM}/{place}") == {}
    assert yard.call("GET", f"{SCIM}/Users/{bob['id']}")["groups"] == []


def test_a_users_groups_are_changed_from_the_users_side_too(yard: Yard) -> None:
    bob, group = user_of(yard, "bob"), group_of(yard, "team")

    joined = patch(yard, f"Users/{bob['id']}", {"op": "add", "path": "groups", "value": [{"value": group["id"]}]})
    left = patch(yard, f"Users/{bob['id']}", {"op": "remove", "path": f'groups[value eq "{group["id"]}"]'})

    assert [one["display"] for one in joined["groups"]] == ["team"]
    assert left["groups"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["ann@example.com", "bob@example.com", "eve"]),
        ({"filter": 'userName eq "BOB@example.com"'}, ["bob@example.com"]),
        ({"filter": 'emails.value eq "bob@example.com"'}, ["bob@example.com"]),
        ({"filter": 'userName sw "ann" or userName eq "eve"'}, ["ann@example.com", "eve"]),
        ({"filter": 'userName co "example" and active eq false'}, []),
        ({"filter": 'userName ne "eve"'}, ["ann@example.com", "bob@example.com"]),
        ({"filter": 'displayName eq "bob b"'}, ["bob@example.com"]),
        ({"filter": 'userName co "%"'}, []),
        ({"sortBy": "userName", "sortOrder": "descending"}, ["eve", "bob@example.com", "ann@example.com"]),
        ({"startIndex": "2", "count": "1"}, ["bob@example.com"]),
        ({"startIndex": "9"}, []),
        ({"count": "0"}, []),
    ],
)
def test_users_are_listed_as_a_filter_says(yard: Yard, query: dict[str, str], found: list[str]) -> None:
    user_of(yard, "bob@example.com", displayName="Bob B")
    user_of(yard, "eve")

    answer = yard.call("GET", f"{SCIM}/Users", **query)

    assert names(answer) == found
    assert answer["totalResults"] == (len(found) if "filter" in query else 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("POST", "Users", {}, 400),
        ("POST", "Users", {"userName": "a b"}, 400),
        ("POST", "Users", {"userName": "bob"}, 400),
        ("POST", "Users", {"userName": "admin"}, 400),
        ("POST", "Users", {"userName": 7}, 400),
        ("POST", "Users", {"userName": "new", "groups": [{"value": "999"}]}, 404),
        ("POST", "ServicePrincipals", {"applicationId": "ci"}, 400),
        ("POST", "Groups", {"displayName": "admins"}, 400),
        ("POST", "Groups", {"displayName": "new", "members": [{"value": "999"}]}, 404),
        ("POST", "Groups", {"displayName": "new", "members": [{"value": "x"}]}, 404),
        ("POST", "Groups", {"displayName": "new", "members": [{"value": "1"}]}, 400),
        ("GET", "Users/999", None, 404),
        ("GET", "Users/x", None, 404),
        ("GET", "Users/1", None, 404),
        ("GET", f"Users/{10**30}", None, 404),
        ("PUT", "Users/{bob}", {"userName": "robert"}, 400),
        ("PUT", "Users/2", {"active": False}, 400),
        ("DELETE", "Groups/1", None, 400),
        ("PATCH", "Users/{bob}", {"Operations": [{"op": "move", "path": "active", "value": True}]}, 400),
        ("PATCH", "Users/{bob}", {"Operations": [{"op": "add", "path": "roles", "value": "x"}]}, 400),
        ("PATCH", "Users/{bob}", {"Operations": [{"op": "add", "value": "x"}]}, 400),
        ("PATCH", "Users/{bob}", {"Operations": [{"op": "add", "path": "active", "value": "maybe"}]}, 400),
        ("PATCH", "Users/{bob}", {"Operations": [{"op": "add", "path": "groups", "value": [7]}]}, 400),
        ("PATCH", "Users/{bob}", {"Operations": "all"}, 400),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    yard: Yard, method: str, path: str, body: dict[str, Any] | None, refusal: int
) -> None:
    bob = user_of(yard, "bob")
    before = yard.call("GET", f"{SCIM}/Users"), yard.call("GET", f"{SCIM}/Groups")

    status, _ = yard.refused(method, f"{SCIM}/{path.format(bob=bob['id'])}", body)

    assert status == refusal
    assert (yard.call("GET", f"{SCIM}/Users"), yard.call("GET", f"{SCIM}/Groups")) == before


@pytest.mark.parametrize("filtered", ["userName", "shoeSize eq 9", 'active gt "1"', "active co true"])
def test_a_filter_that_means_nothing_is_refused(yard: Yard, filtered: str) -> None:
    assert yard.refused("GET", f"{SCIM}/Users", filter=filtered) == (400, "INVALID_PARAMETER_VALUE")


def test_everybody_sees_people_and_only_administrators_change_them(yard: Yard) -> None:
    bob = user_of(yard, "bob")
    group = group_of(yard, "team")
    yard.token = yard.person("eve")

    assert "bob" in names(yard.call("GET", f"{SCIM}/Users"))
    assert yard.call("GET", f"{SCIM}/Groups/{group['id']}") == group
    for method, path, body in [
        ("POST", "Users", {"userName": "new"}),
        ("POST", "ServicePrincipals", {}),
        ("POST", "Groups", {"displayName": "new"}),
        ("PUT", f"Users/{bob['id']}", {"active": False}),
        ("PATCH", f"Groups/{group['id']}", {"Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}),
        ("DELETE", f"Users/{bob['id']}", None),
        ("DELETE", f"Groups/{group['id']}", None),
    ]:
        assert yard.refused(method, f"{SCIM}/{path}", body) == (403, "PERMISSION_DENIED"), path


def test_a_change_of_groups_is_felt_at_once(yard: Yard) -> None:
    administrator = yard.token
    yard.token = yard.person("eve")
    assert yard.refused("POST", f"{SCIM}/Users", {"userName": "new"})[0] == 403
    eve = yard.call("GET", f"{SCIM}/Me")

    yard.token, eves = administrator, yard.token
    patch(yard, "Groups/1", {"op": "add", "path": "members", "value": [{"value": eve["id"]}]})
    yard.token = eves

    assert user_of(yard, "new")["userName"] == "new"
