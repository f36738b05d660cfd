"""A session with the real databricks-sdk."""

from tests.clients.environments import ClientEnvironment
from tests.databases import SYSTEM_MOSTLY_ON_POSTGRESQL
from tests.systems import System


@SYSTEM_MOSTLY_ON_POSTGRESQL
def test_the_databricks_sdk_registers_and_finds_a_version(mlflow3: ClientEnvironment, system: System) -> None:
    source = system.folder / "sources" / "sample"
    source.mkdir()
    (source / "MLmodel").write_text("flavors: {}\n")
    (source / "weights.bin").write_bytes(b"weights")

    answer = mlflow3.run("databricks_sdk_session.py", {"host": system.url, "token": "any", "source": source})

    assert answer["model"] == ["sdk", "made by the SDK"]
    assert answer["version"][:3] == ["sdk", "1", "READY"], answer["version"]
    assert answer["models"] == ["sdk"]
    assert answer["versions"] == [["sdk", "1"]]
    assert answer["download_uri"].startswith(f"{system.url}/api/2.0/mlflow-artifacts/artifacts/versions/")
    assert "sdk" in answer["again"]
    assert "7" in answer["unknown"]
    assert "a/b" in answer["bad"]
