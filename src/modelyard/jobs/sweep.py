"""The sweep: what makes the queue forget nothing. Reaps lost jobs, fires schedules, rings for what waits.

Any number of sweeps run at once, one in every worker's main process; all they do is guarded by the statements of
`lifecycle`. Source: design/jobs.md, "The statements".
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy import case, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit, is_outage, repeat_conflicts
from modelyard.errors import ModelyardError
from modelyard.jobs.counters import count
from modelyard.jobs.guards import Claim, claim_of, jobs
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.schedules import fire_due
from modelyard.jobs.statements import LOST, WAITING
from modelyard.rules.figures import REAPS, RINGS, SWEEPS
from modelyard.rules.jobs import QUEUES, JobStatus, backoff_s

log = structlog.get_logger(__name__)

_MANY = 200
_FEW = 10
_OVERDUE_RING_MS = 60_000
_LONG_WAIT_S = 1.0
# What one row, one file or one rule may raise. Nobody else takes lost jobs back, so it must not end the sweep.
_FAILURES = (SQLAlchemyError, ModelyardError, OSError)


class Broker(Protocol):
    """What the sweep needs of the bell."""

    def ring(self, kind: str, queue: str, job_id: int) -> bool:
        """Wake a worker for a job; whether that worked."""

    def depth(self, queue: str) -> int | None:
        """How many messages wait in a queue; None when the broker does not answer."""


@dataclass(slots=True)
class Sweep:
    """One process's sweep, a round each `period_s` seconds with jitter.

    `chores` run first in each round and write something: how long they take tells whether this process waits for the
    database, in which case it must not judge others by their leases. `last_chores` may take their time.
    """

    lifecycle: Lifecycle
    broker: Broker
    period_s: float
    chores: Sequence[Callable[[], None]] = ()
    last_chores: Sequence[Callable[[], None]] = ()
    _last_round_s: float = field(default_factory=time.monotonic)

    def run(self, stop: threading.Event) -> None:
        """Sweep until `stop` is set. An outage of the database costs a round, nothing else."""
        while not stop.wait(self.period_s * random.uniform(0.75, 1.25)):  # noqa: S311 - jitter, no secret.
            try:
                self.round()
            except DBAPIError as error:
                if not is_outage(error):
                    raise
                log.warning("the database does not answer; this round of the sweep is left out", reason=str(error.orig))

    def round(self) -> None:
        """Do one round: chores, then reap, then fire what is due, then ring, then what has time."""
        began = time.monotonic()
        rested = began - self._last_round_s <= 2 * max(self.period_s, 1.0)
        self._last_round_s = began
        for chore in self.chores:
            _try(chore)
        # A sweep that was itself stopped or starved cannot tell a lost worker from a slow database.
        may_judge = rested and time.monotonic() - began <= _LONG_WAIT_S
        reaped = (_try(self.reap) or 0) if may_judge else 0
        _try(lambda: fire_due(self.lifecycle.engine, self.lifecycle.queue))
        rung = _try(self.ring) or 0
        _try(lambda: count(self.lifecycle.engine, {(SWEEPS, ""): 1, (REAPS, ""): reaped, (RINGS, ""): rung}))
        for chore in self.last_chores:
            _try(chore)

    def reap(self) -> int:
        """Take back the jobs whose lease ran out; return how many. Each is ended in a transaction of its own."""
        with autocommit(self.lifecycle.engine) as connection:
            overdue = connection.execute(LOST, {**self.lifecycle.terms, "most": _MANY}).all()
        return sum(_try(lambda row=row: self._reap(claim_of(row))) or 0 for row in overdue)  # type: ignore[misc]

    def _reap(self, claim: Claim) -> int:
        # The first loss is most likely the worker's fault, so the job goes on at once.
        delay_s = 0.0 if claim.attempt <= 1 else backoff_s(claim.attempt, random.random())  # noqa: S311 - jitter.
        status = self.lifecycle.reap(claim, delay_ms=int(delay_s * 1000))
        if status is None:
            return 0
        log.warning("a worker was lost", job_id=claim.job_id, worker=claim.worker, status=status)
        return 1

    def ring(self) -> int:
        """Wake workers for jobs that wait too long; return how many. No flood: an idle queue gets a large batch,
        a busy one only what is a minute overdue."""
        return sum(self._ring_queue(queue) for queue in QUEUES)

    def _ring_queue(self, queue: str) -> int:
        # Each queue is asked for by itself: thousands that wait for a copy would hide a short job.
        rows = self._waiting(queue)
        depth = self.broker.depth(queue) if rows else None
        if depth is None:
            return 0
        due = rows if depth == 0 else [row for row in rows if row.overdue_ms > _OVERDUE_RING_MS][:_FEW]
        return self._ring_rows(due)

    def _waiting(self, queue: str) -> Sequence[Any]:
        with autocommit(self.lifecycle.engine) as connection:
            return connection.execute(WAITING, {"its_queue": queue, "most": _MANY}).all()

    def _ring_rows(self, rows: Sequence[Any]) -> int:
        heard = []
        for row in rows:
            if not self.broker.ring(row.kind, row.queue, row.id):
                break
            heard.append(row.id)
        if heard:
            self._note_rings(heard)
        return len(heard)

    def _note_rings(self, job_ids: list[int]) -> None:
        grace = self.lifecycle.queue.grace_ms
        # Rings grow rarer for a job that nobody takes: its workers may be busy for hours.
        pause = case(*((jobs.c.wakes == n, min(grace * 2**n, 60_000)) for n in range(5)), else_=max(grace, 60_000))
        with autocommit(self.lifecycle.engine) as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(job_ids), jobs.c.status == JobStatus.QUEUED)
                .values(wake_at_ms=now_ms() + pause, wakes=jobs.c.wakes + 1)
            )


def _try(step: Callable[[], int | None]) -> int | None:
    """Do one step of a round; a failure of its own is logged and costs that step, an outage is everybody's."""
    try:
        return repeat_conflicts(step)
    except _FAILURES as error:
        if is_outage(error):
            raise
        log.exception("a step of the sweep failed; the others go on")
        return None
