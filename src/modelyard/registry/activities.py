"""The record of what happened to models and versions, and who did it."""

from sqlalchemy import insert
from sqlmodel import Session, col, select

from modelyard.database.appending import append, write_appended
from modelyard.database.tables import Activity, ModelVersion, RegisteredModel, metadata
from modelyard.errors import NotFound
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.rules.activities import ActivityType
from modelyard.rules.permissions import Ability
from modelyard.rules.stages import Stage

_activities = metadata.tables["activities"]
_INSERT_STEP = insert(_activities).returning(_activities.c.id)


def record(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion | None = None,
    *,
    at_ms: int,
    from_stage: Stage | None = None,
    to_stage: Stage | None = None,
    comment: str = "",
    detail: str = "",
) -> None:
    """Write down that `actor` did something to `model`, or to `version` of it; `detail` says what exactly."""
    row = _row(actor, activity_type, model, version, at_ms=at_ms)
    told = {"from_stage": from_stage, "to_stage": to_stage, "comment": comment, "system_comment": detail}
    append(session, _activities, row | told)


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
    """Write down a step of a version's workflow at once, and return its id; `detail` says what it did on the way."""
    # Behind the steps before it, since the feed is in order of the ids.
    write_appended(session)
    row = _row(actor, activity_type, model, version, at_ms=at_ms)
    told = {"from_stage": from_stage, "to_stage": to_stage, "comment": comment, "system_comment": detail}
    step_id: int = session.connection().execute(_INSERT_STEP, row | told).scalar_one()
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
        "job_id": None,
    }
