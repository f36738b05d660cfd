"""`modelyard audit`: the audit log, exported, and how long it is kept. Works on the database itself."""

import sys
from typing import Annotated

import typer

from modelyard.console.own_database import changing, looking, operator
from modelyard.registry.audit_log import AuditFilter, entries_after, retention_days, set_retention_days
from modelyard.web.api.audit import json_line

app = typer.Typer(
    help="Export the audit log, on the database of MODELYARD_DATABASE_URL, and say how long it is kept.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_PIECE = 1000


@app.command()
def export(
    model: Annotated[str | None, typer.Option(help="Of one registered model.", metavar="NAME")] = None,
    actor: Annotated[str | None, typer.Option(help="What one person did.", metavar="NAME")] = None,
    after: Annotated[int, typer.Option(min=0, help="Behind the entry with this id.", metavar="ID")] = 0,
) -> None:
    """Print the log, oldest first, a JSON object on each line."""
    wanted = AuditFilter(model=model, actor=actor)
    with looking() as session:
        # Pieces, so that a long log needs no memory; one snapshot, so that none is missed.
        while found := entries_after(session, operator(), wanted, after=after, limit=_PIECE):
            sys.stdout.writelines(json_line(entry) for entry in found)
            after = found[-1].id
            session.expunge_all()


@app.command()
def retention(
    days: Annotated[int | None, typer.Argument(help="Days to keep entries from now on; shown without it.")] = None,
) -> None:
    """Show or change for how many days the database keeps an entry from being deleted."""
    if days is None:
        with looking() as session:
            print(retention_days(session))
        return
    with changing() as session:
        set_retention_days(session, operator(), days)
    print(f"Entries are kept for {days} days. The schedule prune_audit removes older ones.")
