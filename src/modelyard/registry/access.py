"""Who asks, and what they may do: every use-case of every dialect asks here.

The effective level is the highest of what somebody holds on the model and on the root, directly or by a group;
administrators may manage everything. A token takes away from that, it never adds (contracts/databricks.md 1.6).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    true,
)
from sqlmodel import Session

from modelyard.database.any_of import is_any_of, numbers_given, numbers_named
from modelyard.database.lookups import is_found
from modelyard.database.tables import RegisteredModel, metadata
from modelyard.errors import PermissionDenied
from modelyard.rules.permissions import NEEDED, Ability, Level, allows, at_least, highest, needed_to_transition
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import UNLIMITED, Scope, TokenLimits, scope_includes

_models = metadata.tables["registered_models"]
_grants = metadata.tables["grants"]
_HELD = select(_grants.c.level).where(
    is_any_of(_grants.c.principal_id, numbers_named("principals")),
    or_(_grants.c.model_id == bindparam("model_id", type_=BigInteger()), _grants.c.model_id.is_(None)),
)


@dataclass(frozen=True, slots=True)
class Via:
    """How somebody came in, for the audit log: by which token, from where, with which request.

    `unnoted` says that the token's use wants to be written down.
    """

    token_id: str | None = None
    address: str = ""
    request_id: str = ""
    unnoted: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, a program, the scheduler. Administrators may manage every model.

    `principals` are the row ids under which permissions are looked up: the actor's own first, then its groups'.
    `on_root` says that one of them holds something on the root, and so on every model; `holds_much`, that they hold
    something on more models than can be gathered in no time, and `holds_most`, that those are at least half of all.
    """

    name: str
    is_admin: bool = False
    principals: tuple[int, ...] = ()
    on_root: bool = False
    holds_much: bool = False
    holds_most: bool = False
    limits: TokenLimits = UNLIMITED
    # Not compared: whoever keeps a statement for an actor keeps it for all of that actor's requests.
    via: Via = field(default_factory=Via, compare=False)


def level_of(session: Session, actor: Actor, model: RegisteredModel) -> Level | None:
    """Return the level that `actor` has on `model`, None for none."""
    if not actor.limits.reaches(model.name):
        return None
    held = Level.CAN_MANAGE if actor.is_admin else _held(session, actor, model.id)
    return _within_scope(actor, held)


def level_on_root(session: Session, actor: Actor) -> Level | None:
    """Return the level that `actor` has on the root, and so on every model."""
    held = Level.CAN_MANAGE if actor.is_admin else _held(session, actor, None)
    return _within_scope(actor, held)


def require(session: Session, actor: Actor, model: RegisteredModel, ability: Ability) -> None:
    """Raise PermissionDenied unless `actor` may do this with `model`."""
    if ability is not Ability.VIEW:
        require_scope(actor, Scope.WRITE, f"to {ability}")
    require_reach(actor, model.name)
    held = level_of(session, actor, model)
    if not allows(held, ability):
        raise _refusal(actor, model.name, held, ability)


def require_transition(
    session: Session, actor: Actor, model: RegisteredModel, *, from_stage: Stage, to_stage: Stage
) -> None:
    """Raise PermissionDenied unless `actor` may move a version of `model` between these stages."""
    require(session, actor, model, needed_to_transition(from_stage=from_stage, to_stage=to_stage))
    if not actor.limits.moves(from_stage, to_stage):
        raise PermissionDenied(
            f"This token moves versions up to {actor.limits.highest_stage}, not from {from_stage} to {to_stage}. "
            "Use one without this limit."
        )


def may_transition(actor: Actor, held: Level | None, *, from_stage: Stage, to_stage: Stage) -> bool:
    """Whether `actor`, who holds `held` on the model, may move a version between these stages."""
    ability = needed_to_transition(from_stage=from_stage, to_stage=to_stage)
    return allows(held, ability) and actor.limits.moves(from_stage, to_stage)


def require_admin(actor: Actor, doing: str) -> None:
    """Raise PermissionDenied unless `actor` is an administrator; `doing` says what takes one."""
    if not actor.is_admin:
        raise PermissionDenied(f"{actor.name} is not an administrator; {doing} takes one. Ask a member of 'admins'.")
    require_scope(actor, Scope.ADMIN, doing)


def require_scope(actor: Actor, scope: Scope, doing: str) -> None:
    """Raise PermissionDenied when the actor's token was made for less; `doing` says what was asked."""
    if not scope_includes(actor.limits.scope, scope):
        raise PermissionDenied(
            f"This token has the scope {actor.limits.scope}; {doing} takes one with the scope {scope}."
        )


def require_reach(actor: Actor, model_name: str) -> None:
    """Raise PermissionDenied when the actor's token is for other models; a name need not be anybody's yet."""
    if not actor.limits.reaches(model_name):
        raise PermissionDenied(
            f"This token is limited to other models than {model_name!r}. Use one without this limit."
        )


def visible(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on registered_models for those that lists and searches show to `actor`."""
    return _condition(sight_of(actor), seen_values(actor))


def held_at_least(actor: Actor, level: Level) -> ColumnElement[bool]:
    """Return the condition on registered_models for those on which `actor` holds `level` or more."""
    return _held_at_least(level, actor.is_admin, actor.limits.models is not None, held_values(actor))


def held_at_least_by(level: Level, *, is_admin: bool, limited: bool) -> ColumnElement[bool]:
    """Return the condition of `held_at_least` for all such people; to be run with an actor's `held_values`."""
    return _held_at_least(level, is_admin, limited, None)


def held_values(actor: Actor) -> dict[str, Any]:
    """Return the values with which a statement on what an actor holds is run, on what the actor sees, too."""
    values: dict[str, Any] = {}
    if actor.limits.models is not None:
        values["seen_models"] = sorted(actor.limits.models)
    if not actor.is_admin:
        values["seen_principals"] = actor.principals
    return values


class Sight(NamedTuple):
    """All of an actor that shapes a statement; the rest are values. Statements can be kept for each sight."""

    sees_all: bool
    limited: bool
    # What was seen of an actor's permissions some seconds ago chooses the way to an answer, never the answer.
    holds_much: bool = False
    holds_most: bool = False


def sight_of(actor: Actor) -> Sight:
    """Return what a statement for `actor` has in common with those for many others."""
    return Sight(actor.is_admin or actor.on_root, actor.limits.models is not None, actor.holds_much, actor.holds_most)


def visible_by(sight: Sight, *, few: bool) -> ColumnElement[bool]:
    """Return the condition of `visible` for everybody of one sight; to be run with an actor's `seen_values`.

    The permissions on each model that comes up are looked up when `few` says that few will, or when the actor's are
    many. Otherwise they are gathered, and lead to the models.
    """
    return _condition(sight, None, few=few)


def seen_values(actor: Actor) -> dict[str, Any]:
    """Return the values with which a statement of the actor's sight is run."""
    values = held_values(actor)
    # A key that a statement does not ask for is refused, so each sight has its own.
    if sight_of(actor).sees_all:
        values.pop("seen_principals", None)
    return values


def require_visible(actor: Actor, name: str, *, seen: bool) -> None:
    """Raise PermissionDenied unless a statement has found the model called `name` visible to `actor`."""
    if not seen:
        require_reach(actor, name)
        raise _refusal(actor, name, None, Ability.VIEW)


def _held_at_least(
    level: Level, is_admin: bool, limited: bool, values: Mapping[str, Any] | None
) -> ColumnElement[bool]:
    within = _within(limited, values)
    if is_admin:
        return within
    mine = and_(_mine(_principals(values)), _grants.c.level.in_(at_least(level)))
    on_root = exists().where(mine, _grants.c.model_id.is_(None))
    return and_(within, or_(on_root, _models.c.id.in_(_granted(mine))))


def _principals(values: Mapping[str, Any] | None) -> BindParameter[Any]:
    return numbers_named("seen_principals") if values is None else numbers_given(values["seen_principals"])


def _condition(sight: Sight, values: Mapping[str, Any] | None, *, few: bool = False) -> ColumnElement[bool]:
    """Return the condition with its values, or to be run with them when there are none."""
    within = _within(sight.limited, values)
    if sight.sees_all:
        return within
    mine = _mine(_principals(values))
    looked_up: Select[Any] = select(literal_column("1")).where(_grants.c.model_id == _models.c.id, mine)
    looked_up = looked_up.correlate(_models)
    if few:
        return and_(within, is_found(looked_up))
    if sight.holds_much:
        # PostgreSQL may gather all of somebody's permissions, if it takes that for less than the lookups.
        return and_(within, looked_up.exists())
    return and_(within, _models.c.id.in_(_granted(mine)))


def _within(limited: bool, values: Mapping[str, Any] | None) -> ColumnElement[bool]:
    if not limited:
        return true()
    if values is None:
        return _models.c.name.in_(bindparam("seen_models", expanding=True))
    return _models.c.name.in_(values["seen_models"])


def _mine(principals: BindParameter[Any]) -> ColumnElement[bool]:
    return is_any_of(_grants.c.principal_id, principals)


def _granted(mine: ColumnElement[bool]) -> Select[Any]:
    return select(_grants.c.model_id).where(mine, _grants.c.model_id.is_not(None))


def _refusal(actor: Actor, name: str, held: Level | None, ability: Ability) -> PermissionDenied:
    return PermissionDenied(
        f"{actor.name} has {held or 'no permission'} on the model {name!r}; to {ability} takes {NEEDED[ability]}. "
        "Ask somebody with CAN_MANAGE."
    )


def _held(session: Session, actor: Actor, model_id: int | None) -> Level | None:
    """Return the highest level on the root, and on a model if one is given."""
    if not actor.principals:
        return None
    rows = session.connection().execute(_HELD, {"model_id": model_id, "principals": actor.principals})
    return highest(*(Level(row.level) for row in rows))


def _within_scope(actor: Actor, held: Level | None) -> Level | None:
    if held is not None and actor.limits.scope is Scope.READ:
        return Level.CAN_READ
    return held
