"""Who follows a version: everybody who commented on it, moved it, or asked to (contracts/databricks.md 4.2)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_for
from modelyard.database.tables import ModelVersion, VersionFollower, metadata
from modelyard.registry.access import Actor

_followers = metadata.tables["version_followers"]


def follow(session: Session, actor: Actor, version: ModelVersion) -> None:
    """Let `actor` follow a version; whoever does already goes on."""
    connection = session.connection()
    connection.execute(_insert_or_nothing(connection.dialect.name), {"version_id": version.id, "follower": actor.name})


def follows(session: Session, actor: Actor, version: ModelVersion) -> bool:
    """Whether `actor` follows a version."""
    return session.get(VersionFollower, (version.id, actor.name)) is not None


def followers_of(session: Session, version_id: int) -> Sequence[str]:
    """Return the names of a version's followers, in alphabetical order."""
    statement = select(VersionFollower.follower).where(col(VersionFollower.version_id) == version_id)
    return session.exec(statement.order_by(col(VersionFollower.follower))).all()


@lru_cache
def _insert_or_nothing(dialect: str) -> Any:
    return insert_for(dialect, _followers).values(since_ms=now_ms()).on_conflict_do_nothing()
