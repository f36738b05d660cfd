"""Aliases of a model's versions, set, moved and deleted. They move no time of last change, as in MLflow."""

from sqlalchemy import delete, select
from sqlmodel import Session

from modelyard.database.inserts import insert_or
from modelyard.database.tables import ModelVersion, metadata
from modelyard.registry import access, activities, audit
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import find_model_version
from modelyard.registry.registered_models import count_change, find_registered_model
from modelyard.rules.activities import ActivityType
from modelyard.rules.aliases import check_alias, check_new_alias
from modelyard.rules.audit import Action
from modelyard.rules.permissions import Ability

_aliases = metadata.tables["registered_model_aliases"]
_versions = metadata.tables["model_versions"]


def set_registered_model_alias(session: Session, actor: Actor, name: str, alias: str, number: int) -> None:
    """Let an alias point to a version, whatever it pointed to before.

    Raises NotFound, PermissionDenied, InvalidValue for a reserved or misspelled alias.
    """
    check_new_alias(alias)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.ALIAS)
    version = find_model_version(session, model, number)
    before = session.scalar(
        select(_versions.c.version)
        .join(_aliases, _aliases.c.version_id == _versions.c.id)
        .where(_aliases.c.model_id == model.id, _aliases.c.alias == alias)
    )
    pointed = insert_or(session, _aliases).values(model_id=model.id, alias=alias, version_id=version.id)
    pointed = pointed.on_conflict_do_update(
        index_elements=["model_id", "alias"],
        set_={"version_id": version.id},
        where=_aliases.c.version_id != version.id,
    )
    if session.scalar(pointed.returning(_aliases.c.version_id)) is None:
        return
    now, detail = count_change(model), f"The alias {alias!r}."
    activities.record(session, actor, ActivityType.SET_ALIAS, model, version, at_ms=now, detail=detail)
    audit.record(
        session,
        actor,
        Action.SET_ALIAS,
        model=model,
        version=version,
        before={"alias": alias, "version": before},
        after={"alias": alias, "version": number},
    )


def delete_registered_model_alias(session: Session, actor: Actor, name: str, alias: str) -> None:
    """Take an alias from a model; one that it does not have is no error.

    Raises NotFound, PermissionDenied, InvalidValue for a misspelled alias.
    """
    check_alias(alias)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.ALIAS)
    gone = delete(_aliases).where(_aliases.c.model_id == model.id, _aliases.c.alias == alias)
    version_id = session.scalar(gone.returning(_aliases.c.version_id))
    if version_id is None:
        return
    now, detail = count_change(model), f"The alias {alias!r}."
    activities.record(session, actor, ActivityType.DELETED_ALIAS, model, at_ms=now, detail=detail)
    audit.record(
        session,
        actor,
        Action.DELETE_ALIAS,
        model=model,
        version=session.get(ModelVersion, version_id),
        before={"alias": alias},
    )
