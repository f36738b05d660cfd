"""Doing the same work for many things in a few threads, led by the thread that called."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_GLANCE_S = 0.1
# So many runs of items for each thread, so that none ends long before the others.
_RUNS_EACH = 8


class Stopped(Exception):
    """What work in a thread is told when the whole is to end; nobody outside sees it."""


class Crew:
    """Up to `threads` threads for the length of the context; with one, the work is done by the caller itself.

    Work calls `check` between its pieces. It raises Stopped once another piece of work has failed, or the caller's
    `pulse` has raised: then the rest is given up, and the first error is what the caller gets.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._stop = threading.Event()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def check(self) -> None:
        """Raise Stopped when the work in hand is not wanted any more."""
        if self._stop.is_set():
            raise Stopped

    def each(self, work: Callable[[Item], Answer], items: Sequence[Item], pulse: Callable[[], None]) -> list[Answer]:
        """Do `work` for every item and return the answers in the order of the items.

        `pulse` is called by the calling thread, often while the work goes on; what it raises ends the work.
        """
        if self._threads == 1 or len(items) < 2:
            answers = []
            for item in items:
                answers.append(work(item))
                pulse()
            return answers
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        # To hand over each of many small things alone takes as long as to do it.
        run = max(1, len(items) // (self._threads * _RUNS_EACH))
        futures = [
            self._pool.submit(self._unless_stopped, work, items[start : start + run])
            for start in range(0, len(items), run)
        ]
        try:
            self._lead(futures, pulse)
        except BaseException:
            self._stop.set()
            wait(futures)
            raise
        return [answer for future in futures for answer in future.result()]

    def _unless_stopped(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        answers = []
        for item in items:
            self.check()
            answers.append(work(item))
        return answers

    def _lead(self, futures: Sequence[Future[list[Answer]]], pulse: Callable[[], None]) -> None:
        waiting = set(futures)
        while waiting:
            # Looked at as a whole and seldom: to wait for each of a thousand is a thousand times a thousand locks.
            done, waiting = wait(waiting, timeout=_GLANCE_S, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            pulse()
