"""Rolling back: a model's Production set as it was before its last change, in one transaction.

The last change is what the activities tell: one version that entered or left Production, together with those that
stepped aside for it. A roll back is such a change itself, and is undone by the next one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlmodel import Session, col

from modelyard.database.session import current_ms
from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.errors import InvalidState
from modelyard.registry import access, activities, audit
from modelyard.registry.access import Actor
from modelyard.registry.integrity import damaged_blobs
from modelyard.registry.open_requests import close_requests, note_answer
from modelyard.registry.registered_models import find_registered_model, note_change
from modelyard.registry.transitions import announce_move
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.jobs import JobKind
from modelyard.rules.permissions import Ability
from modelyard.rules.stages import Stage
from modelyard.rules.texts import check_comment
from modelyard.rules.transition_requests import RequestStatus
from modelyard.rules.versions import damaged_message

_activities = metadata.tables["activities"]
_jobs = metadata.tables["jobs"]
_versions_table = metadata.tables["model_versions"]
_MOVED_BY_HAND = (ActivityType.APPLIED_TRANSITION, ActivityType.APPROVED_REQUEST)
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Move:
    """One version's way in a roll back."""

    version: int
    from_stage: Stage
    to_stage: Stage


@dataclass(frozen=True, slots=True)
class Rollback:
    """What undoes the last change of a model's Production set, which was at `undone_at_ms`.

    `moves` and `left` are in the order of the versions; `left` maps those that were in Production and cannot return to
    the reason. `production` is the set as it is afterwards.
    """

    undone_at_ms: int
    moves: Sequence[Move]
    left: dict[int, str]
    production: Sequence[int]


def roll_back(session: Session, actor: Actor, name: str, *, dry_run: bool, comment: str = "") -> Rollback:
    """Undo the last change of a model's Production set, or only say what that would do.

    Raises NotFound, PermissionDenied, InvalidState when there is nothing to undo.
    """
    check_comment(comment)
    model = find_registered_model(session, name, lock=not dry_run)
    access.require(session, actor, model, Ability.VIEW)
    found, rows = _rollback(session, model)
    for from_stage, to_stage in sorted({(move.from_stage, move.to_stage) for move in found.moves}):
        access.require_transition(session, actor, model, from_stage=from_stage, to_stage=to_stage)
    if not dry_run:
        _do(session, actor, model, found, rows, comment=comment)
    return found


def _rollback(session: Session, model: RegisteredModel) -> tuple[Rollback, dict[int, ModelVersion]]:
    aside = _stepped_aside(session, model)
    at_ms = _last_change(session, model, aside)
    steps = _steps_at(session, model, at_ms)
    found = _versions(session, steps.keys(), {row_id for row_id, since_ms in aside.items() if since_ms == at_ms})
    moves: list[Move] = []
    left: dict[int, str] = {}
    for row, damaged in found:
        # Whoever no step tells of stepped aside for one that it does.
        to_stage = steps.get(row.id, Stage.PRODUCTION)
        reason = _why_left(row, to_stage, at_ms, damaged)
        if reason:
            left[row.version] = reason
        else:
            moves.append(Move(row.version, Stage(row.stage), to_stage))
    if not moves:
        told = " ".join(f"Version {number}: {reason}" for number, reason in left.items())
        raise InvalidState(f"The last change of Production in {model.name!r} cannot be undone. {told}".strip())
    leaving = {move.version for move in moves if move.from_stage is Stage.PRODUCTION}
    entering = {move.version for move in moves if move.to_stage is Stage.PRODUCTION}
    production = sorted((_in_production(session, model) - leaving) | entering)
    return Rollback(at_ms, moves, left, production), {row.version: row for row, _ in found}


def _last_change(session: Session, model: RegisteredModel, aside: Mapping[int, int]) -> int:
    """Return when the Production set changed last. Raises InvalidState when it never did."""
    by_hand = session.scalar(select(func.max(_activities.c.created_at_ms)).where(_of_production(model)))
    at_ms: int = max(by_hand or 0, *aside.values(), 0)
    if not at_ms:
        raise InvalidState(f"{model.name!r} has never had another Production set; there is nothing to roll back.")
    return at_ms


def _of_production(model: RegisteredModel) -> ColumnElement[bool]:
    """Return the condition on activities for steps by which a version of the model entered or left Production."""
    touched = or_(_activities.c.from_stage == Stage.PRODUCTION, _activities.c.to_stage == Stage.PRODUCTION)
    moved = _activities.c.from_stage != _activities.c.to_stage
    return and_(_activities.c.model_id == model.id, _activities.c.activity_type.in_(_MOVED_BY_HAND), touched, moved)


def _stepped_aside(session: Session, model: RegisteredModel) -> dict[int, int]:
    """Return row id -> since when, for versions that a promotion archived from Production and that still are archived.

    Their activities may not be written yet; then the promotion's job tells which they are.
    """
    told = exists().where(
        _activities.c.version_id == _versions_table.c.id,
        _activities.c.activity_type == ActivityType.SYSTEM_TRANSITION,
        _activities.c.from_stage == Stage.PRODUCTION,
    )
    archived = select(
        _versions_table.c.id, _versions_table.c.version, _versions_table.c.stage_changed_at_ms, told.label("told")
    ).where(_versions_table.c.model_id == model.id, _versions_table.c.stage == Stage.ARCHIVED)
    fresh = _list_of_newest_promotion(session, model)
    return {row.id: row.stage_changed_at_ms for row in session.execute(archived) if row.told or row.version in fresh}


def _list_of_newest_promotion(session: Session, model: RegisteredModel) -> set[int]:
    newest_first = (
        select(_jobs.c.arguments)
        .where(_jobs.c.model_id == model.id, _jobs.c.kind == JobKind.ARCHIVE_VERSIONS)
        .order_by(_jobs.c.id.desc())
    )
    lists = session.scalars(newest_first)
    return set(next((each["versions"] for each in lists if each.get("from_stage") == Stage.PRODUCTION), []))


def _steps_at(session: Session, model: RegisteredModel, at_ms: int) -> dict[int, Stage]:
    """Return row id of a version -> the stage that a step of this moment took it from."""
    statement = select(_activities.c.version_id, _activities.c.from_stage).where(
        _of_production(model), _activities.c.created_at_ms == at_ms
    )
    return {row.version_id: Stage(row.from_stage) for row in session.execute(statement.order_by(_activities.c.id))}


def _versions(session: Session, stepped: Iterable[int], aside: set[int]) -> list[tuple[ModelVersion, int]]:
    """Return the versions of a change with how many of their blobs are damaged, in the order of their numbers."""
    row_ids = sorted({*stepped, *aside})
    found: list[tuple[ModelVersion, int]] = []
    for start in range(0, len(row_ids), _TOGETHER):
        some = col(ModelVersion.id).in_(row_ids[start : start + _TOGETHER])
        found += [(row, damaged) for row, damaged in session.execute(select(ModelVersion, damaged_blobs()).where(some))]
    return sorted(found, key=lambda each: each[0].version)


def _why_left(row: ModelVersion, to_stage: Stage, at_ms: int, damaged: int) -> str:
    """Return why a version stays where it is, "" when it does not."""
    if row.deleted_at_ms is not None:
        return "It was deleted since."
    if row.stage_changed_at_ms != at_ms:
        return f"It was moved to {row.stage} since."
    return damaged_message(damaged) if damaged and to_stage is Stage.PRODUCTION else ""


def _in_production(session: Session, model: RegisteredModel) -> set[int]:
    statement = select(col(ModelVersion.version)).where(
        col(ModelVersion.model_id) == model.id,
        col(ModelVersion.stage) == Stage.PRODUCTION,
        col(ModelVersion.deleted_at_ms).is_(None),
    )
    return set(session.scalars(statement))


def _do(
    session: Session,
    actor: Actor,
    model: RegisteredModel,
    found: Rollback,
    rows: dict[int, ModelVersion],
    *,
    comment: str,
) -> None:
    # Later than what it undoes, or the next roll back would take both for one change.
    now = max(current_ms(session), found.undone_at_ms + 1)
    for move in found.moves:
        moving = rows[move.version]
        moving.stage, moving.stage_changed_at_ms, moving.updated_at_ms = move.to_stage, now, now
        granted = close_requests(session, [moving.id], move.to_stage, RequestStatus.APPROVED)
        step_id = activities.record_step(
            session,
            actor,
            ActivityType.APPLIED_TRANSITION,
            model,
            moving,
            from_stage=move.from_stage,
            to_stage=move.to_stage,
            comment=comment,
            detail="Rolled back to the Production set before.",
            at_ms=now,
        )
        note_answer(session, granted, step_id)
        announce_move(session, actor, model, moving, from_stage=move.from_stage)
        audit.record(
            session,
            actor,
            Action.TRANSITION,
            model=model,
            version=moving,
            before={"stage": move.from_stage},
            after={"stage": move.to_stage, "comment": comment, "rolled_back": True},
        )
    note_change(model, at_ms=now)
    session.flush()
