"""`modelyard` in which a process dies between a commit and its ring whenever the file CHAOS_TRAPDOOR lies there.

Whoever takes the file away is the one that dies, so that each trap kills one process.
"""

import os
import signal
from collections.abc import Callable
from typing import Final

from modelyard.cli import main
from modelyard.jobs.broker import Bell

TRAPDOOR: Final = "CHAOS_TRAPDOOR"

Ring = Callable[[Bell, str, str, int], bool]


def _with_trapdoor(ring: Ring, path: str) -> Ring:
    def ring_or_die(bell: Bell, kind: str, queue: str, job_id: int) -> bool:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return ring(bell, kind, queue, job_id)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("survived a SIGKILL")

    return ring_or_die


if __name__ == "__main__":
    Bell.ring = _with_trapdoor(Bell.ring, os.environ[TRAPDOOR])  # type: ignore[method-assign]
    main()
