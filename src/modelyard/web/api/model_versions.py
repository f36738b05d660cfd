"""Routes of model versions (contracts/mlflow.md 2.2)."""

from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import ModelVersion, public_id
from modelyard.registry import model_versions as registry
from modelyard.registry import queries
from modelyard.registry.registration import NewVersion, origin_of
from modelyard.registry.searches import search_model_versions
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.filters import MODEL_VERSIONS, parse_filter
from modelyard.rules.ordering import MODEL_VERSION_DEFAULT, MODEL_VERSION_KEYS, MODEL_VERSION_TIES, parse_order
from modelyard.rules.stages import parse_stage
from modelyard.rules.tags import merge_tags
from modelyard.rules.versions import VersionStatus, parse_version
from modelyard.web.api import answers
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Flag, Required, TagArgument, Text, arguments
from modelyard.web.api.keyed_creates import made_before
from modelyard.web.api.paging import SearchArguments, next_page, search_of
from modelyard.web.identity import current_actor
from modelyard.web.site import site

# mlflow 1.x asks without a limit and cannot page, so an absent one means all.
SEARCH_MAXIMUM = 200_000


class CreateModelVersion(Arguments):
    """The body of model-versions/create."""

    name: Required
    source: Required
    run_id: Text = ""
    run_link: Text = ""
    description: Text = ""
    tags: list[TagArgument] = Field(default_factory=list)
    model_id: Text = ""


class NamedVersion(Arguments):
    """A request about one version."""

    name: Required
    version: Required

    @property
    def number(self) -> int:
        """The version as a number. Raises InvalidValue."""
        return parse_version(self.version)


class UpdateModelVersion(NamedVersion):
    """The body of model-versions/update; an absent description clears it, as in MLflow."""

    description: Text = ""


class TransitionStage(NamedVersion):
    """The body of model-versions/transition-stage."""

    stage: Required
    archive_existing_versions: Flag = False
    comment: Text = ""


def create() -> Json:
    """Register a version, and hold the answer for a moment while its files are copied."""
    asked = arguments(CreateModelVersion)
    wish = NewVersion(
        name=asked.name,
        source=asked.source,
        description=asked.description,
        run_id=asked.run_id,
        run_link=asked.run_link,
        logged_model_id=asked.model_id,
        tags=merge_tags((tag.key, tag.value) for tag in asked.tags),
    )
    version, answer = _commit_version(asked, wish)
    if version.status == VersionStatus.PENDING and site().holding.until(lambda: _has_ended(version)):
        answer = _reread(version) or answer
    return answer


def get() -> Json:
    """Show one version; this is what clients poll."""
    asked = arguments(NamedVersion)
    with autocommit(site().engine) as connection:
        version = queries.model_version(connection, current_actor(), asked.name, asked.number)
    return {"model_version": answers.model_version(version)}


def update() -> Json:
    """Replace a description."""
    asked = arguments(UpdateModelVersion)
    with transaction(site().engine) as session:
        version = registry.update_model_version(
            session, current_actor(), asked.name, asked.number, description=asked.description
        )
        return answers.changed_version(session, version)


def delete() -> Json:
    """Delete a version."""
    asked = arguments(NamedVersion)
    with transaction(site().engine) as session:
        registry.delete_model_version(session, current_actor(), asked.name, asked.number, lifecycle=site().lifecycle)
    return {}


def search() -> Json:
    """Find versions by their attributes and tags."""
    asked = arguments(SearchArguments)
    order = parse_order(asked.order_by, MODEL_VERSION_KEYS, default=MODEL_VERSION_DEFAULT, ties=MODEL_VERSION_TIES)
    wanted = search_of(
        asked, parse_filter(asked.filter, MODEL_VERSIONS), order, default=SEARCH_MAXIMUM, maximum=SEARCH_MAXIMUM
    )
    with autocommit(site().engine) as connection:
        page = search_model_versions(connection, current_actor(), wanted)
    shown = [answers.model_version(version) for version in page.rows]
    return answers.listing("model_versions", shown) | next_page(wanted, page.last)


def transition_stage() -> Json:
    """Move a version to a stage."""
    asked = arguments(TransitionStage)
    stage = parse_stage(asked.stage)
    with transaction(site().engine) as session:
        version = transition_model_version_stage(
            session,
            current_actor(),
            asked.name,
            asked.number,
            to=stage,
            archive_existing=asked.archive_existing_versions,
            comment=asked.comment,
            queue=site().queue,
        )
        return answers.changed_version(session, version)


def _commit_version(asked: CreateModelVersion, wish: NewVersion) -> tuple[ModelVersion, Json]:
    sources = site().sources
    origin = origin_of(wish, mode=sources.mode, vet=sources.vet)
    new_id = public_id()
    with transaction(site().engine) as session:
        earlier = made_before(session, "model-versions/create", asked, new_id=new_id)
        if earlier is not None:
            _, version = registry.version_of_id(session, current_actor(), earlier)
            return version, answers.changed_version(session, version)
        version = registry.create_model_version(
            session,
            current_actor(),
            wish,
            origin,
            lifecycle=site().lifecycle,
            max_pending=site().max_pending_versions,
            new_id=new_id,
        )
        return version, answers.changed_version(session, version)


def _has_ended(version: ModelVersion) -> bool:
    with autocommit(site().engine) as connection:
        return queries.status_of_version(connection, version.id) != VersionStatus.PENDING


def _reread(version: ModelVersion) -> Json | None:
    """Return the version as it is now; None when the database cannot say, for it is registered all the same."""
    try:
        with autocommit(site().engine) as connection:
            return {"model_version": answers.model_version(queries.model_version_of_id(connection, version.id))}
    except SQLAlchemyError:
        return None
