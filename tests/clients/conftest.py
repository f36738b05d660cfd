"""What the tests with real clients are given: the clients, and an MLflow tracking server."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from tests.clients.environments import ClientEnvironment
from tests.servers import free_port, start_leashed
from tests.waiting import wait_until

TRACKING_START_S = 90


@dataclass(frozen=True)
class TrackingServer:
    """A running `mlflow server`: its address, and the folder in which it keeps artifacts."""

    url: str
    artifacts: Path


@pytest.fixture
def client_environment(tmp_path: Path) -> Callable[[str], ClientEnvironment]:
    """A function that gives the clients of one environment (mlflow3, mlflow2, mlflow1) a home to work in."""

    def open_one(name: str) -> ClientEnvironment:
        home = tmp_path / "client"
        home.mkdir()
        return ClientEnvironment(name, home)

    return open_one


@pytest.fixture
def mlflow3(client_environment: Callable[[str], ClientEnvironment]) -> ClientEnvironment:
    """The current mlflow and databricks-sdk, working in `home`."""
    return client_environment("mlflow3")


@pytest.fixture
def tracking_server(mlflow3: ClientEnvironment, tmp_path: Path) -> Iterator[TrackingServer]:
    """A real `mlflow server` on the loopback interface, with nothing in it."""
    folder = tmp_path / "tracking"
    folder.mkdir()
    port, artifacts = free_port(), folder / "artifacts"
    command = [str(mlflow3.bin / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(artifacts)]
    log = folder / "log"
    server = start_leashed(command, log, environment=mlflow3.environment(), new_session=True)
    http = urllib3.PoolManager(retries=False)

    def answers() -> bool:
        assert server.poll() is None, f"`mlflow server` ended at its start:\n{log.read_text()}"
        try:
            return http.request("GET", f"http://127.0.0.1:{port}/health").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    wait_until(answers, within_s=TRACKING_START_S, what=f"`mlflow server` (log: {log})")
    yield TrackingServer(f"http://127.0.0.1:{port}", artifacts)
    http.clear()
    # It starts processes of its own, which share its session.
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
