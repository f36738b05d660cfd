"""One storm: a house is opened, faults blow while clients register, calm returns, and everything is looked at."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.session import autocommit
from modelyard.jobs.guards import jobs
from modelyard.rules.jobs import OPEN, JobStatus
from tests.chaos.clients import PATIENCE_S, Client
from tests.chaos.faults import Faults
from tests.chaos.house import House
from tests.chaos.roll_call import call_the_roll
from tests.chaos.verdict import Verdict, judge
from tests.chaos.watcher import Watcher

CLIENTS: Final = 4
TICK_S: Final = 0.02
TIDY_S: Final = 45


@dataclass
class Outcome:
    """What one storm came to. Times are seconds; `drain_s` is None when jobs were still open in the end."""

    title: str
    faults: Counter[str]
    tries: int
    jobs: int
    attempts: Counter[int]
    drain_s: float | None
    verdict: Verdict
    surprises: Counter[str] = field(default_factory=Counter)
    folder: str = ""

    @property
    def violations(self) -> list[str]:
        """Everything that is wrong."""
        surprises = [f"{count} times answered {text}" for text, count in self.surprises.items()]
        return self.verdict.violations + surprises


@dataclass
class Storm:
    """A storm of `seconds` over `database` ("sqlite" or "postgresql"), the same faults for the same seed.

    `drain_s` is how long the jobs may take to end afterwards. Runs in the main thread.
    """

    database: str
    seed: int
    seconds: float
    sweep: bool = True
    drain_s: float = 330

    def run(self) -> Outcome:
        """Let it happen; the house's files stay when something is wrong."""
        house = House(self.database, sweep=self.sweep)
        violated = True
        try:
            house.open(random.Random(self.seed))
            outcome = self._run(house)
            violated = bool(outcome.violations)
            outcome.folder = str(house.folder) if violated else ""
            return outcome
        finally:
            house.calm_down()
            house.close(keep_files=violated)

    def _run(self, house: House) -> Outcome:
        over = threading.Event()
        clients = [Client(house, number, self.seed, over) for number in range(1, CLIENTS + 1)]
        watched = threading.Event()
        watcher = Watcher(house.engine, watched)
        faults = Faults(house, random.Random(self.seed))
        for thread in (*clients, watcher):
            thread.start()
        try:
            self._blow(house, faults)
        finally:
            over.set()
            faults.do_the_rest()
            house.calm_down()
            drain_s = self._drain(house, clients)
            watched.set()
            watcher.join()
        verdict = judge(house, [wish for client in clients for wish in client.wishes])
        verdict.broken += watcher.breaches
        if self.sweep:
            verdict.broken += call_the_roll(house)
        return Outcome(
            title=f"{self.database}, seed {self.seed}, {self.seconds:.0f} s{'' if self.sweep else ', WITHOUT SWEEP'}",
            faults=faults.happened,
            tries=sum(client.tries for client in clients),
            jobs=_count_jobs(house),
            attempts=_attempts(house),
            drain_s=drain_s,
            verdict=verdict,
            surprises=sum((client.surprises for client in clients), Counter()),
        )

    def _blow(self, house: House, faults: Faults) -> None:
        """About one fault a second; what died is started again a moment later."""
        end_s = time.monotonic() + self.seconds
        next_s = time.monotonic() + 1
        while (now_s := time.monotonic()) < end_s:
            faults.do_what_is_due()
            if now_s >= next_s:
                faults.blow()
                next_s += faults.rng.uniform(0.5, 1.5)
            house.revive()
            time.sleep(TICK_S)

    def _drain(self, house: House, clients: list[Client]) -> float | None:
        """Keep the house up until no job is open; return how long that took after the storm."""
        began_s = time.monotonic()
        while any(client.is_alive() for client in clients) and time.monotonic() < began_s + 3 * PATIENCE_S:
            house.revive()
            time.sleep(TICK_S)
        while (passed_s := time.monotonic() - began_s) < self.drain_s:
            house.revive()
            if _count_jobs(house, OPEN) == 0 and house.answers():
                _wait_for_tidiness(house)
                return passed_s
            time.sleep(0.1)
        return None


def _wait_for_tidiness(house: House) -> None:
    """Give the sweeps time to clear away what lost attempts left in the staging area."""
    end_s = time.monotonic() + TIDY_S
    while any((house.store / "ingest").iterdir()) and time.monotonic() < end_s:
        house.revive()
        time.sleep(0.1)


def _count_jobs(house: House, statuses: frozenset[JobStatus] = frozenset(JobStatus)) -> int:
    """Return how many jobs there are, -1 when the database does not answer."""
    try:
        with autocommit(house.engine) as connection:
            return connection.scalar(select(func.count()).where(jobs.c.status.in_(statuses))) or 0
    except SQLAlchemyError:
        return -1


def _attempts(house: House) -> Counter[int]:
    """Return attempts -> how many jobs took so many."""
    with autocommit(house.engine) as connection:
        return Counter(connection.scalars(select(jobs.c.attempt)).all())
