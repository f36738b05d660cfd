"""A whole session with the real mlflow client of each generation, pointed here in both ways."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import ClientEnvironment
from tests.databases import BOTH_DATABASES
from tests.systems import System

# What every client must see, whatever its age and its way here.
EVERYWHERE: dict[str, Any] = {
    "model": [True, "better words", {"team": "homes", "tier": "gold"}],
    "create again": "RESOURCE_ALREADY_EXISTS",
    "get nothing": "RESOURCE_DOES_NOT_EXIST",
    "bad name": "INVALID_PARAMETER_VALUE",
    "version 1": ["1", "READY", "the first", "None"],
    "version 2": ["2", "READY", "", "None"],
    "run of version 2": True,
    "tags of the model": {"team": "homes", "reviewed by": "Ann & Bo"},
    "tags of version 2": {"passed": "True"},
    "latest": {"Archived": "1", "Production": "2"},
    "latest in Production": ["2"],
    "no such stage": "INVALID_PARAMETER_VALUE",
    "versions found": [["1", "Archived"], ["2", "Production"]],
    "versions of the run": True,
    "models found": [True],
    "models tagged": [True],
    "models found by nobody's name": [],
    "bad filter": "INVALID_PARAMETER_VALUE",
    "every file came back": True,
    "predicted by 1": [2, 4],
    "predicted by 2": [2, 4],
    "predicted by production": [2, 4],
    "predicted by latest": [2, 4],
    "rename in Production": "INVALID_STATE",
    "old name": "RESOURCE_DOES_NOT_EXIST",
    "predicted under the new name": [8],
    "delete in Staging": "INVALID_STATE",
    "delete the model of it": "INVALID_STATE",
    "get deleted": "RESOURCE_DOES_NOT_EXIST",
    "get deleted model": "RESOURCE_DOES_NOT_EXIST",
    "what is left": [],
}
ALIASES: dict[str, Any] = {
    "alias": "2",
    "predicted by the alias": [6],
    "aliases of version 2": ["champion"],
    "aliases of the model": {"Challenger-1": "1"},
    "alias deleted": "INVALID_PARAMETER_VALUE",
}
# Databricks' workspace registry has no aliases, so the client does not even ask.
NO_ALIASES = {"alias": "INTERNAL_ERROR"}
# Deprecated in 1.x, gone in 2.0.
LISTED = {"models listed": True}

ON_EACH_CHANGE = [("sqlite", "mlflow3-http"), ("postgresql", "mlflow3-databricks")]
EXPECTED = {
    "mlflow3-http": EVERYWHERE | ALIASES,
    "mlflow3-databricks": EVERYWHERE | NO_ALIASES,
    "mlflow2-http": EVERYWHERE | ALIASES,
    "mlflow2-databricks": EVERYWHERE | NO_ALIASES,
    "mlflow1-http": EVERYWHERE | LISTED,
    "mlflow1-databricks": EVERYWHERE | LISTED,
}


@pytest.fixture(scope="module")
def system_settings() -> dict[str, object]:
    """Creates that answer at once, so that every client has to poll until its version is READY."""
    return {"create_wait_s": 0}


@pytest.mark.shows("api-method", "creates-model", "adds-version", "taken", "rename", "list-all", "search-versions")
@pytest.mark.parametrize(
    ("system", "way"),
    [
        pytest.param(database, way, marks=() if (database, way) in ON_EACH_CHANGE else pytest.mark.more)
        for database in BOTH_DATABASES
        for way in EXPECTED
    ],
    indirect=["system"],
    scope="module",
)
def test_a_model_is_registered_promoted_found_loaded_renamed_and_deleted(
    client_environment: Callable[[str], ClientEnvironment], system: System, way: str, tmp_path: Path
) -> None:
    release, door = way.split("-")
    client = client_environment(release)
    given = {
        "name": f"prices {way}",
        # Only the current client's environment has what a tracking database needs.
        "tracking_uri": "sqlite:///mlflow.db" if release == "mlflow3" else f"file://{tmp_path / 'mlruns'}",
        "registry_uri": system.url if door == "http" else "databricks",
        # What an experiment writes lies below a source root, as on a laptop; the databricks client uploads it.
        "artifacts": system.folder / "sources" / way,
    }

    seen = client.run("whole_session.py", given, DATABRICKS_HOST=system.url, DATABRICKS_TOKEN="any")

    assert seen == EXPECTED[way]
