"""A browser without scripts before a web process, on both databases."""

from pathlib import Path

import pytest

from tests.web.ui.reader import Reader
from tests.web.yards import Yard

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave PostgreSQL to `make test-more` but for the pages themselves: what forms do is tested below them on both."""
    for item in items:
        if item.path.is_relative_to(HERE) and "[postgresql" in item.name and item.path.name != "test_pages.py":
            item.add_marker("more")


@pytest.fixture
def reader(yard: Yard) -> Reader:
    """A browser without scripts."""
    return Reader(yard)
