"""What the children of a worker believe to run: a note each, read by the sweep in the main process.

A child that was stopped for longer than its lease goes on with a job that is another's by then. It can write nothing
for it, but it holds a slot; so the main process ends it.
"""

import mmap
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from billiard import current_process
from sqlalchemy import Engine, select

from modelyard.database.session import autocommit
from modelyard.jobs.guards import Claim, jobs
from modelyard.rules.jobs import JobStatus

log = structlog.get_logger(__name__)


_NOTE_BYTES = 512


class Beliefs:
    """One note for each child of the pool, in memory shared with the main process; make it before the pool forks."""

    def __init__(self, children: int) -> None:
        self._memory = mmap.mmap(-1, children * _NOTE_BYTES)
        self._children = children

    def hold(self, claim: Claim) -> None:
        """Note that this process runs `claim`."""
        self._write(f"{os.getpid()} {claim.job_id} {claim.worker} .")

    def drop(self) -> None:
        """Note that this process runs nothing."""
        self._write("")

    def read(self) -> dict[int, tuple[int, str]]:
        """Return pid -> (job id, worker token) of the children that believe to run something."""
        found = {}
        for child in range(self._children):
            note = self._memory[child * _NOTE_BYTES : (child + 1) * _NOTE_BYTES].rstrip(b"\0").decode()
            # A note that is being written while it is read lacks its end; the next look finds it whole.
            if note.endswith(" ."):
                pid, job_id, worker, _ = note.split(" ")
                found[int(pid)] = int(job_id), worker
        return found

    def _write(self, note: str) -> None:
        start = _slot() % self._children * _NOTE_BYTES
        self._memory[start : start + _NOTE_BYTES] = note.encode().ljust(_NOTE_BYTES, b"\0")


def _slot() -> int:
    """The place of this process in its pool; a child that replaces another takes its place, and its note."""
    return int(getattr(current_process(), "index", 0))


@dataclass(slots=True)
class ZombieWatch:
    """A chore of the sweep: kills own children that run a job they have not owned for `lease_s` seconds."""

    engine: Engine
    beliefs: Beliefs
    pids: Callable[[], Collection[int]]
    lease_s: float
    _wrong_since_s: dict[tuple[int, str], float] = field(default_factory=dict)

    def __call__(self) -> None:
        """Look once; a child dies when two looks at least `lease_s` apart found it wrong."""
        now_s = time.monotonic()
        wrong: dict[tuple[int, str], float] = {}
        for pid, (job_id, worker) in self.beliefs.read().items():
            if pid not in self.pids() or self._owns(job_id, worker):
                continue
            since_s = self._wrong_since_s.get((pid, worker), now_s)
            wrong[pid, worker] = since_s
            if now_s - since_s >= self.lease_s:
                log.warning("a child runs a job that is not its own any more; it is ended", pid=pid, job_id=job_id)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._wrong_since_s = wrong

    def _owns(self, job_id: int, worker: str) -> bool:
        with autocommit(self.engine) as connection:
            row = connection.execute(
                select(jobs.c.id).where(
                    jobs.c.id == job_id, jobs.c.worker == worker, jobs.c.status == JobStatus.RUNNING
                )
            ).one_or_none()
        return row is not None
