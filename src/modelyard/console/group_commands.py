"""`modelyard group`: groups and who is in them. Works on the database itself."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from modelyard.console.own_database import changing, looking, operator
from modelyard.console.screens import printable, screen
from modelyard.registry import groups
from modelyard.registry.principals import list_principals, require_account
from modelyard.rules.principals import PrincipalKind

app = typer.Typer(
    help="Make groups and fill them, on the database of MODELYARD_DATABASE_URL. `admins` holds the administrators.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the group.", metavar="GROUP")]
Members = Annotated[list[str], typer.Argument(help="Users, or application ids of service principals.", metavar="EMAIL")]


@app.command()
def create(name: Name) -> None:
    """Make a group."""
    with changing() as session:
        group = groups.create_group(session, operator(), name)
    print(group.name)


@app.command()
def add(name: Name, members: Members) -> None:
    """Put users into a group; those who are in it stay."""
    with changing() as session:
        found = [require_account(session, member) for member in members]
        groups.add_members(session, operator(), groups.find_group(session, name), found)
    print(f"{', '.join(one.name for one in found)} now in {name}.")


@app.command()
def remove(name: Name, members: Members) -> None:
    """Take users out of a group."""
    with changing() as session:
        found = [require_account(session, member) for member in members]
        groups.remove_members(session, operator(), groups.find_group(session, name), found)
    print(f"{', '.join(one.name for one in found)} no longer in {name}.")


@app.command()
def delete(name: Name) -> None:
    """Take a group away with its permissions."""
    with changing() as session:
        groups.delete_group(session, operator(), groups.find_group(session, name))
    print(f"{name} is deleted.")


@app.command("list")
def list_groups(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List groups with their members."""
    with looking() as session:
        rows, _ = list_principals(session, PrincipalKind.GROUP)
        members = groups.members_of(session, [row.id for row in rows])
        shown: list[dict[str, Any]] = [
            {
                "id": row.id,
                "name": row.name,
                "members": [member.name for member in members.get(row.id, []) if not member.builtin],
            }
            for row in rows
        ]
    if as_json:
        print(json.dumps({"groups": shown}, indent=2))
        return
    table = Table("NAME", "MEMBERS", box=None, pad_edge=False)
    for one in shown:
        table.add_row(printable(one["name"]), printable(", ".join(one["members"])))
    screen().print(table)
