"""Jobs that a command asked for: waited for until they are over, told in their own words."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from modelyard.console.client import Answer, Server
from modelyard.console.following import Patience, job_of, looks
from modelyard.console.job_tables import Job
from modelyard.console.screens import printable, screen
from modelyard.rules.jobs import JobStatus

INTERRUPTED = 130


def tell_outcome(server: Server, asked: Answer, *, wait: bool) -> Job:
    """Print what became of the job that `asked` answers with, or only its number without `wait`; return the job.

    Exits with 1 when it did not succeed.
    """
    job: Job = job_of(asked)
    out, errors = screen(), screen(sys.stderr)
    if not wait:
        out.print(f"Job {job['id']} is {job['status']}; `modelyard job watch {job['id']}` follows it.", soft_wrap=True)
        return job
    with _interruptible(job["id"]):
        for look in looks(server, job["id"], Patience(errors)):
            job = job_of(look)
    if job["status"] == JobStatus.SUCCEEDED:
        out.print(printable(job["status_message"] or "Done."), soft_wrap=True)
        return job
    errors.print(f"Job {job['id']} is {job['status']}: {printable(job['status_message'])}", soft_wrap=True)
    raise typer.Exit(1)


@contextmanager
def _interruptible(job_id: Any) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        screen(sys.stderr).print(f"Stopped waiting; job {job_id} goes on.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
