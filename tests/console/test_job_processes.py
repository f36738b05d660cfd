"""`modelyard job` as processes beside a running system: interrupted, restarted under, kept out."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from modelyard.database.clock import now_ms
from modelyard.database.engine import create_engine
from modelyard.database.session import transaction
from modelyard.database.tables import Job
from tests.systems import System
from tests.waiting import wait_until

HOUR_MS = 3_600_000


class Command:
    """A running `modelyard job ...` with its output in files."""

    def __init__(self, system: System, folder: Path, *words: str, **settings: str) -> None:
        self.out, self.err = folder / "command.out", folder / "command.err"
        environment = system.environment() | {f"MODELYARD_{name.upper()}": value for name, value in settings.items()}
        with self.out.open("wb") as out, self.err.open("wb") as err:
            command = [sys.executable, "-m", "modelyard", *words]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)

    def wait(self) -> int:
        """Wait for its end and return its status."""
        return self.process.wait(60)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """A function that starts a command; whatever still runs is killed when the test ends."""
    started: list[Command] = []

    def start(system: System, *words: str, **settings: str) -> Command:
        started.append(Command(system, tmp_path, *words, **settings))
        return started[-1]

    yield start
    for command in started:
        command.process.kill()
        command.process.wait()


def delayed_job(system: System) -> int:
    """Enter a job that may begin in an hour, and return its number."""
    engine = create_engine(f"sqlite:///{system.home / 'modelyard.db'}")
    with transaction(engine) as session:
        later_ms = (session.scalar(select(now_ms())) or 0) + HOUR_MS
        job = Job(kind="probe", queue="fast", max_attempts=5, requested_by="ann", run_after_ms=later_ms)
        session.add(job)
        session.flush()
        job_id = job.id
    engine.dispose()
    return job_id


def test_ctrl_c_ends_the_watching_and_leaves_the_job_alone(start_system, run):
    system = start_system()
    job_id = delayed_job(system)
    watching = run(system, "job", "watch", str(job_id))
    wait_until(watching.out.read_text, within_s=30, what="the first line")

    watching.process.send_signal(signal.SIGINT)

    assert watching.wait() == 130
    assert watching.err.read_text() == f"Stopped watching; job {job_id} goes on.\n"
    assert system.request("GET", f"/api/v1/jobs/{job_id}").json()["job"]["status"] == "QUEUED"


def test_a_job_is_watched_through_a_restart_of_the_system(start_system, run):
    system = start_system()
    job_id = delayed_job(system)
    watching = run(system, "job", "watch", str(job_id))
    wait_until(watching.out.read_text, within_s=30, what="the first line")

    system.stop()
    wait_until(watching.err.read_text, within_s=30, what="the outage to be told")
    system.start()
    wait_until(lambda: "answers again" in watching.err.read_text(), within_s=30, what="the return to be told")
    system.request("POST", f"/api/v1/jobs/{job_id}/cancel", {})

    assert watching.wait() == 1
    assert watching.out.read_text().splitlines()[-1] == f"Job {job_id} CANCELLED: Cancelled by local."
    assert len(watching.err.read_text().splitlines()) == 2


def test_the_administrators_token_lets_in_and_another_does_not(start_system, run):
    system = start_system(auth="token", admin_token="a-token-of-sixteen")

    own = run(system, "job", "list")
    assert (own.wait(), own.out.read_text()) == (0, "No jobs.\n")
    other = run(system, "job", "list", token="another")

    assert other.wait() == 2
    assert other.err.read_text() == (
        f"modelyard: {system.url} does not let in the token that was sent. "
        "Set MODELYARD_TOKEN to a token of that server.\n"
    )
