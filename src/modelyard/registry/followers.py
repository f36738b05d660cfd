"""Who follows a version: whoever wants to, commented on it, moved it, or asked to (contracts/databricks.md 4.2)."""

from collections.abc import Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from modelyard.database.appending import append, write_appended
from modelyard.database.tables import ModelVersion, VersionFollower, metadata
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import read_model_version
from modelyard.rules.permissions import Ability

_followers = metadata.tables["version_followers"]


def follow(session: Session, actor: Actor, version: ModelVersion) -> None:
    """Let `actor` follow a version; whoever does already goes on."""
    append(session, _followers, {"version_id": version.id, "follower": actor.name}, unless_there=True)


def follow_or_not(session: Session, actor: Actor, name: str, number: int, *, wish: bool) -> None:
    """Let `actor` follow a version or follow it no more, as they wish; twice is as good as once.

    Whoever may comment may follow. Raises NotFound, PermissionDenied.
    """
    model, version = read_model_version(session, actor, name, number)
    access.require(session, actor, model, Ability.COMMENT)
    if wish:
        follow(session, actor, version)
    else:
        session.execute(
            delete(VersionFollower).where(
                col(VersionFollower.version_id) == version.id, col(VersionFollower.follower) == actor.name
            )
        )


def follows(session: Session, actor: Actor, version_id: int) -> bool:
    """Whether `actor` follows a version."""
    write_appended(session)
    return session.get(VersionFollower, (version_id, actor.name)) is not None


def followers_of(session: Session, version_id: int) -> Sequence[str]:
    """Return the names of a version's followers, in alphabetical order."""
    write_appended(session)
    statement = select(VersionFollower.follower).where(col(VersionFollower.version_id) == version_id)
    return session.exec(statement.order_by(col(VersionFollower.follower))).all()
