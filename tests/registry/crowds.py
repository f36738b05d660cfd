"""Many models and versions, written in bulk: what plans of statements are judged by."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select, text

from modelyard.database.tables import metadata

# The model whose versions are many, and the number of versions that each other one has.
BIG, BIG_VERSIONS, FEW_VERSIONS = "big", 1000, 10
BATCH = 5000
_models = metadata.tables["registered_models"]
_model_tags = metadata.tables["registered_model_tags"]
_versions = metadata.tables["model_versions"]
_version_tags = metadata.tables["model_version_tags"]
_aliases = metadata.tables["registered_model_aliases"]


def fill(engine: Engine, count: int) -> None:
    """Write `count` versions of models called big, m00001, m00002 and so on.

    Each version has a run and a tag of its own, and a tag `team` that ten teams share; each tenth model is a prompt.
    """
    models = 1 + (count - BIG_VERSIONS) // FEW_VERSIONS
    with engine.begin() as connection:
        _insert(connection, _models, (_model(number) for number in range(1, models + 1)))
        _insert(connection, _model_tags, _tags("model_id", range(1, models + 1)))
        _insert(connection, _versions, _each_version(models))
        _insert(connection, _version_tags, _tags("version_id", range(1, count + 1)))
        _insert(connection, _aliases, (_alias(number) for number in range(1, models + 1)))
        if engine.dialect.name == "postgresql":
            # As its autovacuum would, within a minute.
            connection.execute(text("ANALYZE"))


def last_of_models(engine: Engine, share: float) -> str:
    """Return the name behind which the rest of the models begins, `share` of them passed."""
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(_models)) or 0
    return f"m{int(count * share):05}"


def last_of_versions(engine: Engine, share: float) -> int:
    """Return the time of last change behind which the older versions begin, `share` of all passed."""
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(_versions)) or 0
        newest_first = select(_versions.c.updated_at_ms).order_by(_versions.c.updated_at_ms.desc())
        return connection.scalars(newest_first.offset(int(count * share)).limit(1)).one()


def _insert(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)


def _model(number: int) -> dict[str, Any]:
    moment = 1_700_000_000_000 + number
    return {
        "id": number,
        "public_id": f"{number:032x}",
        "name": BIG if number == 1 else f"m{number:05}",
        "description": "",
        "created_by": "ann",
        "created_at_ms": moment,
        "updated_at_ms": moment,
        "next_version": BIG_VERSIONS,
        "change_counter": 0,
    }


def _each_version(models: int) -> Iterator[dict[str, Any]]:
    row_id = 0
    for model_id in range(1, models + 1):
        for number in range(1, 1 + (BIG_VERSIONS if model_id == 1 else FEW_VERSIONS)):
            row_id += 1
            yield _version(row_id, model_id, number)


def _version(row_id: int, model_id: int, number: int) -> dict[str, Any]:
    moment = 1_700_000_000_000 + row_id * 7919 % 1_000_003
    return {
        "id": row_id,
        "public_id": f"{row_id:032x}",
        "model_id": model_id,
        "version": number,
        "stage": ("None", "Staging", "Production", "Archived")[number % 4],
        "status": "READY",
        "status_message": "",
        "description": "",
        "source": f"s3://bucket/{row_id}",
        "run_id": f"run-{row_id}",
        "run_link": "",
        "logged_model_id": "",
        "registration_mode": "reference",
        "created_by": "ann",
        "created_at_ms": moment,
        "updated_at_ms": moment,
        "stage_changed_at_ms": moment,
    }


def _alias(model_id: int) -> dict[str, Any]:
    first = 1 if model_id == 1 else BIG_VERSIONS + 1 + (model_id - 2) * FEW_VERSIONS
    return {"model_id": model_id, "alias": "champion", "version_id": first}


def _tags(owner: str, ids: range) -> Iterator[dict[str, Any]]:
    for row_id in ids:
        yield {owner: row_id, "key": "own", "value": f"value-{row_id}"}
        yield {owner: row_id, "key": "team", "value": f"team-{row_id % 10}"}
        if owner == "model_id" and row_id % 10 == 0:
            yield {owner: row_id, "key": "mlflow.prompt.is_prompt", "value": "true"}
