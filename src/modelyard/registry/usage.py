"""How many bytes versions, models and the registry take, and how many of them they share.

Counted from the references themselves, so that there is no second truth to keep. A blob is shared when somebody else
refers to it too; what is in the trash still refers to its blobs. Manifests count as blobs.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select, true
from sqlmodel import Session

from modelyard.database.tables import metadata
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.registry.blobs import blobs, manifest_blobs
from modelyard.registry.collection import is_unreferenced

models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a version or a model takes in the store.

    `own` is what would be freed if it were purged, as far as its viewer may know; the rest of `stored` is shared.
    """

    stored_blobs: int
    stored_bytes: int
    own_blobs: int
    own_bytes: int

    @property
    def shared_bytes(self) -> int:
        """What somebody else refers to as well."""
        return self.stored_bytes - self.own_bytes


@dataclass(frozen=True, slots=True)
class RegistryUsage:
    """What the whole store holds. `version_bytes` counts each living version as if it shared nothing.

    `shared_bytes` is held by several versions, `trash_bytes` only by deleted ones, `unreferenced_bytes` by nobody:
    the next collections free those.
    """

    models: int
    versions: int
    version_bytes: int
    stored_blobs: int
    stored_bytes: int
    shared_bytes: int
    trash_bytes: int
    unreferenced_bytes: int


def version_usage(session: Session, version_id: int, seen_by: Actor | None = None) -> Usage:
    """Return what one version takes; nothing for one that is registered by reference or not yet stored.

    For somebody, only what is held by models that they may read counts as shared: who holds the same bytes is private.
    """
    return _usage(
        session, versions.c.id == version_id, lambda other: and_(other.c.id != version_id, _is_seen(other, seen_by))
    )


def model_usage(session: Session, model_id: int, seen_by: Actor | None = None) -> Usage:
    """Return what all versions of a model take together, those in the trash included; `seen_by` as for a version."""
    return _usage(
        session,
        versions.c.model_id == model_id,
        lambda other: and_(other.c.model_id != model_id, _is_seen(other, seen_by)),
    )


def usage_of(session: Session, version_ids: Select[tuple[int]]) -> Usage:
    """Return what these versions take together, as a SELECT of their row ids names them."""
    return _usage(session, versions.c.id.in_(version_ids), lambda other: other.c.id.not_in(version_ids))


def registry_usage(session: Session) -> RegistryUsage:
    """Return what the whole registry takes."""
    living = select(func.count(), _bytes(versions.c.size_bytes)).where(versions.c.deleted_at_ms.is_(None))
    version_count, version_bytes = session.execute(living).one()
    users = _users_of_blobs().subquery()
    size = blobs.c.size_bytes
    totals = session.execute(
        select(
            func.count(),
            _bytes(size),
            _bytes(case((users.c.users > 1, size), else_=0)),
            _bytes(case((users.c.living == 0, size), else_=0)),
            # Asked in this order, the references of a blob that a version uses need no look.
            _bytes(case((users.c.users.is_not(None), 0), (is_unreferenced(), size), else_=0)),
        )
        .select_from(blobs.outerjoin(users, users.c.digest == blobs.c.digest))
        .where(blobs.c.state == "live")
    ).one()
    living_models = select(func.count()).select_from(models).where(models.c.deleted_at_ms.is_(None))
    return RegistryUsage(
        models=session.scalar(living_models) or 0,
        versions=version_count,
        version_bytes=int(version_bytes),
        stored_blobs=totals[0],
        stored_bytes=int(totals[1]),
        shared_bytes=int(totals[2]),
        trash_bytes=int(totals[3]),
        unreferenced_bytes=int(totals[4]),
    )


@dataclass(frozen=True, slots=True)
class ModelSize:
    """How many versions a model has, and the sum of their sizes, however much they share."""

    name: str
    versions: int
    size_bytes: int


def largest_models(session: Session, actor: Actor, *, limit: int) -> list[ModelSize]:
    """Return the models that `actor` may see whose versions are largest together, those first."""
    total = _bytes(versions.c.size_bytes)
    rows = session.execute(
        select(models.c.name, func.count(versions.c.id), total)
        .join(versions, versions.c.model_id == models.c.id)
        .where(models.c.deleted_at_ms.is_(None), versions.c.deleted_at_ms.is_(None), access.visible(actor))
        .group_by(models.c.id, models.c.name)
        .order_by(total.desc(), models.c.name)
        .limit(limit)
    )
    return [ModelSize(name, count, int(size_bytes)) for name, count, size_bytes in rows]


def _usage(session: Session, ours: ColumnElement[bool], is_other: Any) -> Usage:
    used = (
        select(manifest_blobs.c.digest)
        .join(versions, versions.c.manifest_digest == manifest_blobs.c.manifest_digest)
        .where(ours)
    )
    others_manifest, other = manifest_blobs.alias(), versions.alias()
    shared = exists().where(
        others_manifest.c.digest == blobs.c.digest,
        others_manifest.c.state == blobs.c.state,
        other.c.manifest_digest == others_manifest.c.manifest_digest,
        is_other(other),
    )
    own = case((shared, 0), else_=1)
    row = session.execute(
        select(
            func.count(),
            _bytes(blobs.c.size_bytes),
            func.coalesce(func.sum(own), 0),
            _bytes(own * blobs.c.size_bytes),
        ).where(blobs.c.digest.in_(used))
    ).one()
    return Usage(*(int(figure) for figure in row))


def _is_seen(version: Any, actor: Actor | None) -> ColumnElement[bool]:
    if actor is None:
        return true()
    found: ColumnElement[bool] = version.c.model_id.in_(select(models.c.id).where(access.visible(actor)))
    return found


def _users_of_blobs() -> Select[Any]:
    """Return digest -> how many versions use a blob, and how many of them live."""
    by_manifest = (
        select(
            versions.c.manifest_digest,
            func.count().label("users"),
            func.sum(case((versions.c.deleted_at_ms.is_(None), 1), else_=0)).label("living"),
        )
        .where(versions.c.manifest_digest.is_not(None))
        .group_by(versions.c.manifest_digest)
        .subquery()
    )
    return (
        select(
            manifest_blobs.c.digest,
            func.sum(by_manifest.c.users).label("users"),
            func.sum(by_manifest.c.living).label("living"),
        )
        .join(by_manifest, by_manifest.c.manifest_digest == manifest_blobs.c.manifest_digest)
        .group_by(manifest_blobs.c.digest)
    )


def _bytes(sizes: Any) -> Any:
    return func.coalesce(func.sum(sizes), 0)
