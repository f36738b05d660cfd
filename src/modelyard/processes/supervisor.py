"""The supervisor: starts the parts, starts again what died, stops all in order. One thread, no rules of its own."""

import contextlib
import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

import structlog

from modelyard.processes.children import Part, fork_part, spawn_part

FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 10.0
HEALTHY_AFTER_S: Final = 10.0
"""A child that lived this long is started again without delay when it dies."""
READY_WAIT_S: Final = 2.0
QUIT_WAIT_S: Final = 5.0
"""Time between QUIT, after a part's grace, and KILL."""

StartPart = Callable[[Part, tuple[int, int]], int]
"""Starts a part and returns its pid; the pair is the pipe that closes when the supervisor dies."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Child:
    part: Part
    pid: int = 0
    started_s: float = 0.0
    backoff_s: float = FIRST_BACKOFF_S
    start_again_s: float | None = None
    deadlines: list[tuple[float, signal.Signals]] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.pid != 0


class Supervisor:
    """Keeps `parts` running from `run()` until TERM, INT or HUP."""

    def __init__(self, parts: Sequence[Part], *, start: StartPart | None = None) -> None:
        self._children = [_Child(part) for part in parts]
        # Forking is safe on Linux only: macOS' own libraries start threads.
        self._start_part = start or (fork_part if sys.platform == "linux" else spawn_part)
        self._stop_signals = 0

    def run(self, *, on_started: Callable[[], None] = lambda: None) -> int:
        """Start the parts in their order, call `on_started`, and stay until told to stop; return the exit status."""
        self._death_pipe = os.pipe()
        os.set_inheritable(self._death_pipe[0], True)
        self._listen_for_signals()
        # The collector would write to every object's header, and so copy the pages that children share.
        gc.freeze()
        gc.enable()
        for child in self._children:
            self._start(child)
            self._wait(lambda child=child: child.part.ready(), READY_WAIT_S)  # type: ignore[misc]
        on_started()
        while not self._stop_signals:
            self._sleep(self._until_next_start_s())
            self._reap()
            self._start_again()
        self._stop()
        return 0

    def _listen_for_signals(self) -> None:
        self._wakeup, wakeup_end = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wakeup_end, False)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_signals += 1

    def _start(self, child: _Child) -> None:
        child.started_s = time.monotonic()
        child.start_again_s = None
        try:
            child.pid = self._start_part(child.part, self._death_pipe)
        except OSError as error:
            # No memory or no process left: the others may go on, and it may pass.
            self._plan_start(child, f"cannot start: {error.strerror}")

    def _reap(self) -> None:
        for pid, status in _ended():
            for child in self._children:
                if child.pid == pid:
                    child.pid = 0
                    self._plan_start(child, _describe(status))

    def _plan_start(self, child: _Child, reason: str) -> None:
        if self._stop_signals:
            return
        lived_s = time.monotonic() - child.started_s
        if lived_s > HEALTHY_AFTER_S:
            child.backoff_s = FIRST_BACKOFF_S
        log.warning(
            "a child ended; it is started again",
            part=child.part.name,
            reason=reason,
            lived_s=round(lived_s, 1),
            delay_s=child.backoff_s,
        )
        child.start_again_s = time.monotonic() + child.backoff_s
        child.backoff_s = min(child.backoff_s * 2, LONGEST_BACKOFF_S)

    def _start_again(self) -> None:
        for child in self._children:
            if child.start_again_s is not None and child.start_again_s <= time.monotonic():
                self._start(child)

    def _until_next_start_s(self) -> float | None:
        due = [child.start_again_s for child in self._children if child.start_again_s is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _stop(self) -> None:
        # A worker whose broker is gone hangs on connecting again, so the broker goes last.
        for last in (False, True):
            leaving = [child for child in self._children if child.alive and child.part.outlives_others is last]
            self._end(leaving)

    def _end(self, leaving: Sequence[_Child]) -> None:
        now = time.monotonic()
        for child in leaving:
            quit_s = now + child.part.grace_s
            child.deadlines = [
                (now, signal.SIGTERM),
                (quit_s, signal.SIGQUIT),
                (quit_s + QUIT_WAIT_S, signal.SIGKILL),
            ]
        patience = self._stop_signals
        while alive := [child for child in leaving if child.alive]:
            for child in alive:
                self._send_due(child, impatient=self._stop_signals > patience)
            self._sleep(min((child.deadlines[0][0] for child in alive if child.deadlines), default=now + 1) - now)
            self._reap()
            now = time.monotonic()

    def _send_due(self, child: _Child, *, impatient: bool) -> None:
        """Send what is due; somebody who asks a second time wants it now."""
        if impatient:
            child.deadlines = [(0.0, signal.SIGKILL)]
        while child.deadlines and child.deadlines[0][0] <= time.monotonic():
            _, number = child.deadlines.pop(0)
            if number is not signal.SIGTERM:
                log.warning("a child does not stop", part=child.part.name, sent=number.name)
            os.kill(child.pid, number)

    def _wait(self, condition: Callable[[], bool], longest_s: float) -> None:
        end_s = time.monotonic() + longest_s
        while not condition() and not self._stop_signals and time.monotonic() < end_s:
            self._sleep(0.005)

    def _sleep(self, longest_s: float | None) -> None:
        """Sleep until a signal arrives, a child's end included."""
        if longest_s is not None:
            longest_s = max(0.0, longest_s)
        if select.select([self._wakeup], [], [], longest_s)[0]:
            os.read(self._wakeup, 4096)


def _ended() -> Iterator[tuple[int, int]]:
    """Give pid and exit status of every process that ended; orphans too, which come to us where we are process 1."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended[0], os.waitstatus_to_exitcode(ended[1])


def _describe(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
