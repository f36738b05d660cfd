"""`modelyard token`: personal access tokens. Works on the database itself; a new token stands alone on stdout."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from modelyard.console.job_tables import written_time
from modelyard.console.own_database import changing, looking, operator
from modelyard.console.screens import printable, screen
from modelyard.database.tables import Principal, Token
from modelyard.registry import tokens
from modelyard.registry.principals import require_account
from modelyard.rules.tokens import DAY_S, DEFAULT_DAYS, MAX_DAYS, parse_limits

app = typer.Typer(
    help="Make, list and revoke personal access tokens, on the database of MODELYARD_DATABASE_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="Whose token: a user, or the application id of a service principal.")],
    expires_days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="Days until it ends.")] = DEFAULT_DAYS,
    scope: Annotated[
        str, typer.Option(help="read: look. write: work on models. admin: also administer, if the owner may.")
    ] = "write",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="The only model that it reaches; may be repeated.", metavar="NAME"),
    ] = None,
    stage: Annotated[str, typer.Option(help="The highest stage that it moves versions to.", metavar="STAGE")] = "",
    comment: Annotated[str, typer.Option(help="What it is for.", metavar="TEXT")] = "",
) -> None:
    """Make a token and print it, alone and this once: only its digest is kept."""
    limits = parse_limits(scope=scope, models=model or [], highest_stage=stage)
    with changing() as session:
        owner = require_account(session, email)
        _, text = tokens.create_token(
            session, operator(), owner, limits, lifetime_s=expires_days * DAY_S, comment=comment
        )
    print(text)


@app.command("list")
def list_tokens(
    email: Annotated[str, typer.Argument(help="Whose tokens; everybody's without it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tokens that still open the door."""
    with looking() as session:
        owner = require_account(session, email) if email else None
        shown = [_shown(*one) for one in tokens.list_tokens(session, owner_id=owner.id if owner else None)]
    if as_json:
        print(json.dumps({"tokens": shown}, indent=2))
        return
    table = Table("ID", "USER", "SCOPE", "MODELS", "STAGE", "EXPIRES", "LAST USED", "COMMENT", box=None, pad_edge=False)
    for one in shown:
        table.add_row(
            one["id"],
            printable(one["user"]),
            one["scope"],
            printable(", ".join(one["models"] or ["all"])),
            one["highest_stage"] or "any",
            written_time(one["expires_at_ms"]),
            written_time(one["last_used_at_ms"]),
            printable(one["comment"]),
        )
    screen().print(table)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Id of the token, or the token itself.", metavar="ID")],
) -> None:
    """End a token. Servers notice within seconds."""
    public_id = token_id.split("_")[1] if token_id.count("_") >= 2 else token_id
    with changing() as session:
        tokens.revoke_token(session, operator(), public_id)
    print(f"{public_id} is revoked.")


def _shown(token: Token, owner: Principal) -> dict[str, Any]:
    return {
        "id": token.public_id,
        "user": owner.name,
        "comment": token.comment,
        "scope": token.scope,
        "models": token.models,
        "highest_stage": token.highest_stage,
        "created_at_ms": token.created_at_ms,
        "expires_at_ms": token.expires_at_ms,
        "last_used_at_ms": token.last_used_at_ms,
    }
