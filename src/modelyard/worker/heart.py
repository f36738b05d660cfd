"""The heartbeat of a running job: keeps the lease while the work moves, and tells the work when to stop."""

import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from modelyard.database.session import is_outage
from modelyard.errors import CancelRequested, ClaimLost, Released, TimeLimitReached
from modelyard.jobs.attempts import LogLine
from modelyard.jobs.guards import Claim
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.worker.drain import DrainFlag
from modelyard.worker.meter import Meter

log = structlog.get_logger(__name__)

_PROGRESS_S = 1.0
# A worker that cannot renew stops by itself while the lease still holds.
_STOP_AT = 0.8


@dataclass(slots=True)
class Heart:
    """Beats for one claim, from a thread of its own, so that a slow piece of work does not cost the job.

    The work calls it between its pieces. `claimed_s` is the monotonic clock read before the claim was sent.
    """

    lifecycle: Lifecycle
    claim: Claim
    drain: DrainFlag
    stall_s: float
    claimed_s: float
    time_limit_s: float = float("inf")
    meter: Meter = field(default_factory=Meter)
    progress: dict[str, Any] = field(default_factory=dict)
    _renewed_s: float = field(init=False)
    _moved_s: float = field(init=False)
    _said: deque[LogLine] = field(default_factory=deque)
    _fresh: bool = False
    _lost: bool = False
    _cancelled: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._renewed_s = self.claimed_s
        self._moved_s = time.monotonic()

    def __enter__(self) -> "Heart":
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop beating, and wait for a beat under way: nothing may write for the job once its end is decided."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

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

    def __call__(self, *, copied_bytes: int | None = None, **progress: Any) -> None:
        """Say that the work moves; `progress` are columns of `jobs` (step, items_done, bytes_total, ...).

        `copied_bytes` is what this attempt has copied, without what it found stored: the speed is told from it.
        Raises ClaimLost, CancelRequested, Released or TimeLimitReached when the work must stop here.
        """
        self._moved_s = time.monotonic()
        if copied_bytes is not None:
            self.meter.note(copied_bytes)
        if progress and progress != self.progress:
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

    def _too_old(self) -> bool:
        return time.monotonic() - self._renewed_s > _STOP_AT * self.lifecycle.lease_ms / 1000

    def _beat(self) -> None:
        quarter_s = self.lifecycle.lease_ms / 4000
        rest_s = min(_PROGRESS_S, quarter_s)
        while not self._stop.wait(rest_s):
            self._end_if_stalled()
            due = time.monotonic() - self._renewed_s >= quarter_s
            if (due or self._fresh) and not self._renew():
                return

    def _renew(self) -> bool:
        """Send one beat; False ends the thread."""
        began_s = time.monotonic()
        self._fresh = False
        said = self.unwritten()
        try:
            progress = self.progress | {"bytes_per_s": self.meter.read()}
            self._cancelled = self.lifecycle.heartbeat(self.claim, progress, said)
        except ClaimLost:
            self._lost = True
            return False
        except DBAPIError as error:
            if not is_outage(error):
                raise
            self._said.extendleft(reversed(said))
            log.warning("a heartbeat did not reach the database", job_id=self.claim.job_id, reason=str(error.orig))
            return True
        self._renewed_s = began_s
        return True

    def _end_if_stalled(self) -> None:
        stalled_s = time.monotonic() - self._moved_s
        if stalled_s > self.stall_s:
            log.critical("the work stands still; this process ends itself", job_id=self.claim.job_id, seconds=stalled_s)
            os.kill(os.getpid(), signal.SIGKILL)
