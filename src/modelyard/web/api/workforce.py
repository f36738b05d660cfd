"""Routes of workers and queues in the native API."""

from collections import Counter
from typing import Annotated

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.jobs.broker import Bell
from modelyard.registry import workforce as registry
from modelyard.registry.workforce import QueueLoad, SeenWorker
from modelyard.rules.jobs import JobStatus
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class WorkerAnswer(TypedDict):
    """A worker: a main process with as many children as it has slots."""

    name: str
    host: str
    pid: Annotated[int, Field(description="Its main process.")]
    queues: Annotated[list[str], Field(description="The queues that it listens to.")]
    slots: Annotated[int, Field(description="Jobs that it does at once.")]
    running: Annotated[list[int], Field(description="The jobs that it runs now.")]
    started_at_ms: int
    seen_at_ms: int
    software_version: str
    alive: Annotated[bool, Field(description="Whether it has reported itself lately.")]


class WorkerList(TypedDict):
    """The workers seen within the last hour, by name."""

    workers: list[WorkerAnswer]


class QueueAnswer(TypedDict):
    """What waits in a queue, and who works on it."""

    queue: str
    queued: int
    running: int
    oldest_age_ms: Annotated[
        int | None, Field(description="For how long the job that waits longest could have run; null when none could.")
    ]
    depth: Annotated[int | None, Field(description="Messages at the broker; null when it does not answer.")]
    succeeded_last_hour: int
    failed_last_hour: int
    workers: Annotated[int, Field(description="Workers that are alive and listen to it.")]
    slots: Annotated[int, Field(description="Jobs that these workers do at once, of all of their queues.")]


class QueueList(TypedDict):
    """The queues."""

    queues: list[QueueAnswer]


def list_workers() -> WorkerList:
    """List the workers, and what each of them runs, as far as one may see it."""
    with reading(site().engine) as session:
        found = registry.seen_workers(session, current_actor(), sweep_ms=site().sweep_ms)
        return {"workers": [_worker(seen) for seen in found]}


def list_queues() -> QueueList:
    """List the queues with what waits, runs and has ended within the last hour."""
    with reading(site().engine) as session:
        loads = registry.queue_loads(session, sweep_ms=site().sweep_ms)
        ended = registry.ended_last_hour(session)
    # Outside of the transaction, since a broker that hangs takes a second.
    return {"queues": [_queue(load, ended, site().bell) for load in loads]}


def _worker(seen: SeenWorker) -> WorkerAnswer:
    worker = seen.worker
    return {
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "queues": seen.queues,
        "slots": worker.concurrency,
        "running": seen.running,
        "started_at_ms": worker.started_at_ms,
        "seen_at_ms": worker.seen_at_ms,
        "software_version": worker.software_version,
        "alive": seen.alive,
    }


def _queue(load: QueueLoad, ended: Counter[tuple[str, str]], bell: Bell | None) -> QueueAnswer:
    return {
        "queue": load.queue,
        "queued": load.jobs[JobStatus.QUEUED],
        "running": load.jobs[JobStatus.RUNNING],
        "oldest_age_ms": load.oldest_age_ms,
        "depth": bell.depth(load.queue) if bell else None,
        "succeeded_last_hour": ended[load.queue, JobStatus.SUCCEEDED],
        "failed_last_hour": ended[load.queue, JobStatus.FAILED],
        "workers": load.workers,
        "slots": load.slots,
    }
