"""What each origin of a version sets in motion: a copy by a worker, or the same files once more.

An upload is taken over in the same transaction, so that later uploads and their expiry change nothing.
"""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelyard.database.tables import Job, ModelVersion, RegisteredModel
from modelyard.errors import NotFound, SourceRefused
from modelyard.jobs.queue import JobQueue
from modelyard.registry import access, blobs
from modelyard.registry.access import Actor
from modelyard.registry.progress import subject_of
from modelyard.registry.registered_models import find_registered_model, latest_versions
from modelyard.rules.jobs import JobKind
from modelyard.rules.permissions import Ability
from modelyard.rules.sources import CopiedSource, RegisteredVersion, Upload
from modelyard.rules.stages import Stage, parse_stage
from modelyard.rules.versions import MAX_VERSION, RegistrationMode, VersionStatus, check_ready


def copy_of_version(session: Session, actor: Actor, version: ModelVersion, origin: RegisteredVersion) -> None:
    """Make `version`, not yet stored, READY with the files of another version: the same manifest, no bytes moved.

    Raises SourceRefused when there is no such version, InvalidState when it is not READY, PermissionDenied.
    """
    model, found = _find_origin(session, actor, origin)
    check_ready(model.name, found.version, VersionStatus(found.status), "registered again")
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
        version.source = f"models:/{model.name}/{found.version}"


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


def _enqueue(session: Session, actor: Actor, version: ModelVersion, arguments: dict[str, Any], queue: JobQueue) -> Job:
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


def _find_origin(session: Session, actor: Actor, origin: RegisteredVersion) -> tuple[RegisteredModel, ModelVersion]:
    try:
        model = find_registered_model(session, origin.name)
    except NotFound as error:
        raise SourceRefused(f"There is no registered model {origin.name!r} to register from.") from error
    access.require(session, actor, model, Ability.VIEW)
    found = _numbered(session, model, origin.version) if origin.version is not None else _newest(session, model, origin)
    if found is None:
        which = next(str(word) for word in (origin.version, origin.stage, origin.alias) if word is not None)
        raise SourceRefused(f"The registered model {origin.name!r} has no version {which!r} to register from.")
    return model, found


def _numbered(session: Session, model: RegisteredModel, number: int) -> ModelVersion | None:
    if number > MAX_VERSION:
        return None
    return session.exec(
        select(ModelVersion).where(
            col(ModelVersion.model_id) == model.id,
            col(ModelVersion.version) == number,
            col(ModelVersion.deleted_at_ms).is_(None),
        )
    ).one_or_none()


def _newest(session: Session, model: RegisteredModel, origin: RegisteredVersion) -> ModelVersion | None:
    """Return what a stage, or the word `latest`, means now."""
    if origin.stage is None:
        raise SourceRefused("Aliases are not served by this release. Name the version: models:/NAME/VERSION.")
    stages = tuple(Stage) if origin.stage.lower() == "latest" else (parse_stage(origin.stage),)
    found = latest_versions(session, [model], stages=stages)[model.id]
    return found[-1] if found else None
