"""Models and versions as their readers see them: one row each, read by one statement with all that hangs on it."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, literal_column, null

from modelyard.database.json_sql import gathered, parsed
from modelyard.database.tables import metadata
from modelyard.registry.progress import open_job, status_message

models = metadata.tables["registered_models"]
versions = metadata.tables["model_versions"]
aliases = metadata.tables["registered_model_aliases"]
model_tags = metadata.tables["registered_model_tags"]
version_tags = metadata.tables["model_version_tags"]

# SQLite uses a partial index only for a condition that is written out like the index's own.
READY: ColumnElement[str] = literal_column("'READY'")


class ShownVersion(NamedTuple):
    """A version with its model's name, its tags, aliases and progress; these three are JSON, read by the properties."""

    id: int
    public_id: str
    model_name: str
    version: int
    stage: str
    status: str
    row_message: str
    description: str
    source: str
    run_id: str
    run_link: str
    created_by: str
    created_at_ms: int
    updated_at_ms: int
    tag_rows: str | None
    open_job: str | None
    alias_rows: str | None

    @property
    def status_message(self) -> str:
        """What the version says of its status: told from its open job while it is PENDING."""
        return status_message(self.open_job, self.row_message)

    @property
    def tags(self) -> list[tuple[str, str]]:
        """Keys and values, in the order in which they were first set."""
        return _in_order(self.tag_rows)

    @property
    def aliases(self) -> list[str]:
        """The aliases that point here, sorted; none where they were not asked for."""
        return sorted(alias for (alias,) in parsed(self.alias_rows))


class ShownModel(NamedTuple):
    """A model with its tags and aliases (JSON, read by the properties), and its newest READY version of each stage."""

    id: int
    public_id: str
    name: str
    description: str
    created_by: str
    created_at_ms: int
    updated_at_ms: int
    tag_rows: str | None
    alias_rows: str | None
    latest_versions: list[ShownVersion]

    @property
    def tags(self) -> list[tuple[str, str]]:
        """Keys and values, in the order in which they were first set."""
        return _in_order(self.tag_rows)

    @property
    def aliases(self) -> list[tuple[str, int]]:
        """Aliases and the numbers of the versions that they point to, sorted."""
        return sorted((alias, version) for alias, version in parsed(self.alias_rows))


def version_columns(*, with_aliases: bool = False) -> list[ColumnElement[Any]]:
    """Return the columns of which each row is one ShownVersion, read from `model_versions` and its model."""
    made: dict[str, ColumnElement[Any]] = {
        "model_name": models.c.name,
        "row_message": versions.c.status_message,
        "tag_rows": _version_tag_rows(),
        "open_job": open_job(),
        "alias_rows": _version_aliases() if with_aliases else null(),
    }
    return [made[name] if name in made else versions.c[name] for name in ShownVersion._fields]


def model_columns() -> list[ColumnElement[Any]]:
    """Return the columns of which each row begins a ShownModel, read from `registered_models`."""
    made: dict[str, ColumnElement[Any]] = {
        "tag_rows": _model_tag_rows(),
        "alias_rows": _model_aliases(),
    }
    return [made[name] if name in made else models.c[name] for name in ShownModel._fields[:-1]]


def _version_tag_rows() -> ColumnElement[str]:
    tags = gathered(version_tags.c.id, version_tags.c.key, version_tags.c.value)
    return tags.where(version_tags.c.version_id == versions.c.id).correlate(versions).scalar_subquery()


def _model_tag_rows() -> ColumnElement[str]:
    tags = gathered(model_tags.c.id, model_tags.c.key, model_tags.c.value)
    return tags.where(model_tags.c.model_id == models.c.id).correlate(models).scalar_subquery()


def _version_aliases() -> ColumnElement[str]:
    return gathered(aliases.c.alias).where(aliases.c.version_id == versions.c.id).correlate(versions).scalar_subquery()


def _model_aliases() -> ColumnElement[str]:
    # Under a name of its own: the statement around it reads versions, too.
    pointed = versions.alias("pointed")
    return (
        gathered(aliases.c.alias, pointed.c.version)
        .select_from(aliases.join(pointed, pointed.c.id == aliases.c.version_id))
        .where(aliases.c.model_id == models.c.id, pointed.c.deleted_at_ms.is_(None))
        .correlate(models)
        .scalar_subquery()
    )


def _in_order(rows: str | None) -> list[tuple[str, str]]:
    return [(key, value) for _, key, value in sorted(parsed(rows))]
