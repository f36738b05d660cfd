"""Searching model versions, over all models that somebody may see."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from modelyard.database import search
from modelyard.database.tables import ModelVersion, RegisteredModel
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.registry.pages import Page, Search

_COLUMNS: search.Columns = {
    "name": col(RegisteredModel.name),
    "version": col(ModelVersion.version),
    "stage": col(ModelVersion.stage),
    "created_at": col(ModelVersion.created_at_ms),
    "updated_at": col(ModelVersion.updated_at_ms),
}
_SEARCHED: search.Columns = {"name": col(RegisteredModel.name)}


def search_model_versions(session: Session, actor: Actor, wanted: Search) -> Page[tuple[str, ModelVersion]]:
    """Return a page of (model name, version). Deleted versions never appear, prompts' versions do."""
    dialect = session.get_bind().dialect
    conditions = [search.condition(comparison, _SEARCHED, dialect) for comparison in wanted.comparisons]
    if wanted.last is not None:
        conditions.append(search.behind(wanted.order, _COLUMNS, wanted.last))
    statement = (
        select(RegisteredModel.name, ModelVersion)
        .join(ModelVersion, col(ModelVersion.model_id) == col(RegisteredModel.id))
        .where(col(ModelVersion.deleted_at_ms).is_(None), access.visible(actor), *conditions)
        .order_by(*search.order_clauses(wanted.order, _COLUMNS))
        .limit(wanted.limit + 1)
    )
    rows = [(name, version) for name, version in session.exec(statement)]
    shown = rows[: wanted.limit]
    return Page(shown, _place(shown[-1], wanted) if len(rows) > wanted.limit else None)


def _place(row: tuple[str, ModelVersion], wanted: Search) -> Sequence[Any]:
    name, version = row
    values: dict[str, Any] = {
        "name": name,
        "version": version.version,
        "stage": version.stage,
        "created_at": version.created_at_ms,
        "updated_at": version.updated_at_ms,
    }
    return [values[key.name] for key in wanted.order]
