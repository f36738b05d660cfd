"""How far a job is, how fast its bytes move, and what a version being registered says of it. No I/O.

A worker writes its progress to the job only; the version's text is made when somebody asks (design/jobs.md).
"""

import math
from dataclasses import dataclass

from modelyard.rules.jobs import JobStatus

# What was copied this long ago counts for about a third of what is copied now.
SPEED_MEMORY_S = 15.0
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast bytes move: a moving average, held as two sums that fade alike.

    So the first moments tell their plain mean, where an average that starts from zero would rise for half a minute.
    """

    faded_bytes: float = 0.0
    faded_s: float = 0.0

    def after(self, moved_bytes: int, span_s: float) -> "Speed":
        """Return the speed after `span_s` more seconds in which `moved_bytes` were copied."""
        if span_s <= 0:
            return Speed(self.faded_bytes + moved_bytes, self.faded_s)
        kept = math.exp(-span_s / SPEED_MEMORY_S)
        # What moved within the span has faded, too, by the time that it ends.
        weight = SPEED_MEMORY_S * (1 - kept) / span_s
        return Speed(self.faded_bytes * kept + moved_bytes * weight, self.faded_s * kept + span_s * weight)

    @property
    def bytes_per_s(self) -> int | None:
        """The average; None before any time has passed."""
        return round(self.faded_bytes / self.faded_s) if self.faded_s else None


def left_s(*, bytes_done: int, bytes_total: int, bytes_per_s: int | None) -> int | None:
    """Return the seconds that are left at this speed, rounded up; None when nobody can tell."""
    if not bytes_per_s or not bytes_total:
        return None
    return -(-max(0, bytes_total - bytes_done) // bytes_per_s)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Where a job stands; `waits_ms` is the delay that is left before its next attempt, 0 or less for none."""

    status: str
    waits_ms: int
    attempt: int
    step: str
    items_done: int
    items_total: int
    bytes_done: int
    bytes_total: int
    status_message: str


def pending_message(job: OpenJob) -> str:
    """Return one sentence that says what a registration is doing, or what it waits for."""
    if job.status == JobStatus.RUNNING:
        return _running(job)
    if job.waits_ms > 0:
        reason = f": {job.status_message}" if job.status_message else ""
        return f"Retrying in {_duration(job.waits_ms)}{reason}"
    if job.attempt:
        reason = f" {job.status_message}" if job.status_message else ""
        return f"Waiting for a worker.{reason}"
    return "Waiting for a worker"


def _running(job: OpenJob) -> str:
    step = job.step or "Copying"
    if not job.items_total:
        return step
    text = f"{step}: {job.items_done} of {job.items_total} files"
    if not job.bytes_total:
        return text
    return f"{text}, {_share(job.bytes_done, job.bytes_total)}"


def _share(done_bytes: int, total_bytes: int) -> str:
    power = 0
    while power < len(_UNITS) - 1 and total_bytes >= 1000 ** (power + 1):
        power += 1
    if power == 0:
        return f"{done_bytes} of {total_bytes} bytes"
    scale = 1000**power
    return f"{done_bytes / scale:.1f} of {total_bytes / scale:.1f} {_UNITS[power]}"


def _duration(span_ms: int) -> str:
    seconds = -(-span_ms // 1000)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
