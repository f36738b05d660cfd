"""The home folder of `modelyard up`: made if absent, and owned by one running `up` at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modelyard.errors import ConfigurationError

LOCK_FILE: Final = "up.lock"


@contextmanager
def own_home(home: Path) -> Iterator[None]:
    """Hold the home's lock for the length of the block; it falls with the process and its children, however they end.

    Raises ConfigurationError when the folder cannot be used or another `up` runs on it.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write to the home folder {home}: {os.strerror(error.errno or 0)}. "
            "Correct its permissions, or choose another folder with MODELYARD_HOME."
        ) from error
    try:
        _lock(lock, home)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        raise ConfigurationError(
            f"Another `modelyard up` (process {owner}) runs on {home}. "
            "Stop it, or choose another folder with MODELYARD_HOME."
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
