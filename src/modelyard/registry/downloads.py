"""Reading the files of a version: where they lie, and when they were last fetched."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.tables import Blob, ManifestBlob, ModelVersion
from modelyard.errors import Damaged, InvalidState, NotFound
from modelyard.rules.versions import RegistrationMode, VersionStatus, check_ready
from modelyard.storage.store import StoredBlob

# The time of the last download is written at most this often, so that reading stays reading.
NOTED_EACH_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ManagedFiles:
    """The manifest of a version that lies in the store."""

    version_id: int
    manifest: StoredBlob


def managed_files(session: Session, model_name: str, version: ModelVersion) -> ManagedFiles:
    """Return where the manifest of a READY version lies.

    Raises InvalidState when the version is not READY, or only its source is remembered.
    """
    check_ready(model_name, version.version, VersionStatus(version.status), "downloaded")
    if version.registration_mode == RegistrationMode.REFERENCE or version.manifest_digest is None:
        raise InvalidState(
            f"Version {version.version} of {model_name!r} was registered by reference: "
            f"its files are not kept here but at {version.source}"
        )
    return ManagedFiles(version.id, find_blob(session, version.manifest_digest, version.manifest_digest))


def find_blob(session: Session, manifest_digest: str, digest: str) -> StoredBlob:
    """Return where a blob lies that the manifest refers to; the manifest refers to itself.

    Raises NotFound; Damaged for one that is known to be, for wrong bytes are worse than none.
    """
    statement = (
        select(Blob)
        .join(ManifestBlob, (col(ManifestBlob.digest) == col(Blob.digest)) & (col(ManifestBlob.state) == Blob.state))
        .where(col(ManifestBlob.manifest_digest) == manifest_digest, col(ManifestBlob.digest) == digest)
    )
    blob = session.exec(statement).one_or_none()
    if blob is None:
        raise NotFound("This version holds no such file.")
    if blob.broken_at_ms is not None:
        raise Damaged(f"The stored bytes {digest} are damaged. Repair the version, or register its files again.")
    return StoredBlob(blob.digest, blob.gen, blob.size_bytes)


def is_unnoted() -> ColumnElement[bool]:
    """Return the condition that a version was not fetched within the hour, so that it wants to be written down."""
    noted_ms = col(ModelVersion.last_downloaded_at_ms)
    return or_(noted_ms.is_(None), noted_ms < now_ms() - NOTED_EACH_MS)


def note_download(session: Session, version_id: int) -> None:
    """Write down that a version was fetched just now, unless another request did."""
    session.execute(
        update(ModelVersion)
        .where(col(ModelVersion.id) == version_id, is_unnoted())
        .values(last_downloaded_at_ms=now_ms())
    )
