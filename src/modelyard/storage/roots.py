"""Source roots: the folders below which a source may name a path.

A path belongs to a root when one of its ancestors *is* that folder, by device and inode; text is not compared,
because `/data/models-old` begins like `/data/models`. What lies below is then opened from the root's own descriptor.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from modelyard.errors import ConfigurationError, SourceUnreadable
from modelyard.rules.sources import shown
from modelyard.storage.beneath import FOLDER_FLAGS, open_beneath
from modelyard.storage.local_tree import reading

Identity: TypeAlias = tuple[int, int]


class SourceRoots:
    """The folders of MODELYARD_SOURCE_ROOTS. `store` is the managed store's folder, which never is a source.

    A root that does not exist yet (an `mlruns` before the first run) counts from the moment that it does.
    """

    def __init__(self, paths: Sequence[Path], store: Path | None = None) -> None:
        self._paths = tuple(paths)
        self._store = store

    def __bool__(self) -> bool:
        return bool(self._paths)

    def check_apart_from_store(self) -> None:
        """Raise ConfigurationError if a root holds the store, lies in it, or is it."""
        if self._store is None:
            return
        for root in self._paths:
            if _holds(root, self._store) or _holds(self._store, root):
                raise ConfigurationError(
                    f"The source root {root} and the managed store {self._store} overlap. "
                    "Set MODELYARD_SOURCE_ROOTS to folders that neither hold the store nor lie in it."
                )

    def covers(self, path: PurePosixPath) -> bool:
        """Tell whether `path`, which need not exist, lies below a root.

        Where a root cannot be opened (a web process on another machine), its name is compared instead;
        the worker then decides by the folders themselves.
        """
        for root in self._paths:
            identity = identity_of(root)
            if identity is None:
                if path.is_relative_to(root):
                    return True
            elif _below(path, identity) is not None:
                return True
        return False

    def open_folder(self, path: PurePosixPath) -> int:
        """Return a descriptor of the folder at `path`.

        Raises SourceUnreadable when it is below no root, is missing, or is reached through a symbolic link below one.
        """
        with self.opened() as roots:
            for identity, root in roots:
                inside = _below(path, identity)
                if inside is not None:
                    with reading(str(path)):
                        return open_beneath(root, inside, FOLDER_FLAGS)
        raise SourceUnreadable(
            f"{shown(str(path))} lies below none of the worker's source roots. "
            "Ask the operator to add its folder to MODELYARD_SOURCE_ROOTS."
        )

    @contextmanager
    def opened(self) -> Iterator[list[tuple[Identity, int]]]:
        """Hold every root that exists open: (device and inode, descriptor)."""
        held: list[tuple[Identity, int]] = []
        try:
            for path in self._paths:
                try:
                    # The operator may have named a link to the root; nobody else chooses this path.
                    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                except OSError:
                    continue
                held.append((_identity(os.fstat(descriptor)), descriptor))
            yield held
        finally:
            for _, descriptor in held:
                os.close(descriptor)

    def forbidden(self) -> frozenset[Identity]:
        """Return what no tree may enter, under whatever name it is met."""
        identity = identity_of(self._store) if self._store is not None else None
        return frozenset() if identity is None else frozenset({identity})


def identity_of(path: Path | PurePosixPath) -> Identity | None:
    """Return device and inode of a folder, links followed; None if there is none that can be seen."""
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return None
    return _identity(seen) if stat.S_ISDIR(seen.st_mode) else None


def _identity(seen: os.stat_result) -> Identity:
    return (seen.st_dev, seen.st_ino)


def _below(path: PurePosixPath, root: Identity) -> str | None:
    """Return `path` relative to its ancestor with the identity `root`, "." for itself; None without such an ancestor.

    Looking from the top means that a link further down, even one back to the root, is left to be refused below.
    """
    for ancestor in [*reversed(path.parents), path]:
        identity = identity_of(ancestor)
        if identity is None:
            return None
        if identity == root:
            return path.relative_to(ancestor).as_posix()
    return None


def _holds(outer: Path, inner: Path) -> bool:
    """Tell whether `inner` is `outer` or lies in it, by the folders themselves and, where one is missing, by name."""
    identity = identity_of(outer)
    real = Path(os.path.realpath(inner))
    if identity is not None and any(identity_of(ancestor) == identity for ancestor in [*real.parents, real]):
        return True
    return real.is_relative_to(os.path.realpath(outer))
