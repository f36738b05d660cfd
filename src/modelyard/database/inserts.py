"""INSERT with ON CONFLICT, which SQLAlchemy knows for each dialect apart."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session


def insert_or(session: Session, table: Table) -> Any:
    """Return an INSERT for `table` that knows ON CONFLICT, in the session's dialect."""
    return sqlite.insert(table) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(table)
