"""`modelyard store`: how much is stored, whether it is intact, and what nobody needs; over HTTP, but for `adopt`."""

from typing import Annotated, Any

import typer
from rich.table import Table

from modelyard.console.adoption import adopt_store, describe_adoption
from modelyard.console.connection import connected
from modelyard.console.outcomes import tell_outcome
from modelyard.console.screens import printable, screen
from modelyard.console.targets import Target, parse_target, parse_version_target
from modelyard.errors import InvalidValue
from modelyard.rules.counts import counted
from modelyard.settings import load_settings
from modelyard.storage import sizes

app = typer.Typer(
    help="Count, verify, repair, take over and collect bytes in the store of the server at MODELYARD_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Some = Annotated[str | None, typer.Argument(help="NAME or NAME/VERSION; by default everything.", metavar="[WHAT]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is done.")]

_STORE = {
    "models": "registered models",
    "versions": "versions",
    "version_bytes": "sizes of all versions, as if they shared nothing",
    "stored_bytes": "stored",
    "stored_files": "files stored",
    "shared_bytes": "held by more than one version",
    "trash_bytes": "held by nothing but the trash",
    "unreferenced_bytes": "held by nothing, for a collection to free",
}
_ONE = {
    "stored_bytes": "stored",
    "stored_files": "files stored",
    "own_bytes": "would be freed if it were purged",
    "shared_bytes": "held by others, too",
}


@app.command()
def usage(what: Some = None, as_json: AsJson = False) -> None:
    """Show how many bytes are stored, and how many of them are shared."""
    path = "/store/usage" if what is None else f"{parse_target(what).path}/usage"
    with connected() as server:
        answer = server.get(path)
    if as_json:
        print(answer.text)
        return
    found = answer.document()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for key, meaning in (_STORE if what is None else _ONE).items():
        value = sizes.written(found[key]) if key.endswith("_bytes") else str(found[key])
        table.add_row(value, meaning)
    screen().print(table)


@app.command()
def verify(what: Some = None, wait: Wait = True) -> None:
    """Read stored files again and compare their digests; exits with 1 when something is damaged."""
    target = parse_target(what) if what is not None else None
    with connected() as server:
        tell_outcome(server, server.post("/store/verify" if target is None else f"{target.path}/verify"), wait=wait)
        damaged = [version for version in _damaged(server) if _is_meant(version, target)] if wait else []
    raise typer.Exit(1 if damaged else 0)


@app.command()
def damaged(as_json: AsJson = False) -> None:
    """List the versions that refer to files which a verification found missing or changed."""
    with connected() as server:
        answer = server.get("/store/damaged")
    if as_json:
        print(answer.text)
        return
    versions = answer.document()["versions"]
    for version in versions:
        files = counted(version["damaged_files"], "file")
        screen().print(printable(f"{version['name']}/{version['version']}: {files}"), soft_wrap=True)
    if not versions:
        screen().print("Nothing is known to be damaged.")


@app.command()
def repair(
    what: Annotated[str, typer.Argument(help="NAME/VERSION.", metavar="VERSION")],
    source: Annotated[
        str | None, typer.Option(help="Where the same files lie, by default what it was registered from.")
    ] = None,
    wait: Wait = True,
) -> None:
    """Store the damaged files of a version again, from a source that still has the same bytes."""
    target = parse_version_target(what)
    with connected() as server:
        tell_outcome(server, server.post(f"{target.path}/repair", {"source": source} if source else None), wait=wait)


@app.command()
def materialize(
    what: Annotated[str, typer.Argument(help="NAME/VERSION.", metavar="VERSION")],
    wait: Wait = True,
) -> None:
    """Copy the files of a version that was registered by reference into the store; it stays as it is until then."""
    target = parse_version_target(what)
    with connected() as server:
        tell_outcome(server, server.post(f"{target.path}/materialize"), wait=wait)


@app.command()
def collect(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be freed.")] = False,
    wait: Wait = True,
) -> None:
    """Remove the bytes that nothing has referred to for the grace period, and say how many those were."""
    with connected() as server:
        tell_outcome(server, server.post("/store/collect", {"dry_run": dry_run}), wait=wait)


@app.command()
def adopt(
    yes: Annotated[bool, typer.Option("--yes", help="The other database is gone for good; do it.")] = False,
) -> None:
    """Make the store of MODELYARD_STORE_URL this database's own, after one was restored, moved or copied.

    Run it where the server runs, with its settings. Never let two databases that are both in use have one store.
    """
    settings = load_settings()
    if not yes:
        screen().print(printable(describe_adoption(settings)), soft_wrap=True)
        raise InvalidValue("Nothing was changed. Give --yes when no other database uses this store any more.")
    screen().print(printable(adopt_store(settings)), soft_wrap=True)


def _damaged(server: Any) -> list[dict[str, Any]]:
    versions: list[dict[str, Any]] = server.get("/store/damaged").document()["versions"]
    return versions


def _is_meant(version: dict[str, Any], target: Target | None) -> bool:
    return target is None or (version["name"] == target.name and target.version in (None, version["version"]))
