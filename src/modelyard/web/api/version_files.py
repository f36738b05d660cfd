"""Files of versions by public id: found with one short read, sent from the store."""

import re

from modelyard.database.session import reading
from modelyard.errors import NotFound
from modelyard.registry.access import Actor
from modelyard.registry.downloads import ManagedFiles, find_blob, managed_files
from modelyard.registry.model_versions import read_model_version, version_of_id
from modelyard.storage.store import StoredBlob
from modelyard.web.file_index import FileIndex
from modelyard.web.identity import current_actor
from modelyard.web.site import site

VERSIONS_FOLDER = "versions"
_PUBLIC_ID = re.compile(r"[0-9a-f]{32}")


def find_version_files(actor: Actor, version_id: str) -> ManagedFiles:
    """Return the files of the living version with this public id. Raises NotFound, PermissionDenied, InvalidState."""
    if not _PUBLIC_ID.fullmatch(version_id):
        raise NotFound("There is no such model version.")
    with reading(site().engine) as session:
        model, version = version_of_id(session, actor, version_id)
        return managed_files(session, model.name, version)


def managed_files_of(name: str, number: int) -> ManagedFiles:
    """Return the files of a version by its model's name. Raises NotFound, PermissionDenied, InvalidState, Damaged."""
    with reading(site().engine) as session:
        model, version = read_model_version(session, current_actor(), name, number)
        return managed_files(session, model.name, version)


def read_index(files: ManagedFiles) -> FileIndex:
    """Return what a version's manifest lists. Raises NotFound."""
    return site().files.read(files.manifest)


def locate(files: ManagedFiles, digest: str) -> StoredBlob:
    """Return where the bytes with this digest lie. Raises NotFound unless the version holds them."""
    with reading(site().engine) as session:
        return find_blob(session, files.manifest.digest, digest)
