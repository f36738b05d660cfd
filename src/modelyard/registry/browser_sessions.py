"""Sessions of browsers: begun with a token or a one-time link, ended by signing out here or everywhere.

A session is a token whose text nobody ever sees; the browser holds its public id in a signed cookie. So it stands in
its owner's list of tokens, can be revoked there, and ends with its time, its owner's account and, where a token began
it, with that token.
"""

import secrets
from dataclasses import dataclass

from sqlalchemy import update
from sqlmodel import Session, col, select

from modelyard.database.session import current_ms
from modelyard.database.tables import Principal, Token
from modelyard.errors import Unauthorized
from modelyard.registry import audit
from modelyard.registry.access import Actor
from modelyard.registry.authentication import actor_of_token_id
from modelyard.registry.idempotency import KeyedRequest, claim_key
from modelyard.rules.audit import Action
from modelyard.rules.tokens import digest_of

LIFE_S = 12 * 3600
COMMENT = "Browser session"
_LINK_ROUTE = "login-link"


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """What a signed-in browser holds: the session's public id, and that of the token that began it ("" for none)."""

    public_id: str
    begun_with: str = ""


def begin_session(session: Session, actor: Actor) -> BrowserSession:
    """Sign a browser in as `actor`, with the limits of the token that `actor` came with and no longer life.

    Raises Unauthorized for one who has no account of their own.
    """
    owner = session.get(Principal, actor.principals[0]) if actor.principals else None
    if owner is None or owner.builtin:
        raise Unauthorized(f"{actor.name!r} is no account that can sign in to pages.")
    now = current_ms(session)
    begun_with = actor.via.token_id or ""
    ends = now + LIFE_S * 1000
    if begun_with:
        parent = session.exec(select(Token.expires_at_ms).where(col(Token.public_id) == begun_with)).one()
        ends = min(ends, parent)
    token = Token(
        public_id=secrets.token_hex(8),
        # Of a text that nobody has: no header ever opens this session.
        digest=digest_of(secrets.token_urlsafe(32)),
        principal_id=owner.id,
        comment=COMMENT,
        scope=actor.limits.scope,
        models=sorted(actor.limits.models) if actor.limits.models is not None else None,
        highest_stage=actor.limits.highest_stage,
        created_by=actor.name,
        created_at_ms=now,
        expires_at_ms=ends,
    )
    session.add(token)
    audit.record(
        session,
        actor,
        Action.CREATE_TOKEN,
        principal=f"token:{token.public_id}",
        after={"owner": owner.name, "scope": token.scope, "for": COMMENT, "expires_at_ms": ends},
    )
    session.flush()
    return BrowserSession(token.public_id, begun_with)


def actor_of_session(session: Session, found: BrowserSession) -> Actor:
    """Return who sits before a signed-in browser. Raises Unauthorized when the session is over."""
    if found.begun_with:
        actor_of_token_id(session, found.begun_with)
    return actor_of_token_id(session, found.public_id)


def end_session(session: Session, actor: Actor, found: BrowserSession) -> None:
    """Sign one browser out."""
    _end(session, actor, Token.public_id == found.public_id)


def end_all_sessions(session: Session, actor: Actor) -> int:
    """Sign `actor` out of every browser; return of how many."""
    return _end(session, actor, Token.principal_id == actor.principals[0])


def redeem_link(session: Session, actor: Actor, nonce: str) -> None:
    """Use a one-time link up. Raises Unauthorized the second time."""
    used = KeyedRequest(f"login:{nonce}", _LINK_ROUTE, digest_of(nonce))
    if claim_key(session, actor, used, new_id=nonce) is not None:
        raise Unauthorized("This link was used before. Ask for a new one.")


def _end(session: Session, actor: Actor, which: object) -> int:
    ended = session.scalars(
        update(Token)
        .where(which, col(Token.comment) == COMMENT, col(Token.revoked_at_ms).is_(None))  # type: ignore[arg-type]
        .values(revoked_at_ms=current_ms(session), revoked_by=actor.name)
        .returning(col(Token.public_id))
    ).all()
    for public_id in ended:
        audit.record(session, actor, Action.REVOKE_TOKEN, principal=f"token:{public_id}", before={"for": COMMENT})
    return len(ended)
