"""The upload area that `registry_uri=databricks` pushes files to (contracts/mlflow.md 2.6)."""

from flask import request

from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.errors import InvalidValue
from modelyard.registry import uploads as registry
from modelyard.registry.blobs import record_upload
from modelyard.registry.uploads import UploadedEntry, UploadLedger
from modelyard.rules.sources import UPLOAD_ZONE, upload_path
from modelyard.storage.copying import receive_upload
from modelyard.storage.store import StoredBlob
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Required, arguments
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class DbfsPath(Arguments):
    """A request about a path; slashes may be doubled."""

    path: Required


def list_folder() -> Json:
    """List a folder; the client uploads elsewhere when its folder is not empty."""
    path = upload_path(arguments(DbfsPath).path)
    with reading(site().engine) as session:
        return {"files": [_entry(entry) for entry in registry.list_uploads(session, current_actor(), path)]}


def get_status() -> Json:
    """Say what a path is."""
    path = upload_path(arguments(DbfsPath).path)
    with reading(site().engine) as session:
        return _entry(registry.upload_status(session, current_actor(), path))


def upload(path: str) -> Json:
    """Store the body as a file of the upload area."""
    target = upload_path(f"/{path}")
    registry.check_upload_path(target)
    stored = _receive()
    repeat_conflicts(lambda: _enter(target, stored))
    return {}


def _receive() -> StoredBlob:
    rules = site().uploads
    ledger = UploadLedger(site().engine, trust_ms=rules.trust_ms)
    # Instead of the limit for JSON. One more, since a stream that reads up to its limit refuses to say that it ended.
    request.max_content_length = rules.max_bytes + 1
    length = request.content_length if request.content_length is not None else _nothing()
    with site().store.ingest(0, 0) as ingest:
        return receive_upload(request.stream, length, ingest, ledger, max_bytes=rules.max_bytes)


def _nothing() -> int:
    """Return 0, the length of the only body that may come without one: clients send empty files in no chunks.

    The server under us ends a broken body like a whole one, and only an announced length tells them apart.
    """
    if request.stream.read(1):
        raise InvalidValue("An upload needs a Content-Length, so that a file which was cut off is noticed.")
    return 0


def _enter(path: str, stored: StoredBlob) -> None:
    with transaction(site().engine) as session:
        record_upload(
            session,
            actor_name=current_actor().name,
            path=path,
            digest=stored.digest,
            size_bytes=stored.size_bytes,
            hours=site().uploads.hours,
        )


def _entry(entry: UploadedEntry) -> Json:
    return {
        "path": f"{UPLOAD_ZONE}/{entry.path}",
        "is_dir": entry.size_bytes is None,
        "file_size": entry.size_bytes or 0,
    }
