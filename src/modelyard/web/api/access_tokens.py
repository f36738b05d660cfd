"""Routes of databricks-sdk's `tokens` and `token_management`: one's own tokens, and everybody's for administrators."""

from modelyard.database.session import reading
from modelyard.database.tables import Principal, Token
from modelyard.registry import tokens as registry
from modelyard.registry.principals import principal_of_row, require_account
from modelyard.rules.tokens import DAY_S, DEFAULT_DAYS
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Required, Text, Whole, arguments
from modelyard.web.api.changing import changing_people
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class CreateToken(Arguments):
    """The body of token/create."""

    comment: Text = ""
    lifetime_seconds: Whole = DEFAULT_DAYS * DAY_S


class CreateOboToken(CreateToken):
    """The body of token-management/on-behalf-of/tokens."""

    application_id: Required


class NamedToken(Arguments):
    """The body of token/delete."""

    token_id: Required


class DescribedToken(Arguments):
    """What a token shall be like; only its comment can be changed."""

    comment: Text = ""


class UpdateToken(Arguments):
    """The body of PATCH token."""

    token: DescribedToken


class ListTokens(Arguments):
    """Whose tokens are asked for; nobody named means everybody's."""

    created_by_username: Text = ""
    created_by_id: Whole | None = None


def create() -> Json:
    """Make a token for the caller, which reaches as far as the one that asks."""
    asked = arguments(CreateToken)
    actor = current_actor()
    with changing_people() as session:
        owner = principal_of_row(session, actor.principals[0])
        token, text = registry.create_token(
            session, actor, owner, actor.limits, lifetime_s=asked.lifetime_seconds, comment=asked.comment
        )
        return {"token_value": text, "token_info": _public(token)}


def create_on_behalf() -> Json:
    """Make a token for a service principal."""
    asked = arguments(CreateOboToken)
    with changing_people() as session:
        owner = require_account(session, asked.application_id)
        token, text = registry.create_token(
            session,
            current_actor(),
            owner,
            current_actor().limits,
            lifetime_s=asked.lifetime_seconds,
            comment=asked.comment,
        )
        return {"token_value": text, "token_info": _managed(token, owner)}


def delete() -> Json:
    """Revoke one of the caller's tokens."""
    asked = arguments(NamedToken)
    with changing_people() as session:
        registry.revoke_token(session, current_actor(), asked.token_id)
    return {}


def update(token_id: str) -> Json:
    """Change what a token is said to be for."""
    asked = arguments(UpdateToken)
    with changing_people() as session:
        registry.describe_token(session, current_actor(), token_id, comment=asked.token.comment)
    return {}


def list_own() -> Json:
    """List the caller's tokens."""
    with reading(site().engine) as session:
        found = registry.list_tokens(session, owner_id=current_actor().principals[0])
        return {"token_infos": [_public(token) for token, _ in found]}


def list_all() -> Json:
    """List tokens of other people."""
    asked = arguments(ListTokens)
    with reading(site().engine) as session:
        owner = None
        if asked.created_by_username:
            owner = require_account(session, asked.created_by_username)
        elif asked.created_by_id is not None:
            owner = principal_of_row(session, asked.created_by_id)
        found = registry.tokens_seen_by(session, current_actor(), owner)
        return {"token_infos": [_managed(token, owner) for token, owner in found]}


def get(token_id: str) -> Json:
    """Show one token."""
    with reading(site().engine) as session:
        token, owner = registry.find_token(session, current_actor(), token_id)
        return {"token_info": _managed(token, owner)}


def delete_managed(token_id: str) -> Json:
    """Revoke anybody's token."""
    with changing_people() as session:
        registry.revoke_token(session, current_actor(), token_id)
    return {}


def _public(token: Token) -> Json:
    return {
        "token_id": token.public_id,
        "comment": token.comment,
        "creation_time": token.created_at_ms,
        "expiry_time": token.expires_at_ms,
    }


def _managed(token: Token, owner: Principal) -> Json:
    return _public(token) | {
        "owner_id": owner.id,
        "created_by_id": owner.id,
        "created_by_username": owner.name,
        "last_used_day": token.last_used_at_ms,
    }
