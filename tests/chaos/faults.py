"""What a storm does to a house, one fault at a time: kind -> what is done at once, and what follows later."""

import heapq
import itertools
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import redis
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.session import autocommit
from modelyard.jobs.guards import jobs
from modelyard.rules.jobs import OPEN, JobStatus
from tests.chaos.house import LEASE_S, House
from tests.chaos.services import Service

RINGS_AT_ONCE: Final = 20


@dataclass
class Faults:
    """The faults of one storm, drawn like cards from a shuffled deck, so that a short storm sees each kind too.

    Everything runs in the caller's thread, which has to be the main one: processes are started here.
    """

    house: House
    rng: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    _deck: list[str] = field(default_factory=list)
    _agenda: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def blow(self) -> None:
        """Let one fault happen; a kind that cannot happen now goes back under the deck."""
        for _ in range(len(KINDS)):
            if not self._deck:
                self._deck = [kind for kind, (times, _) in KINDS.items() for _ in range(times)]
                self.rng.shuffle(self._deck)
            kind = self._deck.pop()
            if KINDS[kind][1](self):
                self.happened[kind] += 1
                return
            self._deck.insert(0, kind)

    def later(self, delay_s: float, action: Callable[[], object]) -> None:
        """Do something when some time has passed."""
        heapq.heappush(self._agenda, (time.monotonic() + delay_s, next(self._numbers), action))

    def do_what_is_due(self) -> None:
        """Do what was put off until now."""
        while self._agenda and self._agenda[0][0] <= time.monotonic():
            heapq.heappop(self._agenda)[2]()

    def do_the_rest(self) -> None:
        """Do at once everything that was put off, since the storm is over."""
        while self._agenda:
            heapq.heappop(self._agenda)[2]()

    def running_pids(self) -> list[int]:
        """Return the processes that run a job now, as the database tells it; none when it does not answer."""
        try:
            with autocommit(self.house.engine) as connection:
                owners = connection.scalars(select(jobs.c.worker).where(jobs.c.status == JobStatus.RUNNING)).all()
        except SQLAlchemyError:
            return []
        return [int(owner.split(":")[1]) for owner in owners]


def _standing(faults: Faults, services: list[Service]) -> Service | None:
    """Return one of those that run and are not frozen."""
    standing = [service for service in services if service.alive and not service.frozen]
    return faults.rng.choice(standing) if standing else None


def _busy_child(faults: Faults) -> tuple[Service, int] | None:
    """Return a worker and the pid of a child of it: one that runs a job where there is one."""
    owners = set(faults.running_pids())
    found = [(worker, child.pid) for worker in faults.house.workers if not worker.frozen for child in worker.children()]
    busy = [pair for pair in found if pair[1] in owners]
    return faults.rng.choice(busy or found) if found else None


def _kill_worker(faults: Faults) -> bool:
    worker = _standing(faults, faults.house.workers)
    if worker:
        worker.send(signal.SIGKILL)
    return worker is not None


def _kill_child(faults: Faults) -> bool:
    chosen = _busy_child(faults)
    if chosen:
        _signal(chosen[1], signal.SIGKILL)
    return chosen is not None


def _drain_worker(faults: Faults) -> bool:
    worker = _standing(faults, faults.house.workers)
    if worker:
        worker.send(signal.SIGTERM)
    return worker is not None


def _freeze_worker(faults: Faults) -> bool:
    worker = _standing(faults, faults.house.workers)
    if worker:
        worker.freeze_whole()
        faults.later(_longer_than_a_lease(faults), worker.thaw)
    return worker is not None


def _freeze_child(faults: Faults) -> bool:
    chosen = _busy_child(faults)
    if chosen:
        chosen[0].freeze([chosen[1]])
        faults.later(_longer_than_a_lease(faults), chosen[0].thaw)
    return chosen is not None


def _longer_than_a_lease(faults: Faults) -> float:
    return LEASE_S * faults.rng.uniform(1.4, 2.5)


def _kill_web(faults: Faults) -> bool:
    web = _standing(faults, faults.house.webs)
    if web:
        web.send(signal.SIGKILL)
    return web is not None


def _kill_web_child(faults: Faults) -> bool:
    children = [child.pid for web in faults.house.webs for child in web.children()]
    if children:
        _signal(faults.rng.choice(children), signal.SIGKILL)
    return bool(children)


def _set_trapdoor(faults: Faults) -> bool:
    """Have the next web process die that comes by between its commit and its ring."""
    if faults.house.trapdoor.exists():
        return False
    faults.house.trapdoor.touch()
    return True


def _kill_broker(faults: Faults) -> bool:
    broker = faults.house.broker
    if broker.process is None:
        return False
    broker.kill()
    faults.later(faults.rng.uniform(0.1, 2.0), lambda: broker.process or broker.start())
    return True


def _hang_broker(faults: Faults) -> bool:
    broker = faults.house.broker
    if broker.process is None:
        return False
    broker.freeze()
    # It may have been killed and started again by then.
    faults.later(faults.rng.uniform(1.0, 4.0), lambda: broker.process and broker.thaw())
    return True


def _flush_broker(faults: Faults) -> bool:
    try:
        # Not `Valkey.flush`, which would wait for ever for a server that hangs.
        with redis.Redis(port=faults.house.broker.port, socket_timeout=1) as client:
            client.flushall()
    except redis.RedisError:
        return False
    return True


def _stop_database(faults: Faults) -> bool:
    server = faults.house.postgresql
    if server is None:
        return _lock_database(faults)
    if server.process is None:
        return False
    server.kill()
    faults.later(faults.rng.uniform(0.2, 2.5), lambda: server.process or server.start())
    return True


def _lock_database(faults: Faults) -> bool:
    """Hold SQLite's write lock, sometimes for longer than a lease: the nearest to an outage that it knows."""
    connection = sqlite3.connect(faults.house.engine.url.database or "", timeout=5, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        connection.close()
        return False
    faults.later(faults.rng.uniform(0.5, 1.5 * LEASE_S), connection.close)
    return True


def _double_rings(faults: Faults) -> bool:
    """Ring many times for some jobs, most of them open."""
    try:
        with autocommit(faults.house.engine) as connection:
            newest = connection.scalar(select(func.max(jobs.c.id))) or 0
            chosen = jobs.c.status.in_(OPEN) | (jobs.c.id == newest) | (jobs.c.id == faults.rng.randint(0, newest))
            rows = connection.execute(select(jobs.c.id, jobs.c.kind, jobs.c.queue).where(chosen).limit(5)).all()
    except SQLAlchemyError:
        return False
    rung = [faults.house.bell.ring(row.kind, row.queue, row.id) for row in rows for _ in range(RINGS_AT_ONCE)]
    return any(rung)


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


# kind -> how often it lies in the deck, and what it does; False when it cannot happen now.
KINDS: Final[dict[str, tuple[int, Callable[[Faults], bool]]]] = {
    "worker killed": (2, _kill_worker),
    "worker's child killed": (3, _kill_child),
    "worker frozen": (1, _freeze_worker),
    "worker's child frozen": (2, _freeze_child),
    "worker drained": (1, _drain_worker),
    "web server killed": (1, _kill_web),
    "web process killed": (2, _kill_web_child),
    "web process killed before its ring": (2, _set_trapdoor),
    "broker killed": (1, _kill_broker),
    "broker hung": (1, _hang_broker),
    "broker flushed": (1, _flush_broker),
    "database stopped": (2, _stop_database),
    "rings doubled": (2, _double_rings),
}
