"""Stage changes: one version moves, and those in its way step aside with it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session

from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.jobs.queue import JobQueue
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.followers import follow
from modelyard.registry.integrity import require_intact
from modelyard.registry.model_versions import lock_model_version
from modelyard.registry.open_requests import close_requests, note_answer
from modelyard.registry.registered_models import note_change_now
from modelyard.registry.shown import READY
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.jobs import JobKind
from modelyard.rules.stages import IN_USE, Stage, check_archiving
from modelyard.rules.texts import check_comment
from modelyard.rules.transition_requests import RequestStatus
from modelyard.rules.versions import VersionStatus, check_ready

_versions = metadata.tables["model_versions"]
_ARCHIVE = (
    update(_versions)
    .where(
        _versions.c.model_id == bindparam("its_model"),
        _versions.c.stage == bindparam("left_stage"),
        _versions.c.status == READY,
        _versions.c.id != bindparam("moving_id"),
        _versions.c.deleted_at_ms.is_(None),
    )
    .values(stage=Stage.ARCHIVED, stage_changed_at_ms=bindparam("at_ms"), updated_at_ms=bindparam("at_ms"))
    .returning(_versions.c.version, _versions.c.id)
)
_MOVE = (
    update(_versions)
    .where(_versions.c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}") for name in ("stage", "stage_changed_at_ms", "updated_at_ms")})
)


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
    check_comment(comment)
    model, moving = lock_model_version(session, name, number)
    from_stage = Stage(moving.stage)
    access.require_transition(session, actor, model, from_stage=from_stage, to_stage=to)
    check_ready(name, number, VersionStatus(moving.status), "moved to another stage")
    if to in IN_USE:
        require_intact(session, name, moving, f"moved to {to}")

    left = change_stage(session, actor, model, moving, to=to, archive_existing=archive_existing, queue=queue)
    archived = close_requests(session, left.ids, Stage.ARCHIVED, RequestStatus.APPROVED)
    if from_stage is not to:
        granted = close_requests(session, [moving.id], to, RequestStatus.APPROVED)
        _record_step(
            session, actor, model, moving, granted, archived, from_stage=from_stage, comment=comment, at_ms=left.at_ms
        )
        announce_move(session, actor, model, moving, from_stage=from_stage)
    if from_stage is not to or left.numbers:
        audit.record(
            session,
            actor,
            Action.TRANSITION,
            model=model,
            version=moving,
            before={"stage": from_stage},
            after={"stage": to, "archived": left.numbers, "comment": comment},
        )
    session.flush()
    return moving


@dataclass(frozen=True, slots=True)
class Left:
    """The versions that stepped aside, by number and by row id, both in order of the numbers, and when that was."""

    numbers: list[int]
    ids: list[int]
    at_ms: int


def change_stage(
    session: Session,
    actor: Actor,
    model: RegisteredModel,
    moving: ModelVersion,
    *,
    to: Stage,
    archive_existing: bool,
    queue: JobQueue,
) -> Left:
    """Move a version of a locked model to stage `to`, and return which versions made room for it."""
    at_ms = note_change_now(model)
    left = _archive_others(session, moving, to, at_ms=at_ms) if archive_existing else Left([], [], at_ms)
    if left.numbers:
        _enqueue_archival(session, actor, model, moving, left.numbers, to=to, queue=queue)
    moved = {
        "stage": to,
        "stage_changed_at_ms": moving.stage_changed_at_ms if moving.stage == to else at_ms,
        "updated_at_ms": at_ms,
    }
    # One prepared statement: to collect the object's changes and write them costs several times as much.
    session.connection().execute(_MOVE, {"row_id": moving.id} | {f"new_{name}": value for name, value in moved.items()})
    for name, value in moved.items():
        set_committed_value(moving, name, value)
    return left


def announce_move(
    session: Session, actor: Actor, model: RegisteredModel, moved: ModelVersion, *, from_stage: Stage
) -> None:
    """Tell the world outside that a version has another stage now; whoever moved it follows it from then on."""
    follow(session, actor, moved)
    events.record(
        session,
        actor,
        RegistryEvent.TRANSITIONED,
        model,
        moved,
        from_stage=from_stage,
        to_stage=moved.stage,
    )


def _record_step(
    session: Session,
    actor: Actor,
    model: RegisteredModel,
    moved: ModelVersion,
    granted: list[int],
    archived: list[int],
    *,
    from_stage: Stage,
    comment: str,
    at_ms: int,
) -> None:
    """Write down that a version was moved by hand, and by which step the requests were answered that it closed."""
    step: dict[str, Any] = {
        "from_stage": from_stage,
        "to_stage": Stage(moved.stage),
        "comment": comment,
        "detail": _told_closed(len(granted)),
        "at_ms": at_ms,
    }
    if granted or archived:
        step_id = activities.record_step(session, actor, ActivityType.APPLIED_TRANSITION, model, moved, **step)
        note_answer(session, granted + archived, step_id)
    else:
        activities.record(session, actor, ActivityType.APPLIED_TRANSITION, model, moved, **step)


def _told_closed(closed: int) -> str:
    """Return what an activity says of the requests that it closed on the way."""
    return f"Approved {closed} open request{'s' * (closed > 1)} for this stage." if closed else ""


def _archive_others(session: Session, moving: ModelVersion, stage: Stage, *, at_ms: int) -> Left:
    """Archive every other version in `stage` by one statement: no reader sees two truths."""
    who = {"its_model": moving.model_id, "left_stage": stage, "moving_id": moving.id, "at_ms": at_ms}
    # Not by the session: it would look for a thousand objects that nobody has loaded.
    rows = sorted((number, row_id) for number, row_id in session.connection().execute(_ARCHIVE, who))
    return Left([number for number, _ in rows], [row_id for _, row_id in rows], at_ms)


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
