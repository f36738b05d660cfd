"""The three ways in which an unchanged mlflow 3 client brings a model here, each to its end."""

from collections.abc import Callable

import pytest

from tests.clients.conftest import TrackingServer
from tests.clients.environments import ClientEnvironment
from tests.systems import System

# Of every registered model: READY, and predictions after the files that it came from were deleted.
ALL_READY = {name: ["READY", [2, 4]] for name in ("by-log-model", "by-run", "by-artifacts")}


@pytest.mark.shows("copied")
def test_models_of_a_tracking_server_are_copied_from_it(
    mlflow3: ClientEnvironment, tracking_server: TrackingServer, start_system: Callable[..., System]
) -> None:
    system = start_system(tracking_uri=tracking_server.url)
    given = {
        "tracking_uri": tracking_server.url,
        "registry_uri": system.url,
        "artifacts": tracking_server.artifacts,
    }

    answer = mlflow3.run("register_and_load.py", given)

    assert answer == ALL_READY


def test_models_of_a_local_tracking_store_are_copied_from_below_a_source_root(
    mlflow3: ClientEnvironment, start_system: Callable[..., System]
) -> None:
    artifacts = mlflow3.home / "mlruns"
    artifacts.mkdir()
    system = start_system(source_roots=artifacts)
    given = {"tracking_uri": "sqlite:///mlflow.db", "registry_uri": system.url, "artifacts": artifacts}

    answer = mlflow3.run("register_and_load.py", given)

    assert answer == ALL_READY


@pytest.mark.shows("copied")
def test_in_databricks_mode_the_client_uploads_its_models_and_nothing_is_configured(
    mlflow3: ClientEnvironment, start_system: Callable[..., System]
) -> None:
    system = start_system()
    artifacts = mlflow3.home / "mlruns"
    given = {"tracking_uri": "sqlite:///mlflow.db", "registry_uri": "databricks", "artifacts": artifacts}

    answer = mlflow3.run("register_and_load.py", given, DATABRICKS_HOST=system.url, DATABRICKS_TOKEN="any")

    assert answer == ALL_READY
