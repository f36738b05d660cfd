"""Holding an answer back for a moment, so that a quick copy is answered READY: clients poll only every 3 s."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

_SHORTEST_PAUSE_S = 0.003
_LONGEST_PAUSE_S = 0.050


@dataclass(frozen=True, slots=True)
class Holding:
    """How long answers may be held, in seconds, and how many at once in this process."""

    wait_s: float
    places: int
    _free: threading.BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_free", threading.BoundedSemaphore(self.places))

    def until(self, has_ended: Callable[[], bool]) -> bool:
        """Look again and again until `has_ended()`, the time is up, no place is free or the database fails.

        Return whether it has ended. Never raises for the database: what was asked for is committed already.
        """
        if self.wait_s <= 0 or not self._free.acquire(blocking=False):
            return False
        try:
            return any(has_ended() for _ in _looks(self.wait_s))
        except SQLAlchemyError:
            return False
        finally:
            self._free.release()


def _looks(wait_s: float) -> Iterator[None]:
    """Yield at each moment to look, the last one when the time is up.

    The pause is a tenth of what has passed: an answer comes at most a tenth late, and a long copy costs few looks.
    """
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < wait_s:
        pause_s = min(max(passed_s / 10, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        time.sleep(min(pause_s, wait_s - passed_s))
        yield
