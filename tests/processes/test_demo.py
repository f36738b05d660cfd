"""The demonstration shows a version's life through a real worker and leaves nothing behind."""

import os
import subprocess
import sys

import psutil


def test_the_demo_ends_with_a_promoted_version_and_nothing_left(tmp_path):
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}

    answer = subprocess.run(
        [sys.executable, "-m", "modelyard", "demo"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )

    lines = answer.stdout.splitlines()
    assert answer.returncode == 0, answer.stdout + answer.stderr
    statuses = [line.split()[2] for line in lines if " s  " in line]
    assert statuses[0] == "PENDING_REGISTRATION"
    assert statuses[-1] == "READY"
    assert any("Copying: " in line for line in lines)
    assert any(line.split()[0] == "digest" and len(line.split()[1]) == 64 for line in lines)
    assert any("Production" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
    assert [process for process in psutil.process_iter() if str(tmp_path) in _environment_of(process)] == []


def test_a_demo_that_is_stopped_cleans_up_as_well(tmp_path):
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "demo"], stdout=subprocess.PIPE, env=environment, text=True
    )
    with process:
        assert process.stdout is not None
        assert "runs on" in process.stdout.readline()

        process.terminate()

    assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []


def _environment_of(process: psutil.Process) -> str:
    try:
        return process.environ().get("MODELYARD_HOME", "")
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""
