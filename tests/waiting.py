"""Waiting for a condition with a deadline, which is what tests do instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PAUSE_S = 0.02
# The times that tests allow are of a quiet machine. On a busy one the same comes true later: a test asks whether it
# does, and benchmarks/ measure how soon.
PATIENCE = 3


def wait_until(condition: Callable[[], Found], *, within_s: float = 10, what: str = "") -> Found:
    """Ask `condition` until its answer is true and return that answer.

    Raises AssertionError with `what` and the last answer when PATIENCE times `within_s` have passed.
    """
    deadline = time.monotonic() + PATIENCE * within_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"Waited {PATIENCE * within_s} s for {name}; the last answer was {answer!r}.")
        time.sleep(PAUSE_S)
    return answer
