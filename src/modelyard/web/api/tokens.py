"""Routes of personal access tokens in the native API, where their limits can be chosen."""

from typing import Annotated, Literal

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.database.tables import Principal, Token
from modelyard.registry import tokens as registry
from modelyard.registry.principals import principal_of_row, require_account
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import DAY_S, DEFAULT_DAYS, MAX_DAYS, Scope, parse_limits
from modelyard.web.api.arguments import Flag, Required, StrictArguments, Text, Whole
from modelyard.web.api.changing import changing_people
from modelyard.web.api.people import Nothing
from modelyard.web.identity import current_actor
from modelyard.web.site import site

StageWord = Literal["None", "Staging", "Production", "Archived"]


class TokenAnswer(TypedDict):
    """A token, without its text."""

    id: str
    user: str
    comment: str
    scope: Literal["read", "write", "admin"]
    models: Annotated[list[str] | None, Field(description="The only models that it reaches; null for all.")]
    highest_stage: Annotated[StageWord | None, Field(description="The highest stage that it moves versions to.")]
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    last_used_at_ms: Annotated[int | None, Field(description="To the hour.")]


class TokenList(TypedDict):
    """The tokens that still open the door, oldest first."""

    tokens: list[TokenAnswer]


class NewToken(TypedDict):
    """A new token, with its text, which is shown this once."""

    token: Annotated[str, Field(description="What to send; it is kept nowhere.")]
    info: TokenAnswer


class ListTokens(StrictArguments):
    """Whose tokens are meant: one's own, unless somebody else is named."""

    user: Required | None = Field(None, description="Administrators only.", examples=["ann@example.com"])
    everybody: Flag = Field(False, description="Administrators only.", examples=[False])


class CreateToken(StrictArguments):
    """The token to make; for oneself, unless an administrator names somebody else."""

    user: Required | None = Field(None, examples=["ann@example.com"])
    comment: Text = Field("", examples=["pipeline"])
    expires_days: Annotated[Whole, Field(ge=1, le=MAX_DAYS)] = Field(DEFAULT_DAYS, examples=[90])
    scope: Literal["read", "write", "admin"] = Field("write", examples=["write"])
    models: list[Required] = Field(default_factory=list, examples=[["house-prices"]])
    highest_stage: Text = Field("", examples=["Staging"])


class NamedToken(StrictArguments):
    """A request about one token."""

    token_id: Required = Field(examples=["0123456789abcdef"])


def list_tokens(asked: ListTokens) -> TokenList:
    """List tokens."""
    actor = current_actor()
    with reading(site().engine) as session:
        owner: Principal | None = principal_of_row(session, actor.principals[0])
        if asked.everybody:
            owner = None
        elif asked.user is not None:
            owner = require_account(session, asked.user)
        found = registry.tokens_seen_by(session, actor, owner)
        return {"tokens": [_answer(token, owner) for token, owner in found]}


def create_token(asked: CreateToken) -> NewToken:
    """Make a token; its text stands in this answer and nowhere else."""
    actor = current_actor()
    limits = parse_limits(scope=asked.scope, models=asked.models, highest_stage=asked.highest_stage)
    with changing_people() as session:
        owner = (
            principal_of_row(session, actor.principals[0])
            if asked.user is None
            else require_account(session, asked.user)
        )
        token, text = registry.create_token(
            session, actor, owner, limits, lifetime_s=asked.expires_days * DAY_S, comment=asked.comment
        )
        return {"token": text, "info": _answer(token, owner)}


def revoke_token(asked: NamedToken) -> Nothing:
    """End a token."""
    with changing_people() as session:
        registry.revoke_token(session, current_actor(), asked.token_id)
    return {}


def _answer(token: Token, owner: Principal) -> TokenAnswer:
    return {
        "id": token.public_id,
        "user": owner.name,
        "comment": token.comment,
        "scope": Scope(token.scope).value,
        "models": token.models,
        "highest_stage": Stage(token.highest_stage).value if token.highest_stage is not None else None,
        "created_by": token.created_by,
        "created_at_ms": token.created_at_ms,
        "expires_at_ms": token.expires_at_ms,
        "last_used_at_ms": token.last_used_at_ms,
    }
