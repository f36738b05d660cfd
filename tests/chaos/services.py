"""A long-running `modelyard` process that a storm kills, freezes and starts again."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.holding_still import hold_still
from tests.servers import start_leashed

RESTART_S = 0.5


@dataclass
class Service:
    """One process with its children, as an init system would keep it; output is appended to `log`.

    To be started from the main thread only: the kernel ties a process's life to the thread that started it.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _start_at_s: float = 0.0
    _frozen: list[psutil.Process] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether the main process runs (frozen counts as running)."""
        return self.process is not None and self.process.poll() is None

    @property
    def frozen(self) -> bool:
        """Whether some of its processes are stopped by `freeze`."""
        return bool(self._frozen)

    def revive(self) -> None:
        """Start it if it is down, a moment after it was first seen so."""
        if self.alive:
            return
        now_s = time.monotonic()
        if self.process is not None:
            self.process, self._start_at_s, self._frozen = None, now_s + RESTART_S, []
        if now_s >= self._start_at_s:
            self.process = start_leashed(self.command, self.log, environment=self.environment)
            self.starts += 1

    def children(self) -> list[psutil.Process]:
        """Return the processes below the main one."""
        if not self.alive:
            return []
        assert self.process is not None
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        assert self.process is not None
        self.process.send_signal(number)

    def freeze(self, pids: list[int]) -> None:
        """Stop these of its processes until `thaw`."""
        for pid in pids:
            try:
                self._frozen.append(psutil.Process(pid))
                hold_still(pid)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue

    def freeze_whole(self) -> None:
        """Stop all of its processes until `thaw`, as a machine that is paused does."""
        assert self.process is not None
        self.freeze([self.process.pid, *(child.pid for child in self.children())])

    def thaw(self) -> None:
        """End a `freeze`."""
        frozen, self._frozen = self._frozen, []
        for process in frozen:
            # It compares the time of creation too: the pid may be another's by now.
            if process.is_running():
                os.kill(process.pid, signal.SIGCONT)

    def stop(self, within_s: float = 20) -> None:
        """End it with TERM, with KILL when that takes too long."""
        self.thaw()
        if not self.alive:
            return
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
