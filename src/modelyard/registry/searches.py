"""Searches of models and of versions: one statement a page, put together once for each shape and sight."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Integer, Select, Subquery, bindparam, literal_column, select

from modelyard.database import search
from modelyard.database.json_sql import gathered_rows, parsed
from modelyard.database.search import Columns, LeftFirst, Shape, Tagged
from modelyard.registry import access
from modelyard.registry.access import Actor, Sight
from modelyard.registry.narrowing import Narrowing, condition
from modelyard.registry.pages import Page, Search
from modelyard.registry.shown import (
    ShownModel,
    ShownVersion,
    model_columns,
    model_tags,
    models,
    version_columns,
    version_tags,
    versions,
)
from modelyard.rules.filters import Comparison, Operator, Tag, widened
from modelyard.rules.ordering import OrderKey
from modelyard.rules.prompts import with_prompt_rule

# Clients repeat few shapes; one that was dropped is put together again, which takes a millisecond or two.
_KEPT = 256
# So many rows may come as one text; of more, the text would be as large again as the rows.
_AT_ONCE_ROWS = 1000
# Sizes of pages that are asked for again and again: they stand in the statement. Of one that is bound PostgreSQL
# guesses a tenth of all rows, so that it finds a kept plan dear and makes a new one each time: 100 versions take 1.4 ms
# instead of 0.9.
_USUAL_SIZES = frozenset({10, 20, 25, 30, 50, 100, 200, 500, 1000})
_Shown = TypeVar("_Shown", ShownModel, ShownVersion)

# Attributes of the grammars and keys of the orders -> columns.
_OF_MODELS: Columns = {"name": models.c.name, "updated_at": models.c.updated_at_ms}
VERSION_COLUMNS: Columns = {
    "name": models.c.name,
    "run_id": versions.c.run_id,
    "source_path": versions.c.source,
    "version_number": versions.c.version,
    "version": versions.c.version,
    "stage": versions.c.stage,
    "status": versions.c.status,
    "created_at": versions.c.created_at_ms,
    "updated_at": versions.c.updated_at_ms,
}
# Comparisons that few models, or few versions, stand.
_BY_NAME = {("name", Operator.EQUAL), ("name", Operator.IN)}
_BY_OTHER_INDEX = {("run_id", Operator.EQUAL), ("run_id", Operator.IN), (Tag, Operator.EQUAL)}
_FEW = _BY_NAME | _BY_OTHER_INDEX
# Keys of the orders -> fields of what is shown.
_MODEL_FIELDS = {"name": "name", "updated_at": "updated_at_ms"}
_VERSION_FIELDS = {
    "name": "model_name",
    "version": "version",
    "stage": "stage",
    "created_at": "created_at_ms",
    "updated_at": "updated_at_ms",
}
_TAGGED_MODELS = Tagged(models.c.id, model_tags, model_tags.c.model_id)
_named = models.alias("named")
TAGGED_VERSIONS = Tagged(versions.c.id, version_tags, version_tags.c.version_id)


def search_registered_models(
    connection: Connection,
    actor: Actor,
    wanted: Search,
    *,
    narrowed: frozenset[Narrowing] = frozenset(),
    owner: str | None = None,
) -> Page[ShownModel]:
    """Return a page of the models that `actor` may see. Prompts are left out unless a comparison asks for them.

    All of `narrowed` must hold, each by a version of its own; `owner` is who created the model.
    """
    comparisons = with_prompt_rule(map(widened, wanted.comparisons))
    return _models_page(connection, actor, wanted, comparisons, narrowed=narrowed, owner=owner)


def first_model_names(connection: Connection, actor: Actor, limit: int) -> list[str]:
    """Return the names of the first models that `actor` may see, in their order and without prompts."""
    order, comparisons = [OrderKey("name")], with_prompt_rule(())
    statement = _names_statement(access.sight_of(actor), search.shape_of(comparisons, order, None))
    values = search.values_of(comparisons, None) | {"rows": limit} | access.seen_values(actor)
    return list(connection.scalars(statement, values))


def list_registered_models(connection: Connection, actor: Actor, wanted: Search) -> Page[ShownModel]:
    """Return a page of all models that `actor` may see, prompts included."""
    return _models_page(connection, actor, wanted, [])


def search_model_versions(connection: Connection, actor: Actor, wanted: Search) -> Page[ShownVersion]:
    """Return a page of the versions that `actor` may see. Prompts' are left out unless a comparison asks for them."""
    comparisons = with_prompt_rule(wanted.comparisons)
    at_once = _comes_at_once(connection, wanted)
    shape = search.shape_of(comparisons, wanted.order, wanted.last)
    statement = _versions_statement(access.sight_of(actor), shape, rows=_written(wanted), at_once=at_once)
    values = _values(comparisons, wanted) | access.seen_values(actor)
    found = _fetched(connection, statement, values, at_once, ShownVersion)
    return _page(found, wanted, _VERSION_FIELDS, sorted_already=not at_once)


def _models_page(
    connection: Connection,
    actor: Actor,
    wanted: Search,
    comparisons: Sequence[Comparison],
    *,
    narrowed: frozenset[Narrowing] = frozenset(),
    owner: str | None = None,
) -> Page[ShownModel]:
    at_once = _comes_at_once(connection, wanted)
    shape = search.shape_of(comparisons, wanted.order, wanted.last)
    statement = _models_statement(
        access.sight_of(actor),
        shape,
        narrowed,
        by_owner=owner is not None,
        rows=_written(wanted),
        at_once=at_once,
    )
    values = _values(comparisons, wanted) | access.seen_values(actor)
    if owner is not None:
        values["owner"] = owner
    found = _fetched(connection, statement, values, at_once, ShownModel)
    return _page(found, wanted, _MODEL_FIELDS, sorted_already=not at_once)


def _values(comparisons: Sequence[Comparison], wanted: Search) -> dict[str, Any]:
    values = search.values_of(comparisons, wanted.last)
    return values if _written(wanted) else values | {"rows": _rows(wanted)}


def _rows(wanted: Search) -> int:
    # One more than the page holds tells whether another one follows.
    return wanted.limit + 1


def _written(wanted: Search) -> int | None:
    """Return how many rows a statement says that it reads, None for one that is told when it is run."""
    return _rows(wanted) if wanted.limit in _USUAL_SIZES else None


def _comes_at_once(connection: Connection, wanted: Search) -> bool:
    """Whether the database makes one text of a page.

    SQLite's driver lets go of the interpreter for each row, which another thread then takes: four threads that read
    pages row by row answer less than one alone. PostgreSQL's gives all rows in one go.
    """
    return connection.dialect.name == "sqlite" and wanted.limit <= _AT_ONCE_ROWS


def _fetched(
    connection: Connection, statement: Select[Any], values: Mapping[str, Any], at_once: bool, shown: type[_Shown]
) -> list[_Shown]:
    rows = parsed(connection.scalar(statement, values)) if at_once else connection.execute(statement, values)
    return [shown._make(row) for row in rows]


def _page(found: list[_Shown], wanted: Search, fields: Mapping[str, str], *, sorted_already: bool) -> Page[_Shown]:
    if not sorted_already:
        # SQLite orders text as Python does, by code points.
        for key in reversed(wanted.order):
            found.sort(key=attrgetter(fields[key.name]), reverse=key.descending)
    shown = found[: wanted.limit]
    if len(found) <= wanted.limit:
        return Page(shown, None)
    return Page(shown, [getattr(shown[-1], fields[key.name]) for key in wanted.order])


@lru_cache(_KEPT)
def _models_statement(
    sight: Sight,
    shape: Shape,
    narrowed: frozenset[Narrowing] = frozenset(),
    *,
    by_owner: bool = False,
    rows: int | None = None,
    at_once: bool = False,
) -> Select[Any]:
    page = _page_of_models(sight, shape, narrowed, by_owner=by_owner, rows=rows)
    found = select(*model_columns()).select_from(page.join(models, models.c.id == page.c.id))
    return _whole(found, page, shape, at_once=at_once)


@lru_cache(_KEPT)
def _names_statement(sight: Sight, shape: Shape) -> Select[Any]:
    page = _page_of_models(sight, shape)
    return select(page.c.name).order_by(page.c.name)


def _page_of_models(
    sight: Sight,
    shape: Shape,
    narrowed: frozenset[Narrowing] = frozenset(),
    *,
    by_owner: bool = False,
    rows: int | None = None,
) -> Subquery:
    conditions = [models.c.deleted_at_ms.is_(None), access.visible_by(sight, few=_is_few(sight, shape))]
    conditions += search.conditions(shape, _OF_MODELS, _TAGGED_MODELS)
    conditions += [condition(one) for one in sorted(narrowed)]
    if by_owner:
        conditions.append(models.c.created_by == bindparam("owner"))
    return _page_of_ids(select(models.c.id), shape, _OF_MODELS, conditions, rows)


@lru_cache(_KEPT)
def _versions_statement(sight: Sight, shape: Shape, *, rows: int | None = None, at_once: bool = False) -> Select[Any]:
    by_model = _begins_at_models(shape)
    # The first follows from the second; the index of the models' names asks for it.
    living = [models.c.deleted_at_ms.is_(None), versions.c.deleted_at_ms.is_(None)]
    conditions = [*living, access.visible_by(sight, few=_is_few(sight, shape))]
    conditions += search.conditions(shape, VERSION_COLUMNS, TAGGED_VERSIONS, begin_at_tags=not by_model)
    if ("name", Operator.EQUAL) in shape.compared:
        conditions.append(_of_one_model(shape.compared.index(("name", Operator.EQUAL))))
    tables = (models, versions) if by_model else (versions, models)
    ids = select(versions.c.id).select_from(LeftFirst(*tables, models.c.id == versions.c.model_id))
    page = _page_of_ids(ids, shape, VERSION_COLUMNS, conditions, rows)
    read = page.join(versions, versions.c.id == page.c.id).join(models, models.c.id == versions.c.model_id)
    return _whole(select(*version_columns()).select_from(read), page, shape, at_once=at_once)


def _is_few(sight: Sight, shape: Shape) -> bool:
    """Whether few models come up until a page is full: few fit, or nearly all that come up may be seen."""
    # Behind a page's beginning PostgreSQL takes the lookups for four times as dear as they are, and reads all instead.
    return not _FEW.isdisjoint(shape.compared) or (sight.holds_most and not shape.continued)


def _whole(found: Select[Any], page: Subquery, shape: Shape, *, at_once: bool) -> Select[Any]:
    """Return the statement of a page's whole rows: in their order, or in one text and in none."""
    if at_once:
        return gathered_rows(found)
    return found.order_by(*search.order_clauses(shape.order, dict(page.c.items())))


def _of_one_model(place: int) -> ColumnElement[bool]:
    """Return what follows from the comparison with a name at `place`: the versions are those of one model.

    Only so does PostgreSQL know that the model's index has them in the order of their numbers, and read one page of
    them instead of all.
    """
    named = _named.c.name == bindparam(f"value_{place}", type_=models.c.name.type)
    return versions.c.model_id == (select(_named.c.id).where(named, _named.c.deleted_at_ms.is_(None)).scalar_subquery())


def _begins_at_models(shape: Shape) -> bool:
    """Whether few models, or models in their order, lead to the versions of a search."""
    if not _BY_NAME.isdisjoint(shape.compared):
        return True
    return shape.order[0].name == "name" and _BY_OTHER_INDEX.isdisjoint(shape.compared)


def _page_of_ids(
    ids: Select[Any], shape: Shape, columns: Columns, conditions: Sequence[ColumnElement[bool]], rows: int | None
) -> Subquery:
    """Return the ids of a page with the keys of its order.

    Only these rows are then read whole, whatever had to be looked at and sorted to find them.
    """
    keys = [columns[key.name].label(key.name) for key in shape.order]
    found = ids.add_columns(*keys).where(*conditions)
    if shape.continued:
        found = found.where(search.behind(shape.order, columns))
    ordered = found.order_by(*search.order_clauses(shape.order, columns))
    limit: ColumnElement[int] = bindparam("rows", type_=Integer) if rows is None else literal_column(str(rows), Integer)
    return ordered.limit(limit).subquery("page")
