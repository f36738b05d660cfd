"""Stored bytes, and who refers to them."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlmodel import Field

from modelyard.database.columns import DIGEST_CHARACTERS, RowId, Table, moment, one_of, row_id, time, where


class Blob(Table, table=True):
    """Bytes in the store, by SHA-256. A blob that comes back after a collection gets the next generation's file."""

    __tablename__ = "blobs"
    __table_args__ = (
        UniqueConstraint("digest", "state"),
        one_of("state", "live", "deleting", "gone"),
        Index("ix_blobs_state_touched", "state", "touched_at_ms"),
        Index("ix_blobs_state_verified", "state", "verified_at_ms"),
        Index("ix_blobs_broken", "digest", **where("broken_at_ms IS NOT NULL")),
    )

    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    gen: int = 0
    size_bytes: int = Field(sa_type=BigInteger)
    state: str = Field(default="live", max_length=8)
    touched_at_ms: int = moment()
    verified_at_ms: int | None = time()
    broken_at_ms: int | None = time()


def _reference_to_blob() -> tuple[Any, ...]:
    """Constraints that make a reference and the collector's mark collide in the database, in either order.

    A plain foreign key does not: on PostgreSQL a promotion and a collector passed each other (design/storage.md).
    """
    return (
        CheckConstraint("state = 'live'", name="live"),
        ForeignKeyConstraint(["digest", "state"], ["blobs.digest", "blobs.state"]),
    )


class Manifest(Table, table=True):
    """A list of files with their digests, itself a blob of this digest; equal files give an equal manifest."""

    __tablename__ = "manifests"

    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    file_count: int
    size_bytes: int = Field(sa_type=BigInteger)
    created_at_ms: int = moment()


class ManifestBlob(Table, table=True):
    """A blob that a manifest refers to, its own included. Written once, together with the manifest."""

    __tablename__ = "manifest_blobs"
    __table_args__ = (*_reference_to_blob(), Index("ix_manifest_blobs_blob", "digest", "state"))

    manifest_digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True, foreign_key="manifests.digest")
    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    state: str = Field(default="live", max_length=8)


class BlobLease(Table, table=True):
    """A blob that an attempt of a job holds until it ends. Attempt 0 belongs to the job itself (uploads)."""

    __tablename__ = "blob_leases"
    __table_args__ = (*_reference_to_blob(), Index("ix_blob_leases_blob", "digest", "state"))

    job_id: int = Field(sa_type=RowId, primary_key=True)
    attempt: int = Field(primary_key=True)
    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    state: str = Field(default="live", max_length=8)


class Upload(Table, table=True):
    """A file in the landing zone, held until it is registered or expires. `path` has single slashes."""

    __tablename__ = "uploads"
    __table_args__ = (
        *_reference_to_blob(),
        UniqueConstraint("actor", "path"),
        Index("ix_uploads_blob", "digest", "state"),
        Index("ix_uploads_expires", "expires_at_ms"),
    )

    id: int = row_id()
    actor: str = Field(max_length=256)
    path: str = Field(sa_type=String(1024).with_variant(String(1024, collation="C"), "postgresql"))
    digest: str = Field(max_length=DIGEST_CHARACTERS)
    size_bytes: int = Field(sa_type=BigInteger)
    state: str = Field(default="live", max_length=8)
    expires_at_ms: int = Field(sa_type=BigInteger)


class JobFile(Table, table=True):
    """A file that a job has stored: a retry need not read it again while its origin has not changed."""

    __tablename__ = "job_files"

    job_id: int = Field(sa_type=RowId, primary_key=True)
    path: str = Field(sa_type=String(1024).with_variant(String(1024, collation="C"), "postgresql"), primary_key=True)
    size_bytes: int = Field(sa_type=BigInteger)
    mtime_ns: int = Field(default=0, sa_type=BigInteger)
    ctime_ns: int = Field(default=0, sa_type=BigInteger)
    inode_or_etag: str = Field(default="", max_length=256)
    digest: str = Field(max_length=DIGEST_CHARACTERS)
