"""A limit on guessing: how many different wrong credentials an address, or an account, may show in a while.

The same wrong token again and again is a forgotten script and no guess, so it counts once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from modelyard.errors import LimitReached

WINDOW_S = 60.0
MOST_GUESSES = 20
# Addresses are cheap to make up; the oldest are forgotten first.
MOST_KEYS = 10_000


@dataclass(slots=True)
class _Guesses:
    since_s: float
    digests: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Throttle:
    """The wrong guesses of the last `window_s` seconds, by key; of this process alone."""

    most: int = MOST_GUESSES
    window_s: float = WINDOW_S
    clock: Callable[[], float] = time.monotonic
    _guesses: OrderedDict[str, _Guesses] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, keys: Iterable[str]) -> None:
        """Raise LimitReached when one of `keys` has guessed too often; nothing is looked up then."""
        now = self.clock()
        with self._lock:
            waits = [self._wait_s(key, now) for key in keys]
        if any(waits):
            raise LimitReached(
                "Too many wrong tokens came from here, or for this account. Wait a minute, then send the right one.",
                retry_after_s=int(max(waits)) + 1,
            )

    def failed(self, keys: Iterable[str], digest: str) -> None:
        """Count a wrong guess, known by its digest."""
        now = self.clock()
        with self._lock:
            for key in keys:
                guesses = self._guesses.get(key)
                if guesses is None or now - guesses.since_s >= self.window_s:
                    guesses = self._guesses[key] = _Guesses(now)
                guesses.digests.add(digest)
                self._guesses.move_to_end(key)
            while len(self._guesses) > MOST_KEYS:
                self._guesses.popitem(last=False)

    def _wait_s(self, key: str, now: float) -> float:
        guesses = self._guesses.get(key)
        if guesses is None or len(guesses.digests) < self.most:
            return 0.0
        return max(0.0, guesses.since_s + self.window_s - now)
