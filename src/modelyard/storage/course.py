"""How far a copy is: counted by every thread that moves bytes, told by the one that leads."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modelyard.storage.tree import FileEntry


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy is. `bytes_done` counts what was found stored already, `copied_bytes` does not."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    copied_bytes: int


class Course:
    """Counts what is done. Made by the leading thread, whose every count is told to `pulse` at once.

    What other threads count is told at the leader's next `beat`; they call `check` instead, which stops them.
    """

    def __init__(
        self, entries: Iterable[FileEntry], pulse: Callable[[Progress], None], check: Callable[[], None]
    ) -> None:
        sizes = [entry.size_bytes for entry in entries]
        self._pulse = pulse
        self._check = check
        self._leader = threading.get_ident()
        self._lock = threading.Lock()
        self._files_total = len(sizes)
        self._bytes_total = sum(sizes)
        self._files_done = 0
        self._bytes_done = 0
        self._skipped_bytes = 0
        self._untold = False

    def skip(self, size_bytes: int) -> None:
        """Count a file that is stored already."""
        self._skipped_bytes += size_bytes
        self._count(files=1, size_bytes=size_bytes)

    def piece_done(self, size_bytes: int) -> None:
        """Count a piece of a file."""
        self._count(size_bytes=size_bytes)

    def file_done(self) -> None:
        """Count a whole file, whose pieces are counted already."""
        self._count(files=1)

    def moved(self, _size_bytes: int = 0) -> None:
        """Note that the work moves although nothing can be counted."""
        self._count()

    def beat(self) -> None:
        """Tell what was counted since the last time; says nothing when nothing moved, which is how a stall is found."""
        with self._lock:
            if not self._untold:
                return
            self._untold = False
            copied_bytes = self._bytes_done - self._skipped_bytes
            progress = Progress(self._files_done, self._files_total, self._bytes_done, self._bytes_total, copied_bytes)
        self._pulse(progress)

    def _count(self, *, files: int = 0, size_bytes: int = 0) -> None:
        with self._lock:
            self._files_done += files
            self._bytes_done += size_bytes
            self._untold = True
        if threading.get_ident() == self._leader:
            self.beat()
        else:
            self._check()
