"""Who asks, and what they may do with a model.

Every use-case asks here. Until users and their permissions exist, whoever gets in is an administrator.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, true
from sqlmodel import Session

from modelyard.database.tables import RegisteredModel
from modelyard.errors import PermissionDenied
from modelyard.rules.permissions import Level, includes, needed_to_transition
from modelyard.rules.stages import Stage


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, a program, the scheduler. Administrators may manage every model."""

    name: str
    is_admin: bool = False


def level_of(session: Session, actor: Actor, model: RegisteredModel) -> Level | None:
    """Return the level that `actor` has on `model`, None for none."""
    return Level.CAN_MANAGE if actor.is_admin else None


def require(session: Session, actor: Actor, model: RegisteredModel, needed: Level) -> None:
    """Raise PermissionDenied unless `actor` holds `needed` on `model`."""
    held = level_of(session, actor, model)
    if not includes(held, needed):
        raise _refusal(actor, model.name, held, needed)


def require_admin(actor: Actor, doing: str) -> None:
    """Raise PermissionDenied unless `actor` is an administrator; `doing` says what was asked."""
    if not actor.is_admin:
        raise PermissionDenied(f"{actor.name} may not {doing}; only an administrator may.")


def require_transition(
    session: Session, actor: Actor, model: RegisteredModel, *, from_stage: Stage, to_stage: Stage
) -> None:
    """Raise PermissionDenied unless `actor` may move a version of `model` between these stages."""
    require(session, actor, model, needed_to_transition(from_stage=from_stage, to_stage=to_stage))


def visible(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on registered_models for those that lists and searches show to `actor`.

    It depends on the actor's value alone: statements that hold it are kept and used again for an equal actor.
    """
    return true() if actor.is_admin else false()


def require_visible(actor: Actor, name: str, *, seen: bool) -> None:
    """Raise PermissionDenied unless a statement has found the model called `name` visible to `actor`."""
    if not seen:
        raise _refusal(actor, name, None, Level.CAN_READ)


def _refusal(actor: Actor, name: str, held: Level | None, needed: Level) -> PermissionDenied:
    return PermissionDenied(
        f"{actor.name} has {held or 'no permission'} on the model {name!r}; this needs {needed}. "
        "Ask somebody with CAN_MANAGE."
    )
