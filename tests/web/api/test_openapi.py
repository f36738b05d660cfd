"""The description of the native API: it is valid, it is whole, and what it says is true."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import select, update
from sqlmodel import col

from modelyard.database.session import transaction
from modelyard.database.tables import Blob, ModelVersion, Plan, RegisteredModel
from modelyard.jobs.attempts import LogLine
from modelyard.rules.tokens import public_id_of
from modelyard.web.api.routes import NATIVE, NATIVE_PREFIX
from tests.databases import MOSTLY_SQLITE
from tests.web.contract import check_answer, description
from tests.web.yards import Yard

TRASHED = "f" * 32
PLAN, DIGEST = "e" * 32, "d" * 64
# Each route -> a request that must succeed and one that must not; job 1 FAILED, job 2 runs, job 3 waits.
EXAMPLES: dict[tuple[str, str], tuple[str, str]] = {
    ("GET", "/jobs"): ("/jobs?status=FAILED&status=RUNNING&max_results=1", "/jobs?status=DONE"),
    ("GET", "/jobs/<job_id>"): ("/jobs/1", "/jobs/99"),
    ("GET", "/jobs/<job_id>/log"): ("/jobs/2/log?format=jsonl", "/jobs/2/log?format=xml"),
    ("POST", "/jobs/<job_id>/cancel"): ("/jobs/2/cancel", "/jobs/1/cancel"),
    ("POST", "/jobs/<job_id>/retry"): ("/jobs/1/retry", "/jobs/3/retry"),
    ("POST", "/jobs/retry"): ("/jobs/retry", ""),
    ("GET", "/workers"): ("/workers", ""),
    ("GET", "/queues"): ("/queues", ""),
    ("GET", "/schedules"): ("/schedules", ""),
    ("PATCH", "/schedules/<name>"): ("/schedules/prune_jobs", "/schedules/weekly"),
    ("GET", "/models/<name>/usage"): ("/models/n/usage", "/models/x/usage"),
    ("POST", "/models/<name>/verify"): ("/models/n/verify", "/models/x/verify"),
    ("GET", "/models/<name>/versions/<version>/files"): (
        "/models/n/versions/1/files?max_results=1",
        "/models/n/versions/1/files?max_results=0",
    ),
    ("GET", "/models/<name>/versions/<version>/usage"): ("/models/n/versions/1/usage", "/models/n/versions/x/usage"),
    ("GET", "/models/<name>/versions/<version>/integrity"): (
        "/models/n/versions/1/integrity",
        "/models/m/versions/1/integrity",
    ),
    ("POST", "/models/<name>/versions/<version>/verify"): (
        "/models/n/versions/1/verify",
        "/models/m/versions/1/verify",
    ),
    ("POST", "/models/<name>/versions/<version>/repair"): (
        "/models/n/versions/1/repair",
        "/models/m/versions/1/repair",
    ),
    ("POST", "/models/<name>/versions/<version>/materialize"): (
        "/models/o/versions/1/materialize",
        "/models/n/versions/1/materialize",
    ),
    ("GET", "/store/usage"): ("/store/usage", ""),
    ("GET", "/store/damaged"): ("/store/damaged", ""),
    ("POST", "/store/verify"): ("/store/verify", ""),
    ("POST", "/store/collect"): ("/store/collect", ""),
    ("POST", "/models/<name>/rollback"): ("/models/r/rollback", "/models/x/rollback"),
    ("POST", "/bulk/archive"): ("/bulk/archive", ""),
    ("POST", "/bulk/delete"): ("/bulk/delete", ""),
    ("POST", "/bulk/restore"): ("/bulk/restore", ""),
    ("POST", "/bulk/verify"): ("/bulk/verify", ""),
    ("POST", "/bulk/tag"): ("/bulk/tag", ""),
    ("GET", "/plans"): ("/plans?action=archive&max_results=1", "/plans?action=burn"),
    ("GET", "/plans/<id>"): (f"/plans/{PLAN}", "/plans/x"),
    ("GET", "/plans/<id>/versions"): (f"/plans/{PLAN}/versions?kept=false", f"/plans/{PLAN}/versions?outcome=x"),
    ("POST", "/plans/<id>/execute"): (f"/plans/{PLAN}/execute", "/plans/x/execute"),
    ("POST", "/policies"): ("/policies", ""),
    ("GET", "/policies"): ("/policies", ""),
    ("GET", "/policies/<name>"): ("/policies/archive-idle", "/policies/x"),
    ("PATCH", "/policies/<name>"): ("/policies/archive-idle", "/policies/x"),
    ("POST", "/policies/<name>/plan"): ("/policies/archive-idle/plan", "/policies/x/plan"),
    ("POST", "/policies/<name>/run"): ("/policies/archive-idle/run", "/policies/x/run"),
    ("GET", "/policies/<name>/history"): ("/policies/archive-idle/history", "/policies/x/history"),
    ("GET", "/trash"): ("/trash", "/trash?page_token=x"),
    ("POST", "/trash/<id>/restore"): (f"/trash/{TRASHED}/restore", "/trash/x/restore"),
    ("GET", "/trash/<id>/purge"): (f"/trash/{TRASHED}/purge", "/trash/x/purge"),
    ("POST", "/trash/<id>/purge"): (f"/trash/{TRASHED}/purge", "/trash/x/purge"),
    ("GET", "/openapi.json"): ("/openapi.json", ""),
    # User 100 is ann, group 101 is her team.
    ("GET", "/users"): ("/users?max_results=1", "/users?kind=robot"),
    ("POST", "/users"): ("/users", ""),
    ("GET", "/users/<id>"): ("/users/100", "/users/101"),
    ("PATCH", "/users/<id>"): ("/users/100", "/users/2"),
    ("DELETE", "/users/<id>"): ("/users/100", "/users/2"),
    ("GET", "/groups"): ("/groups?max_results=1", "/groups?max_results=0"),
    ("POST", "/groups"): ("/groups", ""),
    ("GET", "/groups/<id>"): ("/groups/101", "/groups/100"),
    ("PATCH", "/groups/<id>"): ("/groups/101", "/groups/1"),
    ("DELETE", "/groups/<id>"): ("/groups/101", "/groups/1"),
    ("PUT", "/groups/<id>/members/<member>"): ("/groups/101/members/100", "/groups/101/members/101"),
    ("DELETE", "/groups/<id>/members/<member>"): ("/groups/101/members/100", "/groups/1/members/2"),
    ("GET", "/tokens"): ("/tokens?user=ann", "/tokens?user=nobody"),
    ("POST", "/tokens"): ("/tokens", ""),
    ("DELETE", "/tokens/<token_id>"): ("/tokens/{token_id}", "/tokens/unknown"),
    ("GET", "/permissions/explain"): ("/permissions/explain?model=m&principal=ann", "/permissions/explain?model=m"),
    ("GET", "/audit"): ("/audit?action=createPrincipal&max_results=1", "/audit?action=everything"),
    ("GET", "/audit/export"): ("/audit/export?after=0", "/audit/export?after=x"),
}
# What these requests say in their bodies.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/schedules/<name>"): {"enabled": False},
    ("POST", "/users"): {"name": "bob", "groups": ["team"], "admin": True},
    ("PATCH", "/users/<id>"): {"display_name": "Ann", "active": False},
    ("POST", "/groups"): {"name": "crew"},
    ("PATCH", "/groups/<id>"): {"name": "crew"},
    ("POST", "/tokens"): {"user": "ann", "models": ["m"], "highest_stage": "Staging", "expires_days": 1},
    ("POST", "/bulk/archive"): {"all": True},
    ("POST", "/bulk/delete"): {"filter": "name = 'n'", "dry_run": False},
    ("POST", "/bulk/restore"): {"all": True},
    ("POST", "/bulk/verify"): {"versions": [{"name": "n", "version": 1}]},
    ("POST", "/bulk/tag"): {"all": True, "key": "team", "value": "fraud"},
    ("POST", "/plans/<id>/execute"): {"digest": DIGEST},
    ("POST", "/policies"): {"name": "tidy", "action": "archive", "models": "fraud-*", "every_s": 3600},
    ("PATCH", "/policies/<name>"): {"enabled": True},
}


def test_the_description_is_valid_openapi() -> None:
    document = description()

    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_of_the_table_is_described_by_a_sentence_and_a_name_of_its_own() -> None:
    paths = description()["paths"]

    operations = [
        paths[NATIVE_PREFIX + route.path.replace("<", "{").replace(">", "}")][route.method.lower()] for route in NATIVE
    ]

    assert len({operation["operationId"] for operation in operations}) == len(NATIVE)
    assert all(operation["summary"].endswith(".") for operation in operations)
    assert sum(len(path) for path in paths.values()) == len(NATIVE)


def test_what_a_request_may_say_is_described_with_its_bounds_and_defaults() -> None:
    parameters = {
        parameter["name"]: parameter for parameter in description()["paths"]["/api/v1/jobs"]["get"]["parameters"]
    }

    assert parameters["max_results"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "default": 50,
        "examples": [100],
    }
    assert parameters["status"]["schema"]["items"] == {"$ref": "#/components/schemas/JobStatus"}
    assert not any(
        parameter["required"] or parameter["schema"].get("default", 0) is None for parameter in parameters.values()
    )


def test_what_stands_in_the_path_is_no_part_of_the_body() -> None:
    cancel = description()["paths"]["/api/v1/jobs/{job_id}/cancel"]["post"]
    retry = description()["paths"]["/api/v1/jobs/retry"]["post"]

    assert [(parameter["name"], parameter["in"]) for parameter in cancel["parameters"]] == [("job_id", "path")]
    assert "requestBody" not in cancel
    assert "kind" in retry["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert "parameters" not in retry


def test_the_examples_of_these_tests_are_all_routes() -> None:
    assert set(EXAMPLES) == {(route.method, route.path) for route in NATIVE}


@MOSTLY_SQLITE
@pytest.mark.parametrize("route", EXAMPLES)
def test_every_answer_is_what_was_described(yard: Yard, route: tuple[str, str]) -> None:
    set_up_jobs(yard)
    set_up_store(yard)
    token_id = public_id_of(yard.person("ann", "team"))
    set_up_plan(yard)
    if "rollback" in route[1]:
        yard.ready("r", source=yard.model_folder("r", weights=b"r"), stage="Production")
    if "materialize" in route[1]:
        yard.ready("o", source=yard.model_folder("o"))
        with transaction(yard.engine) as session:
            only_remembered = {"registration_mode": "reference", "manifest_digest": None}
            its_model = select(RegisteredModel.id).where(col(RegisteredModel.name) == "o").scalar_subquery()
            session.execute(
                update(ModelVersion).where(col(ModelVersion.model_id) == its_model).values(**only_remembered)
            )
    method, _ = route
    right, wrong = (path.format(token_id=token_id) for path in EXAMPLES[route])

    answers: list[Any] = [
        (path, yard.send(method, NATIVE_PREFIX + path, BODIES.get(route))) for path in (right, wrong) if path
    ]

    assert [answer.status_code == 200 for _, answer in answers] == [True, False][: len(answers)]
    for path, answer in answers:
        check_answer(method, NATIVE_PREFIX + path, answer)


def test_the_description_is_shown_to_everybody_under_the_public_address(open_yard: Any) -> None:
    yard = open_yard(auth="token", admin_token="secret-of-the-test", public_url="https://registry.example")

    assert yard.call("GET", "/api/v1/openapi.json")["servers"] == [{"url": "https://registry.example"}]
    assert yard.refused("GET", "/api/v1/jobs") == (401, "CUSTOMER_UNAUTHORIZED")


def set_up_jobs(yard: Yard) -> None:
    """Make a job that FAILED, one that runs and has said something, and one that waits."""
    for _ in range(2):
        yard.register()
    failed, running, _ = yard.jobs()[0].id, yard.jobs()[1].id, yard.add_job()
    yard.runtime.lifecycle.fail(yard.claim(failed), "X", "Broken.", [LogLine("error", "Broken.")])
    yard.runtime.lifecycle.heartbeat(
        yard.claim(running), {"bytes_per_s": 5, "bytes_total": 10}, [LogLine("info", "on")]
    )


def set_up_store(yard: Yard) -> None:
    """Make a READY version of `n` that is damaged, and a model in the trash."""
    yard.ready("n")
    yard.call("POST", "registered-models/create", {"name": "gone"})
    yard.call("DELETE", "registered-models/delete", {"name": "gone"})
    [model_file] = yard.call("GET", f"{NATIVE_PREFIX}/models/n/versions/1/files")["files"]
    with transaction(yard.engine) as session:
        session.execute(update(Blob).where(col(Blob.digest) == model_file["sha256"]).values(broken_at_ms=1))
        session.execute(update(RegisteredModel).where(col(RegisteredModel.name) == "gone").values(public_id=TRASHED))


def set_up_plan(yard: Yard) -> None:
    """Make a plan for the version of `n`."""
    yard.call("POST", f"{NATIVE_PREFIX}/bulk/archive", {"versions": [{"name": "n", "version": 1}]})
    with transaction(yard.engine) as session:
        session.execute(update(Plan).values(public_id=PLAN, digest=DIGEST))
