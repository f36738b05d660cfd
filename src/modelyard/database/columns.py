"""What all tables are made of: their metadata, and the kinds of columns, constraints and indexes.

Enums are text with a check constraint, times are epoch milliseconds from `now_ms()`, public ids are 32 hex digits.
"""

from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, Index, Integer, MetaData, String, text
from sqlmodel import Field, SQLModel

from modelyard.database.clock import now_ms

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)
# SQLite gives out ids by itself only for columns that are exactly INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")
# Names sort by code point on both databases; a locale's order would break keyset pages and the clients' tie-breaks.
Name = String(256).with_variant(String(256, collation="C"), "postgresql")
TagKey = String(250).with_variant(String(250, collation="C"), "postgresql")
AliasName = String(255).with_variant(String(255, collation="C"), "postgresql")
# Folding the case of a letter can make three of it.
FoldedName = String(768).with_variant(String(768, collation="C"), "postgresql")
DIGEST_CHARACTERS = 64
# So much of a tag's value is indexed; PostgreSQL refuses to index long ones.
VALUE_START_CHARACTERS = 64
AUDIT_DAYS = 365


class Table(SQLModel):
    """Base of all tables; their metadata is ours, not SQLModel's global one."""

    metadata = metadata


def public_id() -> str:
    """Return a new public id: 32 lower-case hex digits."""
    return uuid4().hex


def row_id() -> Any:
    """The row's own id, given out by the database and never twice."""
    return Field(default=None, sa_type=RowId, primary_key=True)


def moment(*, index: bool = False) -> Any:
    """A time that the database fills in when the row is inserted."""
    return Field(default=None, sa_type=BigInteger, index=index, nullable=False, sa_column_kwargs={"default": now_ms()})


def time(default: int | None = None) -> Any:
    """A time in epoch milliseconds, or another large whole number; NULL unless there is a default."""
    return Field(default=default, sa_type=BigInteger, nullable=default is None)


def one_of(column: str, *values: str, name: str | None = None) -> CheckConstraint:
    """A constraint on a text column: one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name or column)


def where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    clause: ColumnElement[bool] = text(condition)  # type: ignore[assignment]
    return {"sqlite_where": clause, "postgresql_where": clause}


def value_index(table: str) -> Index:
    """An index that finds tags by their key and the beginning of their value."""
    return Index(f"ix_{table}_value", "key", text(f"substr(value, 1, {VALUE_START_CHARACTERS})"))
