"""Who follows a version: everybody who commented on it, moved it, or asked to (contracts/databricks.md 4.2)."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.tables import ModelVersion, VersionFollower, metadata
from modelyard.registry.access import Actor
from modelyard.registry.blobs import insert_or

_followers = metadata.tables["version_followers"]


def follow(session: Session, actor: Actor, version: ModelVersion) -> None:
    """Let `actor` follow a version; whoever does already goes on."""
    session.execute(
        insert_or(session, _followers)
        .values(version_id=version.id, follower=actor.name, since_ms=now_ms())
        .on_conflict_do_nothing()
    )


def follows(session: Session, actor: Actor, version: ModelVersion) -> bool:
    """Whether `actor` follows a version."""
    return session.get(VersionFollower, (version.id, actor.name)) is not None


def followers_of(session: Session, version_id: int) -> Sequence[str]:
    """Return the names of a version's followers, in alphabetical order."""
    statement = select(VersionFollower.follower).where(col(VersionFollower.version_id) == version_id)
    return session.exec(statement.order_by(col(VersionFollower.follower))).all()
