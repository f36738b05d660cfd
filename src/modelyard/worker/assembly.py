"""How a worker's processes are put together: a context in each child, a sweep in the main process."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import structlog
from celery import Celery

from modelyard.jobs.sweep import Broker, Sweep
from modelyard.worker.beliefs import Beliefs, ZombieWatch
from modelyard.worker.chores import Cleaning, Counting, Presence, Tidying
from modelyard.worker.context import Context
from modelyard.worker.drain import DrainFlag
from modelyard.worker.tasks import register_tasks

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Assembly:
    """The parts of one worker. `open_context` connects; it is called in each process after its fork."""

    open_context: Callable[[DrainFlag], tuple[Context, Broker]]
    queues: Sequence[str]
    concurrency: int
    sweep_s: float
    beliefs: Beliefs = field(init=False)
    _flag: DrainFlag | None = None
    _context: Context | None = None
    _tidying: Tidying | None = None

    def __post_init__(self) -> None:
        self.beliefs = Beliefs(self.concurrency)

    def register(self, app: Celery, flag: DrainFlag) -> None:
        """Before the pool forks: name the tasks, connect nothing."""
        self._flag = flag
        register_tasks(app, self._child_context, self.beliefs, self._tidy)

    def start_child(self) -> None:
        """In each child: connect; the note of a child that died in this place is struck out."""
        self._context, _ = self.open_context(self._drain_flag())
        self._tidying = Tidying(self._context)
        self.beliefs.drop()

    def start_main(self, app: Celery, pids: Callable[[], Collection[int]]) -> None:
        """In the main process: sweep from a daemon thread, which bears being cut anywhere."""
        context, broker = self.open_context(self._drain_flag())
        name = f"{socket.gethostname()}:{os.getpid()}"
        sweep = Sweep(
            context.lifecycle,
            broker,
            period_s=self.sweep_s,
            chores=[
                Presence(context, name, tuple(self.queues), self.concurrency),
                ZombieWatch(context.engine, self.beliefs, pids, lease_s=context.lifecycle.lease_ms / 1000),
                Cleaning(context),
            ],
            last_chores=[Counting(context)],
        )
        # Said at once, so that nobody is told for a whole period that there is no worker.
        sweep.chores[0]()
        threading.Thread(target=sweep_for_ever, args=[sweep], name="sweep", daemon=True).start()

    def _child_context(self) -> Context:
        if self._context is None:
            raise RuntimeError("a task was run in a process that was not set up as a worker's child")
        return self._context

    def _tidy(self) -> None:
        if self._tidying is not None:
            self._tidying()

    def _drain_flag(self) -> DrainFlag:
        if self._flag is None:
            raise RuntimeError("the tasks were not registered before the pool forked")
        return self._flag


def sweep_for_ever(sweep: Sweep) -> None:
    """Sweep as long as this process lives; a defect that ends the sweep ends the process, too.

    A worker that only stopped to sweep would look well, and leave lost jobs to others that may have stopped as it has.
    """
    try:
        sweep.run(threading.Event())
    finally:
        log.critical("the sweep has ended; this worker stops, to be started anew", exc_info=True)
        os.kill(os.getpid(), signal.SIGTERM)
