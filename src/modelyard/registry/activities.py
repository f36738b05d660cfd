"""The record of what happened to models and versions, and who did it."""

from sqlalchemy import insert
from sqlmodel import Session, col, select

from modelyard.database.tables import Activity, ModelVersion, RegisteredModel, metadata
from modelyard.errors import NotFound
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.rules.activities import ActivityType
from modelyard.rules.permissions import Ability
from modelyard.rules.stages import Stage

_activities = metadata.tables["activities"]
_INSERT = insert(_activities)
_INSERT_STEP = _INSERT.returning(_activities.c.id)
_EMPTY = {"from_stage": None, "to_stage": None, "comment": "", "system_comment": "", "job_id": None}


def record(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion | None = None,
    *,
    at_ms: int,
    detail: str = "",
) -> None:
    """Write down that `actor` did something to `model`, or to `version` of it; `detail` says what exactly."""
    row = _row(actor, activity_type, model, version, at_ms=at_ms)
    # Every change writes one, and nobody looks at it in the same transaction: an object would cost as much as the rest.
    session.connection().execute(_INSERT, _EMPTY | row | {"system_comment": detail})


def record_step(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion,
    *,
    from_stage: Stage | None = None,
    to_stage: Stage | None = None,
    comment: str = "",
    detail: str = "",
    at_ms: int,
) -> int:
    """Write down a step of a version's workflow, and return its id; `detail` says what it did on the way."""
    row = _row(actor, activity_type, model, version, at_ms=at_ms)
    told = {"from_stage": from_stage, "to_stage": to_stage, "comment": comment, "system_comment": detail}
    step_id: int = session.connection().execute(_INSERT_STEP, _EMPTY | row | told).scalar_one()
    return step_id


def activity_of_id(session: Session, actor: Actor, identity: str) -> Activity:
    """Return an activity by its id to somebody who may see its model. Raises NotFound, PermissionDenied."""
    found = session.exec(
        select(Activity, RegisteredModel)
        .join(RegisteredModel, col(RegisteredModel.id) == col(Activity.model_id))
        .where(col(Activity.id) == int(identity), col(RegisteredModel.deleted_at_ms).is_(None))
    ).one_or_none()
    if found is None:
        raise NotFound("What was made was deleted.")
    activity, model = found
    access.require(session, actor, model, Ability.VIEW)
    return activity


def _row(
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion | None,
    *,
    at_ms: int,
) -> dict[str, object]:
    return {
        "model_id": model.id,
        "version_id": version.id if version else None,
        "activity_type": activity_type,
        "actor": actor.name,
        "created_at_ms": at_ms,
        "updated_at_ms": at_ms,
    }
