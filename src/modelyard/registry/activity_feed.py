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
from modelyard.rules.activities import WORKFLOW, ActivityType, AvailableAction
from modelyard.rules.permissions import Ability, Level, allows
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope, scope_includes


@dataclass(frozen=True, slots=True)
class SeenActivity:
    """An activity, and what its viewer may do about it."""

    activity: Activity
    actions: tuple[AvailableAction, ...]


def list_activities(session: Session, actor: Actor, name: str, number: int) -> list[SeenActivity]:
    """Return what happened to a version, oldest first. Raises NotFound, PermissionDenied."""
    model, version = read_model_version(session, actor, name, number)
    statement = (
        select(Activity)
        .where(col(Activity.version_id) == version.id, col(Activity.activity_type).in_(WORKFLOW))
        .order_by(col(Activity.created_at_ms), col(Activity.id))
    )
    return see(session, actor, model, version, session.exec(statement))


def newest_activities(
    session: Session,
    actor: Actor,
    name: str,
    number: int,
    *,
    kinds: Collection[ActivityType] = (),
    limit: int,
    before_id: int | None = None,
) -> Page[SeenActivity]:
    """Return a page of everything that happened to a version, newest first; of some kinds if so asked.

    Raises NotFound, PermissionDenied.
    """
    model, version = read_model_version(session, actor, name, number)
    statement = select(Activity).where(col(Activity.version_id) == version.id)
    if kinds:
        statement = statement.where(col(Activity.activity_type).in_(sorted(kinds)))
    if before_id is not None:
        statement = statement.where(col(Activity.id) < before_id)
    rows = list(session.exec(statement.order_by(col(Activity.id).desc()).limit(limit + 1)))
    shown = see(session, actor, model, version, rows[:limit])
    return Page(shown, [rows[limit - 1].id] if len(rows) > limit else None)


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
    return [SeenActivity(one, _actions(actor, held, version, one, is_open=one.id in open_ids)) for one in found]


def see_one(session: Session, actor: Actor, activity: Activity) -> SeenActivity:
    """Return one activity of a version as `actor` sees it."""
    model = session.get_one(RegisteredModel, activity.model_id)
    version = session.get_one(ModelVersion, activity.version_id)
    return see(session, actor, model, version, [activity])[0]


def _actions(
    actor: Actor, held: Level | None, version: ModelVersion, activity: Activity, *, is_open: bool
) -> tuple[AvailableAction, ...]:
    if not scope_includes(actor.limits.scope, Scope.WRITE):
        return ()
    own = activity.actor == actor.name
    actions = []
    if is_open and activity.to_stage is not None:
        if access.may_transition(actor, held, from_stage=Stage(version.stage), to_stage=Stage(activity.to_stage)):
            actions += [AvailableAction.APPROVE, AvailableAction.REJECT]
        if own or allows(held, Ability.CANCEL_REQUEST):
            actions.append(AvailableAction.CANCEL)
    if activity.activity_type == ActivityType.NEW_COMMENT:
        if own:
            actions.append(AvailableAction.EDIT_COMMENT)
        if own or allows(held, Ability.DELETE_COMMENT):
            actions.append(AvailableAction.DELETE_COMMENT)
    return tuple(actions)
