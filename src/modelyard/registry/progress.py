"""Where the registration of a version stands, read from its open job when somebody asks."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.tables import Job, ModelVersion
from modelyard.rules.jobs import OPEN, JobKind
from modelyard.rules.progress import OpenJob, pending_message
from modelyard.rules.versions import VersionStatus

_BATCH = 500
# SQLite uses a partial index only for a condition that is written out like the index's own.
_OPEN_STATUSES: list[ColumnElement[str]] = [literal_column(f"'{status}'") for status in sorted(OPEN)]


def subject_of(version: ModelVersion) -> str:
    """Return the lock under which the jobs of a version run one at a time."""
    return f"model_version:{version.public_id}"


def status_messages(session: Session, versions: Sequence[ModelVersion]) -> dict[int, str]:
    """Return row id -> status message: told from the open job while PENDING, else what the row holds."""
    messages = {version.id: version.status_message for version in versions}
    pending = [subject_of(version) for version in versions if version.status == VersionStatus.PENDING]
    for start in range(0, len(pending), _BATCH):
        messages |= _pending_messages(session, pending[start : start + _BATCH])
    return messages


def _pending_messages(session: Session, subjects: Sequence[str]) -> dict[int, str]:
    rows = session.execute(
        select(Job, col(Job.run_after_ms) - now_ms()).where(
            col(Job.subject).in_(subjects),
            col(Job.status).in_(_OPEN_STATUSES),
            col(Job.kind) == JobKind.REGISTER_VERSION,
        )
    )
    return {job.version_id: pending_message(_open_job(job, waits_ms)) for job, waits_ms in rows}


def _open_job(job: Job, waits_ms: int) -> OpenJob:
    return OpenJob(
        status=job.status,
        waits_ms=waits_ms,
        attempt=job.attempt,
        step=job.step,
        items_done=job.items_done,
        items_total=job.items_total,
        bytes_done=job.bytes_done,
        bytes_total=job.bytes_total,
        status_message=job.status_message or "",
    )
