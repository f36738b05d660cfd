"""`modelyard demo`: the life of one model version on a throw-away home, told as it happens.

The whole system is started as `modelyard up` starts it; everything here goes over HTTP, as a client would.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import urllib3
from sqlmodel import col, select

from modelyard.database.engine import create_engine
from modelyard.database.tables import ModelVersion
from modelyard.errors import ModelyardError

NAME: Final = "house-prices"
# Enough to take about a second on a fast disk, so that somebody sees the copy.
WEIGHTS_BYTES: Final = 512 << 20
START_S: Final = 60.0
READY_S: Final = 120.0
STOP_S: Final = 60.0
POLL_S: Final = 0.05
_SETTINGS: Final = {
    "PORT": "0",
    # The answer comes before the copy, which is to be seen.
    "CREATE_WAIT_S": "0",
    "LOG_FORMAT": "console",
    "LOG_LEVEL": "warning",
}


class DemoFailed(ModelyardError):
    """The demonstration did not go as promised; the text says where it stopped."""


def run_demo() -> int:
    """Run it; return 0 when a version went from registration to Production and nothing was left behind.

    Raises DemoFailed.
    """
    signal.signal(signal.SIGTERM, _leave)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelyard-demo-") as name, _running(Path(name)) as url:
        say(f"Modelyard runs on {url}, its data in {name} ({time.monotonic() - began_s:.1f} s)")
        tell_a_life(Client(url), Path(name))
    say(f"Stopped; nothing is left behind ({time.monotonic() - began_s:.1f} s in all)")
    return 0


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


def tell_a_life(client: "Client", folder: Path) -> None:
    """Register a sample model below `folder`, watch the copy, promote the version."""
    source = _sample(folder / "sources")
    client.post("registered-models/create", {"name": NAME})
    created = client.post("model-versions/create", {"name": NAME, "source": str(source)})["model_version"]
    say(f"Registered {NAME} version {created['version']} from {source}")
    ready = _watch(client, created)
    where = {"name": NAME, "version": ready["version"]}
    say(f"  files      {', '.join(_files(client, where))}")
    say(f"  digest     {_digest(folder / 'home')}")
    say(f"  download   {client.get('model-versions/get-download-uri', where)['artifact_uri']}")
    moved = client.post(
        "model-versions/transition-stage", {**where, "stage": "Production", "archive_existing_versions": False}
    )["model_version"]
    if moved["current_stage"] != "Production":
        raise DemoFailed(f"The version stands in {moved['current_stage']}, not in Production.")
    say(f"Promoted {NAME} version {moved['version']} to {moved['current_stage']}")


class Client:
    """A client of the MLflow routes that stops at the first answer that is not 200."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def get(self, route: str, fields: dict[str, str]) -> Any:
        """Return the JSON of a GET on an MLflow route."""
        return self._json(self._http.request("GET", f"{self._url}/api/2.0/mlflow/{route}", fields=fields))

    def post(self, route: str, body: dict[str, Any]) -> Any:
        """Return the JSON of a POST on an MLflow route."""
        return self._json(self._http.request("POST", f"{self._url}/api/2.0/mlflow/{route}", json=body))

    @staticmethod
    def _json(answer: urllib3.BaseHTTPResponse) -> Any:
        if answer.status != 200:
            raise DemoFailed(f"{answer.url} was answered {answer.status}: {answer.data.decode(errors='replace')}")
        return answer.json()


def _watch(client: Client, version: dict[str, Any]) -> dict[str, Any]:
    """Print each change of the version's status until it is READY."""
    began_s, told = time.monotonic(), ""
    while True:
        line = f"{version['status']:<22} {version.get('status_message') or ''}".rstrip()
        if line != told:
            say(f"  {time.monotonic() - began_s:5.2f} s  {line}")
            told = line
        if version["status"] == "READY":
            return version
        if version["status"] == "FAILED_REGISTRATION" or time.monotonic() - began_s > READY_S:
            raise DemoFailed(f"The version did not become READY: {line}")
        time.sleep(POLL_S)
        version = client.get("model-versions/get", {"name": NAME, "version": version["version"]})["model_version"]


def _files(client: Client, where: dict[str, str]) -> list[str]:
    return [file["path"] for file in client.get("model-versions/list-artifacts", where)["files"]]


def _digest(home: Path) -> str:
    """Return the digest of everything in the one version of this registry; MLflow's routes have no word for it."""
    engine = create_engine(f"sqlite:///{home / 'modelyard.db'}")
    try:
        with engine.connect() as connection:
            return str(connection.scalar(select(col(ModelVersion.manifest_digest))))
    finally:
        engine.dispose()


def _sample(folder: Path) -> Path:
    """Lay the bundled model below `folder`, with weights that take a moment to copy."""
    model = folder / NAME
    with resources.as_file(resources.files("modelyard") / "sample_model") as bundled:
        shutil.copytree(bundled, model, ignore=shutil.ignore_patterns("__pycache__"))
    with (model / "weights.bin").open("wb") as weights:
        weights.truncate(WEIGHTS_BYTES)
    return model


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    """Run `modelyard up` on `folder` for the length of the block; gives its address."""
    log = folder / "up.log"
    (folder / "sources").mkdir()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "modelyard", "up"],
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            process_group=0,
        )
    try:
        yield _wait_until_ready(process, log)
    except DemoFailed as failure:
        raise DemoFailed(f"{failure.message}\n{log.read_text()}".rstrip()) from failure
    finally:
        status = _stop(process)
    if status != 0:
        raise DemoFailed(f"`modelyard up` ended with status {status}.\n{log.read_text()}".rstrip())


def _environment(folder: Path) -> dict[str, str]:
    """Return the caller's environment with our settings in place of the caller's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    ours = {"HOME": str(folder / "home"), "SOURCE_ROOTS": str(folder / "sources"), **_SETTINGS}
    return kept | {f"MODELYARD_{name}": value for name, value in ours.items()}


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> str:
    first = process.stdout.readline() if process.stdout else ""
    if "http://" not in first:
        raise DemoFailed("`modelyard up` did not start.")
    url = first.split()[-1]
    http = urllib3.PoolManager(retries=False, timeout=5)
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        if http.request("GET", f"{url}/readyz").status == 200:
            return url
        time.sleep(POLL_S)
    raise DemoFailed(f"`modelyard up` was not ready within {START_S:.0f} s.")


def _stop(process: subprocess.Popen[str]) -> int:
    process.terminate()
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        if process.stdout:
            process.stdout.close()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    # An exception, so that the system is stopped and the folder removed on the way out.
    raise SystemExit(1)
