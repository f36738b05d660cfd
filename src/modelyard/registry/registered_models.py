"""Registered models: created, found, searched, changed, deleted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelyard.database import search
from modelyard.database.session import current_ms
from modelyard.database.tables import ModelVersion, RegisteredModel, RegisteredModelTag, public_id
from modelyard.errors import AlreadyExists, InvalidValue, NotFound
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry import access, activities, audit, events
from modelyard.registry.access import Actor
from modelyard.registry.grants import grant_to_creator
from modelyard.registry.pages import Page, Search
from modelyard.registry.tags import add_model_tags
from modelyard.rules.activities import ActivityType
from modelyard.rules.audit import Action
from modelyard.rules.events import RegistryEvent
from modelyard.rules.filters import Comparison, Operator, Tag, widened
from modelyard.rules.names import check_model_name
from modelyard.rules.permissions import Ability
from modelyard.rules.prompts import PROMPT_TAG
from modelyard.rules.stages import IN_USE, Stage, check_model_free
from modelyard.rules.tags import merge_tags
from modelyard.rules.texts import check_description
from modelyard.rules.tokens import Scope
from modelyard.rules.versions import VersionStatus

_LIVING = col(RegisteredModel.deleted_at_ms).is_(None)
_COLUMNS: search.Columns = {
    "name": col(RegisteredModel.name),
    "updated_at": col(RegisteredModel.updated_at_ms),
}
_SEARCHED: search.Columns = {"name": col(RegisteredModel.name)}


def create_registered_model(
    session: Session,
    actor: Actor,
    name: str,
    *,
    description: str = "",
    tags: Sequence[tuple[str, str]] = (),
    new_id: str | None = None,
) -> RegisteredModel:
    """Register a name; `new_id` is the public id to give it.

    Raises InvalidValue for what breaks a rule, AlreadyExists when a living model bears the name.
    """
    check_model_name(name)
    check_description(description)
    access.require_scope(actor, Scope.WRITE, "to create a model")
    access.require_reach(actor, name)
    merged = merge_tags(tags)
    now = current_ms(session)
    model = RegisteredModel(
        public_id=new_id or public_id(),
        name=name,
        description=description,
        created_by=actor.name,
        created_at_ms=now,
        updated_at_ms=now,
    )
    _insert(session, model)
    add_model_tags(session, model, merged)
    permissions = grant_to_creator(session, actor, model)
    activities.record(session, actor, ActivityType.CREATED_MODEL, model, at_ms=now)
    audit.record(
        session,
        actor,
        Action.CREATE_MODEL,
        model=model,
        after={"description": description, "tags": merged, "permissions": permissions},
    )
    events.record(session, actor, RegistryEvent.MODEL_CREATED, model)
    return model


def find_registered_model(session: Session, name: str, *, lock: bool = False) -> RegisteredModel:
    """Return the living model called `name`, its row locked against others' changes if so asked.

    Raises NotFound.
    """
    statement = select(RegisteredModel).where(col(RegisteredModel.name) == name, _LIVING)
    model = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if model is None:
        raise NotFound(f"Registered Model with name={name[:300]} not found.")
    return model


def read_registered_model(session: Session, actor: Actor, name: str) -> RegisteredModel:
    """Return the model called `name` to somebody who may see it. Raises NotFound, PermissionDenied."""
    model = find_registered_model(session, name)
    access.require(session, actor, model, Ability.VIEW)
    return model


def model_of_id(session: Session, actor: Actor, identity: str) -> RegisteredModel:
    """Return the living model with this public id. Raises NotFound, PermissionDenied."""
    model = session.exec(select(RegisteredModel).where(col(RegisteredModel.public_id) == identity, _LIVING)).first()
    if model is None:
        raise NotFound("The registered model was deleted.")
    access.require(session, actor, model, Ability.VIEW)
    return model


def update_registered_model(session: Session, actor: Actor, name: str, *, description: str) -> RegisteredModel:
    """Replace a model's description. Raises NotFound, PermissionDenied, InvalidValue."""
    check_description(description)
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.DESCRIBE)
    now = current_ms(session)
    before, model.description = model.description, description
    note_change(model, at_ms=now)
    activities.record(session, actor, ActivityType.UPDATED_MODEL, model, at_ms=now)
    audit.record(
        session,
        actor,
        Action.UPDATE_MODEL,
        model=model,
        before={"description": before},
        after={"description": description},
    )
    session.flush()
    return model


def delete_registered_model(session: Session, actor: Actor, name: str, *, lifecycle: Lifecycle) -> None:
    """Hide a model with its versions at once, free its name and cancel what its versions wait for.

    Raises NotFound, PermissionDenied, InvalidState while a version is in Staging or Production.
    """
    model = find_registered_model(session, name, lock=True)
    access.require(session, actor, model, Ability.DELETE_MODEL)
    check_model_free(name, _versions_in_use(session, model), "deleting")
    now = current_ms(session)
    lifecycle.cancel_open_jobs(session, _locked_versions(session, model), by=actor.name)
    session.execute(
        update(ModelVersion)
        .where(col(ModelVersion.model_id) == model.id, col(ModelVersion.deleted_at_ms).is_(None))
        .values(deleted_at_ms=now, deleted_by=actor.name)
    )
    model.deleted_at_ms, model.deleted_by = now, actor.name
    note_change(model, at_ms=now)
    activities.record(session, actor, ActivityType.DELETED_MODEL, model, at_ms=now)
    audit.record(session, actor, Action.DELETE_MODEL, model=model)
    session.flush()


def search_registered_models(session: Session, actor: Actor, wanted: Search) -> Page[RegisteredModel]:
    """Return a page of the models that `actor` may see. Prompts are left out unless a comparison asks for them."""
    dialect = session.get_bind().dialect
    prompts = [item for item in wanted.comparisons if item.subject == Tag(PROMPT_TAG)]
    others = [item for item in wanted.comparisons if item.subject != Tag(PROMPT_TAG)]
    conditions = [_prompt_condition(item) for item in prompts or [_NO_PROMPTS]]
    conditions += [search.condition(widened(item), _SEARCHED, dialect) for item in others]
    return _page(session, [access.visible(actor), *conditions], wanted)


def list_registered_models(session: Session, actor: Actor, wanted: Search) -> Page[RegisteredModel]:
    """Return a page of all models that `actor` may see, prompts included."""
    return _page(session, [access.visible(actor)], wanted)


def latest_versions(
    session: Session, models: Sequence[RegisteredModel], *, stages: Sequence[Stage] = tuple(Stage)
) -> dict[int, list[ModelVersion]]:
    """Return row id of a model -> its newest READY version in each of `stages`, in order of version."""
    newest = (
        select(col(ModelVersion.model_id), func.max(col(ModelVersion.version)))
        .where(
            col(ModelVersion.model_id).in_([model.id for model in models]),
            col(ModelVersion.stage).in_(stages),
            col(ModelVersion.status) == VersionStatus.READY,
            col(ModelVersion.deleted_at_ms).is_(None),
        )
        .group_by(col(ModelVersion.model_id), col(ModelVersion.stage))
    )
    statement = select(ModelVersion).where(tuple_(col(ModelVersion.model_id), col(ModelVersion.version)).in_(newest))
    found: dict[int, list[ModelVersion]] = {model.id: [] for model in models}
    for version in session.exec(statement.order_by(col(ModelVersion.version))):
        found[version.model_id].append(version)
    return found


def note_change(model: RegisteredModel, *, at_ms: int) -> None:
    """Move a locked model's time of last change and its change counter."""
    model.updated_at_ms = at_ms
    model.change_counter += 1


def _insert(session: Session, model: RegisteredModel) -> None:
    session.add(model)
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyExists(f"Registered Model (name={model.name}) already exists.") from error


def _versions_in_use(session: Session, model: RegisteredModel) -> Sequence[int]:
    return session.exec(
        select(ModelVersion.version).where(
            col(ModelVersion.model_id) == model.id,
            col(ModelVersion.stage).in_(IN_USE),
            col(ModelVersion.deleted_at_ms).is_(None),
        )
    ).all()


def _locked_versions(session: Session, model: RegisteredModel) -> list[int]:
    pending = select(ModelVersion.id).where(
        col(ModelVersion.model_id) == model.id, col(ModelVersion.status) == VersionStatus.PENDING
    )
    return list(session.exec(pending.order_by(col(ModelVersion.id)).with_for_update()))


_NO_PROMPTS = Comparison(Tag(PROMPT_TAG), Operator.UNEQUAL, "true")


def _prompt_condition(comparison: Comparison) -> ColumnElement[bool]:
    """A missing prompt tag counts as "no prompt", unlike other tags (contracts/mlflow.md 2.3)."""
    is_prompt = exists().where(
        col(RegisteredModelTag.model_id) == col(RegisteredModel.id),
        col(RegisteredModelTag.key) == PROMPT_TAG,
        col(RegisteredModelTag.value) == "true",
    )
    if comparison.operator not in (Operator.EQUAL, Operator.UNEQUAL) or comparison.value not in ("true", "false"):
        raise InvalidValue(f"The tag {PROMPT_TAG} can be compared by = and != with 'true' and 'false' only.")
    wants_prompts = (comparison.operator is Operator.EQUAL) == (comparison.value == "true")
    return is_prompt if wants_prompts else ~is_prompt


def _page(session: Session, conditions: Sequence[ColumnElement[bool]], wanted: Search) -> Page[RegisteredModel]:
    statement = select(RegisteredModel).where(_LIVING, *conditions)
    if wanted.last is not None:
        statement = statement.where(search.behind(wanted.order, _COLUMNS, wanted.last))
    statement = statement.order_by(*search.order_clauses(wanted.order, _COLUMNS)).limit(wanted.limit + 1)
    rows = list(session.exec(statement))
    shown = rows[: wanted.limit]
    return Page(shown, [_value(shown[-1], key.name) for key in wanted.order] if len(rows) > wanted.limit else None)


def _value(model: RegisteredModel, key: str) -> Any:
    return model.name if key == "name" else model.updated_at_ms
