"""Models and versions as the objects of the wire.

Times are numbers, versions strings, and a list without entries is left out, as MLflow's server does
(contracts/mlflow.md 1.4 and 1.7).
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlmodel import Session

from modelyard.database.appending import write_appended
from modelyard.database.tables import ModelVersion, RegisteredModel
from modelyard.registry import queries
from modelyard.registry.shown import ShownModel, ShownVersion

Json: TypeAlias = dict[str, Any]


def changed_model(session: Session, model: RegisteredModel) -> Json:
    """Return a model as it stands in this transaction, changes that are not committed included."""
    write_appended(session)
    return {"registered_model": registered_model(queries.registered_model_of_id(session.connection(), model.id))}


def changed_version(session: Session, version: ModelVersion) -> Json:
    """Return a version as it stands in this transaction, changes that are not committed included."""
    write_appended(session)
    return {"model_version": model_version(queries.model_version_of_id(session.connection(), version.id))}


def registered_model(model: ShownModel) -> Json:
    """Return a model with its newest READY version of every stage."""
    shown: Json = {
        "name": model.name,
        "creation_timestamp": model.created_at_ms,
        "last_updated_timestamp": model.updated_at_ms,
        "user_id": model.created_by,
        "description": model.description,
    }
    return _with_lists(
        shown,
        latest_versions=[model_version(version) for version in model.latest_versions],
        tags=_tags(model.tags),
        aliases=[{"alias": alias, "version": str(version)} for alias, version in model.aliases],
    )


def model_version(version: ShownVersion) -> Json:
    """Return a version, with its aliases if they were read."""
    shown: Json = {
        "name": version.model_name,
        "version": str(version.version),
        "creation_timestamp": version.created_at_ms,
        "last_updated_timestamp": version.updated_at_ms,
        "user_id": version.created_by,
        "current_stage": version.stage,
        "description": version.description,
        "source": version.source,
        "run_id": version.run_id,
        "run_link": version.run_link,
        "status": version.status,
        "status_message": version.status_message,
    }
    if version.tag_rows:
        shown = _with_lists(shown, tags=_tags(version.tags))
    return _with_lists(shown, aliases=version.aliases) if version.alias_rows else shown


def listing(name: str, entries: Sequence[Json]) -> Json:
    """Return the answer of a list or search: `{}` when nothing was found."""
    return {name: entries} if entries else {}


def _with_lists(shown: Json, **lists: list[Any]) -> Json:
    for name, entries in lists.items():
        if entries:
            shown[name] = entries
    return shown


def _tags(tags: Sequence[tuple[str, str]]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags]
