"""What of a model serves in Production, since when and by whom, and what served before; what happened to it lately."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlmodel
from sqlalchemy import Integer, bindparam, func, not_, select
from sqlmodel import Session, col

from modelyard.database.any_of import is_any_of, numbers_named
from modelyard.database.tables import Activity, ModelVersion, RegisteredModel, metadata
from modelyard.registry.shown import READY
from modelyard.rules.activities import ActivityType
from modelyard.rules.stages import Stage

_activities = metadata.tables["activities"]
_versions = metadata.tables["model_versions"]
_MOVES = (ActivityType.APPLIED_TRANSITION, ActivityType.APPROVED_REQUEST, ActivityType.SYSTEM_TRANSITION)
# How far back the version before is looked for: a page must not read a model's whole history.
_LOOKED_BACK = 500

_entered = _activities.alias("entered")
# Put together once: to do so takes longer than to run them.
_SERVING = (
    select(_versions.c.id, _versions.c.version, _entered.c.created_at_ms, _entered.c.actor)
    .select_from(
        _versions.outerjoin(
            _entered,
            _entered.c.id
            == select(func.max(_activities.c.id))
            .where(
                _activities.c.version_id == _versions.c.id,
                _activities.c.activity_type.in_(_MOVES),
                _activities.c.to_stage == Stage.PRODUCTION,
            )
            .correlate(_versions)
            .scalar_subquery(),
        )
    )
    .where(
        _versions.c.model_id == bindparam("model_id"),
        _versions.c.stage == Stage.PRODUCTION,
        _versions.c.status == READY,
        _versions.c.deleted_at_ms.is_(None),
    )
    .order_by(_versions.c.version.desc())
    .limit(bindparam("count", type_=Integer))
)
_LATELY = (
    select(_activities.c.id)
    .where(_activities.c.model_id == bindparam("model_id"))
    .order_by(_activities.c.id.desc())
    .limit(_LOOKED_BACK)
    .subquery()
)
_LEFT = (
    select(_versions.c.version, _activities.c.created_at_ms, _activities.c.actor)
    .select_from(_activities.join(_versions, _versions.c.id == _activities.c.version_id))
    .where(
        _activities.c.id.in_(select(_LATELY.c.id)),
        _activities.c.activity_type.in_(_MOVES),
        _activities.c.from_stage == Stage.PRODUCTION,
        _versions.c.deleted_at_ms.is_(None),
        not_(is_any_of(_versions.c.id, numbers_named("serving"))),
    )
    .order_by(_activities.c.id.desc())
    .limit(1)
)
_RECENT = (
    sqlmodel.select(Activity, ModelVersion.version)
    .outerjoin(ModelVersion, col(ModelVersion.id) == col(Activity.version_id))
    .where(col(Activity.model_id) == bindparam("model_id"))
    .order_by(col(Activity.id).desc())
    .limit(bindparam("count", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class Service:
    """A version in Production, or one that was: the moment and the person that moved it there, or away."""

    version: int
    at_ms: int | None
    actor: str


@dataclass(frozen=True, slots=True)
class Production:
    """Versions that serve, newest first, no more than were asked for; `previous` is the one that left last."""

    serving: Sequence[Service]
    previous: Service | None


@dataclass(frozen=True, slots=True)
class ModelActivity:
    """An activity of a model, and the number of the version that it was about, None for the model itself."""

    activity: Activity
    version: int | None


def production_of(session: Session, model: RegisteredModel, *, limit: int) -> Production:
    """Return what of a model serves and what served before, to somebody who may see the model."""
    connection = session.connection()
    rows = connection.execute(_SERVING, {"model_id": model.id, "count": limit}).all()
    serving = [Service(row.version, row.created_at_ms, row.actor or "") for row in rows]
    left = connection.execute(_LEFT, {"model_id": model.id, "serving": [row.id for row in rows]}).first()
    return Production(serving, Service(*left) if left else None)


def recent_activities(session: Session, model: RegisteredModel, *, limit: int) -> list[ModelActivity]:
    """Return what happened to a model and its versions, newest first, to somebody who may see the model."""
    rows = session.exec(_RECENT, params={"model_id": model.id, "count": limit})
    return [ModelActivity(activity, number) for activity, number in rows]
