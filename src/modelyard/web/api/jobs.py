"""Routes of background jobs in the native API."""

from dataclasses import replace
from typing import Annotated, Literal

from flask import Response
from pydantic import Field
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from modelyard.database.session import is_outage, reading, repeat_conflicts, transaction
from modelyard.errors import InvalidValue, ModelyardError, Unavailable
from modelyard.registry import job_changes
from modelyard.registry import jobs as registry
from modelyard.registry.jobs import JobFilter
from modelyard.rules.jobs import JobStatus
from modelyard.rules.versions import MAX_VERSION
from modelyard.web.api.arguments import WRITTEN, Required, StrictArguments, Text
from modelyard.web.api.job_answers import (
    JobDetail,
    JobPage,
    LogLineAnswer,
    OneJob,
    RefusedRetry,
    RetriedJobs,
    job_answer,
    job_detail,
    log_as_json_lines,
    log_as_text,
)
from modelyard.web.api.paging import question_of
from modelyard.web.api.route import Texts
from modelyard.web.identity import current_actor
from modelyard.web.site import site

# Within 64 bits, with room for sums.
MAX_ID = 10**18 - 1
MAX_TIME_MS = 10**15

JobId = Annotated[int, Field(ge=1, le=MAX_ID, examples=[42]), WRITTEN]
Status = Annotated[JobStatus, Field(strict=False)]
Time = Annotated[int, Field(ge=0, le=MAX_TIME_MS), WRITTEN]

LogAnswer = Annotated[
    Response,
    Texts(
        {"text/plain": str, "application/x-ndjson": LogLineAnswer},
        headers={
            "X-Next-Offset": "Give it as `after` to read what was written since.",
            "X-Job-Status": "The job's status, read before the lines: once it is final, nothing will be written.",
        },
    ),
]


class NamedJob(StrictArguments):
    """A request about one job."""

    job_id: JobId


class MeantJobs(StrictArguments):
    """Which jobs are meant; what is left out tells nothing apart. The ends of a span of time are left out of it."""

    kind: list[Required] = Field(default_factory=list, examples=[["register_version"]])
    queue: Required | None = Field(None, examples=["copy"])
    model: Required | None = Field(None, description="Name of a registered model.", examples=["house-prices"])
    actor: Required | None = Field(None, description="Who asked for the job.", examples=["ann"])
    created_after_ms: Time | None = Field(None, examples=[1764090000000])
    created_before_ms: Time | None = Field(None, examples=[1764093600000])

    def filter(self) -> JobFilter:
        """Return what is meant, without a second meaning for another order of kinds."""
        return JobFilter(
            kinds=tuple(sorted(set(self.kind))),
            queue=self.queue,
            model=self.model,
            actor=self.actor,
            created_after_ms=self.created_after_ms,
            created_before_ms=self.created_before_ms,
        )


class ListJobs(MeantJobs):
    """What a list of jobs is asked for."""

    status: list[Status] = Field(default_factory=list, examples=[["FAILED"]])
    version: Annotated[int, Field(ge=1, le=MAX_VERSION), WRITTEN] | None = Field(
        None, description="Number of a version of `model`.", examples=[3]
    )
    max_results: Annotated[int, Field(ge=1, le=1000), WRITTEN] = Field(50, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")

    def filter(self) -> JobFilter:
        """Return what is meant. Raises InvalidValue."""
        if self.version is not None and self.model is None:
            raise InvalidValue("The parameter version needs the parameter model, such as model=house-prices&version=3.")
        statuses = tuple(sorted(set(self.status)))
        return replace(super().filter(), statuses=statuses, version=self.version)


class ReadLog(NamedJob):
    """What is asked of a job's log."""

    after: Annotated[int, Field(ge=0, le=MAX_ID), WRITTEN] = Field(
        0, description="The X-Next-Offset of the answer before, to follow a log.", examples=[0]
    )
    max_results: Annotated[int, Field(ge=1, le=10_000), WRITTEN] = Field(1000, examples=[1000])
    format: Literal["text", "jsonl"] = Field("text", examples=["jsonl"])


def list_jobs(asked: ListJobs) -> JobPage:
    """List jobs, newest first: all of them to administrators, to others those of models that they may read."""
    wanted = asked.filter()
    question = question_of("jobs", wanted)
    before_id = site().signer.open_page(asked.page_token, question)[0] if asked.page_token else None
    with reading(site().engine) as session:
        page = registry.list_jobs(session, current_actor(), wanted, limit=asked.max_results, before_id=before_id)
        shown = [job_answer(job) for job in page.rows]
    if page.last is None:
        return {"jobs": shown}
    return {"jobs": shown, "next_page_token": site().signer.sign_page(question, page.last)}


def show_job(asked: NamedJob) -> OneJob:
    """Show a job with its arguments and attempts."""
    with reading(site().engine) as session:
        return {"job": _detail(session, asked.job_id)}


def read_log(asked: ReadLog) -> LogAnswer:
    """Show what a job's attempts have said, a line each."""
    with reading(site().engine) as session:
        # The status first: whatever ends the job writes its last lines in the same transaction.
        job = registry.read_job(session, current_actor(), asked.job_id).job
        lines = registry.log_lines(session, asked.job_id, after=asked.after, limit=asked.max_results)
    if asked.format == "jsonl":
        answer = Response(log_as_json_lines(lines), mimetype="application/x-ndjson")
    else:
        answer = Response(log_as_text(lines), mimetype="text/plain")
    answer.headers["X-Next-Offset"] = str(lines[-1].id if lines else asked.after)
    answer.headers["X-Job-Status"] = job.status
    return answer


def cancel_job(asked: NamedJob) -> OneJob:
    """Cancel a job: at once while it waits, and as soon as its worker hears of it while it runs."""
    with transaction(site().engine) as session:
        job_changes.cancel_job(session, current_actor(), asked.job_id, lifecycle=site().lifecycle)
        return {"job": _detail(session, asked.job_id)}


def retry_job(asked: NamedJob) -> OneJob:
    """Queue a job again that FAILED or was CANCELLED, with new attempts and its history kept."""
    with transaction(site().engine) as session:
        job_changes.retry_job(session, current_actor(), asked.job_id, lifecycle=site().lifecycle)
        return {"job": _detail(session, asked.job_id)}


def retry_failed(asked: MeantJobs) -> RetriedJobs:
    """Queue every job again that FAILED and is meant, each on its own: one that is refused stops no other."""
    with reading(site().engine) as session:
        job_ids = job_changes.failed_jobs(session, current_actor(), asked.filter())
    refused: list[RefusedRetry] = []
    for done, job_id in enumerate(job_ids):
        try:
            repeat_conflicts(lambda job_id=job_id: _retry_one(job_id))  # type: ignore[misc]
        except ModelyardError as error:
            refused.append({"id": job_id, "message": error.message})
        except DBAPIError as error:
            if not is_outage(error):
                raise
            raise Unavailable(
                f"The database stopped answering after {done - len(refused)} jobs were queued again. Ask once more."
            ) from error
    return {"retried": len(job_ids) - len(refused), "refused": refused}


def _retry_one(job_id: int) -> None:
    with transaction(site().engine) as session:
        job_changes.retry_job(session, current_actor(), job_id, lifecycle=site().lifecycle)


def _detail(session: Session, job_id: int) -> JobDetail:
    shown = registry.read_job(session, current_actor(), job_id)
    return job_detail(shown, registry.attempts_of(session, job_id))
