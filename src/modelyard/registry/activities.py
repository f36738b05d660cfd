"""The record of what happened to models and versions, and who did it."""

from sqlalchemy import insert
from sqlmodel import Session

from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.registry.access import Actor
from modelyard.rules.activities import ActivityType
from modelyard.rules.stages import Stage

_INSERT = insert(metadata.tables["activities"])
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
    _add(session, actor, activity_type, model, version, at_ms=at_ms, system_comment=detail)


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
    _add(
        session,
        actor,
        ActivityType.APPLIED_TRANSITION,
        model,
        version,
        at_ms=at_ms,
        from_stage=from_stage,
        to_stage=to_stage,
        comment=comment,
    )


def _add(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion | None,
    *,
    at_ms: int,
    **more: str,
) -> None:
    row = {
        "model_id": model.id,
        "version_id": version.id if version else None,
        "activity_type": activity_type,
        "actor": actor.name,
        "created_at_ms": at_ms,
        "updated_at_ms": at_ms,
    }
    # Every change writes one, and nobody looks at it in the same transaction: an object would cost as much as the rest.
    session.connection().execute(_INSERT, _EMPTY | row | more)
