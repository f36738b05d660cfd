"""`modelyard up`: what it says, what it refuses, and that it runs with whatever broker there is."""

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.servers import Valkey, start_leashed
from tests.systems import System
from tests.waiting import wait_until

SPAWNED = """
from modelyard.cli import _upgrade
from modelyard.processes.beginning import begin
from modelyard.processes.children import spawn_part
from modelyard.processes.up import up
from modelyard.settings import load_settings
settings = load_settings()
with begin(settings, _upgrade) as beginning:
    raise SystemExit(up(settings, beginning, start=spawn_part))
"""


def run_up(**settings: object) -> subprocess.CompletedProcess[str]:
    """Run an `up` that is expected to refuse."""
    environment = {f"MODELYARD_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "modelyard", "up"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def readiness(url: str) -> dict[str, object]:
    """Return what `/readyz` says; an empty answer stands for none."""
    try:
        return urllib3.request("GET", f"{url}/readyz", retries=False, timeout=30).json()
    except urllib3.exceptions.HTTPError:
        return {}


def test_it_says_where_it_listens_where_data_lies_and_how_clients_connect(start_system: Callable[..., System]):
    system = start_system()

    said = wait_until(lambda: system.log_text() if "set_registry_uri" in system.log_text() else "")

    assert f"Modelyard listens on {system.url}\n" in said
    assert f"Data lies in {system.home}" in said
    assert f'mlflow.set_registry_uri("{system.url}")' in said
    assert f'DATABRICKS_HOST="{system.url}"' in said


def test_in_a_terminal_it_says_how_to_sign_in_the_first_time(tmp_path: Path):
    system = System(tmp_path, auth="token", admin_token="right-token")
    terminal, other_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "modelyard", "up"], env=system.environment(), stdout=other_end, stderr=subprocess.DEVNULL
    ) as process:
        os.close(other_end)
        said = ""
        while "/login/link" not in said or not said.endswith("\n"):
            said += os.read(terminal, 4096).decode()
        link = said.split("Sign in as the administrator, once, within 10 minutes:")[1].strip()
        page = urllib3.request("GET", link, retries=False)
        process.terminate()
    os.close(terminal)

    assert link.startswith(f"{system.url}/login/link?link=")
    assert (page.status, "admin" in page.data.decode()) == (200, True)
    assert process.returncode == 0


def test_in_a_log_it_leaves_no_key_to_the_house(start_system: Callable[..., System]):
    system = start_system(auth="token", admin_token="right-token")

    said = wait_until(lambda: system.log_text() if "set_registry_uri" in system.log_text() else "")

    assert "/login/link" not in said


def test_a_second_up_on_the_same_home_is_one_line(start_system: Callable[..., System]):
    system = start_system()

    second = run_up(home=system.home, port=0)

    assert second.returncode == 2
    assert second.stderr.startswith(f"modelyard: Another `modelyard up` (process {system.process.pid}) runs on ")
    assert second.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line_and_changes_nothing(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        answer = run_up(home=tmp_path / "home", port=port)

    assert answer.returncode == 2
    assert answer.stderr.startswith(f"modelyard: Port {port} on 127.0.0.1 is in use")
    assert answer.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["up.lock"]


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "file").touch()

    answer = run_up(home=tmp_path / "file" / "home", port=0)

    assert answer.returncode == 2
    assert "MODELYARD_HOME" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_database_of_ones_own_is_not_migrated_unasked(tmp_path: Path, empty_database_url: str):
    answer = run_up(home=tmp_path, port=0, database_url=empty_database_url)

    assert answer.returncode == 2
    assert "modelyard migrate" in answer.stderr


@pytest.mark.parametrize(("folder", "broker"), [("home", "valkey-server"), ("h" * 120, "python")])
def test_it_brings_valkey_or_else_its_own_broker(tmp_path: Path, folder: str, broker: str):
    # A home whose path is too long for a Unix socket is one without Valkey.
    environment = {"MODELYARD_HOME": str(tmp_path / folder), "MODELYARD_PORT": "0", "PATH": os.environ["PATH"]}
    log = tmp_path / "log"
    process = start_leashed([sys.executable, "-m", "modelyard", "up"], log, environment=environment)
    url = wait_until(lambda: _url_in(log), within_s=20)

    wait_until(lambda: readiness(url).get("broker") == "ok")

    names = [child.name() for child in psutil.Process(process.pid).children()]
    process.terminate()
    assert process.wait(20) == 0
    assert ("valkey-server" in names) is (broker == "valkey-server")


def test_a_broker_of_ones_own_always_wins(start_system: Callable[..., System], valkey: Valkey):
    system = start_system(broker_url=valkey.url)

    parts = psutil.Process(system.process.pid).children()

    assert len(parts) == 3  # a worker, two web processes, no broker
    assert not any(part.name() == "valkey-server" for part in parts)


def test_a_killed_supervisor_takes_everything_along(start_system: Callable[..., System]):
    system = start_system()
    supervisor = psutil.Process(system.process.pid)
    # The broker, the worker and its three children, two web processes.
    everybody = wait_until(lambda: _family_of(supervisor, 7))

    system.kill()

    wait_until(lambda: not any(_is_alive(process) for process in everybody))


def test_where_forking_is_not_safe_the_parts_are_separate_processes(tmp_path: Path):
    # As there, without Valkey: a home with a long path.
    environment = {"MODELYARD_HOME": str(tmp_path / ("h" * 120)), "MODELYARD_PORT": "0", "PATH": os.environ["PATH"]}
    log = tmp_path / "log"
    process = start_leashed([sys.executable, "-c", SPAWNED], log, environment=environment)
    url = wait_until(lambda: _url_in(log), within_s=30)
    wait_until(lambda: readiness(url).get("workers") == {"fast": 1, "copy": 1}, within_s=30)
    everybody = psutil.Process(process.pid).children(recursive=True)

    process.kill()

    process.wait()
    assert len(everybody) >= 7
    wait_until(lambda: not any(_is_alive(child) for child in everybody))


def _family_of(supervisor: psutil.Process, size: int) -> list[psutil.Process]:
    """Return the processes below the supervisor once there are so many."""
    found = supervisor.children(recursive=True)
    return found if len(found) == size else []


def _url_in(log: Path) -> str:
    words = log.read_text().split()
    return next((word for word in words if word.startswith("http://127.0.0.1:")), "")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
