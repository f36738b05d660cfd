"""Asking for bytes to be verified, repaired, taken over into the store, or collected.

Each is a job; whoever asks for one that is open already is given that one.
"""

from typing import Any

from sqlmodel import Session, col, select

from modelyard.database.tables import Job, ModelVersion, ModelVersionTag, RegisteredModel
from modelyard.errors import InvalidState, SourceRefused
from modelyard.jobs.guards import is_open
from modelyard.jobs.queue import JobQueue
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.integrity import integrity_of
from modelyard.registry.model_versions import find_model_version
from modelyard.registry.progress import model_subject, subject_of
from modelyard.registry.registered_models import find_registered_model
from modelyard.rules.audit import Action
from modelyard.rules.jobs import JobKind
from modelyard.rules.permissions import Ability
from modelyard.rules.prompts import PROMPT_TAG, is_prompt_version
from modelyard.rules.sources import CopiedSource, RegisteredVersion, Upload, parse_source
from modelyard.rules.versions import RegistrationMode, VersionStatus, check_ready

STORE = "store"


def verify_version(session: Session, actor: Actor, name: str, number: int, *, queue: JobQueue) -> Job:
    """Have the stored files of a version read again.

    Raises NotFound, PermissionDenied, InvalidState for a version without stored files.
    """
    _, version, _ = _find_stored(session, actor, name, number, "verified")
    return _open_or_new_of(session, actor, JobKind.VERIFY_VERSION, version, queue)


def verify_model(session: Session, actor: Actor, name: str, *, queue: JobQueue) -> Job:
    """Have the stored files of all of a model's versions read again, each once however many versions share it.

    Raises NotFound, PermissionDenied.
    """
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.VERIFY)
    subject = f"verify:{model_subject(model.public_id)}"
    return _open_or_new(session, JobKind.VERIFY_STORE, subject, queue, requested_by=actor.name, model_id=model.id)


def verify_store(session: Session, actor: Actor, *, queue: JobQueue) -> Job:
    """Have everything that any version uses read again. Raises PermissionDenied."""
    access.require_admin(actor, "verifying the whole store")
    return _open_or_new(session, JobKind.VERIFY_STORE, f"verify:{STORE}", queue, requested_by=actor.name)


def repair_version(session: Session, actor: Actor, name: str, number: int, source: str, *, queue: JobQueue) -> Job:
    """Have the damaged files of a version copied again from `source`, which the caller has vetted.

    Raises NotFound, PermissionDenied, InvalidState when nothing is known to be damaged.
    """
    model, version, manifest = _find_stored(session, actor, name, number, "repaired")
    if not integrity_of(session, manifest).damaged:
        raise InvalidState(f"Nothing of version {number} of {name!r} is known to be damaged. Verify it first.")
    audit.record(session, actor, Action.REPAIR_VERSION, model=model, version=version, after={"source": source})
    return _open_or_new_of(session, actor, JobKind.REPAIR_VERSION, version, queue, arguments={"source": source})


def remembered_source(session: Session, actor: Actor, name: str, number: int) -> str:
    """Return where the files lie of a version that was registered by reference.

    Raises NotFound, PermissionDenied for somebody who may not have them copied, InvalidState for a version whose files
    are here already and for a prompt's.
    """
    return _find_remembered(session, actor, find_registered_model(session, name), number).source


def materialize_version(session: Session, actor: Actor, name: str, number: int, source: str, *, queue: JobQueue) -> Job:
    """Have a version's files copied that was registered by reference, from its source, which the caller has vetted.

    Until they are stored, and when they cannot be, the version stays as it is. Raises as `remembered_source`.
    """
    model = find_registered_model(session, name, lock=True)
    version = _find_remembered(session, actor, model, number)
    if version.source != source:
        raise InvalidState(f"The source of version {number} of {name!r} has just been changed. Ask again.")
    audit.record(session, actor, Action.MATERIALIZE_VERSION, model=model, version=version, after={"source": source})
    return _open_or_new_of(session, actor, JobKind.MATERIALIZE, version, queue, arguments={"source": source})


def collect(session: Session, actor: Actor, *, dry_run: bool, queue: JobQueue) -> Job:
    """Have the bytes removed that nobody refers to, or with `dry_run` only counted. Raises PermissionDenied."""
    access.require_admin(actor, "collecting what nobody refers to")
    if dry_run:
        arguments = {"dry_run": True}
        added = queue.enqueue(session, JobKind.COLLECT, requested_by=actor.name, arguments=arguments)
        return session.get_one(Job, added.id)
    audit.record(session, actor, Action.COLLECT)
    return _open_or_new(session, JobKind.COLLECT, f"collect:{STORE}", queue, requested_by=actor.name)


def copied_source(text: str) -> CopiedSource:
    """Return the source from which files can be copied. Raises SourceRefused for one that holds no bytes of its own."""
    source = parse_source(text)
    if isinstance(source, RegisteredVersion | Upload):
        where = "the upload area" if isinstance(source, Upload) else "another version, which shares its bytes"
        raise SourceRefused(
            f"This version came from {where}. Give a `source` that holds the same files, or register them again."
        )
    return source


def stored_manifest(name: str, version: ModelVersion, doing: str) -> str:
    """Return the manifest of a version with stored files. Raises InvalidState; `doing` says what it is wanted for."""
    check_ready(name, version.version, VersionStatus(version.status), doing)
    if version.registration_mode == RegistrationMode.REFERENCE or version.manifest_digest is None:
        raise InvalidState(
            f"Version {version.version} of {name!r} was registered by reference: its files are not kept here and "
            f"cannot be {doing}."
        )
    return version.manifest_digest


def _find_remembered(session: Session, actor: Actor, model: RegisteredModel, number: int) -> ModelVersion:
    access.require(session, actor, model, Ability.CREATE_VERSION)
    version = find_model_version(session, model, number)
    check_ready(model.name, number, VersionStatus(version.status), "taken over")
    if is_prompt_version(version.source, _prompt_tag(session, version)):
        raise InvalidState(f"Version {number} of {model.name!r} is a prompt's: it has no files.")
    if version.registration_mode != RegistrationMode.REFERENCE or version.manifest_digest is not None:
        raise InvalidState(f"The files of version {number} of {model.name!r} are in the store already.")
    return version


def _prompt_tag(session: Session, version: ModelVersion) -> dict[str, str]:
    tag = select(ModelVersionTag.value).where(
        col(ModelVersionTag.version_id) == version.id, col(ModelVersionTag.key) == PROMPT_TAG
    )
    value = session.exec(tag).first()
    return {} if value is None else {PROMPT_TAG: value}


def _find_stored(
    session: Session, actor: Actor, name: str, number: int, doing: str
) -> tuple[RegisteredModel, ModelVersion, str]:
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.VERIFY)
    version = find_model_version(session, model, number)
    return model, version, stored_manifest(name, version, doing)


def _open_or_new_of(
    session: Session, actor: Actor, kind: JobKind, version: ModelVersion, queue: JobQueue, **options: Any
) -> Job:
    """Return the open job of this kind for a version, or a new one that `actor` asks for."""
    about = {"model_id": version.model_id, "version_id": version.id}
    return _open_or_new(session, kind, subject_of(version), queue, requested_by=actor.name, **about, **options)


def _open_or_new(session: Session, kind: JobKind, subject: str, queue: JobQueue, **options: Any) -> Job:
    """Return the open job of this kind and subject, or a new one. The caller has locked the model's row, if any."""
    open_one = select(Job).where(col(Job.subject) == subject, col(Job.kind) == kind, is_open())
    job = session.exec(open_one.order_by(col(Job.id))).first()
    return job or session.get_one(Job, queue.enqueue(session, kind, subject=subject, **options).id)
