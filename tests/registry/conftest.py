"""Use-cases on a real database, on SQLite and then on PostgreSQL."""

import pytest
from sqlalchemy import Engine

from tests.registry.desks import Desk


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A registry without models, on SQLite and then on PostgreSQL."""
    return Desk(engine)
