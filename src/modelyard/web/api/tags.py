"""Routes of tags, of models and of versions (contracts/mlflow.md 2.1 and 2.2)."""

from modelyard.database.session import transaction
from modelyard.registry import tags as registry
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Required, Text, arguments
from modelyard.web.api.model_versions import NamedVersion
from modelyard.web.api.registered_models import NamedModel
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class SetModelTag(NamedModel):
    """The body of registered-models/set-tag."""

    key: Required
    value: Text = ""


class ModelTagKey(NamedModel):
    """What registered-models/delete-tag asks."""

    key: Required


class SetVersionTag(NamedVersion):
    """The body of model-versions/set-tag."""

    key: Required
    value: Text = ""


class VersionTagKey(NamedVersion):
    """What model-versions/delete-tag asks."""

    key: Required


def set_model_tag() -> Json:
    """Give a model's tag a value."""
    asked = arguments(SetModelTag)
    with transaction(site().engine) as session:
        registry.set_registered_model_tag(session, current_actor(), asked.name, asked.key, asked.value)
    return {}


def delete_model_tag() -> Json:
    """Take a tag from a model."""
    asked = arguments(ModelTagKey)
    with transaction(site().engine) as session:
        registry.delete_registered_model_tag(session, current_actor(), asked.name, asked.key)
    return {}


def set_version_tag() -> Json:
    """Give a version's tag a value."""
    asked = arguments(SetVersionTag)
    with transaction(site().engine) as session:
        registry.set_model_version_tag(session, current_actor(), asked.name, asked.number, asked.key, asked.value)
    return {}


def delete_version_tag() -> Json:
    """Take a tag from a version."""
    asked = arguments(VersionTagKey)
    with transaction(site().engine) as session:
        registry.delete_model_version_tag(session, current_actor(), asked.name, asked.number, asked.key)
    return {}
