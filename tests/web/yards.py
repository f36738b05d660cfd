"""A web process without a server: Flask's own client before a real database and a real store, and a worker at hand."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Job
from modelyard.jobs.guards import Claim
from modelyard.registry.access import Actor
from modelyard.registry.groups import add_members, create_group
from modelyard.registry.principals import find_principal, require_account
from modelyard.registry.tokens import create_token, revoke_token
from modelyard.registry.users import create_user, set_active
from modelyard.rules.jobs import FINAL, JobKind, JobStatus
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.tokens import UNLIMITED, TokenLimits, public_id_of
from modelyard.runtime import Runtime
from modelyard.web.app import create_app
from modelyard.web.site import EXTENSION, Site
from modelyard.worker import runner
from modelyard.worker.context import Context
from modelyard.worker.drain import DrainFlag
from modelyard.worker.tasks import WORK
from tests.web.contract import check_answer

PREFIX = "/api/2.0/mlflow"
CONSOLE = Actor("console", is_admin=True)
UPLOADS = "/databricks/mlflow/tmp-external-source"


@dataclass
class Yard:
    """An application, its client, and a worker that runs when the test says so."""

    runtime: Runtime
    folder: Path
    client: FlaskClient = field(init=False)
    # Whose token requests are sent with; "" sends none.
    token: str = ""
    # Name -> token, for tests of several people.
    people: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app: Flask = create_app(self.runtime)
        self.site: Site = self.app.extensions[EXTENSION]
        self.client = self.app.test_client()

    @property
    def engine(self) -> Engine:
        """The engine of the application."""
        return self.runtime.engine

    def send(self, method: str, route: str, body: Any = None, **options: Any) -> TestResponse:
        """Send a request to a registry route, or to any path that begins with a slash.

        Answers of the native API are held to its description, whatever the test is about.
        """
        path = route if route.startswith("/") else f"{PREFIX}/{route}"
        arguments = {"json": body} if body is not None else {}
        options.setdefault("headers", self.bearer(self.token) if self.token else {})
        answer = self.client.open(path, method=method, **arguments, **options)
        check_answer(method, path, answer)
        return answer

    @staticmethod
    def bearer(token: str) -> dict[str, str]:
        """Return the headers that show a token."""
        return {"Authorization": f"Bearer {token}"}

    def person(self, name: str, *groups: str, limits: TokenLimits = UNLIMITED) -> str:
        """Enter a user, in groups that are made where they are missing; return a token of theirs."""
        with transaction(self.engine) as session:
            person = create_user(session, CONSOLE, name)
            for group_name in groups:
                found = find_principal(session, PrincipalKind.GROUP, group_name)
                add_members(session, CONSOLE, found or create_group(session, CONSOLE, group_name), [person])
            return create_token(session, CONSOLE, person, limits, lifetime_s=3600)[1]

    def revoke(self, token: str) -> None:
        """Revoke a token as another process would."""
        with transaction(self.engine) as session:
            revoke_token(session, CONSOLE, public_id_of(token) or "")

    def disable(self, name: str) -> None:
        """Disable a user as another process would."""
        with transaction(self.engine) as session:
            set_active(session, CONSOLE, require_account(session, name), active=False)

    def call(self, method: str, route: str, body: Any = None, **query: Any) -> Any:
        """Send a request that must succeed; return its JSON."""
        answer = self.send(method, route, body, query_string=query or None)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()

    def refused(self, method: str, route: str, body: Any = None, **query: Any) -> tuple[int, str]:
        """Send a request that must fail; return its status and error code."""
        answer = self.send(method, route, body, query_string=query or None)
        assert answer.status_code >= 400, answer.get_data(as_text=True)
        document = answer.get_json()
        assert document["message"]
        return answer.status_code, document["error_code"]

    def model_folder(self, name: str = "model", **files: bytes) -> Path:
        """Write a folder that may be registered: an MLmodel and these files."""
        folder = self.folder / "sources" / name
        for path, content in {"MLmodel": b"flavors: {}\n", **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder

    def register(self, name: str = "m", *, source: Path | str | None = None, **fields: Any) -> dict[str, Any]:
        """Register a version, making the model where it is missing; return the version as the answer shows it."""
        self.send("POST", "registered-models/create", {"name": name})
        body = {"name": name, "source": str(source or self.model_folder()), **fields}
        version: dict[str, Any] = self.call("POST", "model-versions/create", body)["model_version"]
        return version

    def ready(self, name: str = "m", *, stage: str | None = None, **options: Any) -> str:
        """Register a version and let the worker copy it, then move it to a stage; return its number."""
        number = str(self.register(name, **options)["version"])
        self.work()
        if stage:
            self.call("POST", "model-versions/transition-stage", {"name": name, "version": number, "stage": stage})
        return number

    def version(self, name: str = "m", number: str = "1") -> dict[str, Any]:
        """Return a version as it is shown now."""
        shown: dict[str, Any] = self.call("GET", "model-versions/get", name=name, version=number)["model_version"]
        return shown

    def work(self) -> list[JobStatus | None]:
        """Run every job that waits, one attempt each, as a worker would."""
        context = Context(
            engine=self.engine,
            lifecycle=self.runtime.lifecycle,
            store=self.runtime.store,
            roots=self.runtime.roots,
            tracking=self.runtime.tracking,
            limits=self.runtime.limits,
            drain=DrainFlag(),
            stall_s=60,
            trust_ms=self.runtime.trust_ms,
            owner=self.runtime.owner,
            trash_ms=self.runtime.trash_ms,
            grace_ms=self.runtime.grace_ms,
            buckets=self.runtime.buckets,
        )
        waiting = [job for job in self.jobs() if job.status == JobStatus.QUEUED]
        return [runner.run(context, WORK[JobKind(job.kind)], job.id) for job in waiting]

    def add_job(self, **columns: Any) -> int:
        """Write a job's row as it might have been left; return its id."""
        values: dict[str, Any] = {"kind": "probe", "queue": "fast", "max_attempts": 5, "requested_by": "ann", **columns}
        if values.get("status") in FINAL:
            values.setdefault("finished_at_ms", 1)
        with transaction(self.engine) as session:
            job = Job(**values)
            session.add(job)
            session.flush()
            return job.id

    def claim(self, job_id: int, worker: str = "host:7:6:unique") -> Claim:
        """Take a waiting job as a worker does."""
        claim = self.runtime.lifecycle.claim(job_id, worker)
        assert claim is not None
        return claim

    def jobs(self) -> list[Job]:
        """Return every job's row, oldest first."""
        with reading(self.engine) as session:
            return list(session.scalars(select(Job).order_by(Job.id)))
