"""`modelyard trash`: what was deleted, brought back or purged, over HTTP from any machine."""

import json
from typing import Annotated

import typer
from rich.table import Table

from modelyard.console.connection import connected
from modelyard.console.job_tables import written_time
from modelyard.console.outcomes import tell_outcome
from modelyard.console.screens import printable, screen
from modelyard.console.targets import find_in_trash, items_in_trash
from modelyard.rules.counts import counted
from modelyard.storage import sizes

app = typer.Typer(
    help="List, restore and purge what was deleted on the server at MODELYARD_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

What = Annotated[str, typer.Argument(help="NAME, NAME/VERSION, or the id that the list shows.", metavar="WHAT")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


@app.command("list")
def list_trash(as_json: AsJson = False) -> None:
    """List what was deleted and can still be restored, what was deleted last first."""
    with connected() as server:
        items = list(items_in_trash(server))
    if as_json:
        print(json.dumps({"items": items}))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("WHAT", "VERSIONS", "SIZE", "DELETED", "BY", "PURGED", "ID"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("VERSIONS", "SIZE") else "left")
    for item in items:
        what = item["name"] if item["version"] is None else f"{item['name']}/{item['version']}"
        table.add_row(
            printable(what),
            str(item["versions"]),
            sizes.written(item["size_bytes"]),
            written_time(item["deleted_at_ms"]),
            printable(item["deleted_by"]),
            "now" if item["purging"] else written_time(item["purge_at_ms"]),
            item["id"],
        )
    screen().print(table if items else "The trash is empty.")


@app.command()
def restore(
    what: What,
    name: Annotated[
        str | None, typer.Option("--as", help="Another name for a model whose own was taken.", metavar="NAME")
    ] = None,
) -> None:
    """Bring back a model with the versions that went with it, or one version."""
    with connected() as server:
        item = find_in_trash(server, what)
        back = server.post(f"/trash/{item['id']}/restore", {"name": name} if name else None).document()
    whole = f"{back['name']} with {counted(item['versions'], 'version')}"
    told = whole if back["version"] is None else f"{back['name']}/{back['version']}"
    screen().print(printable(f"Restored {told}."), soft_wrap=True)


@app.command()
def purge(
    what: What,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
) -> None:
    """Remove something from the trash for good. The bytes that only it held are freed by the collection after it."""
    with connected() as server:
        item = find_in_trash(server, what)
        if dry_run:
            seen = server.get(f"/trash/{item['id']}/purge").document()
            screen().print(
                f"{counted(item['versions'], 'version')}: {sizes.written(seen['freed_bytes'])} in "
                f"{counted(seen['freed_files'], 'file')} would be no longer referenced, of "
                f"{sizes.written(seen['stored_bytes'])}.",
                soft_wrap=True,
            )
            return
        tell_outcome(server, server.post(f"/trash/{item['id']}/purge"), wait=wait)
