"""What clients ask again and again, each answered by one statement.

A statement is put together once for each sight, since what is visible depends on nothing else but values, and kept:
a request only binds its own. Every function takes a connection, in a transaction or in none.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select
from sqlalchemy.sql.selectable import FromClause, Join

from modelyard.errors import InvalidValue, NotFound
from modelyard.registry import access
from modelyard.registry.access import Actor, Sight
from modelyard.registry.shown import (
    READY,
    ShownModel,
    ShownVersion,
    aliases,
    model_columns,
    models,
    version_columns,
    versions,
)
from modelyard.rules.aliases import check_alias, means_latest
from modelyard.rules.names import no_such_model
from modelyard.rules.stages import Stage
from modelyard.rules.versions import MAX_VERSION, no_such_version

# Four sights, for each of which there are fifteen ways to ask for stages.
_KEPT = 64
_EVERY_STAGE = tuple(Stage)
_OF_MODEL = and_(versions.c.model_id == models.c.id, versions.c.deleted_at_ms.is_(None))


def registered_model(connection: Connection, actor: Actor, name: str) -> ShownModel:
    """Return the model called `name`. Raises NotFound, PermissionDenied."""
    return shown_models(_rows_of_model(connection, _model_by_name(access.sight_of(actor)), actor, name))[0]


def registered_model_of_id(connection: Connection, model_id: int) -> ShownModel:
    """Return the model with this row id to somebody who may see it."""
    return shown_models(connection.execute(_model_by_id(), {"id": model_id}).all())[0]


def model_version(connection: Connection, actor: Actor, name: str, number: int) -> ShownVersion:
    """Return version `number` of the model called `name`. Raises NotFound, PermissionDenied."""
    # A larger number fits into no column; 0 is no version's either.
    asked = number if number <= MAX_VERSION else 0
    (row,) = _rows_of_model(connection, _version_by_number(access.sight_of(actor)), actor, name, number=asked)
    if row[0] is None:
        raise no_such_version(name, number)
    return ShownVersion._make(row)


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
    connection: Connection, actor: Actor, name: str, stages: Iterable[Stage] = _EVERY_STAGE
) -> list[ShownVersion]:
    """Return the newest READY version in each of `stages`, in order of version. Raises NotFound, PermissionDenied."""
    statement = _latest_by_name(access.sight_of(actor), frozenset(stages))
    rows = _rows_of_model(connection, statement, actor, name)
    return [ShownVersion._make(row) for row in rows if row[0] is not None]


def shown_models(rows: Sequence[Sequence[Any]]) -> list[ShownModel]:
    """Return the models of `rows`, each of which holds a model and one of its latest versions, or nulls for none.

    The rows of a model stand together.
    """
    return [_shown_model(list(of_one)) for _, of_one in groupby(rows, key=lambda row: row[0])]


def with_latest_versions(read: FromClause, stages: Iterable[Stage] = _EVERY_STAGE) -> Join:
    """Return `read`, which holds registered_models, joined with each model's newest READY version of each stage."""
    newest = [_newest_number(stage) for stage in Stage if stage in stages]
    return read.outerjoin(versions, and_(_OF_MODEL, versions.c.version.in_(newest)))


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


def _shown_model(rows: list[Sequence[Any]]) -> ShownModel:
    width = len(ShownModel._fields) - 1
    latest = [ShownVersion._make(row[width:]) for row in rows if row[width] is not None]
    return ShownModel._make([*rows[0][:width], latest])


def _of_named_model(sight: Sight, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return a SELECT about one model by its name that says first whether somebody of this sight may see it."""
    named = and_(models.c.name == bindparam("name"), models.c.deleted_at_ms.is_(None))
    return select(access.visible_by(sight), *columns).where(named)


@lru_cache(_KEPT)
def _model_by_name(sight: Sight) -> Select[Any]:
    columns = [*model_columns(), *version_columns()]
    return _of_named_model(sight, *columns).select_from(with_latest_versions(models)).order_by(versions.c.version)


@lru_cache(1)
def _model_by_id() -> Select[Any]:
    columns = [*model_columns(), *version_columns()]
    statement = select(*columns).select_from(with_latest_versions(models))
    return statement.where(models.c.id == bindparam("id")).order_by(versions.c.version)


@lru_cache(_KEPT)
def _latest_by_name(sight: Sight, stages: frozenset[Stage]) -> Select[Any]:
    columns = version_columns(with_aliases=True)
    statement = _of_named_model(sight, *columns).select_from(with_latest_versions(models, stages))
    return statement.order_by(versions.c.version)


@lru_cache(_KEPT)
def _version_by_number(sight: Sight) -> Select[Any]:
    columns = version_columns(with_aliases=True)
    numbered = and_(_OF_MODEL, versions.c.version == bindparam("number"))
    return _of_named_model(sight, *columns).select_from(models.outerjoin(versions, numbered))


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


def _newest_number(stage: Stage) -> ColumnElement[int]:
    candidates = versions.alias()
    return (
        select(func.max(candidates.c.version))
        .where(
            candidates.c.model_id == models.c.id,
            candidates.c.stage == stage,
            candidates.c.status == READY,
            candidates.c.deleted_at_ms.is_(None),
        )
        .correlate(models)
        .scalar_subquery()
    )
