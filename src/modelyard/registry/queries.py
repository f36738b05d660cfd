"""What clients ask again and again, each answered by one statement.

A statement is put together once for each sight, since what is visible depends on nothing else but values, and kept:
a request only binds its own. Every function takes a connection, in a transaction or in none.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, select, true

from modelyard.errors import InvalidValue, NotFound
from modelyard.registry import access
from modelyard.registry.access import Actor, Sight
from modelyard.registry.downloads import is_unnoted
from modelyard.registry.shown import (
    ShownModel,
    ShownVersion,
    aliases,
    is_newest,
    model_columns,
    models,
    stages_table,
    version_columns,
    versions,
)
from modelyard.rules.aliases import check_alias, means_latest
from modelyard.rules.names import no_such_model
from modelyard.rules.stages import Stage
from modelyard.rules.versions import MAX_VERSION, no_such_version

# Four sights, for each of which there are fifteen ways to ask for stages.
_KEPT = 64
_EVERY_STAGE = frozenset(Stage)
_NUMBERED = models.outerjoin(
    versions,
    and_(
        versions.c.model_id == models.c.id,
        versions.c.version == bindparam("number"),
        versions.c.deleted_at_ms.is_(None),
    ),
)


def registered_model(connection: Connection, actor: Actor, name: str) -> ShownModel:
    """Return the model called `name`. Raises NotFound, PermissionDenied."""
    (row,) = _rows_of_model(connection, _model_by_name(access.sight_of(actor)), actor, name)
    return ShownModel._make(row)


def registered_model_of_id(connection: Connection, model_id: int) -> ShownModel:
    """Return the model with this row id to somebody who may see it."""
    return ShownModel._make(connection.execute(_model_by_id(), {"id": model_id}).one())


def model_version(connection: Connection, actor: Actor, name: str, number: int) -> ShownVersion:
    """Return version `number` of the model called `name`. Raises NotFound, PermissionDenied."""
    return ShownVersion._make(
        _numbered_row(connection, _version_by_number(access.sight_of(actor)), actor, name, number)
    )


class Location(NamedTuple):
    """Where the files of a version lie; `unnoted` when the time of this download wants to be written down."""

    id: int
    public_id: str
    status: str
    registration_mode: str
    source: str
    unnoted: bool


def location_of_version(connection: Connection, actor: Actor, name: str, number: int) -> Location:
    """Return where version `number` of the model called `name` lies. Raises NotFound, PermissionDenied."""
    return Location._make(_numbered_row(connection, _location_by_number(access.sight_of(actor)), actor, name, number))


def model_version_of_id(connection: Connection, version_id: int) -> ShownVersion:
    """Return the version with this row id to somebody who may see it."""
    return ShownVersion._make(connection.execute(_version_by_id(), {"id": version_id}).one())


def status_of_version(connection: Connection, version_id: int) -> str | None:
    """Return a version's status and nothing else: what is asked again and again while a copy runs."""
    status: str | None = connection.scalar(_status_by_id(), {"id": version_id})
    return status


def model_version_by_alias(connection: Connection, actor: Actor, name: str, alias: str) -> ShownVersion:
    """Return the version that an alias of the model called `name` points to; `latest` means the newest READY one.

    Raises NotFound, PermissionDenied, InvalidValue when the model has no such alias.
    """
    check_alias(alias)
    if means_latest(alias):
        return _newest_version(connection, actor, name)
    (row,) = _rows_of_model(connection, _version_by_alias(access.sight_of(actor)), actor, name, alias=alias)
    if row[0] is None:
        raise InvalidValue(f"Registered model alias {alias} not found.")
    return ShownVersion._make(row)


def latest_versions(
    connection: Connection, actor: Actor, name: str, stages: Iterable[Stage] = ()
) -> list[ShownVersion]:
    """Return the newest READY version in each of `stages`, in order of version; no stages mean all of them.

    Raises NotFound, PermissionDenied.
    """
    statement = _latest_by_name(access.sight_of(actor), frozenset(stages) or _EVERY_STAGE)
    rows = _rows_of_model(connection, statement, actor, name)
    return [ShownVersion._make(row) for row in rows if row[0] is not None]


def _newest_version(connection: Connection, actor: Actor, name: str) -> ShownVersion:
    found = latest_versions(connection, actor, name)
    if not found:
        raise NotFound(f"Latest version not found for model {name}.")
    return found[-1]


def _rows_of_model(
    connection: Connection, statement: Select[Any], actor: Actor, name: str, **given: Any
) -> list[Sequence[Any]]:
    """Return the rows of a statement about the model called `name`, without their first column: may it be seen?"""
    rows = connection.execute(statement, {"name": name, **access.seen_values(actor), **given}).all()
    if not rows:
        raise no_such_model(name)
    access.require_visible(actor, name, seen=rows[0][0])
    return [row[1:] for row in rows]


def _numbered_row(
    connection: Connection, statement: Select[Any], actor: Actor, name: str, number: int
) -> Sequence[Any]:
    # A larger number fits into no column; 0 is no version's either.
    asked = number if number <= MAX_VERSION else 0
    (row,) = _rows_of_model(connection, statement, actor, name, number=asked)
    if row[0] is None:
        raise no_such_version(name, number)
    return row


def _of_named_model(sight: Sight, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return a SELECT about one model by its name that says first whether somebody of this sight may see it."""
    named = and_(models.c.name == bindparam("name"), models.c.deleted_at_ms.is_(None))
    return select(access.visible_by(sight, few=True), *columns).where(named)


@lru_cache(_KEPT)
def _model_by_name(sight: Sight) -> Select[Any]:
    return _of_named_model(sight, *model_columns()).select_from(models)


@lru_cache(1)
def _model_by_id() -> Select[Any]:
    return select(*model_columns()).select_from(models).where(models.c.id == bindparam("id"))


@lru_cache(_KEPT)
def _latest_by_name(sight: Sight, wanted: frozenset[Stage]) -> Select[Any]:
    stages = stages_table(wanted)
    read = models.join(stages, true()).outerjoin(versions, is_newest(stages))
    columns = version_columns(with_aliases=True)
    return _of_named_model(sight, *columns).select_from(read).order_by(versions.c.version)


@lru_cache(_KEPT)
def _version_by_number(sight: Sight) -> Select[Any]:
    return _of_named_model(sight, *version_columns(with_aliases=True)).select_from(_NUMBERED)


@lru_cache(_KEPT)
def _location_by_number(sight: Sight) -> Select[Any]:
    columns = [versions.c[name] for name in Location._fields[:-1]]
    return _of_named_model(sight, *columns, is_unnoted()).select_from(_NUMBERED)


@lru_cache(_KEPT)
def _version_by_alias(sight: Sight) -> Select[Any]:
    columns = version_columns(with_aliases=True)
    named = and_(aliases.c.model_id == models.c.id, aliases.c.alias == bindparam("alias"))
    pointed_to = and_(versions.c.id == aliases.c.version_id, versions.c.deleted_at_ms.is_(None))
    read = models.outerjoin(aliases, named).outerjoin(versions, pointed_to)
    return _of_named_model(sight, *columns).select_from(read)


@lru_cache(1)
def _version_by_id() -> Select[Any]:
    columns = version_columns(with_aliases=True)
    read = versions.join(models, models.c.id == versions.c.model_id)
    return select(*columns).select_from(read).where(versions.c.id == bindparam("id"))


@lru_cache(1)
def _status_by_id() -> Select[Any]:
    return select(versions.c.status).where(versions.c.id == bindparam("id"))
