"""Model versions: registered, found, changed, deleted."""

from collections.abc import Callable, Mapping

from sqlalchemy import bindparam, delete, func, insert, update
from sqlmodel import Session, col, select

from modelyard.database.appending import append
from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import ModelVersion, RegisteredModel, RegisteredModelAlias, metadata, public_id
from modelyard.errors import LimitReached, NotFound
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.origins import copy_of_version, enqueue_copy
from modelyard.registry.purges import enqueue_purge
from modelyard.registry.registered_models import find_registered_model, note_change, read_registered_model
from modelyard.registry.registration import NewVersion, Origin, Remembered
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.permissions import Ability
from modelyard.rules.sources import RegisteredVersion
from modelyard.rules.stages import Stage, check_version_deletable
from modelyard.rules.texts import check_description
from modelyard.rules.versions import MAX_VERSION, RegistrationMode, VersionStatus, check_not_pending, no_such_version

_models = metadata.tables["registered_models"]
_versions = metadata.tables["model_versions"]
_BY_NUMBER = select(ModelVersion).where(
    col(ModelVersion.model_id) == bindparam("model_id"),
    col(ModelVersion.version) == bindparam("number"),
    col(ModelVersion.deleted_at_ms).is_(None),
)
_LOCKED_WITH_MODEL = (
    select(RegisteredModel, ModelVersion)
    .join(ModelVersion, col(ModelVersion.model_id) == col(RegisteredModel.id))
    .where(
        col(RegisteredModel.name) == bindparam("name"),
        col(RegisteredModel.deleted_at_ms).is_(None),
        col(ModelVersion.version) == bindparam("number"),
        col(ModelVersion.deleted_at_ms).is_(None),
    )
    # Both: of a row that it does not lock, PostgreSQL would show the state before it waited for the other.
    .with_for_update(of=(RegisteredModel, ModelVersion))
)
_INSERT = insert(_versions).returning(_versions.c.id)
_version_tags = metadata.tables["model_version_tags"]
_TAKE_NUMBER = (
    update(_models)
    .where(_models.c.id == bindparam("row_id"))
    .values(
        next_version=_models.c.next_version + 1,
        updated_at_ms=now_ms(),
        change_counter=_models.c.change_counter + 1,
    )
    .returning(_models.c.next_version - 1, _models.c.updated_at_ms)
)


def create_model_version(
    session: Session,
    actor: Actor,
    wish: NewVersion,
    origin: Origin,
    *,
    lifecycle: Lifecycle,
    max_pending: int = 0,
    new_id: str | None = None,
) -> ModelVersion:
    """Give a model its next version: READY when there is nothing to copy, else PENDING with a job.

    `max_pending` is the most versions that may be PENDING at once, 0 for any number; `new_id` the public id to give.
    Raises NotFound, PermissionDenied, InvalidState or SourceRefused for an origin that cannot be copied, LimitReached.
    """
    model = find_registered_model(session, wish.name, lock=True)
    access.require(session, actor, model, Ability.CREATE_VERSION)
    version = _next_version(session, actor, model, wish, new_id or public_id())
    if isinstance(origin, Remembered):
        version.status, version.registration_mode = VersionStatus.READY, RegistrationMode.REFERENCE
    elif isinstance(origin, RegisteredVersion):
        copy_of_version(session, actor, version, origin)
    else:
        _check_pending_limit(session, max_pending)
    _insert(session, version, wish.tags)
    activities.record(session, actor, ActivityType.CREATED_VERSION, model, version, at_ms=version.created_at_ms)
    _record_creation(session, actor, model, version, wish)
    if not isinstance(origin, Remembered | RegisteredVersion):
        enqueue_copy(session, actor, version, origin, queue=lifecycle.queue)
    return version


def find_model_version(session: Session, model: RegisteredModel, number: int) -> ModelVersion:
    """Return the living version `number` of `model`. Raises NotFound."""
    given = {"model_id": model.id, "number": _stored(number)}
    version = session.exec(_BY_NUMBER, params=given).one_or_none()
    if version is None:
        raise no_such_version(model.name, number)
    return version


def lock_model_version(
    session: Session, name: str, number: int, *, permit: Callable[[RegisteredModel], None] = lambda model: None
) -> tuple[RegisteredModel, ModelVersion]:
    """Return a model and its version, both locked against others' changes, by one statement.

    `permit` is called with the model before anything is said of the version, and raises what the caller may not.
    Raises NotFound.
    """
    found = session.exec(_LOCKED_WITH_MODEL, params={"name": name, "number": _stored(number)}).one_or_none()
    model = found[0] if found else find_registered_model(session, name, lock=True)
    permit(model)
    return model, found[1] if found else find_model_version(session, model, number)


def read_model_version(session: Session, actor: Actor, name: str, number: int) -> tuple[RegisteredModel, ModelVersion]:
    """Return a version and its model to somebody who may see them. Raises NotFound, PermissionDenied."""
    model = read_registered_model(session, actor, name)
    return model, find_model_version(session, model, number)


def version_of_id(session: Session, actor: Actor, identity: str) -> tuple[RegisteredModel, ModelVersion]:
    """Return the living version with this public id, and its model. Raises NotFound, PermissionDenied."""
    statement = (
        select(RegisteredModel, ModelVersion)
        .join(ModelVersion, col(ModelVersion.model_id) == col(RegisteredModel.id))
        .where(col(ModelVersion.public_id) == identity, col(ModelVersion.deleted_at_ms).is_(None))
    )
    found = session.exec(statement).one_or_none()
    if found is None:
        raise NotFound("There is no such model version, or it was deleted.")
    model, version = found
    access.require(session, actor, model, Ability.VIEW)
    return model, version


def update_model_version(session: Session, actor: Actor, name: str, number: int, *, description: str) -> ModelVersion:
    """Replace a version's description, whatever its status. Raises NotFound, PermissionDenied, InvalidValue."""
    check_description(description)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.DESCRIBE)
    version = find_model_version(session, model, number)
    now = current_ms(session)
    before, version.description, version.updated_at_ms = version.description, description, now
    note_change(model, at_ms=now)
    activities.record(session, actor, ActivityType.UPDATED_VERSION, model, version, at_ms=now)
    audit.record(
        session,
        actor,
        Action.UPDATE_VERSION,
        model=model,
        version=version,
        before={"description": before},
        after={"description": description},
    )
    session.flush()
    return version


def delete_model_version(
    session: Session, actor: Actor, name: str, number: int, *, lifecycle: Lifecycle, purge_at_once: bool = False
) -> None:
    """Hide a version at once, with its aliases gone; its number is never given out again.

    It stays in the trash, unless purged at once.

    Raises NotFound, PermissionDenied, InvalidState in Staging and Production and while it is being registered.
    """
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.DELETE_VERSION)
    version = find_model_version(session, model, number)
    check_version_deletable(name, number, Stage(version.stage))
    check_not_pending(name, number, VersionStatus(version.status))
    now = current_ms(session)
    lifecycle.cancel_open_jobs(session, [version.id], by=actor.name)
    session.execute(delete(RegisteredModelAlias).where(col(RegisteredModelAlias.version_id) == version.id))
    version.deleted_at_ms, version.deleted_by = now, actor.name
    note_change(model, at_ms=now)
    activities.record(session, actor, ActivityType.DELETED_VERSION, model, version, at_ms=now)
    audit.record(session, actor, Action.DELETE_VERSION, model=model, version=version)
    session.flush()
    if purge_at_once:
        enqueue_purge(session, version, lifecycle, by=actor.name)


def _stored(number: int) -> int:
    """Return what to ask the database for: a larger number fits into no column, and 0 is no version's either."""
    return number if number <= MAX_VERSION else 0


def _next_version(
    session: Session, actor: Actor, model: RegisteredModel, wish: NewVersion, identity: str
) -> ModelVersion:
    """Take the model's next number, which notes the change, and return a version that is not stored yet."""
    number, now = session.connection().execute(_TAKE_NUMBER, {"row_id": model.id}).one()
    return ModelVersion(
        public_id=identity,
        model_id=model.id,
        version=number,
        source=wish.source,
        description=wish.description,
        run_id=wish.run_id,
        run_link=wish.run_link,
        logged_model_id=wish.logged_model_id,
        created_by=actor.name,
        created_at_ms=now,
        updated_at_ms=now,
        stage_changed_at_ms=now,
    )


def _insert(session: Session, version: ModelVersion, tags: Mapping[str, str]) -> None:
    version.id = session.connection().execute(_INSERT, version.model_dump(exclude={"id"})).scalar_one()
    for key, value in tags.items():
        append(session, _version_tags, {"version_id": version.id, "key": key, "value": value})


def _record_creation(
    session: Session, actor: Actor, model: RegisteredModel, version: ModelVersion, wish: NewVersion
) -> None:
    audit.record(
        session,
        actor,
        Action.CREATE_VERSION,
        model=model,
        version=version,
        after={
            "source": version.source,
            "description": version.description,
            "tags": wish.tags,
            "stage": version.stage,
            "status": version.status,
        },
    )
    events.record(
        session,
        actor,
        RegistryEvent.VERSION_CREATED,
        model,
        version,
        run_id=version.run_id,
        user_id=actor.name,
    )


def _check_pending_limit(session: Session, most: int) -> None:
    if not most:
        return
    pending = session.exec(
        select(func.count())
        .select_from(ModelVersion)
        .where(col(ModelVersion.status) == VersionStatus.PENDING, col(ModelVersion.deleted_at_ms).is_(None))
    ).one()
    if pending >= most:
        raise LimitReached(f"{pending} versions are being registered; at most {most} may be at once. Wait for one.")
