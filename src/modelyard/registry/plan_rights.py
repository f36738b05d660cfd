"""What plans ask of permissions and of transition requests: one function each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, exists, literal_column
from sqlmodel import Session

from modelyard.database.tables import metadata
from modelyard.registry import access
from modelyard.registry.access import Actor, Via
from modelyard.registry.authentication import actor_of_name
from modelyard.rules.permissions import NEEDED, Ability
from modelyard.rules.plans import PlanAction
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import UNLIMITED, Scope, TokenLimits

_requests = metadata.tables["transition_requests"]
_versions = metadata.tables["model_versions"]

_ABILITY: Mapping[PlanAction, Ability] = {
    PlanAction.ARCHIVE: Ability.MOVE_BELOW_PRODUCTION,
    PlanAction.DELETE: Ability.DELETE_VERSION,
    PlanAction.RESTORE: Ability.EMPTY_TRASH,
    PlanAction.VERIFY: Ability.VERIFY,
    PlanAction.TAG: Ability.TAG,
}


def permitted(actor: Actor, action: PlanAction) -> ColumnElement[bool]:
    """Return the condition on registered_models for those with whose versions `actor` may do this.

    A token's scope is asked for where somebody asks for a plan, its highest stage by no action that a plan can have.
    """
    return access.held_at_least(actor, NEEDED[_ABILITY[action]])


def has_open_request() -> ColumnElement[bool]:
    """Return the condition on model_versions for those that a transition request is open for."""
    # Written out like the index of the open ones: SQLite takes a partial index for nothing else.
    is_open: ColumnElement[bool] = _requests.c.status == literal_column("'OPEN'")
    return exists().where(_requests.c.version_id == _versions.c.id, is_open)


def acting(session: Session, name: str, limits: Mapping[str, Any] | None, *, job_id: int) -> Actor:
    """Return whoever a job works for, with the rights of now; somebody who is not let in any more has none."""
    found = actor_of_name(session, name) or Actor(name)
    return replace(found, limits=limits_of(limits), via=Via(address=f"job {job_id}"))


def acting_for_policy(name: str, *, job_id: int) -> Actor:
    """Return whoever a policy runs for, the scheduler or an administrator: only these enter and run policies."""
    return Actor(name, is_admin=True, via=Via(address=f"job {job_id}"))


def written_limits(limits: TokenLimits) -> dict[str, Any] | None:
    """Return what a row holds of a token's limits, None for none."""
    if limits == UNLIMITED:
        return None
    models = sorted(limits.models) if limits.models is not None else None
    return {"scope": limits.scope, "models": models, "highest_stage": limits.highest_stage}


def limits_of(written: Mapping[str, Any] | None) -> TokenLimits:
    """Return the limits that a row holds."""
    if written is None:
        return UNLIMITED
    models, highest = written["models"], written["highest_stage"]
    return TokenLimits(
        Scope(written["scope"]),
        models=frozenset(models) if models is not None else None,
        highest_stage=Stage(highest) if highest is not None else None,
    )
