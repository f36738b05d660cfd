"""Opening what lies beneath a folder, and nothing else: no link is followed, no `..` taken.

openat2 does it in one call; where the kernel lacks it, each component is opened by itself with O_NOFOLLOW.
"""

import os

from modelyard.storage import kernel

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a fifo that came in the place of a file must not wait for a writer.
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_RESOLVE = kernel.RESOLVE_BENEATH | kernel.RESOLVE_NO_SYMLINKS | kernel.RESOLVE_NO_MAGICLINKS


def open_beneath(folder: int, path: str, flags: int) -> int:
    """Open the relative `path` beneath the descriptor `folder` and return a descriptor; "." is the folder itself.

    Raises OSError: ELOOP or ENOTDIR where a symbolic link stands in the way, ValueError for an absolute path or `..`.
    """
    components = path.split("/")
    if path.startswith("/") or ".." in components or "" in components:
        raise ValueError(f"not a plain relative path: {path!r}")
    if kernel.has_openat2():
        return kernel.openat2(folder, path, flags, _RESOLVE)
    return _open_by_components(folder, components, flags)


def _open_by_components(folder: int, components: list[str], flags: int) -> int:
    at = os.dup(folder)
    try:
        for name in components[:-1]:
            below = os.open(name, FOLDER_FLAGS, dir_fd=at)
            os.close(at)
            at = below
        return os.open(components[-1], flags | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)
