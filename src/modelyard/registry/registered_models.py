"""Registered models: created, found, searched, changed, deleted."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, func, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import object_session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session, col, select

from modelyard.database.appending import append
from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_for
from modelyard.database.session import current_ms
from modelyard.database.tables import (
    FormerName,
    ModelVersion,
    RegisteredModel,
    RegisteredModelTag,
    metadata,
    public_id,
)
from modelyard.errors import AlreadyExists, NotFound
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.grants import grant_to_creator
from modelyard.registry.purges import enqueue_purge
from modelyard.registry.shown import READY
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.names import check_model_name, no_such_model
from modelyard.rules.permissions import Ability
from modelyard.rules.prompts import has_prompt_tag, name_taken
from modelyard.rules.stages import IN_USE, check_model_free
from modelyard.rules.tags import merge_tags
from modelyard.rules.texts import check_description
from modelyard.rules.tokens import Scope
from modelyard.rules.versions import VersionStatus

_models = metadata.tables["registered_models"]
_model_tags = metadata.tables["registered_model_tags"]
_LIVING = col(RegisteredModel.deleted_at_ms).is_(None)
_BY_NAME = select(RegisteredModel).where(col(RegisteredModel.name) == bindparam("name"), _LIVING)
_LOCKED_BY_NAME = _BY_NAME.with_for_update()
_COUNT_CHANGE = (
    update(_models)
    .where(_models.c.id == bindparam("row_id"))
    .values(change_counter=_models.c.change_counter + 1)
    .returning(_models.c.change_counter, _models.c.updated_at_ms, now_ms())
)
_NOTE_CHANGE = _COUNT_CHANGE.values(updated_at_ms=bindparam("at_ms"))
_NOTE_CHANGE_NOW = _COUNT_CHANGE.values(updated_at_ms=now_ms())


def create_registered_model(
    session: Session,
    actor: Actor,
    name: str,
    *,
    description: str = "",
    tags: Sequence[tuple[str, str]] = (),
    new_id: str | None = None,
) -> RegisteredModel:
    """Register a name; `new_id` is the public id to give it.

    Raises InvalidValue for what breaks a rule, AlreadyExists when a living model bears the name.
    """
    check_model_name(name)
    check_description(description)
    access.require_scope(actor, Scope.WRITE, "to create a model")
    access.require_reach(actor, name)
    merged = merge_tags(tags)
    now = current_ms(session)
    model = RegisteredModel(
        public_id=new_id or public_id(),
        name=name,
        description=description,
        created_by=actor.name,
        created_at_ms=now,
        updated_at_ms=now,
    )
    _insert(session, model, merged)
    permissions = grant_to_creator(session, actor, model)
    activities.record(session, actor, ActivityType.CREATED_MODEL, model, at_ms=now)
    audit.record(
        session,
        actor,
        Action.CREATE_MODEL,
        model=model,
        after={"description": description, "tags": merged, "permissions": permissions},
    )
    events.record(session, actor, RegistryEvent.MODEL_CREATED, model)
    return model


def find_registered_model(session: Session, name: str, *, lock: bool = False) -> RegisteredModel:
    """Return the living model called `name`, its row locked against others' changes if so asked.

    Raises NotFound.
    """
    model = session.exec(_LOCKED_BY_NAME if lock else _BY_NAME, params={"name": name}).one_or_none()
    if model is None:
        raise no_such_model(name)
    return model


def read_registered_model(session: Session, actor: Actor, name: str) -> RegisteredModel:
    """Return the model called `name` to somebody who may see it. Raises NotFound, PermissionDenied."""
    model = find_registered_model(session, name)
    access.require(session, actor, model, Ability.VIEW)
    return model


def model_of_id(session: Session, actor: Actor, identity: str) -> RegisteredModel:
    """Return the living model with this public id. Raises NotFound, PermissionDenied."""
    model = session.exec(select(RegisteredModel).where(col(RegisteredModel.public_id) == identity, _LIVING)).first()
    if model is None:
        raise NotFound("The registered model was deleted.")
    access.require(session, actor, model, Ability.VIEW)
    return model


def update_registered_model(session: Session, actor: Actor, name: str, *, description: str) -> RegisteredModel:
    """Replace a model's description. Raises NotFound, PermissionDenied, InvalidValue."""
    check_description(description)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.DESCRIBE)
    now = current_ms(session)
    before, model.description = model.description, description
    note_change(model, at_ms=now)
    activities.record(session, actor, ActivityType.UPDATED_MODEL, model, at_ms=now)
    audit.record(
        session,
        actor,
        Action.UPDATE_MODEL,
        model=model,
        before={"description": before},
        after={"description": description},
    )
    session.flush()
    return model


def rename_registered_model(session: Session, actor: Actor, name: str, *, new_name: str) -> RegisteredModel:
    """Give a model another name; the former one is free at once, and kept for redirects.

    Raises NotFound, PermissionDenied, InvalidValue, AlreadyExists, InvalidState while a version is in use.
    """
    check_model_name(new_name)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.RENAME)
    access.require_reach(actor, new_name)
    check_model_free(name, _versions_in_use(session, model), "renaming")
    now = current_ms(session)
    if new_name != name:
        _rename(session, model, new_name, at_ms=now)
        detail = f"Renamed from {name!r} to {new_name!r}."
        activities.record(session, actor, ActivityType.RENAMED_MODEL, model, at_ms=now, detail=detail)
        audit.record(session, actor, Action.RENAME_MODEL, model=model, before={"name": name}, after={"name": new_name})
    note_change(model, at_ms=now)
    session.flush()
    return model


def delete_registered_model(
    session: Session, actor: Actor, name: str, *, lifecycle: Lifecycle, purge_at_once: bool = False
) -> None:
    """Hide a model with its versions at once, free its name and cancel what its versions wait for.

    All of it stays in the trash, unless purged at once.

    Raises NotFound, PermissionDenied, InvalidState while a version is in Staging or Production.
    """
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.DELETE_MODEL)
    check_model_free(name, _versions_in_use(session, model), "deleting")
    now = _later_than_other_deletions(session, model)
    lifecycle.cancel_open_jobs(session, _locked_versions(session, model), by=actor.name)
    session.execute(
        update(ModelVersion)
        .where(col(ModelVersion.model_id) == model.id, col(ModelVersion.deleted_at_ms).is_(None))
        .values(deleted_at_ms=now, deleted_by=actor.name)
    )
    model.deleted_at_ms, model.deleted_by = now, actor.name
    note_change(model, at_ms=now)
    activities.record(session, actor, ActivityType.DELETED_MODEL, model, at_ms=now)
    audit.record(session, actor, Action.DELETE_MODEL, model=model)
    session.flush()
    if purge_at_once:
        enqueue_purge(session, model, lifecycle, by=actor.name)


def note_change(model: RegisteredModel, *, at_ms: int) -> None:
    """Move a locked model's time of last change and its change counter."""
    _count(model, _NOTE_CHANGE, at_ms=at_ms)


def note_change_now(model: RegisteredModel) -> int:
    """Move a locked model's change counter and its time of last change to the database's time, and return that."""
    _count(model, _NOTE_CHANGE_NOW)
    return model.updated_at_ms


def count_change(model: RegisteredModel) -> int:
    """Move a locked model's change counter alone: tags and aliases leave the time of last change, as in MLflow.

    Return the database's time, for what is written of the change.
    """
    return _count(model, _COUNT_CHANGE)


def _count(model: RegisteredModel, change: ReturningUpdate[tuple[int, int, int]], **given: int) -> int:
    # One prepared statement: to collect an object's changes and write them would cost five times as much.
    session: Any = object_session(model)
    counter, updated_at_ms, now = session.connection().execute(change, {"row_id": model.id, **given}).one()
    set_committed_value(model, "change_counter", counter)
    set_committed_value(model, "updated_at_ms", updated_at_ms)
    return int(now)


def _insert(session: Session, model: RegisteredModel, tags: Mapping[str, str]) -> None:
    # Refused by the statement, not by an error of the database: PostgreSQL would answer no further question then.
    connection = session.connection()
    model_id = connection.scalar(_insert_or_nothing(connection.dialect.name), model.model_dump(exclude={"id"}))
    if model_id is None:
        raise _name_taken(session, model.name, tags)
    model.id = model_id
    for key, value in tags.items():
        append(session, _model_tags, {"model_id": model_id, "key": key, "value": value})


@lru_cache
def _insert_or_nothing(dialect: str) -> Any:
    return insert_for(dialect, _models).on_conflict_do_nothing().returning(_models.c.id)


def _name_taken(session: Session, name: str, tags: Mapping[str, str]) -> AlreadyExists:
    tags_of_living = (
        select(RegisteredModelTag.key, RegisteredModelTag.value)
        .join(RegisteredModel, col(RegisteredModel.id) == col(RegisteredModelTag.model_id))
        .where(col(RegisteredModel.name) == name, _LIVING)
    )
    by_prompt = has_prompt_tag(dict(session.exec(tags_of_living).all()))
    return AlreadyExists(name_taken(name, by_prompt=by_prompt, for_prompt=has_prompt_tag(tags)))


def _rename(session: Session, model: RegisteredModel, new_name: str, *, at_ms: int) -> None:
    session.add(FormerName(model_id=model.id, name=model.name, renamed_at_ms=at_ms))
    model.name = new_name
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyExists(f"Registered Model (name={new_name}) already exists.") from error


def _versions_in_use(session: Session, model: RegisteredModel) -> Sequence[int]:
    return session.exec(
        select(ModelVersion.version).where(
            col(ModelVersion.model_id) == model.id,
            col(ModelVersion.stage).in_(IN_USE),
            col(ModelVersion.status) == READY,
            col(ModelVersion.deleted_at_ms).is_(None),
        )
    ).all()


def _later_than_other_deletions(session: Session, model: RegisteredModel) -> int:
    """Return the time to write: a restore tells by it which versions went with the model and which before it."""
    latest = select(func.max(col(ModelVersion.deleted_at_ms))).where(col(ModelVersion.model_id) == model.id)
    return max(current_ms(session), (session.exec(latest).one() or 0) + 1)


def _locked_versions(session: Session, model: RegisteredModel) -> list[int]:
    pending = select(ModelVersion.id).where(
        col(ModelVersion.model_id) == model.id, col(ModelVersion.status) == VersionStatus.PENDING
    )
    return list(session.exec(pending.order_by(col(ModelVersion.id)).with_for_update()))
