"""Looks at the jobs again and again while a storm lasts: what may never happen must not happen for a moment either."""

import threading
from collections import Counter

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.session import autocommit
from modelyard.jobs.guards import jobs
from modelyard.rules.jobs import FINAL, JobStatus

PERIOD_S = 0.25


class Watcher(threading.Thread):
    """Collects breaches of the invariants of jobs.md that only show over time, until `stop` is set."""

    def __init__(self, engine: Engine, stop: threading.Event) -> None:
        super().__init__(name="watcher")
        self.breaches: list[str] = []
        self.looks = 0
        self._engine = engine
        self._halt = stop
        self._seen: dict[int, tuple[str, int]] = {}

    def run(self) -> None:
        """Look until told to stop; an outage only costs looks."""
        while not self._halt.wait(PERIOD_S):
            try:
                self._look()
            except SQLAlchemyError:
                continue

    def _look(self) -> None:
        with autocommit(self._engine) as connection:
            rows = connection.execute(select(jobs.c.id, jobs.c.status, jobs.c.attempt, jobs.c.subject)).all()
        self.looks += 1
        for row in rows:
            status, attempt = self._seen.get(row.id, ("", 0))
            if status in FINAL and row.status != status:
                self.breaches.append(f"2: job {row.id} was {status}, which is final, and became {row.status}")
            if row.attempt < attempt:
                self.breaches.append(f"2: the attempt of job {row.id} fell from {attempt} to {row.attempt}")
            self._seen[row.id] = (row.status, row.attempt)
        running = Counter(row.subject for row in rows if row.status == JobStatus.RUNNING and row.subject)
        self.breaches += [
            f"3: {count} jobs of {subject} ran at once" for subject, count in running.items() if count > 1
        ]
