"""The record of what happened to models and versions, and who did it."""

from sqlmodel import Session, col, select

from modelyard.database.tables import Activity, ModelVersion, RegisteredModel
from modelyard.errors import NotFound
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.rules.activities import ActivityType
from modelyard.rules.permissions import Ability
from modelyard.rules.stages import Stage


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
    activity = _add(session, actor, activity_type, model, version, at_ms=at_ms)
    activity.system_comment = detail


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
    at_ms: int,
) -> Activity:
    """Write down a step of a version's workflow, and return it with its id."""
    activity = _add(session, actor, activity_type, model, version, at_ms=at_ms)
    activity.from_stage, activity.to_stage, activity.comment = from_stage, to_stage, comment
    session.flush()
    return activity


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


def _add(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion | None,
    *,
    at_ms: int,
) -> Activity:
    activity = Activity(
        model_id=model.id,
        version_id=version.id if version else None,
        activity_type=activity_type,
        actor=actor.name,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )
    session.add(activity)
    return activity
