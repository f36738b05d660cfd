"""The record of what happened to models and versions, and who did it."""

from sqlmodel import Session

from modelyard.database.tables import Activity, ModelVersion, RegisteredModel
from modelyard.registry.access import Actor
from modelyard.rules.activities import ActivityType
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


def record_transition(
    session: Session,
    actor: Actor,
    model: RegisteredModel,
    version: ModelVersion,
    *,
    from_stage: Stage,
    to_stage: Stage,
    comment: str,
    at_ms: int,
) -> None:
    """Write down that `actor` moved `version` from one stage to another."""
    activity = _add(session, actor, ActivityType.APPLIED_TRANSITION, model, version, at_ms=at_ms)
    activity.from_stage, activity.to_stage, activity.comment = from_stage, to_stage, comment


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
