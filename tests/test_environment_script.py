"""tools/environment.sh: what it says when it cannot build an environment."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "tools/environment.sh"


def build(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "empty.lock").touch()
    command = [SCRIPT, "environment", "empty.lock"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_an_interpreter_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    old = fake_python(tmp_path, '[ "$1" = --version ] && echo Python 3.9.2 && exit; exit 1')

    done = build(tmp_path, PYTHON=old)

    assert done.returncode == 1
    assert done.stderr == f"{old} is Python 3.9.2; Modelyard needs Python 3.11 or newer.\n"


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = build(tmp_path, PYTHON="python9")

    assert done.returncode == 1
    assert done.stderr.startswith("python9 does not run here.\n")


def test_a_python_without_its_venv_module_is_answered_with_the_package_to_install(tmp_path: Path) -> None:
    bare = fake_python(tmp_path, 'case "$2" in *venv*) exit 1;; esac; echo Python 3.11.2')

    done = build(tmp_path, PYTHON=bare)

    assert done.returncode == 1
    assert "has no venv module" in done.stderr
    assert "apt install python3-venv" in done.stderr


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    first = build(tmp_path)
    made = (tmp_path / "environment/bin/python").lstat().st_ctime_ns

    second = build(tmp_path)

    assert first.returncode == 0, first.stderr
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert (tmp_path / "environment/bin/python").lstat().st_ctime_ns == made
