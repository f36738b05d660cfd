"""Stage changes: one version moves, and those in its way step aside with it."""

from sqlalchemy import update
from sqlmodel import Session, col

from modelyard.database.session import current_ms
from modelyard.database.tables import ModelVersion, RegisteredModel
from modelyard.jobs.queue import JobQueue
from modelyard.registry import access, activities
from modelyard.registry.access import Actor
from modelyard.registry.integrity import require_intact
from modelyard.registry.model_versions import find_model_version
from modelyard.registry.registered_models import find_registered_model, note_change
from modelyard.registry.shown import READY
from modelyard.rules.jobs import JobKind
from modelyard.rules.stages import IN_USE, Stage, check_archiving
from modelyard.rules.texts import check_description
from modelyard.rules.versions import VersionStatus, check_ready


def transition_model_version_stage(
    session: Session,
    actor: Actor,
    name: str,
    number: int,
    *,
    to: Stage,
    archive_existing: bool,
    comment: str = "",
    queue: JobQueue,
) -> ModelVersion:
    """Move one version to stage `to`; with `archive_existing`, those already there are archived with it.

    Raises NotFound, PermissionDenied, InvalidValue, InvalidState unless the version is READY.
    """
    check_archiving(to, archive_existing=archive_existing)
    check_description(comment)
    model = find_registered_model(session, name, lock=True)
    moving = find_model_version(session, model, number)
    from_stage = Stage(moving.stage)
    access.require_transition(session, actor, model, from_stage=from_stage, to_stage=to)
    check_ready(name, number, VersionStatus(moving.status), "moved to another stage")
    if to in IN_USE:
        require_intact(session, name, moving, f"moved to {to}")

    now = current_ms(session)
    leaving = _archive_others(session, moving, to, at_ms=now) if archive_existing else []
    if leaving:
        _enqueue_archival(session, actor, model, moving, leaving, to=to, queue=queue)
    moving.updated_at_ms = now
    note_change(model, at_ms=now)
    if from_stage is not to:
        moving.stage, moving.stage_changed_at_ms = to, now
        activities.record_transition(
            session, actor, model, moving, from_stage=from_stage, to_stage=to, comment=comment, at_ms=now
        )
    session.flush()
    return moving


def _archive_others(session: Session, moving: ModelVersion, stage: Stage, *, at_ms: int) -> list[int]:
    """Archive every other version in `stage` by one statement: no reader sees two truths. Return their numbers."""
    left = session.execute(
        update(ModelVersion)
        .where(
            col(ModelVersion.model_id) == moving.model_id,
            col(ModelVersion.stage) == stage,
            col(ModelVersion.status) == READY,
            col(ModelVersion.id) != moving.id,
            col(ModelVersion.deleted_at_ms).is_(None),
        )
        .values(stage=Stage.ARCHIVED, stage_changed_at_ms=at_ms, updated_at_ms=at_ms)
        .returning(col(ModelVersion.version))
        .execution_options(synchronize_session=False)
    )
    return sorted(left.scalars())


def _enqueue_archival(
    session: Session,
    actor: Actor,
    model: RegisteredModel,
    promoted: ModelVersion,
    leaving: list[int],
    *,
    to: Stage,
    queue: JobQueue,
) -> None:
    queue.enqueue(
        session,
        JobKind.ARCHIVE_VERSIONS,
        requested_by=actor.name,
        # The list is fixed here: read later, it would hold whatever was promoted since.
        arguments={"versions": leaving, "from_stage": to, "promoted": promoted.version},
        model_id=model.id,
    )
