"""What a version that is being registered says of itself, told from its open job. No I/O.

A worker writes its progress to the job only; the version's text is made when somebody asks (design/jobs.md).
"""

from dataclasses import dataclass

from modelyard.rules.jobs import JobStatus

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


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
