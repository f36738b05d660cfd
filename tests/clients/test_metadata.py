"""Names, descriptions, stages and searches with the real mlflow 3 client, pointed here in both ways."""

import pytest

from tests.clients.environments import ClientEnvironment
from tests.systems import System

EXPECTED = {
    "model": ["prices", "better words", {"team": "homes"}],
    "create again": "RESOURCE_ALREADY_EXISTS",
    "get nothing": "RESOURCE_DOES_NOT_EXIST",
    "bad name": "INVALID_PARAMETER_VALUE",
    "version": ["1", "READY", "the first", "None"],
    "stages": {"1": "Archived", "2": "Production"},
    "models found": ["prices"],
    "delete in Production": "INVALID_STATE",
    "get deleted": "RESOURCE_DOES_NOT_EXIST",
    "get deleted model": "RESOURCE_DOES_NOT_EXIST",
}


@pytest.mark.parametrize("registry_uri", ["{url}", "databricks"], ids=["http", "databricks"])
def test_a_model_is_named_described_promoted_searched_and_deleted(
    mlflow3: ClientEnvironment, system: System, registry_uri: str
) -> None:
    source = system.folder / "sources" / registry_uri.strip("{}")
    source.mkdir()
    (source / "MLmodel").write_text("flavors: {}\n")
    given: dict[str, object] = {"registry_uri": registry_uri.format(url=system.url), "source": source}

    seen = mlflow3.run("metadata_session.py", given, DATABRICKS_HOST=system.url, DATABRICKS_TOKEN="any")

    assert seen == EXPECTED
