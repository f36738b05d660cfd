"""Idempotency keys: a create that is sent again answers what it made the first time.

Source: contracts/databricks.md 1.3.
"""

from dataclasses import dataclass

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.tables import IdempotencyKey, metadata
from modelyard.errors import InvalidValue
from modelyard.registry.access import Actor

KEPT_MS = 24 * 3600 * 1000
MAX_KEY_CHARACTERS = 255

_keys = metadata.tables["idempotency_keys"]


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request under a key: the same key on another route or with another body is a mistake of the caller.

    Raises InvalidValue for a key that is empty, too long or not printable ASCII.
    """

    key: str
    route: str
    body_sha256: str

    def __post_init__(self) -> None:
        if not (0 < len(self.key) <= MAX_KEY_CHARACTERS and self.key.isascii() and self.key.isprintable()):
            raise InvalidValue(
                f"Invalid Idempotency-Key; expected 1 to {MAX_KEY_CHARACTERS} printable ASCII characters."
            )


def claim_key(session: Session, actor: Actor, request: KeyedRequest, *, new_id: str) -> str | None:
    """Note that `request` makes the object `new_id`; return the id of what it made before, None if it is new.

    A second request under the same key waits here until the first one's transaction has ended.
    Raises InvalidValue when the key was used for something else.
    """
    session.execute(delete(IdempotencyKey).where(col(IdempotencyKey.created_at_ms) < now_ms() - KEPT_MS))
    inserted = session.execute(
        insert_or(session, _keys)
        .values(
            actor=actor.name,
            key=request.key,
            route=request.route,
            body_sha256=request.body_sha256,
            object_id=new_id,
            created_at_ms=now_ms(),
        )
        .on_conflict_do_nothing()
        .returning(_keys.c.object_id)
    ).one_or_none()
    if inserted is not None:
        return None
    earlier = session.exec(
        select(IdempotencyKey).where(col(IdempotencyKey.actor) == actor.name, col(IdempotencyKey.key) == request.key)
    ).one()
    if (earlier.route, earlier.body_sha256) != (request.route, request.body_sha256):
        raise InvalidValue("This Idempotency-Key was used for another request. Use a new key for each create.")
    return earlier.object_id


def name_object(session: Session, actor: Actor, key: str, object_id: str) -> None:
    """Note the id of what a request made, in the transaction that claimed its key."""
    session.execute(
        update(IdempotencyKey)
        .where(col(IdempotencyKey.actor) == actor.name, col(IdempotencyKey.key) == key)
        .values(object_id=object_id)
    )
