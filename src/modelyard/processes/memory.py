"""What becomes of memory that Python has freed."""

import ctypes
import sys
from typing import Final

LARGE_BYTES: Final = 1 << 20
_M_MMAP_THRESHOLD: Final = -3


def return_large_pieces() -> None:
    """Let pieces of a megabyte and more go back to the system as soon as they are freed, where glibc hands them out.

    By itself it learns from the first large piece and from then on keeps as much for every thread: a few bodies of
    15 MiB, each refused, cost a web process a hundred megabytes for the rest of its life.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
