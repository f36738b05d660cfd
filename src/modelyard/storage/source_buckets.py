"""Source buckets: the folders of buckets below which a source may lie. Everything else is refused."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from modelyard.errors import ConfigurationError, SourceUnreadable
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.tree import Tree

# Opens a folder's files; reaches for the network only when they are listed.
OpenTree: TypeAlias = Callable[[BucketFolder], Tree]


class SourceBuckets:
    """The folders of MODELYARD_SOURCE_BUCKETS. `open_tree` opens one; it is not called before a source asks for it."""

    def __init__(self, allowed: Sequence[BucketFolder] = (), open_tree: OpenTree | None = None) -> None:
        self._allowed = tuple(allowed)
        self._open_tree = open_tree

    def __bool__(self) -> bool:
        return bool(self._allowed)

    def check_apart_from_store(self, store: BucketFolder | None) -> None:
        """Raise ConfigurationError if a source folder holds the store, lies in it, or is it."""
        for folder in self._allowed:
            if store is not None and (folder.holds(store) or store.holds(folder)):
                raise ConfigurationError(
                    f"The source bucket {folder} and the managed store {store} overlap. "
                    "Set MODELYARD_SOURCE_BUCKETS to folders that neither hold the store nor lie in it."
                )

    def covers(self, folder: BucketFolder) -> bool:
        """Whether `folder` may be read."""
        return any(allowed.holds(folder) for allowed in self._allowed)

    def open_tree(self, folder: BucketFolder) -> Tree:
        """Return the files of `folder`. Raises SourceUnreadable when it may not be read here."""
        if self._open_tree is None or not self.covers(folder):
            raise SourceUnreadable(
                f"{folder} lies in none of the worker's source buckets. "
                "Ask the operator to add it to MODELYARD_SOURCE_BUCKETS."
            )
        return self._open_tree(folder)


NO_BUCKETS: Final = SourceBuckets()
