"""Celery as it comes, on the same broker and machine: the floor against which the job engine is held.

Each task writes down when it was sent and when it began, which is all that a no-op can say.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from celery import Celery

from tests.servers import start_leashed
from tests.waiting import wait_until

NOTES = "BENCHMARK_NOTES"
BROKER = "BENCHMARK_BROKER"

app = Celery("raw", broker=os.environ.get(BROKER, "redis://"))
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_prefetch_multiplier=4)


@app.task(name="raw.note")  # type: ignore[untyped-decorator]
def note(sent_s: float) -> None:
    """Write down one line; short appends to one file do not mix."""
    with open(os.environ[NOTES], "a") as notes:
        notes.write(f"{sent_s} {time.time()}\n")


class RawCelery:
    """A worker with two children, and a client of it."""

    def __init__(self, broker_url: str, folder: Path) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self._log = folder / "raw.log"
        self._environment = {**os.environ, NOTES: str(self.notes), BROKER: broker_url}
        self._process: subprocess.Popen[bytes] | None = None
        app.conf.broker_url = broker_url

    def start(self) -> None:
        """Start the worker."""
        # The checkout is where `benchmarks` is found, and a leashed program starts elsewhere.
        environment = self._environment | {"PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.raw_celery", "worker", "--concurrency", "2"]
        command += ["--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        self._process = start_leashed(command, self._log, environment=environment)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, count: int = 1, *, pause_s: float = 0) -> list[float]:
        """Send tasks; return how many seconds each call took."""
        taken = []
        for _ in range(count):
            began_s = time.perf_counter()
            note.delay(time.time())
            taken.append(time.perf_counter() - began_s)
            time.sleep(pause_s)
        return taken

    def lines(self, count: int) -> list[tuple[float, float]]:
        """Wait for `count` notes; return when each was sent and when it began, in epoch seconds."""
        wait_until(lambda: self.notes.read_text().count("\n") >= count, within_s=120, what=f"notes ({self._log})")
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        self.notes.write_text("")
        return [(float(sent_s), float(began_s)) for sent_s, began_s in lines]
