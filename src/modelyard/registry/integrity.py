"""Which versions are damaged: those that refer to a blob which a verification has marked (`registry/verifying.py`)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, exists, func, select, update
from sqlmodel import Session

from modelyard.database.tables import ModelVersion, metadata
from modelyard.errors import Damaged
from modelyard.registry.blobs import blobs, manifest_blobs
from modelyard.rules.versions import damaged_message

models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]


def _damage(*columns: Any) -> Select[Any]:
    """Return a SELECT over pairs of a damaged blob and a version that uses it, those in the trash included."""
    return (
        select(*columns)
        .select_from(blobs)
        .join(manifest_blobs, (manifest_blobs.c.digest == blobs.c.digest) & (manifest_blobs.c.state == blobs.c.state))
        .join(versions, versions.c.manifest_digest == manifest_blobs.c.manifest_digest)
        .where(blobs.c.broken_at_ms.is_not(None))
    )


def damaged_blobs() -> ColumnElement[int]:
    """Return a column for statements that read `model_versions`: how many blobs of a version are damaged.

    Whether there is any damage at all is asked once a statement, since there hardly ever is.
    """
    broken = blobs.alias("broken")
    counted = (
        select(func.count())
        .select_from(broken.join(manifest_blobs, manifest_blobs.c.digest == broken.c.digest))
        .where(broken.c.broken_at_ms.is_not(None), manifest_blobs.c.manifest_digest == versions.c.manifest_digest)
        .correlate(versions)
        .scalar_subquery()
    )
    any_damage = exists().select_from(blobs).where(blobs.c.broken_at_ms.is_not(None))
    return case((any_damage, counted), else_=0)


def count_damage(session: Session | Connection) -> tuple[int, int]:
    """Return how many blobs are damaged, and how many living versions that concerns."""
    living = versions.c.deleted_at_ms.is_(None)
    seen = _damage(func.count(blobs.c.digest.distinct()), func.count(versions.c.id.distinct())).where(living)
    count, concerned = session.execute(seen).one()
    return count, concerned


@dataclass(frozen=True, slots=True)
class DamagedVersion:
    """A living version that refers to damaged blobs, and how many those are."""

    model_name: str
    version: int
    version_id: int
    manifest_digest: str
    blobs: int


def damaged_versions(session: Session | Connection, *, limit: int) -> list[DamagedVersion]:
    """Return damaged versions by name and number, at most `limit`."""
    rows = session.execute(
        _damage(models.c.name, versions.c.version, versions.c.id, versions.c.manifest_digest, func.count())
        .join(models, models.c.id == versions.c.model_id)
        .where(versions.c.deleted_at_ms.is_(None))
        .group_by(models.c.name, versions.c.version, versions.c.id, versions.c.manifest_digest)
        .order_by(models.c.name, versions.c.version)
        .limit(limit)
    )
    return [DamagedVersion(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Use:
    """A living version that uses a blob."""

    model_id: int
    model_name: str
    version: int
    manifest_digest: str
    digest: str


def uses_of(session: Session, digests: Collection[str], *, limit: int) -> list[Use]:
    """Return which living versions use these blobs, by name and number, at most `limit` of them."""
    rows = session.execute(
        select(
            versions.c.model_id, models.c.name, versions.c.version, versions.c.manifest_digest, manifest_blobs.c.digest
        )
        .join(models, models.c.id == versions.c.model_id)
        .join(manifest_blobs, manifest_blobs.c.manifest_digest == versions.c.manifest_digest)
        .where(manifest_blobs.c.digest.in_(sorted(digests)), versions.c.deleted_at_ms.is_(None))
        .order_by(models.c.name, versions.c.version)
        .limit(limit)
    )
    return [Use(*row) for row in rows]


def count_change(session: Session, model_id: int) -> None:
    """Let pages that show a model know that one of its versions looks different now; its row is locked."""
    session.execute(update(models).where(models.c.id == model_id).values(change_counter=models.c.change_counter + 1))


@dataclass(frozen=True, slots=True)
class Integrity:
    """What is known of a version's bytes. `damaged` maps digest -> since when (epoch milliseconds).

    `verified_at_ms` is when the blob that was verified longest ago was read, None while one never was; `unverified`
    counts those.
    """

    damaged: dict[str, int]
    unverified: int
    verified_at_ms: int | None


def integrity_of(session: Session, manifest_digest: str) -> Integrity:
    """Return what is known of the bytes that a manifest refers to."""
    of_manifest = (manifest_blobs.c.digest == blobs.c.digest, manifest_blobs.c.manifest_digest == manifest_digest)
    damaged = select(blobs.c.digest, blobs.c.broken_at_ms).where(blobs.c.broken_at_ms.is_not(None), *of_manifest)
    unverified, oldest = session.execute(
        select(func.count() - func.count(blobs.c.verified_at_ms), func.min(blobs.c.verified_at_ms)).where(*of_manifest)
    ).one()
    return Integrity(
        damaged={row.digest: row.broken_at_ms for row in session.execute(damaged.order_by(blobs.c.digest))},
        unverified=unverified,
        verified_at_ms=None if unverified else oldest,
    )


# Asked by every promotion and stage change: only of what is marked, and never of each file of a version.
_DAMAGED_BLOBS = (
    select(func.count())
    .select_from(blobs.join(manifest_blobs, manifest_blobs.c.digest == blobs.c.digest))
    .where(blobs.c.broken_at_ms.is_not(None), manifest_blobs.c.manifest_digest == bindparam("manifest_digest"))
)


def require_intact(session: Session, model_name: str, version: ModelVersion, doing: str) -> None:
    """Raise Damaged while a version is known to be damaged; `doing` says what it was wanted for."""
    if version.manifest_digest is None:
        return
    damaged = session.scalar(_DAMAGED_BLOBS, {"manifest_digest": version.manifest_digest})
    if damaged:
        raise Damaged(f"Version {version.version} of {model_name!r} cannot be {doing}. {damaged_message(damaged)}")
