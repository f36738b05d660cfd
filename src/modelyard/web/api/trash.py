"""Routes of the trash in the native API."""

from typing import Annotated, NotRequired

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading, transaction
from modelyard.errors import InvalidValue
from modelyard.registry import trash as registry
from modelyard.registry.trash import Found, Trashed
from modelyard.registry.usage import Usage, model_usage, version_usage
from modelyard.web.api.arguments import WRITTEN, Required, StrictArguments, Text
from modelyard.web.api.job_answers import OneJob
from modelyard.web.api.jobs import detail
from modelyard.web.api.paging import question_of
from modelyard.web.identity import current_actor
from modelyard.web.site import site

_QUESTION = question_of("trash")


class ListTrash(StrictArguments):
    """What a list of the trash is asked for."""

    max_results: Annotated[int, Field(ge=1, le=1000), WRITTEN] = Field(100, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class InTrash(StrictArguments):
    """Something in the trash, by its own id."""

    id: Required = Field(description="The id that the list of the trash shows.", examples=["0" * 32])


class Restore(InTrash):
    """What is to be restored."""

    name: Required | None = Field(None, description="Another name for a model whose own was taken meanwhile.")


class TrashedItem(TypedDict):
    """A deleted model with the versions that went with it, or a version that was deleted alone."""

    id: str
    name: str
    version: Annotated[int | None, Field(description="Null for a model.")]
    deleted_at_ms: int
    deleted_by: str
    purge_at_ms: Annotated[int, Field(description="When it is purged, unless somebody restores it before.")]
    purging: Annotated[bool, Field(description="It is being purged and cannot be restored any more.")]
    versions: Annotated[int, Field(description="How many versions would come back.")]
    size_bytes: Annotated[int, Field(description="Their sizes, however much they share.")]


class TrashPage(TypedDict):
    """Some of the trash, what was deleted last first."""

    items: list[TrashedItem]
    next_page_token: NotRequired[Annotated[str, Field(description="Asks for the page behind; absent on the last.")]]


class Restored(TypedDict):
    """What was brought back, under the name that it has now."""

    name: str
    version: int | None


class PurgeOutlook(TypedDict):
    """What a purge would take along. The bytes are freed by a collection after it."""

    name: str
    version: int | None
    stored_bytes: Annotated[int, Field(description="What it takes in the store.")]
    freed_bytes: Annotated[int, Field(description="What nothing else refers to.")]
    freed_files: int


def list_trash(asked: ListTrash) -> TrashPage:
    """List what was deleted and can still be restored, what was deleted last first."""
    last = _place(asked.page_token)
    with reading(site().engine) as session:
        items, following = registry.list_trash(session, current_actor(), limit=asked.max_results, last=last)
    page: TrashPage = {"items": [_item(item) for item in items]}
    if following is not None:
        page["next_page_token"] = site().signer.sign_page(_QUESTION, following)
    return page


def restore(asked: Restore) -> Restored:
    """Bring a model back with the versions that went with it, or a single version."""
    with transaction(site().engine) as session:
        found = registry.restore(session, current_actor(), asked.id, name=asked.name, lifecycle=site().lifecycle)
        return {"name": found.model.name, "version": found.version.version if found.version else None}


def purge(asked: InTrash) -> OneJob:
    """Purge something in the trash now, by a job: it cannot be restored any more."""
    with transaction(site().engine) as session:
        job = registry.purge_now(session, current_actor(), asked.id, lifecycle=site().lifecycle)
        return {"job": detail(session, job.id)}


def foresee_purge(asked: InTrash) -> PurgeOutlook:
    """Show what a purge would take along, and how many bytes that would free."""
    with reading(site().engine) as session:
        actor = current_actor()
        found = registry.find_in_trash(session, actor, asked.id, lock=False)
        if found.version is not None:
            return _outlook(found, version_usage(session, found.version.id, actor))
        return _outlook(found, model_usage(session, found.model.id, actor))


def _place(page_token: str) -> tuple[int, str] | None:
    if not page_token:
        return None
    place = site().signer.open_page(page_token, _QUESTION)
    match place:
        case [int(deleted_at_ms), str(public_id)]:
            return deleted_at_ms, public_id
    raise InvalidValue("Invalid page_token; expected the next_page_token of the page before.")


def _item(item: Trashed) -> TrashedItem:
    return {
        "id": item.public_id,
        "name": item.name,
        "version": item.version,
        "deleted_at_ms": item.deleted_at_ms,
        "deleted_by": item.deleted_by,
        "purge_at_ms": item.deleted_at_ms + site().trash_ms,
        "purging": item.purging,
        "versions": item.versions,
        "size_bytes": item.size_bytes,
    }


def _outlook(found: Found, used: Usage) -> PurgeOutlook:
    return {
        "name": found.model.name,
        "version": found.version.version if found.version else None,
        "stored_bytes": used.stored_bytes,
        "freed_bytes": used.own_bytes,
        "freed_files": used.own_blobs,
    }
