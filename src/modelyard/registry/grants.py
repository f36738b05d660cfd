"""The rows behind permissions: who holds which level on a model, or on the root."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, bindparam, delete, insert
from sqlmodel import Session, col, select

from modelyard.database.tables import Grant, Principal, RegisteredModel, metadata
from modelyard.registry.access import Actor
from modelyard.registry.principals import LIVING, label_of
from modelyard.rules.permissions import Level

_principals = metadata.tables["principals"]
_INSERT = insert(metadata.tables["grants"])
_NAMED = select(_principals.c.kind, _principals.c.name).where(_principals.c.id == bindparam("owner_id"))


def grant_to_creator(session: Session, actor: Actor, model: RegisteredModel) -> dict[str, str]:
    """Let whoever made `model` manage it; return that as the audit log tells it. Nobody for an actor without a row."""
    if not actor.principals:
        return {}
    owner_id = actor.principals[0]
    row = {"model_id": model.id, "principal_id": owner_id, "level": Level.CAN_MANAGE}
    # At once: what the creator does next in the same transaction asks for it.
    session.connection().execute(_INSERT, row)
    owner = session.connection().execute(_NAMED, {"owner_id": owner_id}).one()
    return {label_of(owner.kind, owner.name): Level.CAN_MANAGE}


def grants_on(session: Session, model_id: int | None) -> list[tuple[Grant, Principal]]:
    """Return the direct grants on a model, or on the root for None, with their holders, in order of writing."""
    rows = session.exec(
        select(Grant, Principal)
        .join(Principal, col(Principal.id) == col(Grant.principal_id))
        .where(_on(model_id), LIVING)
        .order_by(col(Grant.id))
    )
    return [(grant, principal) for grant, principal in rows]


def replace_grants(session: Session, model_id: int | None, held: Sequence[Grant], wanted: Mapping[int, Level]) -> None:
    """Turn the grants `held` on an object, locked, into `wanted`: row id of a principal -> level."""
    kept = {grant.principal_id: grant for grant in held if grant.principal_id in wanted}
    session.execute(delete(Grant).where(_on(model_id), col(Grant.principal_id).not_in(list(kept))))
    for principal_id, level in wanted.items():
        if principal_id in kept:
            kept[principal_id].level = level
        else:
            session.add(Grant(model_id=model_id, principal_id=principal_id, level=level))
    session.flush()


def _on(model_id: int | None) -> ColumnElement[bool]:
    return col(Grant.model_id) == model_id if model_id is not None else col(Grant.model_id).is_(None)
