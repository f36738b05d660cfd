"""The command line: its commands and options, and errors of one line."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from modelyard import __version__
from modelyard.cli import app
from modelyard.settings import Settings


def modelyard(*words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment of its own."""
    environment = {f"MODELYARD_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "modelyard", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("up", []),
        ("web", []),
        ("worker", ["--concurrency", "--queues"]),
        ("beat", []),
        ("migrate", []),
        ("demo", []),
        ("doctor", ["--deep", "--json"]),
        ("settings", []),
        ("job list", ["--status", "--kind", "--queue", "--model", "--actor", "--created-after", "--all", "--json"]),
        ("job log", ["--follow", "--after", "--json"]),
        ("job retry", ["--failed", "--kind", "--model", "--json"]),
        ("job wait", ["--timeout-s", "--json"]),
        ("schedule set", ["--cron", "--every", "--time-zone", "--json"]),
    ],
)
def test_each_command_explains_itself_and_its_options(command, options):
    answer = CliRunner().invoke(app, [*command.split(), "--help"])

    assert answer.exit_code == 0
    assert [option for option in options if option not in answer.output] == []


def test_the_version_is_printed():
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__


@pytest.mark.parametrize("command", ["up", "web", "worker", "beat", "migrate"])
def test_a_bad_setting_is_one_line_and_status_2(tmp_path, command):
    answer = modelyard(command, home=tmp_path, port="many")

    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("modelyard: MODELYARD_PORT: ")


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_worker_needs_a_broker(tmp_path, command):
    modelyard("migrate", home=tmp_path)

    answer = modelyard(command, home=tmp_path)

    assert answer.returncode == 2
    assert "MODELYARD_BROKER_URL" in answer.stderr


def test_a_worker_knows_its_queues(tmp_path):
    modelyard("migrate", home=tmp_path)

    answer = modelyard("worker", "--queues", "fast,slow", home=tmp_path, broker_url="redis://127.0.0.1:1")

    assert answer.returncode == 2
    assert answer.stderr == "modelyard: Unknown queue slow; expected fast or copy.\n"


@pytest.mark.parametrize("command", ["web", "beat"])
def test_a_process_refuses_a_database_without_its_schema_and_names_the_command(tmp_path, command):
    answer = modelyard(command, home=tmp_path)

    assert answer.returncode == 2
    assert "modelyard migrate" in answer.stderr


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path):
    answer = modelyard("migrate", home=tmp_path, database_url="postgresql://me:hunter2@127.0.0.1:1/none")

    assert answer.returncode == 2
    assert "postgresql://me:***@127.0.0.1:1/none" in answer.stderr
    assert "hunter2" not in answer.stderr


def test_the_settings_page_has_a_row_for_every_setting():
    page = CliRunner().invoke(app, ["settings"]).output

    rows = [line.split("|")[1].strip(" `") for line in page.splitlines() if line.startswith("| `MODELYARD_")]
    assert rows == [f"MODELYARD_{name.upper()}" for name in Settings.model_fields]
