"""Transition requests: wished for, approved, rejected, cancelled.

A request has no id on the wire: whoever answers addresses version and stage, and so answers everybody who wished for
the same. The model's row is locked first, so of two answers at once one finds nothing left to answer. Source:
contracts/databricks.md 2.3.
"""

from collections.abc import Sequence

from sqlmodel import Session

from modelyard.database.session import current_ms
from modelyard.database.tables import Activity, ModelVersion, RegisteredModel, TransitionRequest
from modelyard.errors import InvalidValue, NotFound
from modelyard.jobs.queue import JobQueue
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.followers import follow
from modelyard.registry.integrity import require_intact
from modelyard.registry.model_versions import lock_model_version
from modelyard.registry.open_requests import close_requests, find_open_request, note_answer
from modelyard.registry.registered_models import count_change
from modelyard.registry.transitions import announce_move, change_stage
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.permissions import Ability
from modelyard.rules.stages import IN_USE, Stage, check_archiving
from modelyard.rules.texts import check_comment
from modelyard.rules.transition_requests import RequestStatus
from modelyard.rules.versions import VersionStatus, check_ready


def create_transition_request(
    session: Session, actor: Actor, name: str, number: int, *, to: Stage, comment: str = ""
) -> Activity:
    """Wish for a version to be moved; whoever wishes the same again gets the open request that is there.

    Raises NotFound, PermissionDenied, InvalidValue for the stage that it is in, InvalidState unless it is READY.
    """
    check_comment(comment)
    model, version = _find(session, name, number)
    access.require(session, actor, model, Ability.REQUEST_TRANSITION)
    check_ready(name, number, VersionStatus(version.status), "requested for another stage")
    if version.stage == to:
        raise InvalidValue(f"Version {number} of {name!r} is in {to} already. Request another stage.")
    there = find_open_request(session, version.id, to, actor.name)
    if there is not None:
        return there
    wish = _step(
        session,
        actor,
        ActivityType.REQUESTED_TRANSITION,
        model,
        version,
        from_stage=Stage(version.stage),
        to=to,
        comment=comment,
        at_ms=current_ms(session),
    )
    session.add(TransitionRequest(id=wish.id, version_id=version.id, to_stage=to, requested_by=actor.name))
    follow(session, actor, version)
    events.record(
        session,
        actor,
        RegistryEvent.REQUEST_CREATED,
        model,
        version,
        from_stage=version.stage,
        to_stage=to,
        comment=comment,
    )
    _audit(session, actor, Action.CREATE_REQUEST, model, version, to=to, comment=comment)
    return wish


def approve_transition_request(
    session: Session,
    actor: Actor,
    name: str,
    number: int,
    *,
    to: Stage,
    archive_existing: bool,
    comment: str = "",
    queue: JobQueue,
) -> Activity:
    """Move a version because somebody asked for it; every open request for this stage is approved with it.

    Raises NotFound also when nobody asked, PermissionDenied, InvalidValue, InvalidState unless the version is READY.
    """
    check_archiving(to, archive_existing=archive_existing)
    check_comment(comment)
    model, version = _find(session, name, number)
    from_stage = Stage(version.stage)
    access.require_transition(session, actor, model, from_stage=from_stage, to_stage=to)
    check_ready(name, number, VersionStatus(version.status), "moved to another stage")
    if to in IN_USE:
        require_intact(session, name, version, f"moved to {to}")
    closed = close_requests(session, [version.id], to, RequestStatus.APPROVED)
    if not closed:
        raise _nothing_open(name, number, to)
    left = change_stage(session, actor, model, version, to=to, archive_existing=archive_existing, queue=queue)
    archived = close_requests(session, left.ids, Stage.ARCHIVED, RequestStatus.APPROVED)
    approval = _step(
        session,
        actor,
        ActivityType.APPROVED_REQUEST,
        model,
        version,
        from_stage=from_stage,
        to=to,
        comment=comment,
        detail=_told_closed(closed),
        at_ms=left.at_ms,
    )
    note_answer(session, closed + archived, approval.id)
    announce_move(session, actor, model, version, from_stage=from_stage)
    audit.record(
        session,
        actor,
        Action.APPROVE_REQUEST,
        model=model,
        version=version,
        before={"stage": from_stage},
        after={"stage": to, "archived": left.numbers, "comment": comment, "requests": len(closed)},
    )
    session.flush()
    return approval


def reject_transition_request(
    session: Session, actor: Actor, name: str, number: int, *, to: Stage, comment: str = ""
) -> Activity:
    """Decline to move a version: every open request for this stage is closed. Raises as `approve`, but for READY."""
    check_comment(comment)
    model, version = _find(session, name, number)
    access.require_transition(session, actor, model, from_stage=Stage(version.stage), to_stage=to)
    closed = close_requests(session, [version.id], to, RequestStatus.REJECTED)
    if not closed:
        raise _nothing_open(name, number, to)
    rejection = _step(
        session,
        actor,
        ActivityType.REJECTED_REQUEST,
        model,
        version,
        from_stage=Stage(version.stage),
        to=to,
        comment=comment,
        detail=_told_closed(closed),
        at_ms=current_ms(session),
    )
    note_answer(session, closed, rejection.id)
    _audit(session, actor, Action.REJECT_REQUEST, model, version, to=to, comment=comment)
    return rejection


def cancel_transition_request(
    session: Session, actor: Actor, name: str, number: int, *, to: Stage, creator: str, comment: str = ""
) -> Activity:
    """Take one person's open request back: that person may, and who manages the model.

    Raises NotFound also when there is no such request, PermissionDenied.
    """
    check_comment(comment)
    model, version = _find(session, name, number)
    own = creator.lower() == actor.name.lower()
    access.require(session, actor, model, Ability.REQUEST_TRANSITION if own else Ability.CANCEL_REQUEST)
    closed = close_requests(session, [version.id], to, RequestStatus.CANCELLED, requested_by=creator.lower())
    if not closed:
        raise NotFound(f"{creator[:256]} has no open request to move version {number} of {name!r} to {to}.")
    step = _step(
        session,
        actor,
        ActivityType.CANCELLED_REQUEST,
        model,
        version,
        from_stage=Stage(version.stage),
        to=to,
        comment=comment,
        at_ms=current_ms(session),
    )
    note_answer(session, closed, step.id)
    _audit(session, actor, Action.CANCEL_REQUEST, model, version, to=to, comment=comment, creator=creator.lower())
    return step


def _find(session: Session, name: str, number: int) -> tuple[RegisteredModel, ModelVersion]:
    return lock_model_version(session, name, number)


def _step(
    session: Session,
    actor: Actor,
    activity_type: ActivityType,
    model: RegisteredModel,
    version: ModelVersion,
    *,
    from_stage: Stage,
    to: Stage,
    comment: str,
    detail: str = "",
    at_ms: int,
) -> Activity:
    """Write the activity of an answer or a wish. A model with open wishes looks different: it has changed, too."""
    count_change(model)
    step_id = activities.record_step(
        session,
        actor,
        activity_type,
        model,
        version,
        from_stage=from_stage,
        to_stage=to,
        comment=comment,
        detail=detail,
        at_ms=at_ms,
    )
    return session.get_one(Activity, step_id)


def _audit(
    session: Session,
    actor: Actor,
    action: Action,
    model: RegisteredModel,
    version: ModelVersion,
    *,
    to: Stage,
    **told: str,
) -> None:
    audit.record(session, actor, action, model=model, version=version, after={"to_stage": to, **told})
    session.flush()


def _told_closed(closed: Sequence[int]) -> str:
    return f"Closed {len(closed)} requests." if len(closed) > 1 else ""


def _nothing_open(name: str, number: int, to: Stage) -> NotFound:
    return NotFound(f"Nobody has an open request to move version {number} of {name!r} to {to}.")
