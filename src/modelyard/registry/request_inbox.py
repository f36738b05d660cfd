"""Open transition requests of every model: which somebody can answer, and which somebody asked."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_
from sqlmodel import Session, col, select

from modelyard.database.tables import Activity, ModelVersion, RegisteredModel, TransitionRequest
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.registry.activity_feed import SeenActivity, see
from modelyard.registry.open_requests import OPEN
from modelyard.rules.permissions import Level
from modelyard.rules.stages import Stage


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """An open request, with the model and version that it is about."""

    seen: SeenActivity
    model: str
    version: int
    stage: str


def count_to_decide(*, is_admin: bool, limited: bool) -> Select[Any]:
    """Return the SELECT of how many open requests somebody can answer; to be run with their `held_values`."""

    def held(level: Level) -> ColumnElement[bool]:
        return access.held_at_least_by(level, is_admin=is_admin, limited=limited)

    found: Select[Any] = _open(func.count()).where(_decidable(held))
    return found


def list_requests(session: Session, actor: Actor, *, own: bool, limit: int) -> list[WaitingRequest]:
    """Return open requests by model and version, oldest first: those that `actor` can answer, or has asked."""
    which = (
        col(TransitionRequest.requested_by) == actor.name if own else _decidable(partial(access.held_at_least, actor))
    )
    rows = session.exec(
        _open(Activity, RegisteredModel, ModelVersion)
        .where(access.visible(actor), which)
        .order_by(col(RegisteredModel.name), col(ModelVersion.version), col(Activity.id))
        .limit(limit)
    )
    return [
        WaitingRequest(see(session, actor, model, version, [activity])[0], model.name, version.version, version.stage)
        for activity, model, version in rows
    ]


def _decidable(held: Callable[[Level], ColumnElement[bool]]) -> ColumnElement[bool]:
    production = or_(col(TransitionRequest.to_stage) == Stage.PRODUCTION, col(ModelVersion.stage) == Stage.PRODUCTION)
    return or_(
        held(Level.CAN_MANAGE_PRODUCTION_VERSIONS),
        and_(~production, held(Level.CAN_MANAGE_STAGING_VERSIONS)),
    )


def _open(*columns: Any) -> Any:
    return (
        select(*columns)
        .select_from(TransitionRequest)
        .join(Activity, col(Activity.id) == col(TransitionRequest.id))
        .join(ModelVersion, col(ModelVersion.id) == col(TransitionRequest.version_id))
        .join(RegisteredModel, col(RegisteredModel.id) == col(ModelVersion.model_id))
        .where(OPEN, col(ModelVersion.deleted_at_ms).is_(None), col(RegisteredModel.deleted_at_ms).is_(None))
    )
