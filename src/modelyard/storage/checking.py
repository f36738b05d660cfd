"""Reading a stored blob again, to tell whether it still holds the bytes that its name promises."""

import errno
import hashlib
from collections.abc import Callable
from enum import StrEnum

from modelyard.errors import NotFound, TemporaryFailure
from modelyard.storage.store import Readable, StoredBlob

# What file systems answer for bytes that the disk, or a checksum of theirs, does not give back.
_DAMAGED = frozenset({errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)})


class Condition(StrEnum):
    """What became of a blob's bytes, in the words that people read."""

    GOOD = "good"
    MISSING = "missing"
    WRONG_SIZE = "of another size"
    WRONG_BYTES = "changed"
    UNREADABLE = "unreadable"


def check_blob(store: Readable, blob: StoredBlob, on_piece: Callable[[int], None]) -> Condition:
    """Hash a blob's file; `on_piece` is called with the size of each piece of at most 1 MiB, and may raise.

    Raises TemporaryFailure when the store, rather than this file, cannot be read.
    """
    try:
        return _read(store, blob, on_piece)
    except OSError as error:
        if error.errno in _DAMAGED:
            return Condition.UNREADABLE
        raise TemporaryFailure(f"The store cannot be read: {error.strerror}.") from error


def _read(store: Readable, blob: StoredBlob, on_piece: Callable[[int], None]) -> Condition:
    digest = hashlib.sha256()
    try:
        opened = store.open_blob(blob.digest, blob.gen)
    except NotFound:
        return Condition.MISSING
    with opened:
        if opened.size_bytes != blob.size_bytes:
            return Condition.WRONG_SIZE
        try:
            for piece in opened.pieces():
                digest.update(piece)
                on_piece(len(piece))
        except EOFError:
            return Condition.WRONG_SIZE
    return Condition.GOOD if digest.hexdigest() == blob.digest else Condition.WRONG_BYTES
