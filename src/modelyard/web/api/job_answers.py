"""Jobs as objects of the native API. What is absent is null; the keys are always there."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired

import orjson
from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.tables import Job, JobLogLine
from modelyard.registry.jobs import ShownAttempt, ShownJob, ShownStep
from modelyard.rules.jobs import AttemptOutcome, JobStatus
from modelyard.rules.progress import left_s


class Progress(TypedDict):
    """How far the work of a job is."""

    step: str
    items_done: int
    items_total: int
    bytes_done: int
    bytes_total: int
    bytes_per_s: Annotated[int | None, Field(description="A moving average of the attempt that runs; null before it.")]
    left_s: Annotated[int | None, Field(description="Seconds that are left at this speed.")]


class JobAnswer(TypedDict):
    """A piece of background work."""

    id: int
    kind: str
    queue: str
    status: JobStatus
    status_message: Annotated[str, Field(description="Why it ended, or waits; for a person.")]
    error_code: str | None
    attempt: Annotated[int, Field(description="How many attempts have begun.")]
    max_attempts: int
    model: Annotated[str | None, Field(description="The registered model that it works on.")]
    version: int | None
    requested_by: str
    cancel_requested: Annotated[bool, Field(description="True while its worker has not heard of a cancel yet, too.")]
    cancelled_by: str | None
    progress: Progress
    worker: Annotated[str | None, Field(description="Who runs it, or ran it last: host, process, and more.")]
    run_after_ms: Annotated[int, Field(description="No attempt begins before.")]
    created_at_ms: int
    started_at_ms: Annotated[int | None, Field(description="When the first attempt began.")]
    finished_at_ms: int | None


class StepAnswer(TypedDict):
    """One step of an attempt."""

    step: str
    started_at_ms: int
    ended_at_ms: Annotated[int | None, Field(description="Null while it is under way.")]


class AttemptAnswer(TypedDict):
    """One attempt of a job; what has ended is never changed again."""

    attempt: int
    worker: str
    started_at_ms: int
    ended_at_ms: int | None
    outcome: AttemptOutcome | None
    error_code: str | None
    status_message: str
    steps: Annotated[list[StepAnswer], Field(description="The first one first; none for work that names none.")]


class JobDetail(JobAnswer):
    """A job with what it is to do, and all of its attempts."""

    arguments: dict[str, Any]
    attempts: Annotated[list[AttemptAnswer], Field(description="The first one first.")]


class JobPage(TypedDict):
    """Some jobs, newest first."""

    jobs: list[JobAnswer]
    next_page_token: NotRequired[Annotated[str, Field(description="Asks for the page behind; absent on the last.")]]


class OneJob(TypedDict):
    """One job, as it stands now."""

    job: JobDetail


class RefusedRetry(TypedDict):
    """A job that could not be tried again, and why."""

    id: int
    message: str


class RetriedJobs(TypedDict):
    """What became of the jobs that FAILED."""

    retried: int
    refused: list[RefusedRetry]


class LogLineAnswer(TypedDict):
    """One line of a job's log."""

    offset: Annotated[int, Field(description="As `after`, it asks for what was written behind this line.")]
    at_ms: int
    attempt: int
    level: Annotated[str, Field(description="info, warning, error, or step: the line is the name of one that begins.")]
    line: str


def job_answer(shown: ShownJob) -> JobAnswer:
    """Return a job as lists show it."""
    job = shown.job
    return {
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "status": JobStatus(job.status),
        "status_message": job.status_message or "",
        "error_code": job.error_code,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "model": shown.model,
        "version": shown.version,
        "requested_by": job.requested_by,
        "cancel_requested": job.cancel_requested,
        "cancelled_by": job.cancelled_by,
        "progress": _progress(job),
        "worker": job.worker,
        "run_after_ms": job.run_after_ms,
        "created_at_ms": job.created_at_ms,
        "started_at_ms": job.started_at_ms,
        "finished_at_ms": job.finished_at_ms,
    }


def job_detail(shown: ShownJob, attempts: Iterable[ShownAttempt]) -> JobDetail:
    """Return a job as its own page shows it."""
    return {
        **job_answer(shown),
        "arguments": shown.job.arguments,
        "attempts": [_attempt(attempt) for attempt in attempts],
    }


def log_as_text(lines: Iterable[JobLogLine]) -> str:
    """Return log lines for a person's eyes, one line each."""
    return "".join(
        f"{_moment(line.at_ms)} [{line.attempt}] {line.level.upper():<5} {' '.join(line.line.splitlines())}\n"
        for line in lines
    )


def log_as_json_lines(lines: Iterable[JobLogLine]) -> bytes:
    """Return log lines for a program, a JSON object a line."""
    return b"".join(orjson.dumps(_log_line(line), option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _log_line(line: JobLogLine) -> LogLineAnswer:
    return {
        "offset": line.id,
        "at_ms": line.at_ms,
        "attempt": line.attempt,
        "level": line.level,
        "line": line.line,
    }


def _progress(job: Job) -> Progress:
    # What an attempt that is over has left behind says nothing about the next.
    speed = job.bytes_per_s if job.status == JobStatus.RUNNING else None
    return {
        "step": job.step,
        "items_done": job.items_done,
        "items_total": job.items_total,
        "bytes_done": job.bytes_done,
        "bytes_total": job.bytes_total,
        "bytes_per_s": speed,
        "left_s": left_s(bytes_done=job.bytes_done, bytes_total=job.bytes_total, bytes_per_s=speed),
    }


def _attempt(shown: ShownAttempt) -> AttemptAnswer:
    attempt = shown.attempt
    return {
        "attempt": attempt.attempt,
        "worker": attempt.worker,
        "started_at_ms": attempt.started_at_ms,
        "ended_at_ms": attempt.ended_at_ms,
        "outcome": AttemptOutcome(attempt.outcome) if attempt.outcome else None,
        "error_code": attempt.error_code,
        "status_message": attempt.status_message or "",
        "steps": [_step(step) for step in shown.steps],
    }


def _step(step: ShownStep) -> StepAnswer:
    return {"step": step.step, "started_at_ms": step.started_at_ms, "ended_at_ms": step.ended_at_ms}


def _moment(at_ms: int) -> str:
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
