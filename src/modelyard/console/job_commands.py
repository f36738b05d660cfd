"""`modelyard job`: what people ask about jobs, and what they tell them, over HTTP from any machine."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from modelyard.console.client import Answer
from modelyard.console.connection import connected
from modelyard.console.following import JobLog, OutOfTime, Patience, job_of, lines_of, looks
from modelyard.console.job_tables import Job, is_over, job_details, job_table, log_text, outcome_text, standing
from modelyard.console.moments import parse_moment
from modelyard.console.screens import printable, screen
from modelyard.console.watching import watch
from modelyard.errors import InvalidValue
from modelyard.rules.jobs import JobStatus

app = typer.Typer(
    help="List, follow, cancel and retry background jobs of the server at MODELYARD_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

OUT_OF_TIME = 3
INTERRUPTED = 130

JobId = Annotated[int, typer.Argument(help="Number of the job.", metavar="ID", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="Kind, such as register_version; may be repeated.", metavar="KIND")
]
Queue = Annotated[str | None, typer.Option(help="Queue, such as copy.", metavar="QUEUE")]
Model = Annotated[str | None, typer.Option(help="Name of a registered model.", metavar="NAME")]
Actor = Annotated[str | None, typer.Option(help="Who asked for the job.", metavar="NAME")]
After = Annotated[
    str | None, typer.Option(help="Created after: 2h (that long ago), 2026-11-25, 2026-11-25T17:00Z.", metavar="WHEN")
]
Before = Annotated[str | None, typer.Option(help="Created before; written like --created-after.", metavar="WHEN")]


@app.command("list")
def list_jobs(
    status: Annotated[
        list[str] | None, typer.Option(help="Status, such as FAILED; may be repeated.", metavar="STATUS")
    ] = None,
    kind: Kinds = None,
    queue: Queue = None,
    model: Model = None,
    version: Annotated[int | None, typer.Option(help="Number of a version of --model.", metavar="NUMBER")] = None,
    actor: Actor = None,
    created_after: After = None,
    created_before: Before = None,
    max_results: Annotated[int, typer.Option(help="Jobs on a page, at most 1000.", metavar="NUMBER")] = 50,
    page_token: Annotated[
        str | None, typer.Option(help="The next_page_token of the page before.", metavar="TOKEN")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Read on until the last page.")] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    query: dict[str, Any] = {
        **_meant(queue=queue, model=model, actor=actor, created_after=created_after, created_before=created_before),
        "status": [word.upper() for word in status or []],
        "kind": kind or [],
        "version": version,
        "max_results": max_results,
        "page_token": page_token,
    }
    with connected() as server:
        answer = server.get("/jobs", query)
        document = answer.document()
        while everything and (token := document.pop("next_page_token", None)):
            following = server.get("/jobs", {**query, "page_token": token}).document()
            document = {**following, "jobs": document["jobs"] + following["jobs"]}
    if as_json:
        print(json.dumps(document) if everything else answer.text)
        return
    out = screen()
    out.print(job_table(document["jobs"], width=out.width) if document["jobs"] else "No jobs.")
    if token := document.get("next_page_token"):
        screen(sys.stderr).print(
            f"There are more: --all shows them, --page-token {token} the next page.", soft_wrap=True
        )


@app.command()
def show(job_id: JobId, as_json: AsJson = False) -> None:
    """Show everything about a job, its attempts included."""
    with connected() as server:
        answer = server.get(f"/jobs/{job_id}")
    if as_json:
        print(answer.text)
    else:
        screen().print(job_details(job_of(answer)))


@app.command("log")
def show_log(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job is over.")] = False,
    after: Annotated[int, typer.Option(help="Begin behind this offset.", min=0, metavar="OFFSET")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print what a job's attempts have said, a line each."""
    out, patience = screen(), Patience(screen(sys.stderr))
    with connected() as server, _interruptible(f"Stopped following; job {job_id} goes on."):
        log = JobLog(server, job_id, after)

        def print_pages() -> None:
            for page in log.pages(patience):
                if as_json:
                    print(page, end="", flush=True)
                    continue
                for line in lines_of(page):
                    out.print(log_text(line), soft_wrap=True)

        for _ in looks(server, job_id, patience) if follow else [None]:
            print_pages()


@app.command()
def cancel(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a job: at once while it waits, and as soon as its worker hears of it while it runs."""
    with connected() as server:
        answer = server.post(f"/jobs/{job_id}/cancel")
    job = job_of(answer)
    asked = "" if is_over(job) else " Its worker was asked to stop; `modelyard job wait` tells when it has."
    _print(answer, f"Job {job_id} is {job['status']}.{asked}", as_json=as_json)


@app.command()
def retry(
    job_id: Annotated[int | None, typer.Argument(help="Number of the job.", metavar="[ID]", min=1)] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every FAILED job that the options below mean.")] = False,
    kind: Kinds = None,
    queue: Queue = None,
    model: Model = None,
    actor: Actor = None,
    created_after: After = None,
    created_before: Before = None,
    as_json: AsJson = False,
) -> None:
    """Queue a job again that FAILED or was CANCELLED, or every FAILED one; its history is kept.

    Exits with 1 when one of several was refused.
    """
    meant = _meant(queue=queue, model=model, actor=actor, created_after=created_after, created_before=created_before)
    meant |= {"kind": kind} if kind else {}
    if (job_id is None) != failed or (job_id is not None and meant):
        raise InvalidValue("Say which: a job's number, or --failed with any of the options that tell jobs apart.")
    with connected() as server:
        answer = server.post(f"/jobs/{job_id}/retry") if job_id else server.post("/jobs/retry", meant)
    if job_id:
        _print(answer, f"Job {job_id} is {job_of(answer)['status']} again.", as_json=as_json)
        return
    retried = answer.document()
    refused = [f"Job {job['id']} stays FAILED: {job['message']}" for job in retried["refused"]]
    _print(answer, f"Jobs that are QUEUED again: {retried['retried']}.", *refused, as_json=as_json)
    raise typer.Exit(1 if refused else 0)


@app.command()
def wait(
    job_id: JobId,
    timeout_s: Annotated[
        float, typer.Option(help="Give up after so many seconds, with status 3.", min=0, metavar="SECONDS")
    ] = float("inf"),
    as_json: AsJson = False,
) -> None:
    """Wait until a job is over: 0 when it SUCCEEDED, 1 when it FAILED or was CANCELLED, 3 when the time is."""
    patience = Patience(screen(sys.stderr), deadline_s=time.monotonic() + timeout_s)
    answer: Answer | None = None
    in_time = True
    with connected() as server, _interruptible(f"Stopped waiting; job {job_id} goes on."):
        try:
            for look in looks(server, job_id, patience):
                answer = look
        except OutOfTime:
            in_time = False
    if answer is None:
        raise typer.Exit(OUT_OF_TIME)
    job = job_of(answer)
    told = outcome_text(job) if in_time else f"Job {job_id} is {job['status']} after {timeout_s:g} s: {standing(job)}"
    _print(answer, told, as_json=as_json)
    raise typer.Exit(_status_of(job) if in_time else OUT_OF_TIME)


@app.command("watch")
def watch_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Watch a job until it is over; exits as `wait` does. Ctrl-C ends the watching, not the job."""
    out, errors = screen(), screen(sys.stderr)
    with connected() as server, _interruptible(f"Stopped watching; job {job_id} goes on."):
        if as_json:
            told = ""
            for answer in looks(server, job_id, Patience(errors)):
                if answer.text != told:
                    print(answer.text, flush=True)
                told = answer.text
            job = job_of(answer)
        else:
            job = watch(server, job_id, out=out, errors=errors)
    raise typer.Exit(_status_of(job))


def _meant(*, created_after: str | None, created_before: str | None, **named: str | None) -> dict[str, Any]:
    """Return the filters that are given, as the API names them."""
    now_ms = int(time.time() * 1000)
    moments = {"created_after_ms": created_after, "created_before_ms": created_before}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return given | {name: parse_moment(text, now_ms=now_ms) for name, text in moments.items() if text is not None}


def _print(answer: Answer, *lines: str, as_json: bool) -> None:
    """Print an answer as it came, or what it means."""
    if as_json:
        print(answer.text)
        return
    for line in lines:
        screen().print(printable(line), soft_wrap=True)


def _status_of(job: Job) -> int:
    return 0 if job["status"] == JobStatus.SUCCEEDED else 1


@contextmanager
def _interruptible(told: str) -> Iterator[None]:
    """Let Ctrl-C end the looking, and say that it ended nothing else."""
    try:
        yield
    except KeyboardInterrupt:
        screen(sys.stderr).print(told, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
