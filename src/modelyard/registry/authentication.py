"""From a token or a name to the actor behind it, as the database knows them now."""

import hmac
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import GroupMember, Principal, Token
from modelyard.errors import Unauthorized
from modelyard.registry.access import Actor, Via
from modelyard.registry.principals import ADMINS_ID, find_account
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import UNLIMITED, Scope, TokenLimits, digest_of, public_id_of

# The time of the last use is written at most this often, so that reading stays reading.
NOTED_EACH_MS = 3_600_000
_NO_DIGEST = "0" * 64
_UNKNOWN = "The token is not known here."


def actor_of_token(session: Session, text: str) -> Actor:
    """Return who holds this token. Raises Unauthorized, in words that only the holder of the real one learns from.

    The row is found by the public part alone and the digest compared in constant time, so how long a refusal takes
    does not tell how much of a guess was right.
    """
    public_id = public_id_of(text)
    if public_id is None:
        raise Unauthorized(_UNKNOWN)
    found: Any = session.exec(
        select(Token, Principal)
        .join(Principal, col(Principal.id) == col(Token.principal_id))
        .where(col(Token.public_id) == public_id)
    ).one_or_none()
    token, owner = found or (None, None)
    right = hmac.compare_digest(digest_of(text), token.digest if token else _NO_DIGEST)
    if not right or token is None or owner is None:
        raise Unauthorized(_UNKNOWN)
    _check_usable(session, token, owner)
    return _actor(session, owner, limits_of(token), Via(token_id=token.public_id))


def actor_of_name(session: Session, name: str) -> Actor | None:
    """Return the user or service principal called `name` with all rights; None for one who is not let in."""
    owner = find_account(session, name)
    if owner is None or owner.disabled_at_ms is not None:
        return None
    return _actor(session, owner, UNLIMITED, Via())


def limits_of(token: Token) -> TokenLimits:
    """Return what a token takes away from its owner's rights."""
    return TokenLimits(
        scope=Scope(token.scope),
        models=frozenset(token.models) if token.models is not None else None,
        highest_stage=Stage(token.highest_stage) if token.highest_stage is not None else None,
    )


def note_use(session: Session, public_id: str) -> None:
    """Write down that a token was used just now, unless that is known to the hour."""
    session.execute(
        update(Token)
        .where(
            col(Token.public_id) == public_id,
            or_(col(Token.last_used_at_ms).is_(None), col(Token.last_used_at_ms) < now_ms() - NOTED_EACH_MS),
        )
        .values(last_used_at_ms=now_ms())
    )


def _check_usable(session: Session, token: Token, owner: Principal) -> None:
    if token.revoked_at_ms is not None or owner.deleted_at_ms is not None:
        raise Unauthorized(f"The token {token.public_id} was revoked. Make a new one.")
    if token.expires_at_ms <= current_ms(session):
        raise Unauthorized(f"The token {token.public_id} has expired. Make a new one.")
    if owner.disabled_at_ms is not None:
        raise Unauthorized(f"The account {owner.name} is disabled. Ask an administrator.")


def _actor(session: Session, owner: Principal, limits: TokenLimits, via: Via) -> Actor:
    groups = session.exec(
        select(GroupMember.group_id).where(col(GroupMember.member_id) == owner.id).order_by(col(GroupMember.group_id))
    ).all()
    return Actor(owner.name, is_admin=ADMINS_ID in groups, principals=(owner.id, *groups), limits=limits, via=via)
