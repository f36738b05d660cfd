"""Jobs in the words of the pages: what one is called, where it stands, how far it is."""

import time
from dataclasses import dataclass
from typing import Final

from modelyard.database.tables import Job
from modelyard.registry.jobs import ShownJob
from modelyard.rules.jobs import FINAL, RULES, JobKind, JobStatus
from modelyard.rules.progress import left_s
from modelyard.web.ui.asked import seq_of
from modelyard.web.ui.words import address, number, size, span

_TITLES: Final = {
    JobKind.REGISTER_VERSION: "Copy artifacts",
    JobKind.ARCHIVE_VERSIONS: "Archive on promotion",
    JobKind.VERIFY_VERSION: "Verify digests",
    JobKind.VERIFY_STORE: "Verify the store",
    JobKind.REPAIR_VERSION: "Repair artifacts",
    JobKind.MATERIALIZE: "Take over the files",
    JobKind.PURGE_VERSION: "Purge version",
    JobKind.PURGE_MODEL: "Purge model",
    JobKind.COLLECT: "Free unused files",
    JobKind.PRUNE_JOBS: "Forget old jobs",
    JobKind.PRUNE_AUDIT: "Forget old audit entries",
    JobKind.NOTE_EXPIRING_TOKENS: "Tell of tokens that expire",
    JobKind.MAKE_PLAN: "Make a plan",
    JobKind.EXECUTE_PLAN: "Execute a plan",
    JobKind.RUN_POLICY: "Run a policy",
    JobKind.PROBE: "Probe",
}
_TRIED_AGAIN: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: of bytes, where it moves any, else of things; `total` 0 means that nobody knows."""

    done: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as pages show it. `state` is one word in small letters; `took_ms` None before it began."""

    id: int
    job: Job
    title: str
    state: str
    model: str | None
    version: int | None
    target: str
    in_trash: bool
    progress: Progress
    line: str
    took_ms: int | None
    may_cancel: bool
    may_retry: bool

    @property
    def address(self) -> str:
        """Where its page is."""
        return address("jobs", self.id)

    @property
    def is_open(self) -> bool:
        """Whether it is not over yet."""
        return self.job.status not in FINAL


def view(shown: ShownJob) -> JobView:
    """Return how a job is shown now."""
    job, now_ms = shown.job, int(time.time() * 1000)
    state = _state(job, now_ms)
    progress = _progress(job)
    return JobView(
        id=job.id,
        job=job,
        title=title_of(job.kind),
        state=state,
        model=shown.model,
        version=shown.version,
        target=_target(shown),
        in_trash=shown.in_trash,
        progress=progress,
        line=_line(job, state, progress, now_ms),
        took_ms=_took_ms(job, now_ms),
        may_cancel=job.status not in FINAL and not job.cancel_requested and _is_cancellable(job.kind),
        may_retry=job.status in _TRIED_AGAIN and job.kind in RULES,
    )


def title_of(kind: str) -> str:
    """Return what a kind of jobs is called; its bare name for one of another release."""
    return _TITLES[JobKind(kind)] if kind in _TITLES else kind


def seq_of_job(job: Job) -> str:
    """Return what changes whenever a job looks different, but for its clock."""
    return seq_of(
        job.id,
        job.status,
        job.attempt,
        job.step,
        job.items_done,
        job.bytes_done,
        job.items_total,
        job.bytes_total,
        job.bytes_per_s,
        job.cancel_requested,
        job.status_message,
        job.run_after_ms,
    )


def _state(job: Job, now_ms: int) -> str:
    if job.status == JobStatus.RUNNING:
        return "cancelling" if job.cancel_requested else "running"
    if job.status == JobStatus.QUEUED and job.attempt and job.run_after_ms > now_ms:
        return "retrying"
    return str(job.status).lower()


def _progress(job: Job) -> Progress:
    by_bytes = job.bytes_total > 0
    done, total = (job.bytes_done, job.bytes_total) if by_bytes else (job.items_done, job.items_total)
    parts = [job.step] if job.step else []
    if total:
        write = size if by_bytes else number
        parts.append(f"{write(done)} of {write(total)}")
    if by_bytes and job.items_total:
        parts.append(f"{number(job.items_done)} of {number(job.items_total)} files")
    if job.status == JobStatus.RUNNING and job.bytes_per_s:
        parts.append(f"{size(job.bytes_per_s)}/s")
        left = left_s(bytes_done=job.bytes_done, bytes_total=job.bytes_total, bytes_per_s=job.bytes_per_s)
        parts += [f"about {span(left * 1000)} left"] if left else []
    return Progress(min(done, total), total, " · ".join(parts))


def _line(job: Job, state: str, progress: Progress, now_ms: int) -> str:
    match state:
        case "retrying":
            reason = f": {job.status_message}" if job.status_message else ""
            return f"Next try in {span(job.run_after_ms - now_ms)}{reason}"
        case "queued":
            return job.status_message or f"Waits in the queue {job.queue}"
        case "cancelling":
            return "Waits for its worker to stop"
        case "running":
            return progress.text or "Began just now"
        case _:
            return job.status_message or progress.text


def _took_ms(job: Job, now_ms: int) -> int | None:
    if job.started_at_ms is None:
        return None
    return max(0, (job.finished_at_ms or now_ms) - job.started_at_ms)


def _target(shown: ShownJob) -> str:
    if shown.version is not None:
        return f"version {shown.version}"
    versions = shown.job.arguments.get("versions") if isinstance(shown.job.arguments, dict) else None
    if isinstance(versions, list):
        return f"{len(versions)} version" + ("" if len(versions) == 1 else "s")
    return ""


def _is_cancellable(kind: str) -> bool:
    return kind in RULES and RULES[JobKind(kind)].cancellable
