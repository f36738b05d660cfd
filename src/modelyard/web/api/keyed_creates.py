"""Creates under an `Idempotency-Key`: sent again, they answer what they made the first time."""

from flask import request
from sqlmodel import Session

from modelyard.registry.idempotency import KeyedRequest, claim_key, name_object
from modelyard.web.api.arguments import Arguments, body_digest
from modelyard.web.identity import current_actor


def made_before(session: Session, route: str, asked: Arguments, *, new_id: str) -> str | None:
    """Return the public id of what this very request made before; None when it is new, or carries no key.

    Raises InvalidValue when the key was used for another request.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    keyed = KeyedRequest(key, route, body_digest(asked))
    return claim_key(session, current_actor(), keyed, new_id=new_id)


def note_made(session: Session, object_id: str) -> None:
    """Say what was made under the key of this request, if it has one, when its id was not known before."""
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        name_object(session, current_actor(), key, object_id)
