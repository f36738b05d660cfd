"""Where the registration of a version stands, read from its open job when somebody asks."""

from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column

from modelyard.database.clock import now_ms
from modelyard.database.json_sql import gathered, parsed
from modelyard.database.tables import ModelVersion, metadata
from modelyard.jobs.guards import is_open
from modelyard.rules.jobs import JobKind
from modelyard.rules.progress import OpenJob, pending_message
from modelyard.rules.versions import VersionStatus, damaged_message

_versions = metadata.tables["model_versions"]
_jobs = metadata.tables["jobs"]

_SUBJECT = "model_version:"


def subject_of(version: ModelVersion) -> str:
    """Return the lock under which the jobs of a version run one at a time."""
    return version_subject(version.public_id)


def version_subject(public_id: str) -> str:
    """Return the lock of the version with this public id."""
    return f"{_SUBJECT}{public_id}"


def model_subject(public_id: str) -> str:
    """Return the lock under which jobs on a whole model run one at a time."""
    return f"registered_model:{public_id}"


def open_job() -> ColumnElement[str]:
    """Return a column for statements that read `model_versions`; `status_message` reads what it gives."""
    made: dict[str, ColumnElement[Any]] = {
        "waits_ms": _jobs.c.run_after_ms - now_ms(),
        "status_message": func.coalesce(_jobs.c.status_message, ""),
    }
    names = [field.name for field in fields(OpenJob)]
    job = gathered(*(made[name] if name in made else _jobs.c[name] for name in names)).where(
        _jobs.c.subject == literal_column(f"'{_SUBJECT}'") + _versions.c.public_id,
        is_open(),
        _jobs.c.kind == JobKind.REGISTER_VERSION,
    )
    is_pending = _versions.c.status == VersionStatus.PENDING
    return case((is_pending, job.correlate(_versions).scalar_subquery()))


def status_message(open_job: str | None, damaged: int, row_message: str) -> str:
    """Return what a version says of its status: told from its open job while it has one, then from how many of its
    stored files are damaged, else what its row holds.
    """
    if open_job:
        for values in parsed(open_job):
            return pending_message(OpenJob(*values))
    return damaged_message(damaged) if damaged else row_message
