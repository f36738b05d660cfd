"""A version's activities as somebody sees them: with what that very person may do about each."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from modelyard.database.tables import Activity, ModelVersion, RegisteredModel
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import read_model_version
from modelyard.registry.open_requests import open_request_ids, open_requests
from modelyard.registry.pages import Page
from modelyard.registry.shown import ShownVersion
from modelyard.rules.activities import WORKFLOW, ActivityType, AvailableAction
from modelyard.rules.permissions import Ability, Level, allows
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope, scope_includes


@dataclass(frozen=True, slots=True)
class SeenActivity:
    """An activity, and what its viewer may do about it."""

    activity: Activity
    actions: tuple[AvailableAction, ...]


@dataclass(frozen=True, slots=True)
class History:
    """A page of what happened to a version, newest first, and its open transition requests, oldest first."""

    page: Page[SeenActivity]
    requests: list[SeenActivity]


def list_activities(session: Session, actor: Actor, name: str, number: int) -> list[SeenActivity]:
    """Return what happened to a version, oldest first. Raises NotFound, PermissionDenied."""
    model, version = read_model_version(session, actor, name, number)
    statement = (
        select(Activity)
        .where(col(Activity.version_id) == version.id, col(Activity.activity_type).in_(WORKFLOW))
        .order_by(col(Activity.created_at_ms), col(Activity.id))
    )
    return see(session, actor, model, version, session.exec(statement))


def history_of(
    session: Session,
    actor: Actor,
    model: RegisteredModel,
    version: ShownVersion,
    *,
    kinds: Collection[ActivityType] = (),
    limit: int,
    before_id: int | None = None,
) -> History:
    """Return what happened to a version, of some kinds if so asked, to somebody who may see the model."""
    statement = select(Activity).where(col(Activity.version_id) == version.id)
    if kinds:
        statement = statement.where(col(Activity.activity_type).in_(sorted(kinds)))
    if before_id is not None:
        statement = statement.where(col(Activity.id) < before_id)
    rows = list(session.exec(statement.order_by(col(Activity.id).desc()).limit(limit + 1)))
    waiting = open_requests(session, version.id)
    held, open_ids = access.level_of(session, actor, model), {one.id for one in waiting}
    stage = Stage(version.stage)
    shown = [_seen(actor, held, stage, one, open_ids) for one in rows[:limit]]
    return History(
        page=Page(shown, [rows[limit - 1].id] if len(rows) > limit else None),
        requests=[_seen(actor, held, stage, one, open_ids) for one in waiting],
    )


def list_open_requests(session: Session, actor: Actor, name: str, number: int) -> list[SeenActivity]:
    """Return a version's open transition requests, oldest first. Raises NotFound, PermissionDenied."""
    model, version = read_model_version(session, actor, name, number)
    return see(session, actor, model, version, open_requests(session, version.id))


def see(
    session: Session, actor: Actor, model: RegisteredModel, version: ModelVersion, found: Iterable[Activity]
) -> list[SeenActivity]:
    """Return activities of one version as `actor` sees them."""
    held = access.level_of(session, actor, model)
    open_ids = open_request_ids(session, version.id)
    return [_seen(actor, held, Stage(version.stage), one, open_ids) for one in found]


def see_one(session: Session, actor: Actor, activity: Activity) -> SeenActivity:
    """Return one activity of a version as `actor` sees it."""
    model = session.get_one(RegisteredModel, activity.model_id)
    version = session.get_one(ModelVersion, activity.version_id)
    return see(session, actor, model, version, [activity])[0]


def _seen(
    actor: Actor, held: Level | None, stage: Stage, activity: Activity, open_ids: Collection[int]
) -> SeenActivity:
    return SeenActivity(activity, _actions(actor, held, stage, activity, is_open=activity.id in open_ids))


def _actions(
    actor: Actor, held: Level | None, stage: Stage, activity: Activity, *, is_open: bool
) -> tuple[AvailableAction, ...]:
    if not scope_includes(actor.limits.scope, Scope.WRITE):
        return ()
    own = activity.actor == actor.name
    actions = []
    if is_open and activity.to_stage is not None:
        if access.may_transition(actor, held, from_stage=stage, to_stage=Stage(activity.to_stage)):
            actions += [AvailableAction.APPROVE, AvailableAction.REJECT]
        if own or allows(held, Ability.CANCEL_REQUEST):
            actions.append(AvailableAction.CANCEL)
    if activity.activity_type == ActivityType.NEW_COMMENT:
        if own:
            actions.append(AvailableAction.EDIT_COMMENT)
        if own or allows(held, Ability.DELETE_COMMENT):
            actions.append(AvailableAction.DELETE_COMMENT)
    return tuple(actions)
