"""From a token or a name to the actor behind it, as the database knows them now."""

import hmac
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, func, literal_column, or_, select, update
from sqlmodel import Session, col

from modelyard.database.clock import now_ms
from modelyard.database.tables import Token, metadata
from modelyard.errors import Unauthorized
from modelyard.registry.access import Actor, Via
from modelyard.registry.principals import ADMINS_ID
from modelyard.rules.principals import PrincipalKind, folded
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import UNLIMITED, Scope, TokenLimits, digest_of, public_id_of

# The time of the last use is written at most this often, so that reading stays reading.
NOTED_EACH_MS = 3_600_000
# So many permissions are quickly gathered.
MUCH = 200
_NO_DIGEST = "0" * 64
_UNKNOWN = "The token is not known here."

_tokens = metadata.tables["tokens"]
_principals = metadata.tables["principals"]
_members = metadata.tables["group_members"]
_grants = metadata.tables["grants"]
_models = metadata.tables["registered_models"]


def _with_groups(*columns: Any) -> Select[Any]:
    """Return a SELECT over accounts with a row for each of their groups, or one whose group is NULL.

    `on_root` says of each row whether the account or that group holds something on the root, `held` on how many
    models, counted no further than needed.
    """
    holder = _grants.c.principal_id.in_([_principals.c.id, _members.c.group_id])
    on_root = exists().where(_grants.c.model_id.is_(None), holder).correlate(_principals, _members)
    some = select(_grants.c.id).where(holder).limit(MUCH).correlate(_principals, _members).subquery()
    held = select(func.count()).select_from(some).scalar_subquery()
    return (
        select(
            *_principals.c["id", "name", "disabled_at_ms", "deleted_at_ms"],
            _members.c.group_id,
            on_root.label("on_root"),
            held.label("held"),
            *columns,
        )
        .select_from(_principals.outerjoin(_members, _members.c.member_id == _principals.c.id))
        .order_by(_members.c.group_id)
    )


_OF_TOKEN = _with_groups(
    *_tokens.c["public_id", "digest", "scope", "models", "highest_stage", "revoked_at_ms"],
    (_tokens.c.expires_at_ms <= now_ms()).label("expired"),
    (_tokens.c.last_used_at_ms.is_(None) | (_tokens.c.last_used_at_ms < now_ms() - NOTED_EACH_MS)).label("unnoted"),
).where(_tokens.c.public_id == bindparam("public_id"), _tokens.c.principal_id == _principals.c.id)
_OF_NAME = _with_groups().where(
    _principals.c.kind != PrincipalKind.GROUP,
    _principals.c.folded == bindparam("folded"),
    _principals.c.deleted_at_ms.is_(None),
)

# Whether there are more models than so many, without counting them all.
_MORE_MODELS = select(
    select(literal_column("1"))
    .select_from(_models)
    .where(_models.c.deleted_at_ms.is_(None))
    .offset(bindparam("than"))
    .exists()
)


def actor_of_token(session: Session | Connection, text: str) -> Actor:
    """Return who holds this token. Raises Unauthorized, in words that only the holder of the real one learns from.

    The row is found by the public part alone and the digest compared in constant time, so how long a refusal takes
    does not tell how much of a guess was right.
    """
    public_id = public_id_of(text)
    if public_id is None:
        raise Unauthorized(_UNKNOWN)
    rows = session.execute(_OF_TOKEN, {"public_id": public_id}).all()
    right = hmac.compare_digest(digest_of(text), rows[0].digest if rows else _NO_DIGEST)
    if not right or not rows:
        raise Unauthorized(_UNKNOWN)
    _check_usable(rows[0])
    return _actor(session, rows, limits_of(rows[0]), Via(token_id=public_id, unnoted=bool(rows[0].unnoted)))


def actor_of_token_id(session: Session | Connection, public_id: str) -> Actor:
    """Return who holds the token with this public id, which a signed text named. Raises Unauthorized."""
    rows = session.execute(_OF_TOKEN, {"public_id": public_id}).all()
    if not rows:
        raise Unauthorized(_UNKNOWN)
    _check_usable(rows[0])
    return _actor(session, rows, limits_of(rows[0]), Via(token_id=public_id))


def actor_of_name(session: Session, name: str) -> Actor | None:
    """Return the user or service principal called `name` with all rights; None for one who is not let in."""
    rows = session.execute(_OF_NAME, {"folded": folded(name)}).all()
    if not rows or rows[0].disabled_at_ms is not None:
        return None
    return _actor(session, rows, UNLIMITED, Via())


def limits_of(token: Any) -> TokenLimits:
    """Return what a token, an object or a row, takes away from its owner's rights."""
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


def _check_usable(found: Row[Any]) -> None:
    if found.revoked_at_ms is not None or found.deleted_at_ms is not None:
        raise Unauthorized(f"The token {found.public_id} was revoked. Make a new one.")
    if found.expired:
        raise Unauthorized(f"The token {found.public_id} has expired. Make a new one.")
    if found.disabled_at_ms is not None:
        raise Unauthorized(f"The account {found.name} is disabled. Ask an administrator.")


def _actor(session: Session | Connection, rows: Any, limits: TokenLimits, via: Via) -> Actor:
    owner = rows[0]
    groups = [row.group_id for row in rows if row.group_id is not None]
    held = sum(row.held for row in rows)
    much = held >= MUCH
    return Actor(
        owner.name,
        is_admin=ADMINS_ID in groups,
        principals=(owner.id, *groups),
        on_root=any(row.on_root for row in rows),
        holds_much=much,
        holds_most=much and not session.scalar(_MORE_MODELS, {"than": 2 * held}),
        limits=limits,
        via=via,
    )
