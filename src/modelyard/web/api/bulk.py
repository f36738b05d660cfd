"""Routes that ask for plans by hand: many versions archived, deleted, restored, verified or tagged."""

from typing import Annotated

from pydantic import Field

from modelyard.database.session import transaction
from modelyard.errors import InvalidValue
from modelyard.registry import plans as registry
from modelyard.registry.candidates import Selection, listed_ids
from modelyard.rules.plans import MAX_LISTED, PlanAction, Rule
from modelyard.rules.versions import MAX_VERSION
from modelyard.web.api.arguments import WRITTEN, Flag, Required, StrictArguments, Text
from modelyard.web.api.plans import OnePlan, plan_answer
from modelyard.web.identity import current_actor
from modelyard.web.site import site

_ONE_OF_THESE = (
    "Say which versions are meant, by one of versions: [{'name': 'house-prices', 'version': 3}], "
    "filter: \"name = 'house-prices' AND stage = 'None'\", or all: true."
)


class ListedVersion(StrictArguments):
    """One of the versions that are meant."""

    name: Required = Field(description="Name of a registered model.", examples=["house-prices"])
    version: Annotated[int, Field(ge=1, le=MAX_VERSION, examples=[3]), WRITTEN]


class Bulk(StrictArguments):
    """Which versions are meant: by a list, by a filter, or all of them."""

    versions: Annotated[list[ListedVersion], Field(default_factory=list, max_length=MAX_LISTED)]
    filter: Text = Field(
        "",
        description="A search filter; beside what a search of versions knows it may compare stage, status, "
        "created_at and updated_at.",
        examples=["name LIKE 'fraud-%' AND stage = 'None'"],
    )
    all: Flag | None = Field(None, description="Every version is meant.")
    dry_run: Flag = Field(True, description="Only make the plan, to be read and executed.")


class BulkTag(Bulk):
    """Which tag is set, and on which versions."""

    key: Required = Field(examples=["modelyard.keep"])
    value: Text = Field("", examples=["true"])


def bulk_archive(asked: Bulk) -> OnePlan:
    """Plan to archive versions of stage None: neither in use, pinned, aliased nor asked for by a transition request."""
    return _plan(asked, Rule(PlanAction.ARCHIVE))


def bulk_delete(asked: Bulk) -> OnePlan:
    """Plan to delete versions: neither in use, pinned, aliased nor asked for by a transition request."""
    return _plan(asked, Rule(PlanAction.DELETE))


def bulk_restore(asked: Bulk) -> OnePlan:
    """Plan to bring back versions that lie in the trash while their models do not."""
    return _plan(asked, Rule(PlanAction.RESTORE))


def bulk_verify(asked: Bulk) -> OnePlan:
    """Plan to have the stored files of versions read again, by a job for each."""
    return _plan(asked, Rule(PlanAction.VERIFY))


def bulk_tag(asked: BulkTag) -> OnePlan:
    """Plan to set a tag on versions."""
    return _plan(asked, Rule(PlanAction.TAG, tag_key=asked.key, tag_value=asked.value))


def _plan(asked: Bulk, rule: Rule) -> OnePlan:
    if bool(asked.versions) + bool(asked.filter.strip()) + bool(asked.all) != 1:
        raise InvalidValue(_ONE_OF_THESE)
    actor = current_actor()
    with transaction(site().engine) as session:
        selection = Selection(filter=asked.filter)
        if asked.versions:
            wanted = [(each.name, each.version) for each in asked.versions]
            ids = listed_ids(session, actor, wanted, trashed=rule.action is PlanAction.RESTORE)
            selection = Selection(version_ids=tuple(ids))
        plan = registry.ask_for_plan(
            session, actor, rule, selection, then_execute=not asked.dry_run, queue=site().queue
        )
        return {"plan": plan_answer(session, plan)}
