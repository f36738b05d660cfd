"""Some files of a tree, in the place of all."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

from modelyard.storage.tree import FileEntry, Reader, Tree


@dataclass(frozen=True, slots=True)
class PickedTree:
    """The files of `tree` whose paths are among `paths`; what is not there is missing here too."""

    tree: Tree
    paths: Collection[str]

    @property
    def at_hand(self) -> bool:
        """Whether a file may be opened twice at little cost, as the whole tree says."""
        return self.tree.at_hand

    def entries(self) -> list[FileEntry]:
        """Return the picked files, sorted by path. The whole tree is looked at, and its limits hold."""
        return [entry for entry in self.tree.entries() if entry.path in self.paths]

    def open(self, entry: FileEntry) -> AbstractContextManager[Reader]:
        """Open one of them."""
        return self.tree.open(entry)

    def close(self) -> None:
        """Close the tree."""
        self.tree.close()
