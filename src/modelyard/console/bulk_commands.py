"""`modelyard bulk`: many versions archived, deleted, restored, verified or tagged, over HTTP from any machine."""

from typing import Annotated, Any

import typer

from modelyard.console.connection import connected
from modelyard.console.outcomes import tell_outcome
from modelyard.console.plan_commands import Wait, tell_execution, tell_plan
from modelyard.console.targets import parse_version_target
from modelyard.errors import InvalidValue

app = typer.Typer(
    help="Plan what is done to many versions on the server at MODELYARD_URL; with --yes, do it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Versions = Annotated[list[str] | None, typer.Argument(help="NAME/VERSION, any number of them.", metavar="[VERSION]...")]
Filter = Annotated[
    str | None, typer.Option("--filter", help="A search filter, such as \"name LIKE 'fraud-%'\".", metavar="FILTER")
]
All = Annotated[bool, typer.Option("--all", help="Every version is meant.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it at once instead of only planning it.")]


@app.command()
def archive(
    versions: Versions = None, filter_: Filter = None, everything: All = False, yes: Yes = False, wait: Wait = True
) -> None:
    """Archive versions of stage None."""
    _ask("archive", _meant(versions, filter_, everything), yes=yes, wait=wait)


@app.command()
def delete(
    versions: Versions = None, filter_: Filter = None, everything: All = False, yes: Yes = False, wait: Wait = True
) -> None:
    """Move versions of stage None or Archived to the trash."""
    _ask("delete", _meant(versions, filter_, everything), yes=yes, wait=wait)


@app.command()
def restore(
    versions: Versions = None, filter_: Filter = None, everything: All = False, yes: Yes = False, wait: Wait = True
) -> None:
    """Bring versions back from the trash."""
    _ask("restore", _meant(versions, filter_, everything), yes=yes, wait=wait)


@app.command()
def verify(
    versions: Versions = None, filter_: Filter = None, everything: All = False, yes: Yes = False, wait: Wait = True
) -> None:
    """Have the stored files of versions read again, by a job for each."""
    _ask("verify", _meant(versions, filter_, everything), yes=yes, wait=wait)


@app.command()
def tag(
    key: Annotated[str, typer.Argument(help="The tag's key.", metavar="KEY")],
    value: Annotated[str, typer.Argument(help="The tag's value.", metavar="VALUE")],
    versions: Versions = None,
    filter_: Filter = None,
    everything: All = False,
    yes: Yes = False,
    wait: Wait = True,
) -> None:
    """Set a tag on versions; modelyard.keep true pins them."""
    _ask("tag", {"key": key, "value": value, **_meant(versions, filter_, everything)}, yes=yes, wait=wait)


def _meant(versions: list[str] | None, filter_: str | None, everything: bool) -> dict[str, Any]:
    if bool(versions) + bool(filter_) + everything != 1:
        raise InvalidValue("Say which versions are meant: NAME/VERSION ..., --filter \"stage = 'None'\", or --all.")
    if everything:
        return {"all": True}
    if filter_:
        return {"filter": filter_}
    targets = [parse_version_target(version) for version in versions or ()]
    return {"versions": [{"name": target.name, "version": target.version} for target in targets]}


def _ask(action: str, body: dict[str, Any], *, yes: bool, wait: bool) -> None:
    with connected() as server:
        plan = server.post(f"/bulk/{action}", {**body, "dry_run": not yes}).document()["plan"]
        if yes:
            tell_execution(server, plan, wait=wait)
            return
        if plan["plan_job_id"] is not None:
            tell_outcome(server, server.get(f"/jobs/{plan['plan_job_id']}"), wait=wait)
            plan = server.get(f"/plans/{plan['id']}").document()["plan"]
        tell_plan(server, plan)
