"""What the store is compared with: mlflow's client and server, and boto3, each in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import urllib3

from tests.clients.environments import CHECKOUT, ClientEnvironment
from tests.servers import free_port, start_leashed
from tests.waiting import wait_until

_DOWNLOAD = """
import json, sys, time
import mlflow
source, target, tracking = sys.argv[1:]
if tracking:
    mlflow.set_tracking_uri(tracking)
mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=target)
"""
_BOTO3 = """
import json, os, sys, time
from concurrent.futures import ThreadPoolExecutor
import boto3
folder, prefix = sys.argv[1:]
client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
keys = {path: prefix + path[len(folder):] for path in paths}
def measured(act):
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, paths))
    return time.perf_counter() - began
up = measured(lambda path: client.upload_file(path, "peer", keys[path]))
down = measured(lambda path: client.download_file("peer", keys[path], path + ".down"))
for path in paths:
    os.unlink(path + ".down")
print(json.dumps([up, down]))
"""


def mlflow_download(source: Path, target: Path) -> None:
    """Copy a folder as mlflow does when it fetches artifacts from a disk."""
    _run_mlflow(source.as_uri(), target, "")


def boto3_up_and_down(folder: Path, prefix: str, variables: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds that boto3 takes with eight threads, there and back; zeros where it is not to be had."""
    python = _boto3_python()
    if python is None:
        return 0.0, 0.0
    done = subprocess.run(
        [python, "-c", _BOTO3, str(folder), prefix],
        env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    up_s, down_s = json.loads(done.stdout)
    return up_s, down_s


class TrackingServer:
    """A real `mlflow server` whose artifacts lie in a folder that we fill ourselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def take(self, model: Path, path: str) -> str:
        """Move a model into the artifact store and return its path there."""
        target = self.artifacts / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(model, target)
        return path

    def fetch_by_mlflow(self, path: str, target: Path) -> None:
        """Fetch a folder through the proxy with mlflow's client."""
        _run_mlflow(f"mlflow-artifacts:/{path}", target, self.url)


@contextmanager
def tracking_server(folder: Path) -> Iterator[TrackingServer]:
    """Run a tracking server for the length of the context."""
    server = TrackingServer(folder)
    environment = ClientEnvironment("mlflow3", folder)
    command = [str(environment.bin / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(server.port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'tracking.db'}", "--workers", "2"]
    command += ["--artifacts-destination", str(server.artifacts), "--serve-artifacts"]
    process = start_leashed(command, folder / "log", environment=environment.environment(), new_session=True)
    try:
        wait_until(lambda: _answers(f"{server.url}/health"), within_s=120, what="the tracking server")
        yield server
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _run_mlflow(source: str, target: Path, tracking: str) -> None:
    target.mkdir(exist_ok=True)
    environment = ClientEnvironment("mlflow3", target)
    subprocess.run(
        [environment.bin / "python", "-c", _DOWNLOAD, source, str(target), tracking],
        env=environment.environment(),
        capture_output=True,
        check=True,
    )


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _boto3_python() -> Path | None:
    """Return the Python of an environment with boto3, which is built the first time; None where it is not to be had."""
    folder = CHECKOUT / ".envs" / "boto3"
    python = folder / "bin" / "python"
    if python.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    built = subprocess.run([python, "-m", "pip", "install", "-q", "boto3"], capture_output=True, check=False)
    if built.returncode == 0:
        return python
    shutil.rmtree(folder)
    return None
