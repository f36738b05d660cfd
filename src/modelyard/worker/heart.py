"""The heartbeat of a running job: keeps the lease while the work moves, and tells the work when to stop."""

import os
import signal
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from modelyard.database.session import is_outage
from modelyard.errors import CancelRequested, ClaimLost, Released, TimeLimitReached
from modelyard.jobs.attempts import LogLine
from modelyard.jobs.counters import count
from modelyard.jobs.guards import Claim
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.rules.figures import COPIED_BYTES
from modelyard.rules.jobs import STEP
from modelyard.worker.drain import DrainFlag
from modelyard.worker.meter import Meter
from modelyard.worker.pacemaker import Pacemaker

log = structlog.get_logger(__name__)

_PROGRESS_S = 1.0
# The first progress comes sooner, so that somebody who waits sees at once that the work is under way.
_FIRST_PROGRESS_S = 0.1
# A copy of hours that is counted at its end only would be a peak that never was.
_COUNT_S = 10.0
# A worker that cannot renew stops by itself while the lease still holds.
_STOP_AT = 0.8


@dataclass(slots=True)
class Heart:
    """Beats for one claim, from a thread beside the work, so that a slow piece of work does not cost the job.

    The work calls it between its pieces. `claimed_s` is the monotonic clock read before the claim was sent.
    """

    lifecycle: Lifecycle
    claim: Claim
    drain: DrainFlag
    stall_s: float
    claimed_s: float
    time_limit_s: float = float("inf")
    pacemaker: Pacemaker = field(default_factory=Pacemaker)
    meter: Meter = field(default_factory=Meter)
    progress: dict[str, Any] = field(default_factory=dict)
    _renewed_s: float = field(init=False)
    _moved_s: float = field(init=False)
    _beaten_s: float = field(init=False)
    _counted_s: float = field(default_factory=time.monotonic)
    _said: deque[LogLine] = field(default_factory=deque)
    _rest_s: float = field(init=False)
    _step: str | None = None
    _fresh: bool = False
    _lost: bool = False
    _cancelled: bool = False

    def __post_init__(self) -> None:
        self._renewed_s = self.claimed_s
        self._moved_s = self._beaten_s = time.monotonic()
        self._rest_s = min(_FIRST_PROGRESS_S, self._quarter_s)

    def __enter__(self) -> "Heart":
        self.pacemaker.begin(self.beat, min(_FIRST_PROGRESS_S, self._quarter_s / 4))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop beating, and wait for a beat under way: nothing may write for the job once its end is decided."""
        self.pacemaker.end()

    @property
    def _quarter_s(self) -> float:
        return self.lifecycle.lease_ms / 4000

    def say(self, text: str, level: str = "info") -> None:
        """Add a line to the job's log; it is written with the next beat, or with the outcome."""
        self._said.append(LogLine(level, text))
        self._fresh = True

    def unwritten(self) -> list[LogLine]:
        """Return what the work said and no beat has written, and forget it."""
        said = []
        while self._said:
            said.append(self._said.popleft())
        return said

    def count_copied(self) -> None:
        """Add what was copied since the last time to the figures of `/metrics`."""
        self._counted_s = time.monotonic()
        copied = self.meter.take_uncounted()
        if not copied:
            return
        try:
            count(self.lifecycle.engine, {(COPIED_BYTES, self.claim.kind): copied})
        except DBAPIError as error:
            if not is_outage(error):
                raise
            self.meter.put_back(copied)
            log.warning("copied bytes could not be counted yet", job_id=self.claim.job_id, reason=str(error.orig))

    def __call__(self, *, copied_bytes: int | None = None, **progress: Any) -> None:
        """Say that the work moves; `progress` are columns of `jobs` (step, items_done, bytes_total, ...).

        `copied_bytes` is what this attempt has copied, without what it found stored: the speed is told from it.
        Raises ClaimLost, CancelRequested, Released or TimeLimitReached when the work must stop here.
        """
        self._moved_s = time.monotonic()
        if copied_bytes is not None:
            self.meter.note(copied_bytes)
        if progress and progress != self.progress:
            self._tell_step(progress.get("step"))
            self.progress = progress
            self._fresh = True
        if self._lost or self._too_old():
            raise ClaimLost(self.claim.job_id, self.claim.attempt)
        if self._cancelled:
            raise CancelRequested
        if self.drain.requested():
            raise Released
        if time.monotonic() - self.claimed_s > self.time_limit_s:
            raise TimeLimitReached(f"The job took longer than {self.time_limit_s:.0f} s, the limit of its kind.")
        # Not by the thread that beats: behind busy writers a statement may wait for as long as a lease.
        if time.monotonic() - self._counted_s >= _COUNT_S:
            self.count_copied()

    def _tell_step(self, step: str | None) -> None:
        if step is not None and step != self._step:
            self._step = step
            self.say(step, STEP)

    def _too_old(self) -> bool:
        return time.monotonic() - self._renewed_s > _STOP_AT * self.lifecycle.lease_ms / 1000

    def beat(self) -> None:
        """Send a beat if one is due; the pacemaker calls it again and again while the work is under way."""
        if self._lost or time.monotonic() - self._beaten_s < self._rest_s:
            return
        self._end_if_stalled()
        self._beaten_s = time.monotonic()
        self._rest_s = min(2 * self._rest_s, _PROGRESS_S, self._quarter_s)
        if self._fresh or self._beaten_s - self._renewed_s >= self._quarter_s:
            self._renew()

    def _renew(self) -> None:
        began_s = time.monotonic()
        self._fresh = False
        said = self.unwritten()
        try:
            progress = self.progress | {"bytes_per_s": self.meter.read()}
            self._cancelled = self.lifecycle.heartbeat(self.claim, progress, said)
        except ClaimLost:
            self._lost = True
            return
        except DBAPIError as error:
            if not is_outage(error):
                raise
            self._said.extendleft(reversed(said))
            log.warning("a heartbeat did not reach the database", job_id=self.claim.job_id, reason=str(error.orig))
            return
        self._renewed_s = began_s

    def _end_if_stalled(self) -> None:
        stalled_s = time.monotonic() - self._moved_s
        if stalled_s > self.stall_s:
            log.critical("the work stands still; this process ends itself", job_id=self.claim.job_id, seconds=stalled_s)
            os.kill(os.getpid(), signal.SIGKILL)
