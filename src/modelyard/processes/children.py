"""A child process of the supervisor: started clean, ended with its supervisor."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

SUPERVISOR_PIPE: Final = "MODELYARD_SUPERVISOR_PIPE"
"""Environment variable that tells a spawned child the descriptor that closes when its supervisor dies."""

_RESET: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)
_PR_SET_PDEATHSIG: Final = 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One child of the supervisor.

    `run` is its whole life, in the child. `grace_s` is what it gets between TERM and QUIT. `ready` is asked after the
    first start, before the next part is started. `outlives_others`: stopped only when all the others are gone.
    """

    name: str
    run: Callable[[], None]
    grace_s: float = 10.0
    ready: Callable[[], bool] = lambda: True
    outlives_others: bool = False


def fork_part(part: Part, death_pipe: tuple[int, int]) -> int:
    """Fork, live the life of `part` in the child, return the child's pid in the parent.

    To be called from the supervisor's only thread: the kernel ties the child's life to the thread that forked.
    """
    supervisor_pid = os.getpid()
    # A TERM that meets the child while it still has the supervisor's handlers would be lost.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _RESET)
    try:
        pid = os.fork()
    finally:
        if os.getpid() == supervisor_pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if pid:
        return pid
    status = 1
    try:
        _start_clean()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(death_pipe[1])
        _die_with(supervisor_pid, death_pipe[0])
        status = _live(part)
    finally:
        # Never unwind into the supervisor's frames, nor run its exit handlers.
        os._exit(status)


def spawn_part(part: Part, death_pipe: tuple[int, int]) -> int:
    """Start `python -m modelyard part NAME` instead of a fork, where a fork is not safe; return its pid.

    The child builds the same parts from the environment and from the descriptors that it inherits.
    """
    environment = {**os.environ, SUPERVISOR_PIPE: str(death_pipe[0])}
    command = [sys.executable, "-m", "modelyard", "part", part.name]
    return os.posix_spawn(sys.executable, command, environment, setpgroup=0, setsigdef=_RESET)


def live_spawned(part: Part) -> NoReturn:
    """Live the life of `part` in a process that `spawn_part` started."""
    _exit_at_end_of(int(os.environ[SUPERVISOR_PIPE]))
    os._exit(_live(part))


def _live(part: Part) -> int:
    """Run `part` and return its exit status; whatever it raises is logged here, for nobody else would see it."""
    done = False
    try:
        part.run()
        done = True
    except SystemExit as leaving:
        done = True
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        if not done:
            log.critical("a child ended by an error", part=part.name, exc_info=True)
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _start_clean() -> None:
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    # Ctrl-C reaches the supervisor alone, which stops the parts in order.
    os.setpgid(0, 0)


def _die_with(supervisor_pid: int, death_fd: int) -> None:
    if sys.platform != "linux":
        _exit_at_end_of(death_fd)
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the kernel knew.
    if os.getppid() != supervisor_pid:
        os._exit(1)


def _exit_at_end_of(death_fd: int) -> None:
    def wait_for_end() -> None:
        os.read(death_fd, 1)
        os._exit(1)

    threading.Thread(target=wait_for_end, name="supervisor watch", daemon=True).start()
