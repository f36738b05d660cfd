"""Routes of registered models (contracts/mlflow.md 2.1)."""

from pydantic import Field

from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import public_id
from modelyard.registry import queries, searches
from modelyard.registry import registered_models as registry
from modelyard.registry.pages import Page, Search
from modelyard.registry.shown import ShownModel
from modelyard.rules.filters import REGISTERED_MODELS, parse_filter
from modelyard.rules.ordering import REGISTERED_MODEL_KEYS, REGISTERED_MODEL_TIES, parse_order
from modelyard.rules.stages import Stage, parse_stage
from modelyard.web.api import answers
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Required, TagArgument, Text, arguments
from modelyard.web.api.keyed_creates import made_before
from modelyard.web.api.paging import PageArguments, SearchArguments, next_page, search_of
from modelyard.web.identity import current_actor
from modelyard.web.site import site

SEARCH_DEFAULT = 100
SEARCH_MAXIMUM = 1000
# mlflow 1.7.2 lists without any argument and cannot page.
LIST_DEFAULT = 1000


class CreateRegisteredModel(Arguments):
    """The body of registered-models/create."""

    name: Text
    description: Text = ""
    tags: list[TagArgument] = Field(default_factory=list)


class NamedModel(Arguments):
    """A request about one model."""

    name: Required


class UpdateRegisteredModel(NamedModel):
    """The body of registered-models/update; an absent description clears it, as in MLflow."""

    description: Text = ""


class RenameRegisteredModel(NamedModel):
    """The body of registered-models/rename."""

    new_name: Required


class LatestVersions(NamedModel):
    """What get-latest-versions asks; no stages mean all of them."""

    stages: list[Text] = Field(default_factory=list)


def create() -> Json:
    """Register a name."""
    asked = arguments(CreateRegisteredModel)
    new_id = public_id()
    with transaction(site().engine) as session:
        earlier = made_before(session, "registered-models/create", asked, new_id=new_id)
        if earlier is not None:
            model = registry.model_of_id(session, current_actor(), earlier)
        else:
            model = registry.create_registered_model(
                session,
                current_actor(),
                asked.name,
                description=asked.description,
                tags=[(tag.key, tag.value) for tag in asked.tags],
                new_id=new_id,
            )
        return answers.changed_model(session, model)


def get() -> Json:
    """Show one model; clients ask this before almost everything."""
    asked = arguments(NamedModel)
    with autocommit(site().engine) as connection:
        model = queries.registered_model(connection, current_actor(), asked.name)
    return {"registered_model": answers.registered_model(model)}


def update() -> Json:
    """Replace a description."""
    asked = arguments(UpdateRegisteredModel)
    with transaction(site().engine) as session:
        model = registry.update_registered_model(session, current_actor(), asked.name, description=asked.description)
        return answers.changed_model(session, model)


def rename() -> Json:
    """Give a model another name."""
    asked = arguments(RenameRegisteredModel)
    with transaction(site().engine) as session:
        model = registry.rename_registered_model(session, current_actor(), asked.name, new_name=asked.new_name)
        return answers.changed_model(session, model)


def delete() -> Json:
    """Delete a model with its versions."""
    asked = arguments(NamedModel)
    with transaction(site().engine) as session:
        registry.delete_registered_model(session, current_actor(), asked.name, lifecycle=site().lifecycle)
    return {}


def search() -> Json:
    """Find models by name and tags."""
    asked = arguments(SearchArguments)
    wanted = search_of(
        asked,
        parse_filter(asked.filter, REGISTERED_MODELS),
        parse_order(asked.order_by, REGISTERED_MODEL_KEYS, ties=REGISTERED_MODEL_TIES),
        default=SEARCH_DEFAULT,
        maximum=SEARCH_MAXIMUM,
    )
    with autocommit(site().engine) as connection:
        page = searches.search_registered_models(connection, current_actor(), wanted)
    return _page(page, wanted)


def list_all() -> Json:
    """List every model, for mlflow 1.x and databricks-sdk."""
    asked = arguments(PageArguments)
    wanted = search_of(asked, [], REGISTERED_MODEL_TIES, default=LIST_DEFAULT, maximum=LIST_DEFAULT)
    with autocommit(site().engine) as connection:
        page = searches.list_registered_models(connection, current_actor(), wanted)
    return _page(page, wanted)


def get_latest_versions() -> Json:
    """Show the newest READY version of each stage asked for."""
    asked = arguments(LatestVersions)
    stages = tuple(parse_stage(stage) for stage in asked.stages) or tuple(Stage)
    with autocommit(site().engine) as connection:
        found = queries.latest_versions(connection, current_actor(), asked.name, stages)
    return answers.listing("model_versions", [answers.model_version(version) for version in found])


def _page(page: Page[ShownModel], wanted: Search) -> Json:
    shown = [answers.registered_model(model) for model in page.rows]
    return answers.listing("registered_models", shown) | next_page(wanted, page.last)
