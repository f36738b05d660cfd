"""The artifact proxy: files of versions by `versions/<public id>/path`, read-only (contracts/mlflow.md 2.4)."""

from flask import Response, request

from modelyard.errors import InvalidState, NotFound, NotImplementedHere, PermissionDenied
from modelyard.rules.artifact_paths import check_artifact_path
from modelyard.storage.store import StoredBlob
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Text, arguments
from modelyard.web.api.downloads import entry_json
from modelyard.web.api.version_files import VERSIONS_FOLDER, find_version_files, locate, read_index
from modelyard.web.file_answers import file_answer
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class ListArtifacts(Arguments):
    """What the list asks; the root of all is never listed."""

    path: Text = ""


def list_folder() -> Json:
    """List a folder by base names; `{}` for whatever is no folder, as MLflow answers."""
    version_id, path = _split(check_artifact_path(arguments(ListArtifacts).path))
    try:
        index = read_index(find_version_files(current_actor(), version_id))
    except (NotFound, InvalidState):
        return {}
    entries = index.folders.get(path)
    return {"files": [entry_json(entry.name, entry.size_bytes) for entry in entries]} if entries else {}


def get_file(path: str) -> Response:
    """Send one file, or the range asked for."""
    version_id, inside = _split(check_artifact_path(path))
    files = find_version_files(current_actor(), version_id)
    index = read_index(files)
    if inside in index.folders:
        raise InvalidState(f"{inside or 'This'} is a folder. List it by {request.path.rpartition('/')[0]}?path=….")
    found = index.files.get(inside)
    if found is None:
        raise NotFound("This version holds no such file.")
    return _send(locate(files, found.digest), inside.rpartition("/")[2])


def get_signed_file(version_id: str) -> Response:
    """Send the file that a signed link promises; deletion and lost rights end the link."""
    link = site().signer.open_link(request.args.get("sig", ""))
    actor = site().identity.actor_named(link.user)
    if actor is None or link.version_id != version_id:
        raise NotFound("This link is not valid, or not any more. Ask for a new one.")
    return _send(locate(find_version_files(actor, version_id), link.digest), "file")


def refuse_change(path: str) -> Response:
    """Refuse to write or delete: what is registered never changes."""
    raise PermissionDenied("The files of a registered version never change. Register a new version instead.")


def refuse_multipart(operation: str, path: str) -> Response:
    """Decline multipart uploads in the words that make clients fall back."""
    raise NotImplementedHere("Multipart upload is not supported for the current artifact repository")


def refuse_presigned(path: str) -> Response:
    """Decline presigned downloads; clients then read through the proxy."""
    raise NotImplementedHere("Presigned download is not supported for the current artifact repository")


def _send(blob: StoredBlob, file_name: str) -> Response:
    return file_answer(site().store, blob, file_name=file_name, redirect=site().download_redirects)


def _split(path: str) -> tuple[str, str]:
    """Return the version's public id and the path inside of it. The id is "" for whatever lies elsewhere."""
    folder, _, rest = path.partition("/")
    version_id, _, inside = rest.partition("/")
    return (version_id, inside) if folder == VERSIONS_FOLDER else ("", path)
