"""`modelyard job watch`: a bar that moves on a terminal, a line for each step where there is none."""

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from modelyard.console.client import Server
from modelyard.console.following import JobLog, Patience, job_of, lines_of, looks
from modelyard.console.job_tables import Job, amounts_text, is_over, log_text, outcome_text, standing
from modelyard.console.screens import printable

# Between two lines of the same step where there is no bar.
_STEP_S = 10.0


class View(Protocol):
    """Where a watched job is shown."""

    def __enter__(self) -> "View": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, job: Job) -> None:
        """Show where the job stands now."""


def watch(server: Server, job_id: int, *, out: Console, errors: Console) -> Job:
    """Show a job and its log until it is over; return it as it ended."""
    patience, log = Patience(errors), JobLog(server, job_id)
    view = Bar(out) if out.is_terminal else Lines(out)
    with view:
        for answer in looks(server, job_id, patience):
            job = job_of(answer)
            # After the job: what it says when it ends is written with its end.
            for page in log.pages(patience):
                for line in lines_of(page):
                    out.print(log_text(line), soft_wrap=True)
            view.show(job)
    out.print(outcome_text(job), soft_wrap=True)
    return job


class Bar:
    """A bar below the lines of the log; its numbers are the server's."""

    def __init__(self, out: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amounts]}"))
        self._progress = Progress(*columns, console=out, transient=True)
        self._task: TaskID = self._progress.add_task("", total=None, amounts="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        """Move the bar."""
        progress = job["progress"]
        by_bytes = bool(progress["bytes_total"])
        total = progress["bytes_total"] if by_bytes else progress["items_total"]
        attempt = f" (attempt {job['attempt']})" if job["attempt"] > 1 else ""
        self._progress.update(
            self._task,
            description=printable(_step(job)) + attempt,
            # Without a total the bar only shows that there is life.
            total=total or None,
            completed=progress["bytes_done"] if by_bytes else progress["items_done"],
            amounts=amounts_text(job),
        )


@dataclass(slots=True)
class Lines:
    """A line when something begins, and now and then while it goes on."""

    out: Console
    _told: tuple[object, ...] = ()
    _told_s: float = field(default=0.0)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, job: Job) -> None:
        """Print a line unless the last one says as much; the end is told by the caller."""
        now_s = time.monotonic()
        point = (job["status"], job["attempt"], job["cancel_requested"], _step(job))
        if is_over(job) or (point == self._told and now_s - self._told_s < _STEP_S):
            return
        self._told, self._told_s = point, now_s
        self.out.print(printable(f"{job['status']} (attempt {job['attempt']}) {standing(job)}"), soft_wrap=True)


def _step(job: Job) -> str:
    if job["status"] == "RUNNING":
        return job["progress"]["step"] or "Starting"
    return standing(job)
