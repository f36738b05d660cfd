"""Tags of models and versions, set and deleted. They move neither's time of last change, as in MLflow."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Table, bindparam, delete, select
from sqlmodel import Session

from modelyard.database.inserts import insert_for
from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import lock_model_version
from modelyard.registry.registered_models import count_change, find_registered_model
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.permissions import Ability
from modelyard.rules.tags import check_tag

_model_tags = metadata.tables["registered_model_tags"]
_version_tags = metadata.tables["model_version_tags"]


def set_registered_model_tag(session: Session, actor: Actor, name: str, key: str, value: str) -> None:
    """Give a model's tag a value; a tag that it has already keeps its place.

    Raises NotFound, PermissionDenied, InvalidValue.
    """
    check_tag(key, value)
    model = _editable_model(session, actor, name)
    before = _value(session, _model_tags, "model_id", model.id, key)
    if before != value:
        _upsert(session, _model_tags, "model_id", model.id, key, value)
        _record(session, actor, ActivityType.SET_TAG, key, model)
        audit.record(
            session, actor, Action.SET_MODEL_TAG, model=model, before=_told(key, before), after=_told(key, value)
        )


def delete_registered_model_tag(session: Session, actor: Actor, name: str, key: str) -> None:
    """Take a tag from a model; one that it does not have is no error. Raises NotFound, PermissionDenied."""
    model = _editable_model(session, actor, name)
    before = _delete(session, _model_tags, "model_id", model.id, key)
    if before is not None:
        _record(session, actor, ActivityType.DELETED_TAG, key, model)
        audit.record(session, actor, Action.DELETE_MODEL_TAG, model=model, before=_told(key, before))


def set_model_version_tag(session: Session, actor: Actor, name: str, number: int, key: str, value: str) -> None:
    """Give a version's tag a value, whatever the version's status.

    Raises NotFound, PermissionDenied, InvalidValue.
    """
    check_tag(key, value)
    model, version = _editable_version(session, actor, name, number)
    before = _value(session, _version_tags, "version_id", version.id, key)
    if before != value:
        _upsert(session, _version_tags, "version_id", version.id, key, value)
        _record(session, actor, ActivityType.SET_TAG, key, model, version)
        events.record(session, actor, RegistryEvent.TAG_SET, model, version, tags=[{"key": key, "value": value}])
        audit.record(
            session,
            actor,
            Action.SET_VERSION_TAG,
            model=model,
            version=version,
            before=_told(key, before),
            after=_told(key, value),
        )


def delete_model_version_tag(session: Session, actor: Actor, name: str, number: int, key: str) -> None:
    """Take a tag from a version; one that it does not have is no error. Raises NotFound, PermissionDenied."""
    model, version = _editable_version(session, actor, name, number)
    before = _delete(session, _version_tags, "version_id", version.id, key)
    if before is not None:
        _record(session, actor, ActivityType.DELETED_TAG, key, model, version)
        audit.record(session, actor, Action.DELETE_VERSION_TAG, model=model, version=version, before=_told(key, before))


def _editable_model(session: Session, actor: Actor, name: str) -> RegisteredModel:
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.TAG)
    return model


def _editable_version(session: Session, actor: Actor, name: str, number: int) -> tuple[RegisteredModel, ModelVersion]:
    return lock_model_version(
        session, name, number, permit=lambda model: access.require(session, actor, model, Ability.TAG)
    )


def _value(session: Session, tags: Table, owner: str, owner_id: int, key: str) -> str | None:
    """Return a tag's value, None for a tag that is not there; the model is locked, so it stays what it is."""
    value: str | None = session.connection().scalar(_select_statement(tags, owner), {"owner_id": owner_id, "key": key})
    return value


def _upsert(session: Session, tags: Table, owner: str, owner_id: int, key: str, value: str) -> None:
    connection = session.connection()
    connection.execute(
        _upsert_statement(connection.dialect.name, tags, owner), {owner: owner_id, "key": key, "value": value}
    )


def _delete(session: Session, tags: Table, owner: str, owner_id: int, key: str) -> str | None:
    """Take a tag away; return the value that it had, None if it was not there."""
    gone = delete(tags).where(tags.c[owner] == owner_id, tags.c.key == key).returning(tags.c.value)
    value: str | None = session.connection().scalar(gone)
    return value


@lru_cache
def _select_statement(tags: Table, owner: str) -> Any:
    return select(tags.c.value).where(tags.c[owner] == bindparam("owner_id"), tags.c.key == bindparam("key"))


@lru_cache
def _upsert_statement(dialect: str, tags: Table, owner: str) -> Any:
    written = insert_for(dialect, tags)
    return written.on_conflict_do_update(index_elements=[owner, "key"], set_={"value": written.excluded.value})


def _told(key: str, value: str | None) -> dict[str, Any]:
    return {"key": key, "value": value}


def _record(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    key: str,
    model: RegisteredModel,
    version: ModelVersion | None = None,
) -> None:
    now = count_change(model)
    # Not the value: it may be long, and the next one takes its place.
    activities.record(session, actor, activity_type, model, version, at_ms=now, detail=f"The tag {key!r}.")
