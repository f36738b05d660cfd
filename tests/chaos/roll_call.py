"""The roll call after a storm: each worker that is left must still do jobs of both queues, all by itself."""

import random
import sqlite3
from typing import Final

import urllib3
from sqlalchemy import func, select

from modelyard.database.session import autocommit, transaction
from modelyard.jobs.guards import jobs
from modelyard.jobs.queue import JobQueue
from modelyard.rules.jobs import OPEN, JobKind
from tests.chaos.house import House
from tests.chaos.services import Service
from tests.waiting import wait_until

MODEL: Final = "roll-call"
# Frozen workers still wait for messages at the broker, and each of them swallows some before a ring comes through.
ALONE_S: Final = 60


def call_the_roll(house: House) -> list[str]:
    """Return the workers that live and yet leave a job undone, a line each."""
    wait_until(lambda: _is_whole(house), within_s=60, what="web servers and workers after the storm")
    _post(house, "registered-models/create", {"name": MODEL})
    return [line for worker in house.workers for line in _call(house, worker)]


def _is_whole(house: House) -> bool:
    """Start what is down; a quick drain may end before a worker killed last was due to be started again."""
    house.revive()
    return all(worker.alive for worker in house.workers) and house.answers()


def _call(house: House, worker: Service) -> list[str]:
    others = [other for other in house.workers if other is not worker]
    wait_until(lambda: _freeze(house, others), within_s=ALONE_S, what="workers that hold no lock")
    try:
        _ask_for_work(house)
        wait_until(lambda: _open_kinds(house) == [], within_s=ALONE_S)
    except AssertionError:
        return [f"7: {worker.name}, left alone, does not do: {', '.join(_open_kinds(house))}"]
    finally:
        for other in others:
            other.thaw()
    return []


def _freeze(house: House, others: list[Service]) -> bool:
    """Freeze these workers, or thaw them again if one of them would hold SQLite's write lock meanwhile."""
    for other in others:
        other.freeze_whole()
    if house.engine.dialect.name != "sqlite" or _may_write(house):
        return True
    for other in others:
        other.thaw()
    return False


def _may_write(house: House) -> bool:
    connection = sqlite3.connect(house.engine.url.database or "", timeout=0.5, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def _ask_for_work(house: House) -> None:
    """Enqueue a job on each queue."""
    source = house.sources.small(random.Random(0))
    _post(house, "model-versions/create", {"name": MODEL, "source": str(source.folder)})
    with transaction(house.engine) as session:
        JobQueue(ring=house.bell.ring).enqueue(session, JobKind.PROBE, requested_by=MODEL)


def _open_kinds(house: House) -> list[str]:
    with autocommit(house.engine) as connection:
        rows = connection.execute(
            select(jobs.c.kind, func.count()).where(jobs.c.status.in_(OPEN)).group_by(jobs.c.kind).order_by(jobs.c.kind)
        )
        return [kind for kind, _ in rows]


def _post(house: House, route: str, body: dict[str, str]) -> None:
    answer = urllib3.request("POST", f"{house.urls[-1]}/api/2.0/mlflow/{route}", json=body, timeout=30, retries=False)
    assert answer.status == 200, f"{route}: {answer.status} {answer.data.decode(errors='replace')}"
