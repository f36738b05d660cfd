"""What a plan may touch, said a second time in another way: by a look at every row, one sentence after the other."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select, text

from modelyard.database.session import reading
from modelyard.database.tables import metadata

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Seen:
    """A version at one moment, with what hangs on it."""

    row_id: int
    model_id: int
    number: int
    stage: str
    status: str
    created_at_ms: int
    stage_changed_at_ms: int
    last_downloaded_at_ms: int | None
    gone: bool
    held: bool

    @property
    def is_touched(self) -> tuple[str, bool]:
        """What archiving or deleting it changes."""
        return self.stage, self.gone


def look(engine: Engine, prefix: str) -> dict[int, Seen]:
    """Return row id -> version, for all of the models whose names begin so."""
    tables = metadata.tables
    with reading(engine) as session:
        models = {
            row.id: row for row in session.execute(select(tables["registered_models"])) if row.name.startswith(prefix)
        }
        versions = [row for row in session.execute(select(tables["model_versions"])) if row.model_id in models]
        pinned_models = _pinned(session.execute(select(tables["registered_model_tags"])), "model_id")
        pinned = _pinned(session.execute(select(tables["model_version_tags"])), "version_id")
        aliased = {row.version_id for row in session.execute(select(tables["registered_model_aliases"]))}
        asked = {
            row.version_id
            for row in session.execute(text("SELECT version_id, status FROM transition_requests"))
            if row.status == "OPEN"
        }
    return {
        row.id: Seen(
            row.id,
            row.model_id,
            row.version,
            row.stage,
            row.status,
            row.created_at_ms,
            row.stage_changed_at_ms,
            row.last_downloaded_at_ms,
            gone=row.deleted_at_ms is not None or models[row.model_id].deleted_at_ms is not None,
            held=row.id in pinned | aliased | asked or row.model_id in pinned_models,
        )
        for row in versions
    }


def touchable(world: dict[int, Seen], rule: dict[str, Any], now_ms: int) -> set[int]:
    """Return the row ids of the versions that a rule may touch in this world."""
    found = {row_id for row_id, version in world.items() if _alone(version, rule, now_ms)}
    if not rule["keep_newest"]:
        return found
    return found - _newest(world, rule)


def _newest(world: dict[int, Seen], rule: dict[str, Any]) -> set[int]:
    newest = set()
    for model_id in {version.model_id for version in world.values()}:
        there = [
            version
            for version in world.values()
            if version.model_id == model_id
            and version.stage == rule["stage"]
            and version.status == "READY"
            and not version.gone
        ]
        there.sort(key=lambda version: version.number, reverse=True)
        newest |= {version.row_id for version in there[: rule["keep_newest"]]}
    return newest


def _alone(version: Seen, rule: dict[str, Any], now_ms: int) -> bool:
    if version.gone or version.held or version.stage in ("Staging", "Production"):
        return False
    if rule["stage"] is not None and version.stage != rule["stage"]:
        return False
    if rule["action"] == "archive" and (version.stage == "Archived" or version.status != "READY"):
        return False
    if rule["action"] == "delete" and version.status == "PENDING_REGISTRATION":
        return False
    if rule["registered_days"] and now_ms - version.created_at_ms < rule["registered_days"] * DAY_MS:
        return False
    if rule["moved_days"] and now_ms - version.stage_changed_at_ms < rule["moved_days"] * DAY_MS:
        return False
    used_at_ms = version.last_downloaded_at_ms or version.created_at_ms
    return not (rule["downloaded_days"] and now_ms - used_at_ms < rule["downloaded_days"] * DAY_MS)


def _pinned(rows: Any, owner: str) -> set[int]:
    return {getattr(row, owner) for row in rows if row.key == "modelyard.keep" and row.value.lower() == "true"}
