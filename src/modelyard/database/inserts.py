"""INSERT with ON CONFLICT, which SQLAlchemy knows for each dialect apart."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session


def insert_or(session: Session, table: Table) -> Any:
    """Return an INSERT for `table` that knows ON CONFLICT, in the session's dialect."""
    return insert_for(session.get_bind().dialect.name, table)


def insert_for(dialect: str, table: Table) -> Any:
    """Return an INSERT for `table` that knows ON CONFLICT, in the dialect of this name."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
