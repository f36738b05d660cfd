"""What each origin of a version sets in motion: a copy by a worker, or the same files once more.

An upload is taken over in the same transaction, so that later uploads and their expiry change nothing.
"""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from modelyard.database.tables import ModelVersion
from modelyard.errors import InvalidValue, NotFound, SourceRefused
from modelyard.jobs.queue import Enqueued, JobQueue
from modelyard.registry import blobs, queries
from modelyard.registry.access import Actor
from modelyard.registry.integrity import require_intact
from modelyard.registry.progress import subject_of
from modelyard.registry.shown import ShownVersion
from modelyard.rules.aliases import LATEST, means_latest
from modelyard.rules.jobs import JobKind
from modelyard.rules.prompts import is_prompt_version
from modelyard.rules.sources import CopiedSource, RegisteredVersion, Upload
from modelyard.rules.stages import parse_stage
from modelyard.rules.versions import RegistrationMode, VersionStatus, check_ready


def copy_of_version(session: Session, actor: Actor, version: ModelVersion, origin: RegisteredVersion) -> None:
    """Make `version`, not yet stored, READY with the files of another version: the same manifest, no bytes moved.

    Raises SourceRefused when there is no such version, InvalidState when it is not READY, PermissionDenied.
    """
    found = _find_origin(session, actor, origin)
    check_ready(origin.name, found.version, VersionStatus(found.status), "registered again")
    require_intact(session, origin.name, found, "registered again")
    version.status = VersionStatus.READY
    version.registration_mode = found.registration_mode
    version.manifest_digest = found.manifest_digest
    version.size_bytes, version.file_count = found.size_bytes, found.file_count
    version.run_id = version.run_id or found.run_id
    version.logged_model_id = version.logged_model_id or found.logged_model_id
    if found.registration_mode == RegistrationMode.REFERENCE:
        # What was only remembered would be lost with the version that it is taken from.
        version.source = found.source
    elif origin.version is None:
        version.source = f"models:/{origin.name}/{found.version}"


def enqueue_copy(
    session: Session, actor: Actor, version: ModelVersion, origin: CopiedSource | Upload, *, queue: JobQueue
) -> None:
    """Have a worker copy what `version`, PENDING and stored, was registered from. Raises SourceRefused."""
    if not isinstance(origin, Upload):
        _enqueue(session, actor, version, {"source": version.source}, queue)
        return
    found = blobs.find_uploads(session, actor_name=actor.name, source_path=origin.path)
    job = _enqueue(session, actor, version, {"source": version.source, "upload_folder": found.folder}, queue)
    try:
        blobs.claim_uploads(session, found, job_id=job.id)
    except IntegrityError as error:
        raise SourceRefused("The uploaded files are gone. Upload them again, then register.") from error


def _enqueue(
    session: Session, actor: Actor, version: ModelVersion, arguments: dict[str, Any], queue: JobQueue
) -> Enqueued:
    return queue.enqueue(
        session,
        JobKind.REGISTER_VERSION,
        requested_by=actor.name,
        arguments=arguments,
        subject=subject_of(version),
        dedupe_key=f"register:{version.public_id}",
        model_id=version.model_id,
        version_id=version.id,
    )


def _find_origin(session: Session, actor: Actor, origin: RegisteredVersion) -> ModelVersion:
    """Return the version that `origin` names, or that its stage, its alias or the word `latest` means now."""
    try:
        found = _look_up(session.connection(), actor, origin)
    except (NotFound, InvalidValue) as error:
        raise SourceRefused(f"There is nothing to register from: {error.message}") from error
    if is_prompt_version(found.source, dict(found.tags)):
        raise SourceRefused(f"{origin.name!r} is a prompt, which has no files to register from.")
    return session.get_one(ModelVersion, found.id)


def _look_up(connection: Connection, actor: Actor, origin: RegisteredVersion) -> ShownVersion:
    if origin.version is not None:
        return queries.model_version(connection, actor, origin.name, origin.version)
    if origin.stage is None or means_latest(origin.stage):
        return queries.model_version_by_alias(connection, actor, origin.name, origin.alias or LATEST)
    stage = parse_stage(origin.stage)
    latest = queries.latest_versions(connection, actor, origin.name, [stage])
    if not latest:
        raise NotFound(f"The registered model {origin.name!r} has no READY version in {stage}.")
    return latest[0]
