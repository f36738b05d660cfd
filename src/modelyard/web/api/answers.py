"""Rows as the objects of the wire. Times are numbers, versions strings (contracts/mlflow.md 1.7)."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlmodel import Session

from modelyard.database.tables import ModelVersion, RegisteredModel
from modelyard.registry.progress import status_messages
from modelyard.registry.registered_models import latest_versions
from modelyard.registry.tags import tags_of_models, tags_of_versions

Json: TypeAlias = dict[str, Any]


def registered_model(session: Session, model: RegisteredModel) -> Json:
    """Return one model as the wire shows it."""
    return registered_models(session, [model])[0]


def registered_models(session: Session, models: Sequence[RegisteredModel]) -> list[Json]:
    """Return models as the wire shows them, each with its newest READY version of every stage."""
    latest = latest_versions(session, models)
    tags = tags_of_models(session, [model.id for model in models])
    named = [(model.name, version) for model in models for version in latest[model.id]]
    shown = dict(zip([version.id for _, version in named], model_versions(session, named), strict=True))
    return [
        {
            "name": model.name,
            "creation_timestamp": model.created_at_ms,
            "last_updated_timestamp": model.updated_at_ms,
            "user_id": model.created_by,
            "description": model.description,
            "latest_versions": [shown[version.id] for version in latest[model.id]],
            "tags": _tags(tags.get(model.id, ())),
        }
        for model in models
    ]


def model_version(session: Session, model_name: str, version: ModelVersion) -> Json:
    """Return one version as the wire shows it."""
    return model_versions(session, [(model_name, version)])[0]


def model_versions(session: Session, named: Sequence[tuple[str, ModelVersion]]) -> list[Json]:
    """Return versions, each given with its model's name, as the wire shows them."""
    versions = [version for _, version in named]
    tags = tags_of_versions(session, [version.id for version in versions])
    messages = status_messages(session, versions)
    return [
        {
            "name": name,
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
            "status_message": messages[version.id],
            "tags": _tags(tags.get(version.id, ())),
        }
        for name, version in named
    ]


def _tags(tags: Sequence[tuple[str, str]]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags]
