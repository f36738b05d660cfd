"""What the server says of itself."""

from collections.abc import Callable

from sqlalchemy import text

import modelyard
from modelyard.database.session import transaction
from tests.web.api.test_workforce import report_worker
from tests.web.yards import Yard


def test_a_process_that_answers_is_healthy(yard: Yard) -> None:
    assert yard.client.get("/health").data == b"OK"
    assert yard.client.get("/version").data.decode() == modelyard.__version__


def test_readiness_tells_who_is_there_to_work(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(sweep_s=5)
    report_worker(yard, "one:1", "fast,copy")
    report_worker(yard, "two:2", "copy", seen_ago_ms=10_000)
    report_worker(yard, "gone:3", "copy", seen_ago_ms=20_000)

    answer = yard.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "database": "ok",
        "broker": "none",
        "workers": {"fast": 1, "copy": 2},
    }


def test_an_old_schema_is_not_ready_and_names_the_remedy(yard: Yard) -> None:
    with transaction(yard.engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))

    answer = yard.client.get("/readyz")

    assert answer.status_code == 503
    assert "migrate" in answer.get_json()["database"]


def test_a_broken_database_is_not_ready(yard: Yard) -> None:
    with transaction(yard.engine) as session:
        session.execute(text("DROP TABLE alembic_version"))

    answer = yard.client.get("/readyz")

    assert (answer.status_code, answer.get_json()["status"]) == (503, "not ready")


def test_clients_that_look_around_are_told_what_they_need(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(public_url="https://registry.example/yard")

    assert yard.call("GET", "/.well-known/databricks-config") == {
        "oidc_endpoint": "https://registry.example/yard/oidc",
        "workspace_id": "1",
    }
    info = yard.call("GET", "/api/3.0/mlflow/server-info")
    assert (info["workspaces_enabled"], info["multipart_uploads_enabled"]) == (False, False)
