"""Comments on versions. They are activities, and their id is the activity's (contracts/databricks.md 2.4)."""

from sqlmodel import Session, col, select

from modelyard.database.session import current_ms
from modelyard.database.tables import Activity, ModelVersion, RegisteredModel
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.followers import follow
from modelyard.registry.model_versions import find_model_version
from modelyard.registry.registered_models import count_change, find_registered_model
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.permissions import Ability
from modelyard.rules.texts import check_comment

_LONGEST_ID = 18


def create_comment(session: Session, actor: Actor, name: str, number: int, text: str) -> Activity:
    """Comment on a version, whatever its status. Raises NotFound, PermissionDenied, InvalidValue."""
    _check(text)
    model = find_registered_model(session, name, lock=True)
    version = find_model_version(session, model, number)
    access.require(session, actor, model, Ability.COMMENT)
    now = count_change(model)
    comment_id = activities.record_step(
        session, actor, ActivityType.NEW_COMMENT, model, version, comment=text, at_ms=now
    )
    follow(session, actor, version)
    events.record(session, actor, RegistryEvent.COMMENT_CREATED, model, version, comment=text)
    audit.record(
        session,
        actor,
        Action.CREATE_COMMENT,
        model=model,
        version=version,
        after={"id": str(comment_id), "comment": text},
    )
    return session.get_one(Activity, comment_id)


def update_comment(session: Session, actor: Actor, comment_id: str, text: str) -> Activity:
    """Replace the words of one's own comment. Raises NotFound, PermissionDenied, InvalidValue."""
    _check(text)
    model, version, comment = _find(session, comment_id)
    access.require(session, actor, model, Ability.COMMENT)
    if comment.actor != actor.name:
        raise PermissionDenied(f"Comment {comment.id} is {comment.actor}'s; only its author can change it.")
    # A changed comment shows by its times, which are equal until then.
    now = max(current_ms(session), comment.created_at_ms + 1)
    before, comment.comment, comment.updated_at_ms = comment.comment, text, now
    count_change(model)
    audit.record(
        session,
        actor,
        Action.UPDATE_COMMENT,
        model=model,
        version=version,
        before={"id": str(comment.id), "comment": before},
        after={"id": str(comment.id), "comment": text},
    )
    session.flush()
    return comment


def delete_comment(session: Session, actor: Actor, comment_id: str) -> None:
    """Take a comment away: its author may, and who manages the model. Raises NotFound, PermissionDenied."""
    model, version, comment = _find(session, comment_id)
    own = comment.actor == actor.name
    access.require(session, actor, model, Ability.COMMENT if own else Ability.DELETE_COMMENT)
    audit.record(
        session,
        actor,
        Action.DELETE_COMMENT,
        model=model,
        version=version,
        before={"id": str(comment.id), "comment": comment.comment, "author": comment.actor},
    )
    count_change(model)
    session.delete(comment)
    session.flush()


def _find(session: Session, comment_id: str) -> tuple[RegisteredModel, ModelVersion, Activity]:
    """Return a living comment with its version and its model, the model's row locked. Raises NotFound."""
    missing = NotFound(f"There is no comment with the id {comment_id[:50]!r}.")
    if not (comment_id.isascii() and comment_id.isdigit() and len(comment_id) <= _LONGEST_ID):
        raise missing
    is_comment = col(Activity.activity_type) == ActivityType.NEW_COMMENT
    model_id = session.exec(
        select(Activity.model_id).where(col(Activity.id) == int(comment_id), is_comment)
    ).one_or_none()
    # The model first: whoever changes anything of it holds its row before all others.
    model = session.exec(
        select(RegisteredModel)
        .where(col(RegisteredModel.id) == model_id, col(RegisteredModel.deleted_at_ms).is_(None))
        .with_for_update()
    ).one_or_none()
    found = session.exec(
        select(ModelVersion, Activity)
        .join(ModelVersion, col(ModelVersion.id) == col(Activity.version_id))
        .where(col(Activity.id) == int(comment_id), is_comment, col(ModelVersion.deleted_at_ms).is_(None))
    ).one_or_none()
    if model is None or found is None:
        raise missing
    return model, *found


def _check(text: str) -> None:
    if not text:
        raise InvalidValue("Missing value for required parameter 'comment': write something.")
    check_comment(text)
