"""A model of one person: another one finds nothing of it, whatever is asked, and is refused at its address."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Job, ModelVersion, RegisteredModel
from tests.web.yards import UPLOADS, Yard

NATIVE = "/api/v1"
SCIM = "/api/2.0/preview/scim/v2"
# Requests for whatever there is. `{…}` are things of the private model, which a stranger may have heard of.
FINDS: list[tuple[str, str, Any]] = [
    ("GET", "registered-models/search", None),
    ("GET", "registered-models/search?filter=name='hidden'", None),
    ("GET", "registered-models/search?filter=name LIKE '%'&order_by=last_updated_timestamp DESC", None),
    ("GET", "registered-models/search?filter=tags.colour='violet'", None),
    ("GET", "registered-models/search?max_results=1", None),
    ("GET", "registered-models/list", None),
    ("GET", "/api/2.0/preview/mlflow/registered-models/list", None),
    ("GET", "/ajax-api/2.0/mlflow/registered-models/search", None),
    ("GET", "model-versions/search", None),
    ("GET", "model-versions/search?filter=name='hidden'", None),
    ("GET", "model-versions/search?filter=name IN ('hidden','open')", None),
    ("GET", "model-versions/search?filter=run_id='run-of-ann'", None),
    ("GET", "model-versions/search?filter=tags.shape='round'", None),
    ("GET", "model-versions/search?filter=source_path='{source}'", None),
    ("GET", "model-versions/search?order_by=creation_timestamp ASC&max_results=1", None),
    ("GET", f"{NATIVE}/jobs", None),
    ("GET", f"{NATIVE}/jobs?model=hidden", None),
    ("GET", f"{NATIVE}/jobs?actor=ann", None),
    ("GET", f"{NATIVE}/jobs?status=FAILED&status=RUNNING", None),
    ("POST", f"{NATIVE}/jobs/retry", {}),
    ("POST", f"{NATIVE}/jobs/retry", {"model": "hidden"}),
    ("GET", f"{NATIVE}/workers", None),
    ("GET", f"{NATIVE}/queues", None),
    ("GET", f"{NATIVE}/trash", None),
    ("POST", f"{NATIVE}/bulk/delete", {"all": "true"}),
    ("POST", f"{NATIVE}/bulk/restore", {"all": "true"}),
    ("POST", f"{NATIVE}/bulk/tag", {"filter": "name = 'hidden'", "key": "a"}),
    ("GET", f"{NATIVE}/plans", None),
    ("GET", f"{NATIVE}/audit", None),
    ("GET", f"{NATIVE}/audit?model=hidden", None),
    ("GET", f"{NATIVE}/audit?actor=ann", None),
    ("GET", f"{NATIVE}/audit/export?after=0", None),
    ("GET", f"{NATIVE}/models/open/usage", None),
    ("GET", f"{NATIVE}/tokens", None),
    ("GET", f"{NATIVE}/users", None),
    ("GET", f"{NATIVE}/groups", None),
    ("GET", f"{NATIVE}/schedules", None),
    ("GET", f"{SCIM}/Me", None),
    ("GET", f"{SCIM}/Users", None),
    ("GET", "/api/2.0/token/list", None),
    ("GET", "/metrics", None),
    ("GET", "model-versions/get-signed-download-uri?name=hidden&version=1&path=MLmodel", None),
]
# Requests at an address of its own.
AIMED: list[tuple[str, str, Any]] = [
    ("GET", "registered-models/get?name=hidden", None),
    ("GET", "databricks/registered-models/get?name=hidden", None),
    ("PATCH", "registered-models/update", {"name": "hidden", "description": "x"}),
    ("POST", "registered-models/rename", {"name": "hidden", "new_name": "x"}),
    ("DELETE", "registered-models/delete", {"name": "hidden"}),
    ("POST", "registered-models/get-latest-versions", {"name": "hidden"}),
    ("GET", "registered-models/alias?name=hidden&alias=best", None),
    ("GET", "model-versions/get?name=hidden&version=1", None),
    # Whether there is such a version is told to nobody either.
    ("GET", "model-versions/get?name=hidden&version=77", None),
    ("POST", "model-versions/create", {"name": "hidden", "source": "models:/open/1"}),
    # Nor are its files to be had by way of one's own model.
    ("POST", "model-versions/create", {"name": "open", "source": "models:/hidden/1"}),
    ("POST", "model-versions/create", {"name": "open", "source": "models:/hidden@best"}),
    ("GET", "model-versions/get-download-uri?name=hidden&version=1", None),
    ("GET", "model-versions/list-artifacts?name=hidden&version=1&path=", None),
    ("GET", "model-versions/list-activities?name=hidden&version=1", None),
    ("GET", "transition-requests/list?name=hidden&version=1", None),
    ("POST", "transition-requests/create", {"name": "hidden", "version": "1", "stage": "Staging"}),
    ("POST", "comments/create", {"name": "hidden", "version": "1", "comment": "x"}),
    ("DELETE", "comments/delete", {"id": "{comment}"}),
    ("GET", "/api/2.0/permissions/registered-models/{model}", None),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts?path=versions/{version}", None),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts/versions/{version}/MLmodel", None),
    ("GET", f"{NATIVE}/jobs/{{job}}", None),
    ("GET", f"{NATIVE}/jobs/{{job}}/log", None),
    ("POST", f"{NATIVE}/jobs/{{job}}/cancel", {}),
    ("POST", f"{NATIVE}/jobs/{{job}}/retry", {}),
    ("GET", f"{NATIVE}/models/hidden/usage", None),
    ("GET", f"{NATIVE}/models/hidden/versions/1/usage", None),
    ("GET", f"{NATIVE}/models/hidden/versions/1/files", None),
    ("GET", f"{NATIVE}/models/hidden/versions/1/integrity", None),
    ("POST", f"{NATIVE}/models/hidden/verify", {}),
    ("POST", f"{NATIVE}/models/hidden/rollback", {}),
    ("GET", f"{NATIVE}/policies", None),
    ("POST", f"{NATIVE}/trash/{{trashed}}/restore", {}),
    ("GET", f"{NATIVE}/permissions/explain?model=hidden&principal=eve", None),
    ("GET", f"{NATIVE}/store/usage", None),
    ("GET", f"{NATIVE}/store/damaged", None),
]


# Pages of whatever there is, and pages at an address of its own.
PAGES = [
    "/models",
    "/ui/models",
    "/models?q=hidden",
    "/register",
    "/usage",
    "/jobs",
    "/ui/jobs",
    "/jobs?model=hidden",
    "/jobs?actor=ann",
    "/jobs/retry",
    "/workers",
    "/schedules",
    "/trash",
]
AIMED_PAGES = [
    "/models/hidden",
    "/ui/models/hidden",
    "/models/hidden/description",
    "/models/hidden/tags",
    "/models/hidden/delete",
    "/models/hidden/compare?v=1",
    "/models/hidden/versions/1",
    "/models/hidden/versions/1/jobs",
    "/models/hidden/versions/1/artifacts",
    "/models/hidden/versions/1/raw/MLmodel",
    "/models/hidden/versions/1/mlmodel",
    "/models/hidden/versions/1/metrics",
    "/models/hidden/versions/1/transition?to=Staging",
    "/usage?model=hidden",
    "/jobs/{job}",
    "/jobs/{job}/log.txt",
    "/trash/{trashed}/restore",
    "/trash/{trashed}/purge",
]


@dataclass
class Secret:
    """What there is of the private model: key -> its text."""

    yard: Yard
    things: dict[str, str]

    def send(self, name: str, method: str, path: str, body: Any) -> Any:
        """Send a request as somebody, its braces filled in."""
        self.yard.token = self.yard.people[name]
        for key, text in self.things.items():
            path = path.replace(f"{{{key}}}", text)
            if body:
                body = {field: value.replace(f"{{{key}}}", text) for field, value in body.items()}
        return self.yard.send(method, path, body)


@pytest.fixture
def secret(open_yard: Callable[..., Yard]) -> Secret:
    """Ann's model `hidden`, with everything that a model can have, beside eve's `open`."""
    yard = open_yard(auth="token")
    yard.people = {name: yard.person(name) for name in ("ann", "eve")}
    yard.token = yard.people["eve"]
    yard.ready("open", source=yard.model_folder("other", weights=b"other"))
    yard.token = yard.people["ann"]
    yard.ready("hidden", run_id="run-of-ann", tags=[{"key": "shape", "value": "round"}])
    yard.ready("hidden")
    where = {"name": "hidden", "version": "1"}
    yard.call("POST", "registered-models/set-tag", {"name": "hidden", "key": "colour", "value": "violet"})
    yard.call("POST", "registered-models/alias", {**where, "alias": "best"})
    yard.call("POST", "transition-requests/create", {**where, "stage": "Staging"})
    comment = yard.call("POST", "comments/create", {**where, "comment": "between us"})["comment"]
    yard.call("DELETE", "model-versions/delete", {"name": "hidden", "version": "2"})
    yard.send("POST", f"/dbfs{UPLOADS}/ann/weights", {})
    with reading(yard.engine) as session:
        model = session.scalars(select(RegisteredModel).where(RegisteredModel.name == "hidden")).one()
        first, second = session.scalars(
            select(ModelVersion).where(ModelVersion.model_id == model.id).order_by(ModelVersion.version)
        ).all()
    failed = yard.add_job(model_id=model.id, version_id=first.id, status="FAILED", requested_by="ann")
    running = yard.add_job(model_id=model.id, requested_by="ann")
    yard.claim(running, "host:7:6:unique")
    with transaction(yard.engine) as session:
        session.execute(update(Job).where(Job.version_id == first.id).values(requested_by="ann"))
    things = {
        "model": model.public_id,
        "version": first.public_id,
        "trashed": second.public_id,
        "job": str(failed),
        "comment": comment["id"],
        "source": first.source,
    }
    return Secret(yard, things)


def test_a_stranger_finds_nothing_of_it_by_any_kind_of_request(secret: Secret) -> None:
    telling = ["hidden", "violet", "run-of-ann", "between us", "round"]
    telling += [text for key, text in secret.things.items() if key not in ("job", "comment", "source")]

    told = []
    for method, path, body in FINDS:
        answer = secret.send("eve", method, path, body)
        text = answer.get_data(as_text=True)
        told += [(path, word) for word in telling if word in text]
        told += [(path, answer.status_code)] * (answer.status_code != 200)

    assert len(FINDS) >= 25
    assert told == []


def test_its_owner_finds_it_by_the_same_requests(secret: Secret) -> None:
    found = [path for method, path, body in FINDS if "hidden" in secret.send("ann", method, path, body).text]

    assert {path.partition("?")[0] for path in found} >= {
        "registered-models/search",
        "registered-models/list",
        "model-versions/search",
        f"{NATIVE}/jobs",
        f"{NATIVE}/trash",
        f"{NATIVE}/audit",
        f"{NATIVE}/audit/export",
    }


def test_counts_and_pages_do_not_tell_of_it(secret: Secret) -> None:
    def answer(path: str) -> Any:
        return secret.send("eve", "GET", path, None).get_json()

    models, versions = answer("registered-models/search?max_results=1"), answer("model-versions/search?max_results=1")
    jobs, retried = answer(f"{NATIVE}/jobs"), secret.send("eve", "POST", f"{NATIVE}/jobs/retry", {}).get_json()

    assert [model["name"] for model in models["registered_models"]] == ["open"]
    assert "next_page_token" not in models
    assert [version["name"] for version in versions["model_versions"]] == ["open"]
    assert "next_page_token" not in versions
    assert {job["model"] for job in jobs["jobs"]} == {"open"}
    assert (retried["retried"], retried["refused"]) == (0, [])
    assert answer(f"{NATIVE}/trash")["items"] == []
    assert answer(f"{NATIVE}/models/open/usage")["shared_bytes"] == 0


def test_at_its_own_address_a_stranger_is_refused(secret: Secret) -> None:
    answers = [(path, secret.send("eve", method, path, body)) for method, path, body in AIMED]

    open_ones = [
        (path, answer.status_code, answer.text[:200])
        for path, answer in answers
        if (answer.status_code, (answer.get_json(silent=True) or {}).get("error_code")) != (403, "PERMISSION_DENIED")
    ]
    assert open_ones == []


def test_no_page_shows_a_stranger_anything_of_it(secret: Secret) -> None:
    telling = ["violet", "run-of-ann", "between us", secret.things["version"]]

    told = []
    for path in PAGES + AIMED_PAGES:
        answer = secret.send("eve", "GET", path, None)
        wanted = 403 if path in AIMED_PAGES else 200
        told += [(path, answer.status_code)] * (answer.status_code != wanted)
        told += [(path, word) for word in telling if word in answer.text]

    assert told == []
    assert "hidden" in secret.send("ann", "GET", "/models", None).text


def test_its_name_is_taken_and_a_link_to_its_files_leads_nowhere(secret: Secret) -> None:
    link = secret.send("eve", "GET", FINDS[-1][1], None).get_json()["signed_uri"]

    for method, path, body in [
        ("POST", "registered-models/create", {"name": "hidden"}),
        ("POST", "registered-models/rename", {"name": "open", "new_name": "hidden"}),
    ]:
        answer = secret.send("eve", method, path, body)
        assert (answer.status_code, answer.get_json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS"), path
    assert secret.yard.client.get(urlsplit(link).path + "?" + urlsplit(link).query).status_code == 404
    assert secret.send("eve", "GET", f"/api/2.0/dbfs/list?path={UPLOADS}/ann", None).status_code == 404
