"""Tags of models and versions, set and deleted. They move neither's time of last change, as in MLflow."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Table, delete
from sqlmodel import Session

from modelyard.database.inserts import insert_for
from modelyard.database.session import current_ms
from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.registry import access, activities
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import find_model_version
from modelyard.registry.registered_models import count_change, find_registered_model
from modelyard.rules.activities import ActivityType
from modelyard.rules.permissions import Level
from modelyard.rules.tags import check_tag

_model_tags = metadata.tables["registered_model_tags"]
_version_tags = metadata.tables["model_version_tags"]


def set_registered_model_tag(session: Session, actor: Actor, name: str, key: str, value: str) -> None:
    """Give a model's tag a value; a tag that it has already keeps its place.

    Raises NotFound, PermissionDenied, InvalidValue.
    """
    check_tag(key, value)
    model = _editable_model(session, actor, name)
    if _upsert(session, _model_tags, "model_id", model.id, key, value):
        _record(session, actor, ActivityType.SET_TAG, key, model)


def delete_registered_model_tag(session: Session, actor: Actor, name: str, key: str) -> None:
    """Take a tag from a model; one that it does not have is no error. Raises NotFound, PermissionDenied."""
    model = _editable_model(session, actor, name)
    if _delete(session, _model_tags, "model_id", model.id, key):
        _record(session, actor, ActivityType.DELETED_TAG, key, model)


def set_model_version_tag(session: Session, actor: Actor, name: str, number: int, key: str, value: str) -> None:
    """Give a version's tag a value, whatever the version's status.

    Raises NotFound, PermissionDenied, InvalidValue.
    """
    check_tag(key, value)
    model = _editable_model(session, actor, name)
    version = find_model_version(session, model, number)
    if _upsert(session, _version_tags, "version_id", version.id, key, value):
        _record(session, actor, ActivityType.SET_TAG, key, model, version)


def delete_model_version_tag(session: Session, actor: Actor, name: str, number: int, key: str) -> None:
    """Take a tag from a version; one that it does not have is no error. Raises NotFound, PermissionDenied."""
    model = _editable_model(session, actor, name)
    version = find_model_version(session, model, number)
    if _delete(session, _version_tags, "version_id", version.id, key):
        _record(session, actor, ActivityType.DELETED_TAG, key, model, version)


def _editable_model(session: Session, actor: Actor, name: str) -> RegisteredModel:
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Level.CAN_EDIT)
    return model


def _upsert(session: Session, tags: Table, owner: str, owner_id: int, key: str, value: str) -> bool:
    """Write a tag by one statement; return whether that changed anything."""
    connection = session.connection()
    statement = _upsert_statement(connection.dialect.name, tags, owner)
    return connection.scalar(statement, {owner: owner_id, "key": key, "value": value}) is not None


def _delete(session: Session, tags: Table, owner: str, owner_id: int, key: str) -> bool:
    gone = delete(tags).where(tags.c[owner] == owner_id, tags.c.key == key).returning(tags.c.id)
    return session.connection().scalar(gone) is not None


@lru_cache
def _upsert_statement(dialect: str, tags: Table, owner: str) -> Any:
    written = insert_for(dialect, tags)
    return written.on_conflict_do_update(
        index_elements=[owner, "key"],
        set_={"value": written.excluded.value},
        where=tags.c.value != written.excluded.value,
    ).returning(tags.c.id)


def _record(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    key: str,
    model: RegisteredModel,
    version: ModelVersion | None = None,
) -> None:
    count_change(model)
    now = current_ms(session)
    # Not the value: it may be long, and the next one takes its place.
    activities.record(session, actor, activity_type, model, version, at_ms=now, detail=f"The tag {key!r}.")
