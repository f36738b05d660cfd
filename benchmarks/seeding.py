"""Registries full of models, written straight into the databases of Modelyard and of MLflow: the same rows in both.

`models` small models of ten versions each, a `big` one with a thousand versions of mixed stages, and a `crowded` one
with a thousand versions in Production. Every version has a run of its own and two tags, every model one.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, func, insert, select, text, update
from sqlmodel import col

from benchmarks.names import (
    BATCH,
    BIG,
    CROWDED,
    VERSIONS_OF_A_BIG_ONE,
    VERSIONS_OF_A_MODEL,
    batch_of,
    model_name,
    run_id,
)
from modelyard.database.migrations.apply import upgrade
from modelyard.database.tables import ModelVersion, ModelVersionTag, RegisteredModel, RegisteredModelTag, public_id
from tests.clients.environments import CHECKOUT

MLFLOW = CHECKOUT / ".envs" / "mlflow-server" / "bin"
BEGAN_MS = 1_790_000_000_000
ROWS_A_STATEMENT = 5000
DESCRIPTION = "Predicts the price of a house from its size, age and place."


@dataclass(frozen=True)
class Seeded:
    """One version as both registries hold it; `at_ms` grows from version to version."""

    model: int
    name: str
    version: int
    stage: str
    at_ms: int

    @property
    def run_id(self) -> str:
        """The run that made it."""
        return run_id(self.model, self.version)

    @property
    def source(self) -> str:
        """Where its files would be."""
        return f"s3://bucket/{self.run_id}/artifacts/model"

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return {BATCH: batch_of(self.model), "framework": "sklearn"}


@dataclass(frozen=True)
class Data:
    """How much there is: so many small models, and the two large ones or not."""

    models: int
    with_large_ones: bool

    @classmethod
    def of(cls, versions: int) -> "Data":
        """Return the data with so many versions in all; in less than 3,000 there is no place for the large models."""
        if versions < 3 * VERSIONS_OF_A_BIG_ONE:
            return cls(versions // VERSIONS_OF_A_MODEL, with_large_ones=False)
        return cls((versions - 2 * VERSIONS_OF_A_BIG_ONE) // VERSIONS_OF_A_MODEL, with_large_ones=True)

    def names(self) -> list[str]:
        """Return the models' names, in the order of their numbers."""
        large = [BIG, CROWDED] if self.with_large_ones else []
        return [model_name(number) for number in range(self.models)] + large

    def version_count(self) -> int:
        """Return how many versions there are."""
        return self.models * VERSIONS_OF_A_MODEL + (2 * VERSIONS_OF_A_BIG_ONE if self.with_large_ones else 0)

    def versions(self) -> Iterator[Seeded]:
        """Yield every version."""
        at_ms = BEGAN_MS
        for model, name in enumerate(self.names()):
            count = VERSIONS_OF_A_BIG_ONE if name in (BIG, CROWDED) else VERSIONS_OF_A_MODEL
            for version in range(1, count + 1):
                at_ms += 1
                stage = "Production" if name == CROWDED else _stage(version, count)
                yield Seeded(model, name, version, stage, at_ms)


def _stage(version: int, count: int) -> str:
    """The newest is in Production, the one before in Staging, some are archived."""
    if version >= count - 1:
        return "Production" if version == count else "Staging"
    return "Archived" if version % 3 == 0 else "None"


def seed_modelyard(engine: Engine, data: Data) -> None:
    """Make the schema and fill it."""
    upgrade(engine)
    versions, names = list(data.versions()), data.names()
    last = {version.name: version.version for version in versions}
    _insert(
        engine,
        RegisteredModel.__table__,
        [_modelyard_model(number, name, last[name]) for number, name in enumerate(names)],
    )
    _insert(
        engine,
        RegisteredModelTag.__table__,
        [{"model_id": number + 1, "key": "team", "value": "homes"} for number in range(len(names))],
    )
    _insert(engine, ModelVersion.__table__, [_modelyard_version(row, each) for row, each in enumerate(versions, 1)])
    tags = [
        {"version_id": row, "key": key, "value": value}
        for row, version in enumerate(versions, 1)
        for key, value in version.tags.items()
    ]
    _insert(engine, ModelVersionTag.__table__, tags)
    _settle(engine, {"registered_models": len(names), "model_versions": len(versions)})


def _modelyard_model(number: int, name: str, last_version: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "public_id": public_id(),
        "name": name,
        "description": DESCRIPTION,
        "created_by": "local",
        "created_at_ms": BEGAN_MS + number,
        "updated_at_ms": BEGAN_MS + number,
        "next_version": last_version + 1,
    }


def _modelyard_version(row: int, version: Seeded) -> dict[str, Any]:
    return {
        "id": row,
        "public_id": public_id(),
        "model_id": version.model + 1,
        "version": version.version,
        "stage": version.stage,
        "status": "READY",
        "source": version.source,
        "run_id": version.run_id,
        "description": DESCRIPTION,
        "registration_mode": "reference",
        "created_by": "local",
        "created_at_ms": version.at_ms,
        "updated_at_ms": version.at_ms,
        "stage_changed_at_ms": version.at_ms,
    }


def seed_mlflow(engine: Engine, url_for_mlflow: str, data: Data, folder: Path) -> None:
    """Let MLflow's own store make the schema, and fill it."""
    program = (
        "import sys; from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as S; S(sys.argv[1])"
    )
    subprocess.run([MLFLOW / "python", "-c", program, url_for_mlflow], check=True, cwd=folder, capture_output=True)
    tables = MetaData()
    tables.reflect(engine)
    versions, names = list(data.versions()), data.names()
    models = [
        {"name": name, "creation_time": BEGAN_MS, "last_updated_time": BEGAN_MS + n, "description": DESCRIPTION}
        for n, name in enumerate(names)
    ]
    _insert(engine, tables.tables["registered_models"], models)
    model_tags = [{"name": name, "key": "team", "value": "homes"} for name in names]
    _insert(engine, tables.tables["registered_model_tags"], model_tags)
    _insert(engine, tables.tables["model_versions"], [_mlflow_version(version) for version in versions])
    tags = [
        {"name": version.name, "version": version.version, "key": key, "value": value}
        for version in versions
        for key, value in version.tags.items()
    ]
    _insert(engine, tables.tables["model_version_tags"], tags)
    _settle(engine, {})


def _mlflow_version(version: Seeded) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "creation_time": version.at_ms,
        "last_updated_time": version.at_ms,
        "description": DESCRIPTION,
        "current_stage": version.stage,
        "source": version.source,
        "storage_location": version.source,
        "run_id": version.run_id,
        "status": "READY",
    }


def _insert(engine: Engine, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    with engine.begin() as connection:
        for begin in range(0, len(rows), ROWS_A_STATEMENT):
            connection.execute(insert(table), rows[begin : begin + ROWS_A_STATEMENT])


def _settle(engine: Engine, numbered: dict[str, int]) -> None:
    """On PostgreSQL: let `numbered` tables count on behind the rows given ids, and do at once what autovacuum would."""
    if engine.dialect.name != "postgresql":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, last in numbered.items():
            connection.execute(select(func.setval(func.pg_get_serial_sequence(table, "id"), last)))
        connection.execute(text("VACUUM ANALYZE"))


def crowd_modelyard(engine: Engine) -> None:
    """Put every version of the crowded model back into Production, without a word to anybody."""
    crowded = select(RegisteredModel.id).where(col(RegisteredModel.name) == CROWDED).scalar_subquery()
    with engine.begin() as connection:
        connection.execute(update(ModelVersion).where(col(ModelVersion.model_id) == crowded).values(stage="Production"))


def crowd_mlflow(engine: Engine) -> None:
    """The same at MLflow."""
    with engine.begin() as connection:
        statement = text("UPDATE model_versions SET current_stage = 'Production' WHERE name = :name")
        connection.execute(statement, {"name": CROWDED})
