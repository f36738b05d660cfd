"""Personal access tokens of whoever is signed in: made, shown once, revoked."""

from flask import Response

from modelyard.database.session import reading
from modelyard.errors import InvalidState, InvalidValue, NotFound
from modelyard.registry import tokens as registry
from modelyard.registry.principals import principal_of_row
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import DAY_S, DEFAULT_DAYS, MAX_DAYS, Scope, parse_limits
from modelyard.web.api.changing import changing_people
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import typed
from modelyard.web.ui.frame import Refusal, go, page, sheet

_HERE = "/settings/tokens"
_SCOPES = {Scope.READ: "Look", Scope.WRITE: "Work on models", Scope.ADMIN: "Also administer, if you may"}


def show() -> Response:
    """Show the tokens that still open the door."""
    with reading(site().engine) as session:
        owner = principal_of_row(session, current_actor().principals[0])
        found = registry.tokens_seen_by(session, current_actor(), owner)
        builtin = owner.builtin
        ending = {token.public_id for token, _ in registry.expiring_tokens(session, owner_id=owner.id)}
    return page(
        "tokens.html",
        title="Tokens",
        section="settings",
        tokens=[token for token, _ in found],
        ending=ending,
        builtin=builtin,
    )


def new() -> Response:
    """Ask what a new token is to be for."""
    return _form({"comment": "", "scope": Scope.WRITE, "models": "", "stage": "", "days": str(DEFAULT_DAYS)})


def create() -> Response:
    """Make a token and show it, this once."""
    given = {name: typed(name) for name in ("comment", "scope", "models", "stage", "days")}
    try:
        limits = parse_limits(
            scope=given["scope"],
            models=[line.strip() for line in given["models"].splitlines() if line.strip()],
            highest_stage=given["stage"],
        )
        with changing_people() as session:
            owner = principal_of_row(session, current_actor().principals[0])
            _, text = registry.create_token(
                session,
                current_actor(),
                owner,
                limits,
                lifetime_s=_days(given["days"]) * DAY_S,
                comment=given["comment"],
            )
    except (InvalidValue, InvalidState) as error:
        return _form(given, Refusal(error.message))
    # Not led on: the text must be in no address and no cookie.
    answer = sheet(
        "token_made.html", title="Copy the token now", section="settings", action=_HERE, back=_HERE, text=text
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def revoke(public_id: str) -> Response:
    """End a token."""
    try:
        with changing_people() as session:
            registry.revoke_token(session, current_actor(), public_id)
    except NotFound as error:
        return go(_HERE, error.message)
    return go(_HERE, f"The token {public_id} was revoked.")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidValue(f"{text[:30]!r} is no number of days; expected from 1 to {MAX_DAYS}.")
    return int(text)


def _form(given: dict[str, str], refusal: Refusal | None = None) -> Response:
    return sheet(
        "new_token.html",
        title="New token",
        section="settings",
        action=_HERE,
        back=_HERE,
        refusal=refusal,
        given=given,
        scopes=[(scope.value, text) for scope, text in _SCOPES.items()],
        stages=[stage.value for stage in Stage],
        most_days=MAX_DAYS,
    )
