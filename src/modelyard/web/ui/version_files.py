"""The bytes of a version's files, for a browser: to be saved, or an image to be looked at."""

from flask import Response

from modelyard.database.session import transaction
from modelyard.errors import InvalidState, NotFound
from modelyard.registry.downloads import ManagedFiles, note_download
from modelyard.storage.manifest import ManifestFile
from modelyard.web.api.version_files import locate
from modelyard.web.file_answers import file_answer
from modelyard.web.site import site
from modelyard.web.ui.version_contents import IMAGE_BYTES, Absence, first_bytes, image_type, open_files

# A model's folder may hold hostile pages: whatever a browser makes of one, it does so in an empty room.
_ROOM = "sandbox; default-src 'none'"


def download(name: str, number: int, path: str) -> Response:
    """Give a file to be saved, never to be opened."""
    files, file = _find(name, number, path)
    with transaction(site().engine) as session:
        note_download(session, files.version_id)
    answer = file_answer(site().store, locate(files, file.digest), file_name=path.rpartition("/")[2])
    answer.headers["Content-Security-Policy"] = _ROOM
    return answer


def show_image(name: str, number: int, path: str) -> Response:
    """Give an image to be looked at: by its first bytes, whatever it is called. Raises NotFound for anything else."""
    files, file = _find(name, number, path)
    kind = image_type(first_bytes(files, file, 16)) if file.size_bytes <= IMAGE_BYTES else ""
    if not kind:
        raise NotFound("This file is no image that is shown here; download it.")
    answer = Response(first_bytes(files, file, IMAGE_BYTES), mimetype=kind)
    answer.headers["Content-Security-Policy"] = _ROOM
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def _find(name: str, number: int, path: str) -> tuple[ManagedFiles, ManifestFile]:
    opened = open_files(name, number)
    if isinstance(opened, Absence):
        raise InvalidState(opened.text)
    files, index = opened
    if path not in index.files:
        raise NotFound(f"This version holds no file {path[:300]!r}.")
    return files, index.files[path]
