"""Tokens as databricks-sdk makes, lists and revokes them."""

from collections.abc import Callable

import pytest

from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope, TokenLimits, public_id_of
from tests.web.yards import Yard

DAY_MS = 24 * 3600 * 1000
OBO = "/api/2.0/token-management/on-behalf-of/tokens"


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with locked doors, entered by the administrator ann."""
    yard = open_yard(auth="token", admin_token="first-administrator")
    yard.token = yard.person("ann", "admins")
    return yard


def user_name(yard: Yard, token: str) -> str:
    answer = yard.send("GET", "/api/2.0/preview/scim/v2/Me", headers=yard.bearer(token))
    return str(answer.get_json()["userName"])


def test_a_token_is_made_listed_and_revoked(yard: Yard) -> None:
    made = yard.call("POST", "/api/2.0/token/create", {"comment": "laptop", "lifetime_seconds": 3600})

    info = made["token_info"]
    assert info["expiry_time"] - info["creation_time"] == 3_600_000
    assert (info["comment"], info["token_id"]) == ("laptop", public_id_of(made["token_value"]))
    assert user_name(yard, made["token_value"]) == "ann"
    assert info in yard.call("GET", "/api/2.0/token/list")["token_infos"]
    yard.call("PATCH", f"/api/2.0/token/{info['token_id']}", {"token": {"comment": "desk"}, "update_mask": "comment"})
    assert yard.call("POST", "/api/2.0/token/delete", {"token_id": info["token_id"]}) == {}
    assert len(yard.call("GET", "/api/2.0/token/list")["token_infos"]) == 1
    assert yard.send("GET", "/api/2.0/token/list", headers=yard.bearer(made["token_value"])).status_code == 401


def test_without_a_lifetime_a_token_lives_for_90_days(yard: Yard) -> None:
    info = yard.call("POST", "/api/2.0/token/create", {})["token_info"]

    assert info["expiry_time"] - info["creation_time"] == 90 * DAY_MS


def test_a_new_token_reaches_as_far_as_the_one_that_asked(yard: Yard) -> None:
    limits = TokenLimits(Scope.WRITE, frozenset({"m"}), Stage.STAGING)
    yard.token = yard.person("bob", "admins", limits=limits)

    yard.token = yard.call("POST", "/api/2.0/token/create", {})["token_value"]

    assert yard.refused("POST", "registered-models/create", {"name": "other"}) == (403, "PERMISSION_DENIED")
    yard.call("POST", "registered-models/create", {"name": "m"})
    assert yard.refused("POST", "/api/2.0/preview/scim/v2/Users", {"userName": "x"}) == (403, "PERMISSION_DENIED")


def test_administrators_make_and_end_tokens_of_others(yard: Yard) -> None:
    robot = yard.call("POST", "/api/2.0/preview/scim/v2/ServicePrincipals", {"displayName": "ci"})
    made = yard.call("POST", OBO, {"application_id": robot["applicationId"], "comment": "pipeline"})
    token_id = made["token_info"]["token_id"]

    assert user_name(yard, made["token_value"]) == robot["applicationId"]
    by_name = yard.call("GET", "/api/2.0/token-management/tokens", created_by_username=robot["applicationId"])
    by_number = yard.call("GET", "/api/2.0/token-management/tokens", created_by_id=robot["id"])
    assert [info["token_id"] for info in by_name["token_infos"]] == [token_id]
    assert by_name == by_number
    assert len(yard.call("GET", "/api/2.0/token-management/tokens")["token_infos"]) == 2
    one = yard.call("GET", f"/api/2.0/token-management/tokens/{token_id}")["token_info"]
    assert (one["comment"], one["created_by_username"]) == ("pipeline", robot["applicationId"])
    assert yard.call("DELETE", f"/api/2.0/token-management/tokens/{token_id}") == {}
    assert yard.call("GET", "/api/2.0/token-management/tokens", created_by_id=robot["id"]) == {"token_infos": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/2.0/token/create", {"lifetime_seconds": 0}, 400),
        ("POST", "/api/2.0/token/create", {"lifetime_seconds": 10**12}, 400),
        ("POST", "/api/2.0/token/create", {"lifetime_seconds": "soon"}, 400),
        ("POST", "/api/2.0/token/create", {"comment": "x" * 257}, 400),
        ("POST", "/api/2.0/token/delete", {}, 400),
        ("POST", "/api/2.0/token/delete", {"token_id": "0" * 16}, 404),
        ("PATCH", "/api/2.0/token/unknown", {"token": {}}, 404),
        ("POST", OBO, {"application_id": "nobody"}, 404),
        ("POST", OBO, {"application_id": "local"}, 400),
        ("GET", "/api/2.0/token-management/tokens/unknown", None, 404),
        ("DELETE", "/api/2.0/token-management/tokens/unknown", None, 404),
    ],
)
def test_what_cannot_be_done_is_refused(yard: Yard, method: str, path: str, body: object, status: int) -> None:
    assert yard.refused(method, path, body)[0] == status


def test_the_first_administrator_makes_a_user_before_a_token(yard: Yard) -> None:
    yard.token = "first-administrator"

    assert yard.refused("POST", "/api/2.0/token/create", {}) == (400, "INVALID_STATE")


def test_others_neither_see_nor_end_a_token(yard: Yard) -> None:
    anns = public_id_of(yard.token)
    yard.token = yard.person("bob")

    assert yard.refused("GET", f"/api/2.0/token-management/tokens/{anns}")[0] == 404
    assert yard.refused("DELETE", f"/api/2.0/token-management/tokens/{anns}")[0] == 404
    assert yard.refused("POST", "/api/2.0/token/delete", {"token_id": anns})[0] == 404
    assert yard.refused("GET", "/api/2.0/token-management/tokens")[0] == 403
    assert len(yard.call("GET", "/api/2.0/token/list")["token_infos"]) == 1
