"""A browser without scripts before a web process, on both databases."""

import pytest

from tests.web.ui.reader import Reader
from tests.web.yards import Yard


@pytest.fixture
def reader(yard: Yard) -> Reader:
    """A browser without scripts."""
    return Reader(yard)
