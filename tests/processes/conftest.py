"""Trees of real processes for the tests of the supervisor."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes.trees import Tree


@pytest.fixture
def start_tree(tmp_path: Path) -> Iterator[Callable[..., Tree]]:
    """A function that starts a small system with the settings given; it is ended with the test."""
    trees: list[Tree] = []

    def start(**settings: object) -> Tree:
        trees.append(Tree(tmp_path, **settings))
        return trees[-1]

    yield start
    for tree in trees:
        tree.remove()


@pytest.fixture
def tree(start_tree: Callable[..., Tree]) -> Tree:
    """A small system that runs."""
    return start_tree()
