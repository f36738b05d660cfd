"""Models and versions as their readers see them: one row each, read by one statement with all that hangs on it."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Subquery, and_, literal_column, null, select, union_all

from modelyard.database.json_sql import gathered, parsed
from modelyard.database.tables import metadata
from modelyard.registry.integrity import damaged_blobs
from modelyard.registry.progress import open_job, status_message
from modelyard.rules.stages import Stage

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
    damaged: int
    alias_rows: str | None

    @property
    def status_message(self) -> str:
        """What the version says of its status: told from its open job while it is PENDING, or from damage found."""
        return status_message(self.open_job, self.damaged, self.row_message)

    @property
    def tags(self) -> list[tuple[str, str]]:
        """Keys and values, in the order in which they were first set."""
        return _in_order(self.tag_rows)

    @property
    def aliases(self) -> list[str]:
        """The aliases that point here, sorted; none where they were not asked for."""
        return sorted(alias for (alias,) in parsed(self.alias_rows)) if self.alias_rows else []


class ShownModel(NamedTuple):
    """A model with its tags, aliases and latest versions; these three are JSON, read by the properties."""

    id: int
    public_id: str
    name: str
    description: str
    created_by: str
    created_at_ms: int
    updated_at_ms: int
    tag_rows: str | None
    alias_rows: str | None
    latest_rows: str | None

    @property
    def tags(self) -> list[tuple[str, str]]:
        """Keys and values, in the order in which they were first set."""
        return _in_order(self.tag_rows)

    @property
    def aliases(self) -> list[tuple[str, int]]:
        """Aliases and the numbers of the versions that they point to, sorted."""
        return sorted((alias, version) for alias, version in parsed(self.alias_rows))

    @property
    def latest_versions(self) -> list[ShownVersion]:
        """The newest READY version of each stage, in order of version."""
        found = [ShownVersion._make(values) for values in parsed(self.latest_rows)]
        return sorted(found, key=lambda version: version.version)


def version_columns(*, with_aliases: bool = False) -> list[ColumnElement[Any]]:
    """Return the columns of which each row is one ShownVersion, read from `model_versions` and its model."""
    made: dict[str, ColumnElement[Any]] = {
        "model_name": models.c.name,
        "row_message": versions.c.status_message,
        "tag_rows": _version_tag_rows(),
        "open_job": open_job(),
        "damaged": damaged_blobs(),
        "alias_rows": _version_aliases() if with_aliases else null(),
    }
    return [made[name] if name in made else versions.c[name] for name in ShownVersion._fields]


def model_columns() -> list[ColumnElement[Any]]:
    """Return the columns of which each row is one ShownModel, read from `registered_models`."""
    made: dict[str, ColumnElement[Any]] = {
        "tag_rows": _model_tag_rows(),
        "alias_rows": _model_aliases(),
        "latest_rows": _latest_versions(),
    }
    return [made[name] if name in made else models.c[name] for name in ShownModel._fields]


def stages_table(stages: Collection[Stage]) -> Subquery:
    """Return a table of these stages, for statements that ask something of each."""
    words: list[ColumnElement[str]] = [literal_column(f"'{stage}'") for stage in Stage if stage in stages]
    return union_all(*(select(word.label("stage")) for word in words)).subquery("stages")


def is_newest(stages: Subquery) -> ColumnElement[bool]:
    """Return the condition that a version is the newest READY one of its model in the stage of a `stages_table`."""
    candidates = versions.alias("candidates")
    newest = (
        select(candidates.c.id)
        .where(
            candidates.c.model_id == models.c.id,
            candidates.c.stage == stages.c.stage,
            candidates.c.status == READY,
            candidates.c.deleted_at_ms.is_(None),
        )
        .order_by(candidates.c.version.desc())
        .limit(literal_column("1"))
        .correlate(models, stages)
    )
    return versions.c.id == newest.scalar_subquery()


def _latest_versions() -> ColumnElement[str]:
    stages = stages_table(list(Stage))
    latest = gathered(*version_columns()).select_from(stages.join(versions, is_newest(stages)))
    return latest.correlate(models).scalar_subquery()


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
    living = and_(pointed.c.id == aliases.c.version_id, pointed.c.deleted_at_ms.is_(None))
    found = gathered(aliases.c.alias, pointed.c.version).select_from(aliases.join(pointed, living))
    return found.where(aliases.c.model_id == models.c.id).correlate(models).scalar_subquery()


def _in_order(rows: str | None) -> list[tuple[str, str]]:
    found = parsed(rows)
    if len(found) > 1:
        found.sort()
    return [(key, value) for _, key, value in found]
