"""Reading slowly on purpose, so that whoever serves from the same disk is not disturbed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LONGEST_REST_S = 0.5


@dataclass(slots=True)
class Pace:
    """Keeps reading below `bytes_per_s` on the average, 0 for any speed; time that was not used is not saved up."""

    bytes_per_s: int
    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _paid_s: float = field(default=float("-inf"))

    def rest(self, size_bytes: int, meanwhile: Callable[[], None]) -> None:
        """Return when it is time to go on after `size_bytes`; `meanwhile` is called twice a second, and may raise."""
        if not self.bytes_per_s:
            return
        costs_s = size_bytes / self.bytes_per_s
        self._paid_s = max(self._paid_s, self.now_s() - costs_s) + costs_s
        while (left_s := self._paid_s - self.now_s()) > 0:
            self.sleep(min(left_s, _LONGEST_REST_S))
            meanwhile()
