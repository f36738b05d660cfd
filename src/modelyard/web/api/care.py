"""Routes that have bytes verified, repaired, taken over and collected, in the native API."""

from collections import defaultdict
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from sqlmodel import Session

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Job
from modelyard.errors import Damaged, NotFound
from modelyard.registry import access, integrity
from modelyard.registry import care as registry
from modelyard.registry.model_versions import read_model_version
from modelyard.rules.versions import MAX_VERSION
from modelyard.web.api.arguments import WRITTEN, Required, StrictArguments
from modelyard.web.api.job_answers import OneJob
from modelyard.web.api.jobs import detail
from modelyard.web.api.version_files import managed_files_of, read_index
from modelyard.web.identity import current_actor
from modelyard.web.site import site

MOST_DAMAGED = 1000


class NamedModel(StrictArguments):
    """A request about one registered model."""

    name: Required = Field(description="Name of a registered model.", examples=["house-prices"])


class NamedVersion(NamedModel):
    """A request about one version."""

    version: Annotated[int, Field(ge=1, le=MAX_VERSION, examples=[3]), WRITTEN]


class Repair(NamedVersion):
    """What a repair is told."""

    source: Required | None = Field(
        None,
        description="Where the same files lie; by default what the version was registered from.",
        examples=["/data/models/house-prices"],
    )


class Collect(StrictArguments):
    """What a collection is told."""

    dry_run: bool | None = Field(None, description="Only tell what would be freed.")


class Condition(StrEnum):
    """What is known of a version's stored bytes."""

    INTACT = "INTACT"
    DAMAGED = "DAMAGED"
    UNVERIFIED = "UNVERIFIED"


class DamagedFile(TypedDict):
    """A file whose stored bytes were found missing or changed."""

    path: Annotated[str | None, Field(description="Null when the list of files itself is damaged.")]
    sha256: str
    found_at_ms: Annotated[int, Field(description="When a verification found it last.")]


class VersionIntegrity(TypedDict):
    """What is known of a version's stored bytes."""

    condition: Condition
    verified_at_ms: Annotated[
        int | None, Field(description="Since when each file has been read; null while one never was.")
    ]
    damaged: list[DamagedFile]


class DamagedVersion(TypedDict):
    """A version that refers to damaged files."""

    name: str
    version: int
    damaged_files: int


class DamagedVersions(TypedDict):
    """The versions that refer to damaged files, by name and number."""

    versions: list[DamagedVersion]


def verify_store() -> OneJob:
    """Read everything again that any version uses, at the pace that the operator has set."""
    with transaction(site().engine) as session:
        return _shown(session, registry.verify_store(session, current_actor(), queue=site().queue))


def verify_model(asked: NamedModel) -> OneJob:
    """Read the stored files of all of a model's versions again, each once however many versions share it."""
    with transaction(site().engine) as session:
        return _shown(session, registry.verify_model(session, current_actor(), asked.name, queue=site().queue))


def verify_version(asked: NamedVersion) -> OneJob:
    """Read the stored files of a version again."""
    with transaction(site().engine) as session:
        job = registry.verify_version(session, current_actor(), asked.name, asked.version, queue=site().queue)
        return _shown(session, job)


def repair_version(asked: Repair) -> OneJob:
    """Store the damaged files of a version again, from a source that still has the same bytes."""
    source = asked.source or _source_of(asked)
    site().sources.vet(registry.copied_source(source))
    with transaction(site().engine) as session:
        job = registry.repair_version(session, current_actor(), asked.name, asked.version, source, queue=site().queue)
        return _shown(session, job)


def materialize_version(asked: NamedVersion) -> OneJob:
    """Copy the files of a version that was registered by reference into the store, from its source."""
    job_id = start_materializing(asked.name, asked.version)
    with reading(site().engine) as session:
        return {"job": detail(session, job_id)}


def start_materializing(name: str, number: int) -> int:
    """Look whether a version's source may be read, and enqueue the job that copies it; return the job's id.

    Raises NotFound, PermissionDenied, InvalidState, SourceRefused.
    """
    with reading(site().engine) as session:
        source = registry.remembered_source(session, current_actor(), name, number)
    site().sources.vet(registry.copied_source(source))
    with transaction(site().engine) as session:
        return registry.materialize_version(session, current_actor(), name, number, source, queue=site().queue).id


def show_integrity(asked: NamedVersion) -> VersionIntegrity:
    """Show what is known of a version's stored bytes: which are damaged, and when all were last read."""
    with reading(site().engine) as session:
        _, version = read_model_version(session, current_actor(), asked.name, asked.version)
        manifest = registry.stored_manifest(asked.name, version, "verified")
        known = integrity.integrity_of(session, manifest)
    paths = _paths(asked) if known.damaged else {}
    condition = Condition.UNVERIFIED if known.unverified else Condition.INTACT
    return {
        "condition": Condition.DAMAGED if known.damaged else condition,
        "verified_at_ms": known.verified_at_ms,
        "damaged": [
            {"path": path, "sha256": digest, "found_at_ms": found_at_ms}
            for digest, found_at_ms in known.damaged.items()
            for path in paths.get(digest, [None])
        ],
    }


def list_damaged_versions() -> DamagedVersions:
    """List the versions that refer to damaged files, by name and number."""
    access.require_admin(current_actor(), "seeing the damage of the whole store")
    with reading(site().engine) as session:
        found = integrity.damaged_versions(session, limit=MOST_DAMAGED)
    return {
        "versions": [{"name": each.model_name, "version": each.version, "damaged_files": each.blobs} for each in found]
    }


def collect(asked: Collect) -> OneJob:
    """Remove the bytes that nothing has referred to for the grace period, or only count them."""
    with transaction(site().engine) as session:
        job = registry.collect(session, current_actor(), dry_run=bool(asked.dry_run), queue=site().queue)
        return _shown(session, job)


def _shown(session: Session, job: Job) -> OneJob:
    return {"job": detail(session, job.id)}


def _source_of(asked: NamedVersion) -> str:
    with reading(site().engine) as session:
        return read_model_version(session, current_actor(), asked.name, asked.version)[1].source


def _paths(asked: NamedVersion) -> dict[str, list[str | None]]:
    """Return digest -> paths of a version's files; nothing when the list of them cannot be read."""
    try:
        index = read_index(managed_files_of(asked.name, asked.version))
    except (Damaged, NotFound):
        return {}
    paths: dict[str, list[str | None]] = defaultdict(list)
    for file in index.files.values():
        paths[file.digest].append(file.path)
    return paths
