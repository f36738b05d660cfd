"""What stands before every handler: hosts, origins, credentials, request numbers."""

from base64 import b64encode
from collections.abc import Callable

import pytest

from tests.web.yards import PREFIX, Yard

SEARCH = f"{PREFIX}/registered-models/search"


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer secret-token", 200),
        ("bearer secret-token", 200),
        (basic("anybody", "secret-token"), 200),
        (basic("", "secret-token"), 200),
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        ("Bearer secret-token2", 401),
        ("Bearer ä", 401),
        (basic("secret-token", "wrong"), 401),
        ("Basic secret-token", 401),
        ("Basic ====", 401),
        ("Basic //79", 401),
        ("Negotiate secret-token", 401),
    ],
)
def test_a_token_opens_the_door(open_yard: Callable[..., Yard], authorization: str | None, status: int) -> None:
    yard = open_yard(auth="token", admin_token="secret-token")

    answer = yard.client.get(SEARCH, headers={"Authorization": authorization} if authorization is not None else {})

    assert answer.status_code == status
    if status == 401:
        assert answer.get_json()["error_code"] == "CUSTOMER_UNAUTHORIZED"


def test_without_a_token_nobody_gets_in(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(auth="token")

    assert yard.client.get(SEARCH, headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.parametrize("authorization", ["Bearer anything", basic("u", "p"), "garbage"])
def test_on_a_laptop_any_credentials_do(yard: Yard, authorization: str) -> None:
    assert yard.client.get(SEARCH, headers={"Authorization": authorization}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health", 200),
        ("/readyz", 200),
        ("/version", 200),
        ("/metrics", 200),
        ("/api/3.0/mlflow/server-info", 200),
        ("/ajax-api/3.0/mlflow/server-info", 200),
        ("/.well-known/databricks-config", 200),
        ("/nothing", 401),
        ("/api/2.0/mlflow-artifacts/artifacts", 401),
        ("/api/2.0/mlflow-artifacts/signed/x", 404),
    ],
)
def test_some_doors_are_open(open_yard: Callable[..., Yard], path: str, status: int) -> None:
    yard = open_yard(auth="token", admin_token="secret-token")

    assert yard.client.get(path).status_code == status


def test_metrics_are_open_to_this_machine_only(open_yard: Callable[..., Yard]) -> None:
    behind_a_proxy = {"X-Forwarded-For": "192.0.2.1"}
    on_loopback = open_yard(auth="token", admin_token="secret-token")
    elsewhere = open_yard(host="192.0.2.7", admin_token="secret-token")

    assert on_loopback.client.get("/metrics").status_code == 200
    assert on_loopback.client.get("/metrics", headers=behind_a_proxy).status_code == 401
    assert elsewhere.client.get("/metrics").status_code == 401
    assert elsewhere.client.get("/metrics", headers={"Authorization": "Bearer secret-token"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:5080"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:99"}, 200),
        ({"Host": "localhost", "Origin": "http://localhost:3000"}, 200),
        ({"Host": "evil.example"}, 400),
        ({"Host": "evil.example:5080"}, 400),
        ({"Host": "localhost.evil.example"}, 400),
        ({"Host": "localhost@evil.example"}, 400),
        ({"Host": "localhost", "Origin": "https://evil.example"}, 403),
        ({"Host": "localhost", "Origin": "null"}, 403),
    ],
)
def test_only_known_hosts_and_origins_are_answered(yard: Yard, headers: dict[str, str], status: int) -> None:
    answer = yard.client.get(SEARCH, headers=headers)

    assert answer.status_code == status
    if status != 200:
        assert "MODELYARD_ALLOWED_HOSTS" in answer.get_json()["message"]


def test_the_operator_names_the_hosts(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(allowed_hosts="Registry.example, [::1]", public_url="https://registry.example/yard/")

    assert yard.client.get(SEARCH, headers={"Host": "registry.example"}).status_code == 200
    assert yard.client.get(SEARCH, headers={"Host": "[::1]:5080"}).status_code == 200
    assert yard.client.get(SEARCH, headers={"Host": "localhost"}).status_code == 400


def test_by_default_the_public_name_is_answered_too(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(public_url="https://registry.example/yard/")

    assert yard.client.get(SEARCH, headers={"Host": "registry.example"}).status_code == 200


@pytest.mark.parametrize(
    ("offered", "kept"), [("abc-1.2_3", True), ("", False), ("with blank", False), ("x" * 65, False)]
)
def test_each_answer_carries_a_number(yard: Yard, offered: str, kept: bool) -> None:
    answer = yard.client.get("/health", headers={"X-Request-Id": offered})

    assert (answer.headers["X-Request-Id"] == offered) is kept
    assert answer.headers["X-Request-Id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_headers_without_end_are_refused(yard: Yard) -> None:
    answer = yard.client.get(SEARCH, headers={"X-Long": "x" * 70_000})

    assert (answer.status_code, answer.get_json()["error_code"]) == (431, "BAD_REQUEST")
