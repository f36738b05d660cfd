"""Looking at a job until it is over, through any number of server restarts."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich.console import Console

from modelyard.console.client import Answer, Query, Server, ServerAway
from modelyard.console.job_tables import Job, is_over

Said = TypeVar("Said")

# The most lines of a log that one answer may hold.
PAGE_LINES = 1000
_SHORTEST_S = 0.1
_LONGEST_S = 2.0


class OutOfTime(Exception):
    """The time that the caller gave is over, and the job is not."""


@dataclass(slots=True)
class Patience:
    """Asks a server again while it is away, and tells `errors` so, once for each time that it goes and comes back.

    A server that never answered is no restart but a wrong address: that is raised at once.
    """

    errors: Console
    deadline_s: float = float("inf")
    sleep: Callable[[float], None] = time.sleep
    _reached: bool = False
    _away: bool = False

    def ask(self, question: Callable[[], Said]) -> Said:
        """Return what `question` returns. Raises OutOfTime, and what `question` raises but ServerAway."""
        while True:
            try:
                answer = question()
            except ServerAway as error:
                if not self._reached:
                    raise
                self._tell(error)
                self.pause(_LONGEST_S / 2)
                continue
            if self._away:
                self.errors.print("modelyard: the server answers again.")
            self._reached, self._away = True, False
            return answer

    def pause(self, pause_s: float) -> None:
        """Wait, but not beyond the deadline. Raises OutOfTime."""
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise OutOfTime
        self.sleep(min(pause_s, left_s))

    def _tell(self, error: ServerAway) -> None:
        if not self._away:
            told = f"modelyard: {error.message} Trying again; the job goes on without it."
            self.errors.print(told, soft_wrap=True)
        self._away = True


@dataclass(slots=True)
class JobLog:
    """A job's log, read on from where the last reading ended."""

    server: Server
    job_id: int
    after: int = 0
    status: str = field(default="", init=False)

    def read(self) -> str:
        """Return the next lines as the API's JSON lines, "" for none; `status` is the job's, read before them."""
        query: Query = {"after": self.after, "max_results": PAGE_LINES, "format": "jsonl"}
        answer = self.server.get(f"/jobs/{self.job_id}/log", query)
        self.after = int(answer.headers.get("X-Next-Offset", self.after))
        self.status = answer.headers.get("X-Job-Status", "")
        return answer.text

    def pages(self, patience: Patience) -> Iterator[str]:
        """Yield what is there by now, page by page."""
        while page := patience.ask(self.read):
            yield page
            if page.count("\n") < PAGE_LINES:
                return


def lines_of(page: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that a page of a log holds."""
    yield from (json.loads(line) for line in page.splitlines() if line)


def looks(server: Server, job_id: int, patience: Patience) -> Iterator[Answer]:
    """Yield what the server says of a job until it is over, the last answer included.

    The pause before each look is a tenth of what has passed, so that a short job is not kept waiting for.
    """
    began_s = time.monotonic()
    while True:
        answer = patience.ask(lambda: server.get(f"/jobs/{job_id}"))
        yield answer
        if is_over(job_of(answer)):
            return
        patience.pause(min(_LONGEST_S, max(_SHORTEST_S, (time.monotonic() - began_s) / 10)))


def job_of(answer: Answer) -> Job:
    """Return the job that an answer is about."""
    job: Job = answer.document()["job"]
    return job
