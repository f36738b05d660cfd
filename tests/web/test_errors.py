"""Every failure is the contract's JSON."""

from collections.abc import Callable
from io import BytesIO

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from modelyard.errors import LimitReached
from tests.web.yards import PREFIX, Yard

# A name outside of this set crashes mlflow 1.30.1 (contracts/mlflow.md 1.6).
SAFE = {
    "BAD_REQUEST",
    "CUSTOMER_UNAUTHORIZED",
    "ENDPOINT_NOT_FOUND",
    "FEATURE_DISABLED",
    "INTERNAL_ERROR",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "PERMISSION_DENIED",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "TEMPORARILY_UNAVAILABLE",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/2.0/mlflow/nothing", 404),
        ("GET", "/api/2.0/mlflow/registered-models/get/", 404),
        ("GET", "/api/2.0/mlflow//registered-models/get", 404),
        ("PUT", "/api/2.0/mlflow/registered-models/get", 405),
        ("GET", "/api/2.0/mlflow/registered-models/create", 405),
        ("OPTIONS", "/api/2.0/mlflow/registered-models/create", 405),
    ],
)
def test_an_unknown_endpoint_is_answered_in_json(yard: Yard, method: str, path: str, status: int) -> None:
    answer = yard.client.open(path, method=method)

    assert (answer.status_code, answer.get_json()["error_code"]) == (status, "ENDPOINT_NOT_FOUND")
    assert answer.mimetype == "application/json"


def test_a_body_that_is_too_large_is_refused(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(max_body_bytes=2000)

    body = {"name": "m", "description": "d" * 2000}

    assert yard.refused("POST", "registered-models/create", body) == (413, "BAD_REQUEST")


def failing(yard: Yard, error: Exception) -> tuple[int, str, str | None]:
    """Let `/health` raise `error`; return status, code and Retry-After of the answer."""

    def fail() -> None:
        raise error

    yard.app.view_functions["GET /health"] = fail
    answer = yard.client.get("/health")
    return answer.status_code, answer.get_json()["error_code"], answer.headers.get("Retry-After")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("SELECT 1", {}, Exception("server closed the connection")), 503, "TEMPORARILY_UNAVAILABLE"),
        (NoFreeConnection("QueuePool limit"), 503, "TEMPORARILY_UNAVAILABLE"),
        (LimitReached("too many"), 429, "REQUEST_LIMIT_EXCEEDED"),
    ],
)
def test_what_will_pass_says_when_to_come_back(yard: Yard, error: Exception, status: int, code: str) -> None:
    found_status, found_code, retry_after = failing(yard, error)

    assert (found_status, found_code) == (status, code)
    assert retry_after is not None
    assert int(retry_after) > 0
    assert code in SAFE


@pytest.mark.parametrize("error", [RuntimeError("secret detail"), ProgrammingError("SELECT", {}, Exception("secret"))])
def test_a_bug_shows_only_its_number(yard: Yard, error: Exception) -> None:
    def fail() -> None:
        raise error

    yard.app.view_functions["GET /health"] = fail
    answer = yard.client.get("/health", headers={"X-Request-Id": "number-7"})

    assert (answer.status_code, answer.get_json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert "number-7" in answer.get_json()["message"]
    assert "secret" not in answer.get_data(as_text=True)


@pytest.mark.parametrize(("path", "status"), [("registered-models/create", 413), ("nothing", 404)])
def test_a_refused_body_is_read_so_that_the_client_hears_the_answer(yard: Yard, path: str, status: int) -> None:
    body = BytesIO(b"x" * (20 << 20))

    answer = yard.client.post(f"{PREFIX}/{path}", input_stream=body, content_length=20 << 20)

    assert answer.status_code == status
    assert body.read() == b""
