"""`modelyard user`: who may come in. Works on the database itself, so that the first administrator can be made."""

import json
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.table import Table
from sqlmodel import Session

from modelyard.console.job_tables import written_time
from modelyard.console.own_database import changing, looking, operator
from modelyard.console.screens import printable, screen
from modelyard.database.tables import Principal
from modelyard.registry import groups, users
from modelyard.registry.principals import list_principals, require_account
from modelyard.rules.principals import ADMINS, PrincipalKind

app = typer.Typer(
    help="Enter, list and disable users and service principals, on the database of MODELYARD_DATABASE_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Email = Annotated[str, typer.Argument(help="E-mail address or short name; of a program, its application id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="E-mail address or short name; with --service a display name.")],
    admin: Annotated[bool, typer.Option("--admin", help="Make it an administrator.")] = False,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="Group to put it into; may be repeated.", metavar="NAME")
    ] = None,
    display_name: Annotated[str, typer.Option(help="How it is shown.", metavar="NAME")] = "",
    service: Annotated[
        bool, typer.Option("--service", help="Enter a service principal; prints its new application id.")
    ] = False,
) -> None:
    """Enter a user; prints the name under which it is known."""
    actor = operator()
    with changing() as session:
        if service:
            person = users.create_service_principal(session, actor, str(uuid4()), display_name=display_name or email)
        else:
            person = users.create_user(session, actor, email, display_name=display_name)
        for name in [*(group or []), *([ADMINS] if admin else [])]:
            groups.add_members(session, actor, groups.find_group(session, name), [person])
    print(person.name)


@app.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List users and service principals."""
    with looking() as session:
        found = [row for kind in PrincipalKind if kind is not PrincipalKind.GROUP for row in _all(session, kind)]
        shown = [_shown(session, row) for row in found]
    if as_json:
        print(json.dumps({"users": shown}, indent=2))
        return
    table = Table("NAME", "KIND", "GROUPS", "ACTIVE", "DISPLAY NAME", "CREATED", box=None, pad_edge=False)
    for one in shown:
        table.add_row(
            printable(one["name"]),
            one["kind"].replace("_", " "),
            printable(", ".join(one["groups"])),
            "yes" if one["active"] else "no",
            printable(one["display_name"]),
            written_time(one["created_at_ms"]),
        )
    screen().print(table)


@app.command()
def disable(email: Email) -> None:
    """Let somebody in no more; tokens and permissions stay."""
    _set_active(email, active=False)


@app.command()
def enable(email: Email) -> None:
    """Let somebody in again."""
    _set_active(email, active=True)


@app.command()
def delete(email: Email) -> None:
    """Take somebody's tokens, permissions and groups away for good; the name stays in the history."""
    with changing() as session:
        users.delete_principal(session, operator(), require_account(session, email))
    print(f"{email} is deleted.")


def _set_active(email: str, *, active: bool) -> None:
    with changing() as session:
        users.set_active(session, operator(), require_account(session, email), active=active)
    print(f"{email} is {'enabled' if active else 'disabled'}.")


def _all(session: Session, kind: PrincipalKind) -> list[Principal]:
    return list_principals(session, kind)[0]


def _shown(session: Session, row: Principal) -> dict[str, Any]:
    mine = groups.groups_of(session, [row.id]).get(row.id, [])
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "display_name": row.display_name,
        "active": row.disabled_at_ms is None,
        "groups": [group.name for group in mine],
        "created_at_ms": row.created_at_ms,
    }
