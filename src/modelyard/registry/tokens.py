"""Personal access tokens: made, listed, revoked. The text is shown to its owner once and kept nowhere."""

import secrets
from typing import Any

from sqlalchemy import and_
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import Principal, Token
from modelyard.errors import InvalidState, NotFound
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.principals import LIVING
from modelyard.registry.users import check_active
from modelyard.rules.audit import Action
from modelyard.rules.principals import check_display_name
from modelyard.rules.tokens import (
    NOTICE_MS,
    SHORT_LIVED_MS,
    Scope,
    TokenLimits,
    check_lifetime_s,
    digest_of,
    write_token,
)

# What ends soon and was to live for long. Its owner sees it in the navigation, operators in the log of a daily job.
EXPIRES_SOON = and_(
    col(Token.revoked_at_ms).is_(None),
    col(Token.expires_at_ms) > now_ms(),
    col(Token.expires_at_ms) <= now_ms() + NOTICE_MS,
    col(Token.expires_at_ms) - col(Token.created_at_ms) > SHORT_LIVED_MS,
)


def create_token(
    session: Session, actor: Actor, owner: Principal, limits: TokenLimits, *, lifetime_s: int, comment: str = ""
) -> tuple[Token, str]:
    """Make a token for `owner`; return its row and its text.

    Raises PermissionDenied for somebody else's unless an administrator asks, and for one that would reach further
    than the token that asks; InvalidValue, InvalidState.
    """
    _require_owner(actor, owner, "making a token for somebody else")
    actor.limits.check_includes(limits)
    if owner.builtin:
        raise InvalidState(
            f"{owner.name!r} is the registry's own and has no tokens. Create a user, then a token for it."
        )
    check_active(owner)
    check_display_name(comment)
    now = current_ms(session)
    public_id = secrets.token_hex(8)
    text = write_token(public_id, secrets.token_urlsafe(32))
    token = Token(
        public_id=public_id,
        digest=digest_of(text),
        principal_id=owner.id,
        comment=comment,
        scope=limits.scope,
        models=sorted(limits.models) if limits.models is not None else None,
        highest_stage=limits.highest_stage,
        created_by=actor.name,
        created_at_ms=now,
        expires_at_ms=now + check_lifetime_s(lifetime_s) * 1000,
    )
    session.add(token)
    session.flush()
    _record(session, actor, Action.CREATE_TOKEN, token, owner)
    return token, text


def list_tokens(session: Session, *, owner_id: int | None = None) -> list[tuple[Token, Principal]]:
    """Return the tokens that still open the door, with their owners, oldest first; of one owner if so asked."""
    statement = (
        select(Token, Principal)
        .join(Principal, col(Principal.id) == col(Token.principal_id))
        .where(col(Token.revoked_at_ms).is_(None), col(Token.expires_at_ms) > current_ms(session), LIVING)
    )
    if owner_id is not None:
        statement = statement.where(col(Token.principal_id) == owner_id)
    return [(token, owner) for token, owner in session.exec(statement.order_by(col(Token.id)))]


def expiring_tokens(session: Session, *, owner_id: int | None = None) -> list[tuple[Token, Principal]]:
    """Return the tokens that end soon, with their owners, whichever ends first at the top; of one owner if so asked."""
    statement = (
        select(Token, Principal)
        .join(Principal, col(Principal.id) == col(Token.principal_id))
        .where(EXPIRES_SOON, LIVING, col(Principal.disabled_at_ms).is_(None))
    )
    if owner_id is not None:
        statement = statement.where(col(Token.principal_id) == owner_id)
    return [(token, owner) for token, owner in session.exec(statement.order_by(col(Token.expires_at_ms)))]


def tokens_seen_by(session: Session, actor: Actor, owner: Principal | None) -> list[tuple[Token, Principal]]:
    """Return the tokens of `owner`, or everybody's, to whoever may see them. Raises PermissionDenied."""
    if owner is None or not is_self(actor, owner):
        access.require_admin(actor, "seeing other people's tokens")
    return list_tokens(session, owner_id=owner.id if owner else None)


def find_token(session: Session, actor: Actor, public_id: str) -> tuple[Token, Principal]:
    """Return a token and its owner to the owner or an administrator. Raises NotFound: others learn nothing."""
    found = session.exec(
        select(Token, Principal)
        .join(Principal, col(Principal.id) == col(Token.principal_id))
        .where(col(Token.public_id) == public_id)
    ).one_or_none()
    if found is None or not (actor.is_admin or is_self(actor, found[1])):
        raise NotFound(f"There is no token {public_id[:50]!r}.")
    return found[0], found[1]


def revoke_token(session: Session, actor: Actor, public_id: str) -> None:
    """End a token; of one that is revoked already nothing changes. Raises NotFound, PermissionDenied."""
    token, owner = find_token(session, actor, public_id)
    _require_owner(actor, owner, "revoking somebody else's token")
    if token.revoked_at_ms is not None:
        return
    token.revoked_at_ms, token.revoked_by = current_ms(session), actor.name
    _record(session, actor, Action.REVOKE_TOKEN, token, owner)
    session.flush()


def describe_token(session: Session, actor: Actor, public_id: str, *, comment: str) -> None:
    """Change what a token is said to be for. Raises NotFound, PermissionDenied, InvalidValue."""
    check_display_name(comment)
    token, owner = find_token(session, actor, public_id)
    _require_owner(actor, owner, "changing somebody else's token")
    before, token.comment = token.comment, comment
    audit.record(
        session,
        actor,
        Action.UPDATE_TOKEN,
        principal=f"token:{token.public_id}",
        before={"comment": before},
        after={"comment": comment},
    )
    session.flush()


def is_self(actor: Actor, owner: Principal) -> bool:
    """Whether `actor` is `owner`."""
    return actor.principals[:1] == (owner.id,)


def _require_owner(actor: Actor, owner: Principal, doing: str) -> None:
    if not is_self(actor, owner):
        access.require_admin(actor, doing)
    access.require_scope(actor, Scope.WRITE, "changing tokens")


def _record(session: Session, actor: Actor, action: Action, token: Token, owner: Principal) -> None:
    limits: dict[str, Any] = {"owner": owner.name, "scope": token.scope}
    if token.models is not None:
        limits["models"] = token.models
    if token.highest_stage is not None:
        limits["highest_stage"] = token.highest_stage
    made = action is Action.CREATE_TOKEN
    audit.record(
        session,
        actor,
        action,
        principal=f"token:{token.public_id}",
        before=None if made else limits,
        after={**limits, "expires_at_ms": token.expires_at_ms} if made else None,
    )
