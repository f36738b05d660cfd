"""What the work of an attempt has copied so far, and how fast. Files that an earlier attempt stored do not count."""

import time
from dataclasses import dataclass, field

from modelyard.rules.progress import Speed


@dataclass(slots=True)
class Meter:
    """Written by the work, read by its heartbeat; silent for work that copies nothing.

    The clock starts with the first note: opening a source is no slow copying.
    """

    copied_bytes: int = 0
    _speed: Speed = field(default_factory=Speed)
    _seen_bytes: int = 0
    _seen_s: float | None = None

    def note(self, copied_bytes: int) -> None:
        """Take what the attempt has copied since it began."""
        if self._seen_s is None:
            self._seen_bytes, self._seen_s = copied_bytes, time.monotonic()
        self.copied_bytes = copied_bytes

    def read(self) -> int | None:
        """Return the bytes per second up to now; None when nothing can be said."""
        if self._seen_s is None:
            return None
        now_s, copied_bytes = time.monotonic(), self.copied_bytes
        self._speed = self._speed.after(copied_bytes - self._seen_bytes, now_s - self._seen_s)
        self._seen_bytes, self._seen_s = copied_bytes, now_s
        return self._speed.bytes_per_s
