"""Routes that tell how many bytes are stored and shared, in the native API."""

from dataclasses import asdict
from typing import Annotated, cast

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.registry import access
from modelyard.registry.model_versions import read_model_version
from modelyard.registry.registered_models import read_registered_model
from modelyard.registry.usage import Usage, model_usage, registry_usage, version_usage
from modelyard.web.api.care import NamedModel, NamedVersion
from modelyard.web.identity import current_actor
from modelyard.web.site import site

Shared = Annotated[int, Field(description="What others that the caller may see refer to as well.")]


class UsageAnswer(TypedDict):
    """What a version or a model takes in the store; what is in the trash counts as a user of its bytes."""

    stored_files: Annotated[int, Field(description="Distinct files, lists of files included.")]
    stored_bytes: int
    own_files: int
    own_bytes: Annotated[int, Field(description="What would be freed if it were purged.")]
    shared_bytes: Shared


class StoreUsage(TypedDict):
    """What the whole registry takes."""

    models: int
    versions: int
    version_bytes: Annotated[int, Field(description="The sizes of all versions, as if they shared nothing.")]
    stored_files: int
    stored_bytes: int
    shared_bytes: Annotated[int, Field(description="Held by more than one version.")]
    trash_bytes: Annotated[int, Field(description="Held by nothing but deleted versions.")]
    unreferenced_bytes: Annotated[
        int, Field(description="Held by nothing; collections free it when its time has come.")
    ]


def show_store_usage() -> StoreUsage:
    """Show how many bytes the registry stores, and how many of them versions share."""
    access.require_admin(current_actor(), "seeing what the whole store holds")
    with reading(site().engine) as session:
        found = asdict(registry_usage(session))
    return cast(StoreUsage, {"stored_files": found.pop("stored_blobs"), **found})


def show_model_usage(asked: NamedModel) -> UsageAnswer:
    """Show what the versions of a model take together, those in the trash included."""
    with reading(site().engine) as session:
        actor = current_actor()
        model = read_registered_model(session, actor, asked.name)
        return _answer(model_usage(session, model.id, actor))


def show_version_usage(asked: NamedVersion) -> UsageAnswer:
    """Show what a version takes, and how much of it others hold too."""
    with reading(site().engine) as session:
        actor = current_actor()
        _, version = read_model_version(session, actor, asked.name, asked.version)
        return _answer(version_usage(session, version.id, actor))


def _answer(found: Usage) -> UsageAnswer:
    return {
        "stored_files": found.stored_blobs,
        "stored_bytes": found.stored_bytes,
        "own_files": found.own_blobs,
        "own_bytes": found.own_bytes,
        "shared_bytes": found.shared_bytes,
    }
