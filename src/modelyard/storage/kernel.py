"""Linux calls that Python's `os` does not offer: openat2, renameat2, syncfs, sync_file_range, FICLONE, fstatfs.

Where the C library or the kernel lacks one, the caller is told (False, or OSError with ENOSYS) and takes its own
slower way. Nothing is loaded before the first call.
"""

import ctypes
import errno
import fcntl
import os
import platform
from functools import cache

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

_SYS_OPENAT2 = 437  # The same number on every architecture.
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_FICLONE = 0x40049409
_SYNC_FILE_RANGE_WRITE = 2
# ext2-4, xfs, btrfs, tmpfs: file systems whose syncfs reports write errors. Network file systems and FUSE do not.
_SYNCFS_RELIABLE = frozenset({0xEF53, 0x58465342, 0x9123683E, 0x01021994})


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def openat2(folder: int, path: str, flags: int, resolve: int) -> int:
    """Open `path` relative to the descriptor `folder` and return a descriptor. Raises OSError."""
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=0, resolve=resolve)
    name = os.fsencode(path)
    # A rename elsewhere on the machine makes the kernel ask for another try.
    for _ in range(100):
        descriptor = int(_libc().syscall(_SYS_OPENAT2, folder, name, ctypes.byref(how), ctypes.sizeof(how)))
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in (errno.EINTR, errno.EAGAIN):
            break
    raise OSError(code, os.strerror(code), path)


@cache
def has_openat2() -> bool:
    """Tell whether this kernel, and the sandbox around this process, allow openat2 (Linux 5.6)."""
    if platform.system() != "Linux":
        return False
    try:
        os.close(openat2(_AT_FDCWD, ".", os.O_PATH, 0))
    except OSError:
        return False
    return True


def rename_noreplace(source: str, target: str, *, source_folder: int, target_folder: int) -> None:
    """Rename a file unless the target exists.

    Raises FileExistsError when it does; OSError with ENOSYS or EINVAL where this cannot be done in one step.
    """
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), target)
    moved = call(source_folder, os.fsencode(source), target_folder, os.fsencode(target), _RENAME_NOREPLACE)
    if moved != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def clone(source: int, target: int) -> bool:
    """Let the empty file `target` share the blocks of `source`, as btrfs and XFS can; False where they cannot."""
    if platform.system() != "Linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def syncfs(descriptor: int) -> None:
    """Write everything of the file system that holds `descriptor` to disk.

    Raises OSError for any write error since `descriptor` was opened, so open it before the first write.
    """
    if _libc().syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def start_writing(descriptor: int, start: int, size_bytes: int) -> None:
    """Let the kernel begin to write a part of a file to disk, so that the `syncfs` that follows has less to wait for.

    Nothing is promised by it and no error told: that is for `syncfs`. Without effect where the call is missing.
    """
    call = getattr(_libc(), "sync_file_range", None)
    if call is not None:
        call(descriptor, ctypes.c_int64(start), ctypes.c_int64(size_bytes), _SYNC_FILE_RANGE_WRITE)


def syncfs_tells_errors(descriptor: int) -> bool:
    """Tell whether `syncfs` on this file system reports lost writes: Linux 5.8 and a local file system."""
    if platform.system() != "Linux" or _kernel_version() < (5, 8):
        return False
    # struct statfs begins with the type; its whole size is 120 bytes on 64-bit machines.
    answer = (ctypes.c_long * 64)()
    if _libc().fstatfs(descriptor, ctypes.byref(answer)) != 0:
        return False
    return answer[0] & 0xFFFFFFFF in _SYNCFS_RELIABLE


def _kernel_version() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
