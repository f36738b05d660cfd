"""Routes that lead to a version's files: the download URI, and the two calls of `registry_uri=databricks`.

Source: contracts/mlflow.md 2.2 and 2.5.
"""

from urllib.parse import quote

import structlog
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.session import autocommit, reading, transaction
from modelyard.database.tables import ModelVersion
from modelyard.errors import Damaged, InvalidState, NotFound, PermissionDenied
from modelyard.registry import queries
from modelyard.registry.downloads import ManagedFiles, managed_files, note_download
from modelyard.registry.queries import Location
from modelyard.rules.artifact_paths import check_artifact_path
from modelyard.rules.versions import RegistrationMode, VersionStatus, check_ready
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Text, arguments
from modelyard.web.api.model_versions import NamedVersion
from modelyard.web.api.version_files import VERSIONS_FOLDER, read_index
from modelyard.web.identity import current_actor
from modelyard.web.signing import FileLink
from modelyard.web.site import site

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
SIGNED_FILES = "/api/2.0/mlflow-artifacts/signed"
log = structlog.get_logger(__name__)

# Signs what can never be found; the link's own answer is then a 404.
_NOTHING = "0" * 64


class VersionPath(NamedVersion):
    """A request about a file or folder of one version; "" is its root."""

    path: Text = ""


def get_download_uri() -> Json:
    """Say where the files lie: an absolute address of ours, or the source of what is registered by reference."""
    asked = arguments(NamedVersion)
    with autocommit(site().engine) as connection:
        location = queries.location_of_version(connection, current_actor(), asked.name, asked.number)
    check_ready(asked.name, asked.number, VersionStatus(location.status), "downloaded")
    _note_download(location)
    return {"artifact_uri": _artifact_uri(location)}


def list_artifacts() -> Json:
    """List a folder, with paths from the version's root; a file is listed as itself."""
    asked = arguments(VersionPath)
    path = check_artifact_path(asked.path)
    location, files = _find_files(asked)
    index = read_index(files)
    answer: Json = {"root_uri": _artifact_uri(location)}
    if path in index.files:
        return answer | {"files": [{"path": path, "is_dir": False, "file_size": index.files[path].size_bytes}]}
    entries = index.folders.get(path)
    if entries is None:
        return {}
    prefix = f"{path}/" if path else ""
    return answer | {"files": [entry_json(prefix + entry.name, entry.size_bytes) for entry in entries]}


def get_signed_download_uri() -> Json:
    """Sign a link to one file.

    It never fails for what is not there, since the client does not look at this answer's status: the link then
    answers 404 itself.
    """
    asked = arguments(VersionPath)
    try:
        location, files = _find_files(asked)
        path = check_artifact_path(asked.path)
        file = read_index(files).files.get(path)
    except (NotFound, InvalidState, Damaged, PermissionDenied):
        location, file = None, None
    version_id = location.public_id if location else _NOTHING[:32]
    link = FileLink(version_id, file.digest if file else _NOTHING, current_actor().name)
    address = f"{site().public_url}{SIGNED_FILES}/{version_id}?sig={quote(site().signer.sign_link(link))}"
    return {"signed_uri": address, "headers": []}


def entry_json(path: str, size_bytes: int | None) -> Json:
    """Return a file or folder of a listing; folders have no size."""
    if size_bytes is None:
        return {"path": path, "is_dir": True}
    return {"path": path, "is_dir": False, "file_size": size_bytes}


def _find_files(asked: NamedVersion) -> tuple[Location, ManagedFiles]:
    with reading(site().engine) as session:
        location = queries.location_of_version(session.connection(), current_actor(), asked.name, asked.number)
        files = managed_files(session, asked.name, session.get_one(ModelVersion, location.id))
    _note_download(location)
    return location, files


def _note_download(location: Location) -> None:
    """Write down when a version was last fetched. Whoever fetches does not care, so a failure is only logged."""
    if not location.unnoted:
        return
    try:
        with transaction(site().engine) as session:
            note_download(session, location.id)
    except SQLAlchemyError as error:
        log.warning("the time of a download was not noted", reason=str(error).splitlines()[0])


def _artifact_uri(location: Location) -> str:
    if location.registration_mode == RegistrationMode.REFERENCE:
        return location.source
    return f"{site().public_url}{ARTIFACTS}/{VERSIONS_FOLDER}/{location.public_id}"
