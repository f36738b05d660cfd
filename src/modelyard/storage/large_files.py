"""Copying one large file by the kernel: cloned where the file system can, and hashed while it is stored.

The bytes are hashed as they lie in the copy, by a second thread that follows the first at a short distance.
"""

import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

from modelyard.storage import kernel
from modelyard.storage.store import PIECE_BYTES, Staged

# Below this a second thread costs more than it gains.
LARGE_BYTES = 64 << 20
_STEP_BYTES = 8 << 20
_STEPS_AHEAD = 4
# Not between these two files, or not on this system: then the next way is tried.
_CANNOT = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.ENOTSOCK}
)

# Stores what comes next: (source, target, offset, most bytes) -> bytes stored, 0 at the end of the source.
_Step: TypeAlias = Callable[[int, int, int, int], int]


def copy_large(source: int, target: int, expected_bytes: int, on_piece: Callable[[int], None]) -> Staged | None:
    """Copy `expected_bytes` of the file `source` into the empty file `target`, fewer where it ends before.

    `on_piece` is called with the size of each piece once it is stored and hashed. Answers None, with nothing written,
    where the kernel knows no way between these files. Raises OSError.
    """
    begun = _begin(source, target, expected_bytes)
    if begun is None:
        return None
    step, size_bytes = begun
    digest = hashlib.sha256()
    buffer = bytearray(PIECE_BYTES)
    waiting: deque[Future[int]] = deque()
    stored_bytes = 0
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as hasher:
        while size_bytes or waiting:
            if size_bytes:
                waiting.append(hasher.submit(_hash_range, digest, buffer, target, stored_bytes, size_bytes))
                # What is hashed now is on its way to the disk meanwhile.
                kernel.start_writing(target, stored_bytes, size_bytes)
                stored_bytes += size_bytes
                size_bytes = step(source, target, stored_bytes, expected_bytes - stored_bytes)
            if len(waiting) > _STEPS_AHEAD or not size_bytes:
                on_piece(waiting.popleft().result())
    return Staged(digest.hexdigest(), stored_bytes)


def _begin(source: int, target: int, expected_bytes: int) -> tuple[_Step, int] | None:
    """Take the first way that works here, and the first step on it."""
    if kernel.clone(source, target):
        return _read_clone, _read_clone(source, target, 0, expected_bytes)
    for way in (_copy_range, _send):
        try:
            return way, way(source, target, 0, expected_bytes)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    return None


def _read_clone(_source: int, target: int, offset: int, most_bytes: int) -> int:
    return max(0, min(_STEP_BYTES, most_bytes, os.fstat(target).st_size - offset))


def _copy_range(source: int, target: int, offset: int, most_bytes: int) -> int:
    if not hasattr(os, "copy_file_range"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return os.copy_file_range(source, target, min(_STEP_BYTES, most_bytes), offset_src=offset, offset_dst=offset)


def _send(source: int, target: int, offset: int, most_bytes: int) -> int:
    # Appends: it writes where the target stands, which is behind the last step.
    return os.sendfile(target, source, offset, min(_STEP_BYTES, most_bytes))


def _hash_range(digest: "hashlib._Hash", buffer: bytearray, descriptor: int, start: int, size_bytes: int) -> int:
    view = memoryview(buffer)
    done = 0
    while done < size_bytes:
        got = os.preadv(descriptor, [view[: min(len(buffer), size_bytes - done)]], start + done)
        if not got:
            raise OSError(errno.EIO, "the copy lost bytes that were just stored")
        digest.update(view[:got])
        done += got
    return size_bytes
