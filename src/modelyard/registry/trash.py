"""The trash: what was deleted and can still be restored, until it is purged."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, case, cast, func, literal, null, select, tuple_, union_all, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from modelyard.database.session import current_ms
from modelyard.database.tables import FormerName, Job, ModelVersion, RegisteredModel, metadata
from modelyard.errors import AlreadyExists, InvalidState, NotFound
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry import access, activities, audit
from modelyard.registry.access import Actor
from modelyard.registry.purges import cancel_purge, enqueue_purge, went_with_model
from modelyard.registry.registered_models import note_change
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.names import check_model_name
from modelyard.rules.permissions import Ability

models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]


@dataclass(frozen=True, slots=True)
class Trashed:
    """A deleted model with all that was deleted with it, or a version that was deleted alone (`version` is set).

    `versions` counts what would come back; `size_bytes` adds up their sizes, however much they share.
    """

    public_id: str
    name: str
    version: int | None
    deleted_at_ms: int
    deleted_by: str
    purging: bool
    versions: int
    size_bytes: int


def list_trash(
    session: Session, actor: Actor, *, limit: int, last: tuple[int, str] | None = None
) -> tuple[list[Trashed], tuple[int, str] | None]:
    """Return a page of what `actor` may see in the trash, latest first, and the last row's key when more follow.

    A version of a deleted model is not listed by itself: it comes back with the model, or after it.
    """
    items = union_all(_trashed_models(actor), _trashed_versions(actor)).subquery()
    statement = select(items).order_by(items.c.deleted_at_ms.desc(), items.c.public_id.desc()).limit(limit + 1)
    if last is not None:
        statement = statement.where(tuple_(items.c.deleted_at_ms, items.c.public_id) < tuple_(*map(literal, last)))
    rows = [Trashed(**{**row, "purging": bool(row["purging"])}) for row in session.execute(statement).mappings()]
    shown = rows[:limit]
    return shown, (shown[-1].deleted_at_ms, shown[-1].public_id) if len(rows) > limit else None


def _trashed_models(actor: Actor) -> Any:
    counted = select(func.count()).where(went_with_model())
    size = select(func.coalesce(func.sum(versions.c.size_bytes), 0)).where(went_with_model())
    return select(
        models.c.public_id,
        models.c.name,
        cast(null(), Integer).label("version"),
        models.c.deleted_at_ms,
        func.coalesce(models.c.deleted_by, "").label("deleted_by"),
        case((models.c.purging_at_ms.is_not(None), 1), else_=0).label("purging"),
        counted.scalar_subquery().label("versions"),
        cast(size.scalar_subquery(), BigInteger).label("size_bytes"),
    ).where(models.c.deleted_at_ms.is_not(None), access.visible(actor))


def _trashed_versions(actor: Actor) -> Any:
    return (
        select(
            versions.c.public_id,
            models.c.name,
            versions.c.version,
            versions.c.deleted_at_ms,
            func.coalesce(versions.c.deleted_by, ""),
            case((versions.c.purging_at_ms.is_not(None), 1), else_=0),
            literal(1),
            func.coalesce(versions.c.size_bytes, 0),
        )
        .join(models, models.c.id == versions.c.model_id)
        .where(versions.c.deleted_at_ms.is_not(None), models.c.deleted_at_ms.is_(None), access.visible(actor))
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Something in the trash; `version` is None for a model."""

    model: RegisteredModel
    version: ModelVersion | None

    @property
    def row(self) -> RegisteredModel | ModelVersion:
        """The row that was deleted."""
        return self.version or self.model


def find_in_trash(session: Session, actor: Actor, public_id: str, *, lock: bool = True) -> Found:
    """Return what lies in the trash under this public id, to somebody who may manage its model.

    With `lock`, its row and its model's stay as they are until the transaction ends.

    Raises NotFound, PermissionDenied.
    """
    model_id = session.scalar(
        select(models.c.id).where(models.c.public_id == public_id, models.c.deleted_at_ms.is_not(None))
    ) or session.scalar(
        select(versions.c.model_id).where(versions.c.public_id == public_id, versions.c.deleted_at_ms.is_not(None))
    )
    found = _find(session, model_id, public_id, lock=lock) if model_id is not None else None
    if found is None:
        raise NotFound("There is nothing in the trash with this id. It may have been restored or purged.")
    access.require(session, actor, found.model, Ability.EMPTY_TRASH)
    return found


def _find(session: Session, model_id: int, public_id: str, *, lock: bool) -> Found | None:
    """Lock the model, then the version, and look again."""
    model = session.get(RegisteredModel, model_id, with_for_update=lock or None, populate_existing=True)
    if model is None:
        return None
    if model.public_id == public_id:
        return Found(model, None) if model.deleted_at_ms is not None else None
    statement = select(ModelVersion).where(
        col(ModelVersion.public_id) == public_id, col(ModelVersion.deleted_at_ms).is_not(None)
    )
    version = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    return Found(model, version) if version is not None else None


def restore(session: Session, actor: Actor, public_id: str, *, name: str | None = None, lifecycle: Lifecycle) -> Found:
    """Bring a model back with the versions that went with it, under another `name` if given; or one version.

    Raises NotFound, PermissionDenied, AlreadyExists when the name was taken meanwhile, InvalidState when it is being
    purged, or for a version whose model is in the trash too.
    """
    found = find_in_trash(session, actor, public_id)
    if found.row.purging_at_ms is not None:
        raise InvalidState("It is being purged and cannot be restored any more.")
    if found.version is not None and name is not None:
        raise InvalidState("A version has no name of its own; leave the name out.")
    deleted_name = found.model.name
    cancel_purge(session, found.row, lifecycle, by=actor.name)
    if found.version is None:
        _restore_model(session, found.model, name or found.model.name)
    else:
        _restore_version(session, found.model, found.version)
    now = current_ms(session)
    note_change(found.model, at_ms=now)
    activity = ActivityType.RESTORED_MODEL if found.version is None else ActivityType.RESTORED_VERSION
    activities.record(session, actor, activity, found.model, found.version, at_ms=now)
    audit.record(
        session,
        actor,
        Action.RESTORE_MODEL if found.version is None else Action.RESTORE_VERSION,
        model=found.model,
        version=found.version,
        before={"name": deleted_name},
        after={"name": found.model.name},
    )
    session.flush()
    return found


def _restore_model(session: Session, model: RegisteredModel, name: str) -> None:
    check_model_name(name)
    with_it = update(versions).where(
        versions.c.model_id == model.id,
        versions.c.deleted_at_ms == model.deleted_at_ms,
        versions.c.purging_at_ms.is_(None),
    )
    session.execute(with_it.values(deleted_at_ms=None, deleted_by=None))
    if name != model.name:
        session.add(FormerName(model_id=model.id, name=model.name))
    model.name, model.deleted_at_ms, model.deleted_by = name, None, None
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyExists(
            f"Registered Model (name={name}) already exists. Restore as another one: give a `name` that is free."
        ) from error


def _restore_version(session: Session, model: RegisteredModel, version: ModelVersion) -> None:
    if model.deleted_at_ms is not None:
        raise InvalidState(
            f"Version {version.version} belongs to the model {model.name!r}, which is in the trash too. "
            "Restore the model first."
        )
    version.deleted_at_ms, version.deleted_by = None, None
    session.flush()


def purge_now(session: Session, actor: Actor, public_id: str, *, lifecycle: Lifecycle) -> Job:
    """Have something in the trash purged at once; return the job. Raises NotFound, PermissionDenied."""
    found = find_in_trash(session, actor, public_id)
    job = enqueue_purge(session, found.row, lifecycle, by=actor.name)
    action = Action.PURGE_MODEL if found.version is None else Action.PURGE_VERSION
    audit.record(session, actor, action, model=found.model, version=found.version, after={"job_id": job.id})
    return job
