"""Aliases of a model's versions, set, moved and deleted. They move no time of last change, as in MLflow."""

from sqlalchemy import delete
from sqlmodel import Session

from modelyard.database.inserts import insert_or
from modelyard.database.session import current_ms
from modelyard.database.tables import metadata
from modelyard.registry import access, activities
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import find_model_version
from modelyard.registry.registered_models import count_change, find_registered_model
from modelyard.rules.activities import ActivityType
from modelyard.rules.aliases import check_alias, check_new_alias
from modelyard.rules.permissions import Level

_aliases = metadata.tables["registered_model_aliases"]


def set_registered_model_alias(session: Session, actor: Actor, name: str, alias: str, number: int) -> None:
    """Let an alias point to a version, whatever it pointed to before.

    Raises NotFound, PermissionDenied, InvalidValue for a reserved or misspelled alias.
    """
    check_new_alias(alias)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Level.CAN_EDIT)
    version = find_model_version(session, model, number)
    pointed = insert_or(session, _aliases).values(model_id=model.id, alias=alias, version_id=version.id)
    pointed = pointed.on_conflict_do_update(
        index_elements=["model_id", "alias"],
        set_={"version_id": version.id},
        where=_aliases.c.version_id != version.id,
    )
    if session.scalar(pointed.returning(_aliases.c.version_id)) is None:
        return
    count_change(model)
    now, detail = current_ms(session), f"The alias {alias!r}."
    activities.record(session, actor, ActivityType.SET_ALIAS, model, version, at_ms=now, detail=detail)


def delete_registered_model_alias(session: Session, actor: Actor, name: str, alias: str) -> None:
    """Take an alias from a model; one that it does not have is no error.

    Raises NotFound, PermissionDenied, InvalidValue for a misspelled alias.
    """
    check_alias(alias)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Level.CAN_EDIT)
    gone = delete(_aliases).where(_aliases.c.model_id == model.id, _aliases.c.alias == alias)
    version_id = session.scalar(gone.returning(_aliases.c.version_id))
    if version_id is None:
        return
    count_change(model)
    now, detail = current_ms(session), f"The alias {alias!r}."
    activities.record(session, actor, ActivityType.DELETED_ALIAS, model, at_ms=now, detail=detail)
