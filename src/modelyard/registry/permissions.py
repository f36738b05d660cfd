"""Permissions on a model and on the root: shown, set, explained.

Objects are known by a model's public id, which survives renaming, or the word `root`. Source:
contracts/databricks.md 2.6.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from modelyard.database.tables import Grant, Principal, RegisteredModel
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.grants import grants_on, replace_grants
from modelyard.registry.groups import groups_of
from modelyard.registry.principals import ADMINS_ID, find_account, find_principal, label, lock_admins, principals_named
from modelyard.registry.registered_models import count_change, find_registered_model
from modelyard.registry.tokens import is_self
from modelyard.rules.audit import Action
from modelyard.rules.permissions import ROOT, Ability, Level, allows, highest, includes
from modelyard.rules.principals import ADMINS, PrincipalKind, folded
from modelyard.rules.tokens import Scope

_MODEL_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class WantedLevel:
    """A level that somebody shall hold."""

    kind: PrincipalKind
    name: str
    level: Level


@dataclass(frozen=True, slots=True)
class HeldLevel:
    """A level that somebody holds on an object, directly or because the root says so."""

    principal: Principal
    level: Level
    inherited: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a principal may do with a model, and by which grants."""

    principal: Principal
    level: Level | None
    held: Sequence[HeldLevel]


def read_permissions(session: Session, actor: Actor, object_id: str) -> list[HeldLevel]:
    """Return who holds what on an object: everybody to its managers, to others what concerns themselves.

    Raises InvalidValue, NotFound, PermissionDenied.
    """
    model = _find_object(session, object_id)
    level = _require(session, actor, model, Ability.VIEW)
    held = _held_levels(session, model)
    if includes(level, Level.CAN_MANAGE):
        return held
    return [one for one in held if one.principal.id in actor.principals]


def set_permissions(session: Session, actor: Actor, object_id: str, wanted: Iterable[WantedLevel]) -> list[HeldLevel]:
    """Make the direct permissions on an object exactly `wanted`; those of the root stay inherited.

    Raises InvalidValue for unknown principals and for taking the root from `admins`, NotFound, PermissionDenied.
    """
    return _change(session, actor, object_id, wanted, keep_others=False)


def update_permissions(
    session: Session, actor: Actor, object_id: str, wanted: Iterable[WantedLevel]
) -> list[HeldLevel]:
    """Add or change the permissions of those that `wanted` names, and nobody else's. Raises as `set_permissions`."""
    return _change(session, actor, object_id, wanted, keep_others=True)


def explain(session: Session, actor: Actor, model_name: str, principal_name: str) -> Explanation:
    """Return why a user, service principal or group may do what with a model.

    Asked by its managers for everybody, by others for themselves. Raises NotFound, PermissionDenied.
    """
    model = find_registered_model(session, model_name)
    access.require(session, actor, model, Ability.VIEW)
    principal = find_account(session, principal_name) or find_principal(session, PrincipalKind.GROUP, principal_name)
    allowed = allows(access.level_of(session, actor, model), Ability.CHANGE_PERMISSIONS)
    if not allowed and (principal is None or not is_self(actor, principal)):
        raise PermissionDenied(f"Only managers of {model_name!r} ask what others may do with it.")
    if principal is None:
        raise NotFound(f"There is no user, service principal or group {principal_name[:300]!r}.")
    ids = {principal.id, *(group.id for group in groups_of(session, [principal.id]).get(principal.id, []))}
    held = [one for one in _held_levels(session, model) if one.principal.id in ids]
    return Explanation(principal, highest(*(one.level for one in held)), held)


def _change(
    session: Session, actor: Actor, object_id: str, wanted: Iterable[WantedLevel], *, keep_others: bool
) -> list[HeldLevel]:
    model = _find_object(session, object_id, lock=True)
    _require(session, actor, model, Ability.CHANGE_PERMISSIONS)
    named = _levels_by_row(session, list(wanted))
    rows = grants_on(session, model.id if model else None)
    held = {grant.principal_id: Level(grant.level) for grant, _ in rows}
    target = {**held, **named} if keep_others else named
    _check_admins(named, target, on_root=model is None)
    if target != held:
        before = _told(rows)
        replace_grants(session, model.id if model else None, [grant for grant, _ in rows], target)
        after = _told(grants_on(session, model.id if model else None))
        _record(session, actor, model, before, after)
    return _held_levels(session, model)


def _find_object(session: Session, object_id: str, *, lock: bool = False) -> RegisteredModel | None:
    """Return the model with this public id, None for the root; locked against others' changes if so asked."""
    if object_id == ROOT:
        if lock:
            lock_admins(session)
        return None
    if not _MODEL_ID.fullmatch(object_id):
        raise InvalidValue(f"'{object_id[:300]}' is not a valid registered model ID.")
    statement = select(RegisteredModel).where(
        col(RegisteredModel.public_id) == object_id, col(RegisteredModel.deleted_at_ms).is_(None)
    )
    model = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if model is None:
        raise NotFound(f"Registered Model with id={object_id} not found.")
    return model


def _require(session: Session, actor: Actor, model: RegisteredModel | None, ability: Ability) -> Level | None:
    """Return the level that `actor` holds on an object. Raises PermissionDenied unless it allows `ability`."""
    if model is not None:
        access.require(session, actor, model, ability)
        return access.level_of(session, actor, model)
    if ability is not Ability.VIEW:
        access.require_scope(actor, Scope.ADMIN, "changing the permissions that every model inherits")
    level = access.level_on_root(session, actor)
    if not allows(level, ability):
        raise PermissionDenied(f"{actor.name} has {level or 'no permission'} on the root. Ask an administrator.")
    return level


def _levels_by_row(session: Session, wanted: Sequence[WantedLevel]) -> dict[int, Level]:
    """Return row id of a principal -> level; of several levels for one principal the highest counts."""
    principals = principals_named(session, [(one.kind, one.name) for one in wanted])
    found: dict[int, Level] = {}
    for one in wanted:
        row = principals[one.kind, folded(one.name)].id
        found[row] = highest(one.level, found.get(row)) or one.level
    return found


def _check_admins(named: Mapping[int, Level], target: Mapping[int, Level], *, on_root: bool) -> None:
    """Raise InvalidValue when `admins` would hold less than everything: that cannot be lost by accident."""
    if named.get(ADMINS_ID, Level.CAN_MANAGE) is not Level.CAN_MANAGE:
        raise InvalidValue(f"Cannot change permissions for group '{ADMINS}' to {named[ADMINS_ID]}.")
    if on_root and ADMINS_ID not in target:
        # The words of the live service, which Terraform's tests compare.
        raise InvalidValue(f"Cannot change permissions for group '{ADMINS}' to None.")


def _held_levels(session: Session, model: RegisteredModel | None) -> list[HeldLevel]:
    root = grants_on(session, None)
    if model is None:
        return [HeldLevel(principal, Level(grant.level), inherited=False) for grant, principal in root]
    direct = grants_on(session, model.id)
    return [HeldLevel(principal, Level(grant.level), inherited=False) for grant, principal in direct] + [
        HeldLevel(principal, Level(grant.level), inherited=True) for grant, principal in root
    ]


def _told(rows: Iterable[tuple[Grant, Principal]]) -> dict[str, str]:
    return {label(principal): grant.level for grant, principal in rows}


def _record(
    session: Session, actor: Actor, model: RegisteredModel | None, before: dict[str, str], after: dict[str, str]
) -> None:
    if model is not None:
        count_change(model)
    audit.record(
        session,
        actor,
        Action.CHANGE_PERMISSIONS,
        model=model,
        before={"permissions": before},
        after={"permissions": after},
    )
