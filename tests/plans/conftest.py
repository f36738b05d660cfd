"""Plans and policies on a real database, on SQLite and then on PostgreSQL, with a worker at hand."""

import pytest
from sqlalchemy import Engine

from tests.plans.office import Office


@pytest.fixture
def office(engine: Engine) -> Office:
    """A registry without models, and a worker that runs when the test says so."""
    return Office(engine)
