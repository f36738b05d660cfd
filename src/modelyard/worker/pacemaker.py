"""The thread from which the hearts of a child's jobs beat: one that stays, for one job after the other."""

import threading
import time
from collections.abc import Callable

# A child that has nothing to do for so long lets its thread go.
_IDLE_S = 10.0


class Pacemaker:
    """Calls one function again and again while there is one to call.

    To start a thread for each job took a fifth of a short job's time. So a thread stays, and is not even woken when a
    job begins: it looks by itself. One for each process, made after the fork, for one job at a time.
    """

    def __init__(self) -> None:
        # Held while a call is under way.
        self._calling = threading.Lock()
        self._call: Callable[[], object] | None = None
        self._every_s = 0.0
        self._thread: threading.Thread | None = None

    def begin(self, call: Callable[[], object], every_s: float) -> None:
        """Call `call` each `every_s` seconds from another thread, until `end`.

        One that raises is not called again; the thread that it ends is replaced when the next begins.
        """
        with self._calling:
            self._call, self._every_s = call, every_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._pace, name="heartbeat", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Call no more; a call that is under way has ended when this returns."""
        self._call = None
        with self._calling:
            # Whoever called holds this lock; afterwards there is nothing left to call.
            pass

    def _pace(self) -> None:
        idle_since_s = time.monotonic()
        while True:
            time.sleep(self._every_s)
            with self._calling:
                call = self._call
                if call is not None:
                    # A call that raises ends this thread; whoever begins next must not count on it.
                    thread, self._thread = self._thread, None
                    call()
                    self._thread = thread
                    idle_since_s = time.monotonic()
                elif time.monotonic() - idle_since_s > _IDLE_S:
                    self._thread = None
                    return
