"""Commands that work on the database itself, as `modelyard migrate` does: for the operator, without any server.

Whoever may run them on the server's own machine is an administrator; the audit log names the account.
"""

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlmodel import Session

from modelyard.database.engine import create_engine
from modelyard.database.schema import require_schema
from modelyard.database.session import reading, transaction
from modelyard.registry.access import Actor, Via
from modelyard.rules.principals import CONSOLE
from modelyard.settings import load_settings


def operator() -> Actor:
    """Return who runs this command."""
    return Actor(CONSOLE, is_admin=True, via=Via(address=f"{_account()}@{socket.gethostname()}"[:100]))


@contextmanager
def changing() -> Iterator[Session]:
    """Open a writing transaction on the database of the settings.

    Raises ConfigurationError when it has not this release's schema.
    """
    with _engine() as engine, transaction(engine) as session:
        yield session


@contextmanager
def looking() -> Iterator[Session]:
    """Open a session that only reads. Raises as `changing`."""
    with _engine() as engine, reading(engine) as session:
        yield session


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = create_engine(load_settings().database, pool_size=1)
    try:
        require_schema(engine)
        yield engine
    finally:
        engine.dispose()


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no account bears.
        return "unknown"
