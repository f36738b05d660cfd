"""What the sweep does besides jobs: saying that this worker is there, and clearing away what nobody owns."""

import os
import socket
import time
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from modelyard import __version__
from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.errors import ModelyardError
from modelyard.jobs import schedules
from modelyard.jobs.counters import BATCH, ENDED, fold_attempts
from modelyard.jobs.guards import jobs
from modelyard.registry import blobs, purges
from modelyard.registry.purges import DuePurge
from modelyard.rules.jobs import JobStatus
from modelyard.storage.store import Staging
from modelyard.worker.context import Context

log = structlog.get_logger(__name__)

workers = metadata.tables["workers"]
idempotency_keys = metadata.tables["idempotency_keys"]

outbox = metadata.tables["outbox_events"]

# Nobody wants to hear of what happened longer ago.
OUTBOX_DAYS = 30
DAY_S = 24 * 3600
DAY_MS = DAY_S * 1000
HOUR_MS = DAY_MS // 24
_COUNTED_BATCHES = 10
# The next round finds the others; a sweep has more to do.
PURGES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Presence:
    """A chore: enters this worker's main process into `workers`, and forgets those not seen for an hour."""

    context: Context
    name: str
    queues: tuple[str, ...]
    concurrency: int

    def __call__(self) -> None:
        """Say once that this worker is there."""
        row = {
            "name": self.name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "queues": ",".join(self.queues),
            "concurrency": self.concurrency,
            "software_version": __version__,
            "started_at_ms": now_ms(),
            "seen_at_ms": now_ms(),
        }
        with transaction(self.context.engine) as session:
            upsert = insert_or(session, workers).values(row)
            session.execute(upsert.on_conflict_do_update(index_elements=["name"], set_={"seen_at_ms": now_ms()}))
            session.execute(delete(workers).where(workers.c.seen_at_ms < now_ms() - HOUR_MS))


@dataclass(frozen=True, slots=True)
class Counting:
    """A chore: adds what ended attempts tell to the counters of `/metrics`, which need not read them all then."""

    context: Context

    def __call__(self) -> None:
        """Count up to a few batches; what is left waits for the next round."""
        for _ in range(_COUNTED_BATCHES):
            if repeat_conflicts(self._count_batch) < BATCH:
                return

    def _count_batch(self) -> int:
        with transaction(self.context.engine) as session:
            return fold_attempts(session, ENDED)


@dataclass(slots=True)
class Cleaning:
    """A chore: every `every` rounds removes old idempotency keys, expired uploads and staging without an owner, and
    has what lay in the trash long enough purged.

    The process that sweeps also forks the worker's children; a store that does not bear that is left to them.
    """

    context: Context
    every: int = 12
    _rounds: int = 0

    def __call__(self) -> None:
        """Count a round, and clean when it is time."""
        self._rounds += 1
        if self._rounds % self.every != 1:
            return
        with transaction(self.context.engine) as session:
            session.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at_ms < now_ms() - DAY_MS))
            session.execute(delete(outbox).where(outbox.c.created_at_ms < now_ms() - OUTBOX_DAYS * DAY_MS))
            blobs.expire_uploads(session)
        if self.context.store.survives_fork:
            tidy_store(self.context)
        enqueue_due_purges(self.context)


def enqueue_due_purges(context: Context) -> int:
    """Enqueue the purge of what lay in the trash long enough, each in a transaction of its own; return how many."""
    trash_ms = context.trash_ms
    with reading(context.engine) as session:
        due = purges.due_purges(session, trash_ms=trash_ms, limit=PURGES_AT_ONCE)

    def enqueue(one: DuePurge) -> bool:
        with transaction(context.engine) as session:
            return purges.enqueue_due_purge(session, one, context.lifecycle, trash_ms=trash_ms, by=schedules.ACTOR)

    return sum(repeat_conflicts(partial(enqueue, one)) for one in due)


@dataclass(slots=True)
class Tidying:
    """What a worker's child does after a job, at most every `every_s`: tidies a store that only children may use."""

    context: Context
    every_s: float = 60.0
    _next_s: float = 0.0

    def __call__(self) -> None:
        """Tidy when it is time. What fails is left for the next time."""
        if self.context.store.survives_fork or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self.every_s
        try:
            tidy_store(self.context)
        except (ModelyardError, DBAPIError) as error:
            log.warning("the store was not tidied", reason=str(error).splitlines()[0])


def tidy_store(context: Context) -> None:
    """Remove what interrupted work left in the store."""
    remove_lost_staging(context)
    # Nothing is written for so long: a job ends within a day, and so does an upload.
    remnants = context.store.remove_remnants(2 * DAY_S)
    if remnants:
        log.info("removed remnants of interrupted writes", number=remnants)


def remove_lost_staging(context: Context) -> list[str]:
    """Remove staging folders whose attempt is over; return their names.

    The folders are listed first and the database is asked then: a folder made in between is not judged by an older
    answer.
    """
    staging = context.store.list_staging()
    if not staging:
        return []
    with reading(context.engine) as session:
        lost = [folder.name for folder in staging if not _is_owned(session, folder)]
    for name in lost:
        context.store.remove_staging(name)
        log.info("removed a staging folder that nobody owns", folder=name)
    return lost


def _is_owned(session: Session, folder: Staging) -> bool:
    if folder.job_id == 0:
        # An upload through the web belongs to its request, which no row tells of.
        return folder.age_s < DAY_S
    row = session.execute(
        select(jobs.c.id).where(
            jobs.c.id == folder.job_id, jobs.c.attempt == folder.attempt, jobs.c.status == JobStatus.RUNNING
        )
    ).one_or_none()
    return row is not None
