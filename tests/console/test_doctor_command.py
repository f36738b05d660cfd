"""`modelyard doctor` beside a registry at work: nothing there is wrong, and what somebody hurts is said."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.databases import SYSTEM_MOSTLY_ON_POSTGRESQL
from tests.systems import System
from tests.waiting import wait_until

LOOKS = 3


def doctor(system: System, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the settings of a system."""
    command = [sys.executable, "-m", "modelyard", "doctor", *options]
    environment = system.environment() | {"COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def findings(answer: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the findings of `doctor --json`."""
    assert answer.stderr == ""
    return [finding for section in json.loads(answer.stdout)["sections"] for finding in section["findings"]]


@pytest.fixture
def busy(system: System) -> System:
    """A system that registers, archives and deletes from two threads until the test ends."""
    over = threading.Event()
    clients = [threading.Thread(target=keep_busy, args=(system, f"busy-{n}", over)) for n in range(2)]
    for client in clients:
        client.start()
    yield system
    over.set()
    for client in clients:
        client.join()


def keep_busy(system: System, name: str, over: threading.Event) -> None:
    """Register versions of a model, each with files of its own; promote every other, delete the rest."""
    system.call("POST", "registered-models/create", {"name": name})
    number = 0
    while not over.is_set():
        number += 1
        source = model_folder(system, f"{name}-{number}")
        version = {"name": name, "version": str(number)}
        system.call("POST", "model-versions/create", {"name": name, "source": str(source)})
        # Either is refused while the version is being registered, which is as good.
        if number % 2:
            promotion = {**version, "stage": "Production", "archive_existing_versions": True}
            system.request("POST", "/api/2.0/mlflow/model-versions/transition-stage", promotion)
        else:
            system.request("DELETE", "/api/2.0/mlflow/model-versions/delete", version)


def model_folder(system: System, name: str) -> Path:
    """Write the files of a model."""
    folder = system.folder / "sources" / name
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "weights").write_text(name * 10_000)
    return folder


@SYSTEM_MOSTLY_ON_POSTGRESQL
def test_nothing_is_wrong_with_a_registry_at_work(busy):
    looks = [findings(doctor(busy, "--deep", "--json")) for _ in range(LOOKS)]

    assert looks == [[]] * LOOKS


def test_the_report_says_what_was_looked_at_and_ends_with_status_0(system):
    wait_until(lambda: doctor(system).returncode == 0, within_s=60, what="a worker that has reported itself")

    answer = doctor(system)

    assert answer.returncode == 0
    assert answer.stdout.splitlines()[0].startswith("✓ clock")
    assert "Nothing is wrong." in answer.stdout.splitlines()[-1]


def test_a_hurt_file_is_told_with_its_repair_and_status_1(system):
    system.call("POST", "registered-models/create", {"name": "hurt"})
    system.call("POST", "model-versions/create", {"name": "hurt", "source": str(model_folder(system, "hurt"))})
    wait_until(lambda: status_of(system, "hurt") == "READY", within_s=30, what="the version")
    size_bytes = len("hurt" * 10_000)
    (blob,) = [path for path in (system.home / "store/blobs").rglob("*") if path.stat().st_size == size_bytes]
    blob.unlink()

    answer = doctor(system)

    assert answer.returncode == 1
    told = answer.stdout.splitlines()
    assert any(line.startswith("✗ files") for line in told)
    assert any(blob.name in line and "needed by version 1 of 'hurt'" in line for line in told)
    assert any("repair: Put it back from a backup, or register the same files again" in line for line in told)
    assert told[-1].startswith("1 problem found.")


def status_of(system: System, name: str) -> str:
    """Return the status of a model's first version."""
    version = system.call("GET", "model-versions/get", name=name, version="1")["model_version"]
    return str(version["status"])
