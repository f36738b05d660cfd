"""Draining: how a worker that was asked to stop lets go of its jobs.

Celery's own soft shutdown tells nobody before the children are killed (jobs.md). So on TERM the main process raises a
flag that its children see, a busy child releases its job between two pieces of work, and only after the grace does
the main process tell Celery to end them.
"""

import mmap
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

import structlog
from celery import signals
from celery.worker import state

log = structlog.get_logger(__name__)


class DrainFlag:
    """One byte of memory shared by a worker's main process and its children; make it before the pool forks."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def requested(self) -> bool:
        """Whether the worker wants its jobs back; cheap enough to ask between any two pieces of work."""
        return self._byte[0] != 0

    def request(self) -> None:
        """Ask every child to release its job; there is no way back."""
        self._byte[0] = 1


class Drain:
    """What a worker's main process does when it is asked to stop.

    `grace_s` is how long busy children may take; `pool_pids` answers the children that must not outlive the main
    process.
    """

    def __init__(self, flag: DrainFlag, *, grace_s: float, pool_pids: Callable[[], Iterable[int]]) -> None:
        self._flag = flag
        self._grace_s = grace_s
        self._pool_pids = pool_pids

    def connect(self) -> None:
        """Listen to Celery. It holds receivers weakly: the caller keeps this object alive."""
        signals.worker_shutting_down.connect(self._on_shutting_down)

    def _on_shutting_down(self, how: str = "Warm", **_: object) -> None:
        if how != "Warm" or self._flag.requested():
            return
        self._flag.request()
        if not state.active_requests and not state.reserved_requests:
            self._leave_at_once()
        # A thread of its own: this runs inside a signal handler, which may have interrupted a write to the log.
        threading.Thread(target=self._end_after_grace, name="drain", daemon=True).start()

    def _end_after_grace(self) -> None:
        log.info("draining", jobs=len(state.active_requests), grace_s=self._grace_s)
        time.sleep(self._grace_s)
        log.warning("the grace is over; ending what still runs", jobs=len(state.active_requests))
        os.kill(os.getpid(), signal.SIGQUIT)

    def _leave_at_once(self) -> NoReturn:
        # An idle worker has nothing to finish, and Celery's orderly way out takes seconds. A wake-up that this
        # connection swallowed is rung again by a sweep.
        for pid in self._pool_pids():
            os.kill(pid, signal.SIGKILL)
        os._exit(0)
