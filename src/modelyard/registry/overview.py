"""Figures that pages show beside the rows themselves: counts, newest versions, sizes. Each one statement."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, func, select
from sqlmodel import Session, col

from modelyard.database.any_of import is_any_of, numbers_named
from modelyard.database.tables import Job, RegisteredModel, Token, metadata
from modelyard.registry import access, jobs
from modelyard.registry.access import Actor, Sight
from modelyard.registry.request_inbox import count_to_decide
from modelyard.registry.shown import READY
from modelyard.registry.tokens import EXPIRES_SOON
from modelyard.rules.jobs import JobStatus
from modelyard.rules.stages import IN_USE, Stage

_models = metadata.tables["registered_models"]
_versions = metadata.tables["model_versions"]
_IN_USE = and_(
    _versions.c.model_id == bindparam("model_id"),
    _versions.c.stage.in_(sorted(IN_USE)),
    _versions.c.status == READY,
    _versions.c.deleted_at_ms.is_(None),
)
# There are eight sights, and two kinds of people.
_KEPT = 16


class NavigationCounts(NamedTuple):
    """What the navigation counts: jobs that run, transition requests that wait, the reader's tokens that end soon."""

    running: int = 0
    requests: int = 0
    tokens: int = 0


def navigation_counts(connection: Connection, actor: Actor) -> NavigationCounts:
    """Return the counts of what `actor` may see. Every page asks for them, so the statement is kept."""
    statement = _counts(access.sight_of(actor), is_admin=actor.is_admin)
    values = {**access.held_values(actor), "own_id": next(iter(actor.principals), None)}
    return NavigationCounts._make(connection.execute(statement, values).one())


class NewestVersion(NamedTuple):
    """The version of a model that was registered last, whatever its status."""

    model_id: int
    version: int
    status: str


def newest_versions(connection: Connection, model_ids: Collection[int]) -> Mapping[int, NewestVersion]:
    """Return model id -> its newest living version; models without any are left out."""
    rows = connection.execute(_newest(), {"ids": model_ids})
    return {row.model_id: NewestVersion._make(row) for row in rows}


class VersionFacts(NamedTuple):
    """What pages show of a version beside what clients read of it."""

    id: int
    size_bytes: int | None
    file_count: int | None
    manifest_digest: str | None
    registration_mode: str
    logged_model_id: str
    stage_changed_at_ms: int
    last_downloaded_at_ms: int | None


def version_facts(connection: Connection, version_ids: Collection[int]) -> Mapping[int, VersionFacts]:
    """Return version id -> its facts."""
    rows = connection.execute(_facts(), {"ids": version_ids})
    return {row.id: VersionFacts._make(row) for row in rows}


def active_versions(connection: Connection, model_id: int) -> int:
    """Return how many READY versions of a model are in Staging or Production."""
    return connection.scalar(_active(), {"model_id": model_id}) or 0


def versions_in_use(connection: Connection, model_id: int, *, limit: int) -> list[int]:
    """Return the newest versions of a model in Staging or Production, which keep it from being deleted."""
    found = select(_versions.c.version).where(_IN_USE).order_by(_versions.c.version.desc()).limit(limit)
    return list(connection.scalars(found, {"model_id": model_id}))


def others_in_stage(connection: Connection, model_id: int, stage: Stage, *, but: int, limit: int) -> list[int]:
    """Return the newest other versions of a model in one stage: those that a promotion could archive."""
    found = select(_versions.c.version).where(
        _versions.c.model_id == model_id,
        _versions.c.stage == stage,
        _versions.c.status == READY,
        _versions.c.version != but,
        _versions.c.deleted_at_ms.is_(None),
    )
    return list(connection.scalars(found.order_by(_versions.c.version.desc()).limit(limit)))


def count_living_versions(connection: Connection, model_id: int) -> tuple[int, int]:
    """Return how many versions a model has, and the sum of their sizes in bytes."""
    found = select(func.count(), func.coalesce(func.sum(_versions.c.size_bytes), 0)).where(
        _versions.c.model_id == model_id, _versions.c.deleted_at_ms.is_(None)
    )
    count, size_bytes = connection.execute(found).one()
    return count, int(size_bytes)


def living_name(session: Session, former: str) -> str | None:
    """Return the name that a model has now which was called `former` once; None when no living one was.

    Source: "Manage models", renaming; the old address leads on while nobody else bears the name.
    """
    former_names = metadata.tables["former_names"]
    found: str | None = session.scalar(
        select(col(RegisteredModel.name))
        .join(former_names, former_names.c.model_id == col(RegisteredModel.id))
        .where(former_names.c.name == former, col(RegisteredModel.deleted_at_ms).is_(None))
        .order_by(former_names.c.id.desc())
        .limit(1)
    )
    return found


@lru_cache(_KEPT)
def _counts(sight: Sight, *, is_admin: bool) -> Select[Any]:
    running = jobs.joined(select(func.count()).select_from(Job)).where(
        col(Job.status) == JobStatus.RUNNING, jobs.visible_by(sight, is_admin=is_admin)
    )
    to_decide = count_to_decide(is_admin=is_admin, limited=sight.limited)
    ending = select(func.count()).select_from(Token).where(col(Token.principal_id) == bindparam("own_id"), EXPIRES_SOON)
    return select(running.scalar_subquery(), to_decide.scalar_subquery(), ending.scalar_subquery())


@lru_cache(1)
def _newest() -> Select[Any]:
    candidates = _versions.alias("candidates")
    newest: Any = (
        select(candidates.c.id)
        .where(candidates.c.model_id == _models.c.id, candidates.c.deleted_at_ms.is_(None))
        .order_by(candidates.c.version.desc())
        .limit(1)
        .correlate(_models)
        .scalar_subquery()
    )
    columns = [_versions.c[name] for name in NewestVersion._fields]
    return (
        select(*columns)
        .select_from(_models.join(_versions, _versions.c.id == newest))
        .where(is_any_of(_models.c.id, numbers_named("ids")))
    )


@lru_cache(1)
def _facts() -> Select[Any]:
    columns = [_versions.c[name] for name in VersionFacts._fields]
    return select(*columns).where(is_any_of(_versions.c.id, numbers_named("ids")))


@lru_cache(1)
def _active() -> Select[Any]:
    return select(func.count()).select_from(_versions).where(_IN_USE)
