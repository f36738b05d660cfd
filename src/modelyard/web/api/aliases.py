"""Routes of aliases (contracts/mlflow.md 2.1)."""

from modelyard.database.session import autocommit, transaction
from modelyard.registry import aliases as registry
from modelyard.registry import queries
from modelyard.web.api import answers
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Required, arguments
from modelyard.web.api.model_versions import NamedVersion
from modelyard.web.api.registered_models import NamedModel
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class SetAlias(NamedVersion):
    """The body of a POST to registered-models/alias."""

    alias: Required


class NamedAlias(NamedModel):
    """What a GET or DELETE of registered-models/alias asks."""

    alias: Required


def set_alias() -> Json:
    """Let an alias point to a version."""
    asked = arguments(SetAlias)
    with transaction(site().engine) as session:
        registry.set_registered_model_alias(session, current_actor(), asked.name, asked.alias, asked.number)
    return {}


def get_version() -> Json:
    """Show the version that an alias points to."""
    asked = arguments(NamedAlias)
    with autocommit(site().engine) as connection:
        version = queries.model_version_by_alias(connection, current_actor(), asked.name, asked.alias)
    return {"model_version": answers.model_version(version)}


def delete_alias() -> Json:
    """Take an alias from a model."""
    asked = arguments(NamedAlias)
    with transaction(site().engine) as session:
        registry.delete_registered_model_alias(session, current_actor(), asked.name, asked.alias)
    return {}
