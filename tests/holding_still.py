"""Holding processes still, for tests that look at what goes on without them."""

import os
import signal
from pathlib import Path

from tests.waiting import wait_until


def hold_still(pid: int) -> None:
    """Stop a process with SIGSTOP, and wait until every thread of it stands.

    The signal is only noted at first: until one of its threads has taken it, the others go on, and may yet take a
    lock that they then hold for as long as they stand. Raises ProcessLookupError when there is no such process.
    """
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: _stands(pid), within_s=30, what=f"process {pid} to stand still")


def _stands(pid: int) -> bool:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return True
    return all(_state(thread) in "TtZX" for thread in threads)


def _state(thread: Path) -> str:
    """Return the letter of a thread's state, as proc(5) tells it; X for one that has ended meanwhile."""
    try:
        return (thread / "stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
