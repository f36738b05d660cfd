"""Work done in a child that ends with it: this process stays fit to fork, and can do something else meanwhile."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable

from modelyard.errors import ConfigurationError


class Forked:
    """Work that has begun in a child. Begin it while there is one thread only.

    Where processes are spawned instead of forked nothing has to be kept fit: there it is done here, at once.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        """Begin `work`. Raises its ConfigurationError where it is done at once."""
        self._pid = 0
        if sys.platform != "linux":
            work()
            return
        reading, writing = os.pipe()
        _flush()
        pid = os.fork()
        if pid == 0:
            _work_and_exit(work, writing)
        os.close(writing)
        self._pid, self._message = pid, os.fdopen(reading, encoding="utf-8")

    def wait(self) -> None:
        """Return when the work is done; without effect the second time.

        Raises the ConfigurationError of the work, or one that points to the lines that a bug has left on stderr.
        """
        if not self._pid:
            return
        with self._message:
            message = self._message.read()
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if status != 0:
            raise ConfigurationError(message or "The start cannot go on; the lines above say why.")

    def abandon(self) -> None:
        """Let the work come to its end, whatever that is, when nobody will `wait` for it any more."""
        if self._pid:
            # Closed already if a signal has cut a `wait` short.
            self._message.close()
            os.waitpid(self._pid, 0)
            self._pid = 0


def _work_and_exit(work: Callable[[], object], writing: int) -> None:
    status = 1
    try:
        work()
        status = 0
    except ConfigurationError as error:
        # Nobody reads it after `abandon`.
        with contextlib.suppress(BrokenPipeError):
            os.write(writing, error.message.encode())
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        _flush()
        # Never unwind into the parent's frames.
        os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
