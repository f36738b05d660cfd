"""`modelyard plan`: what shall be done to many versions, read and executed, over HTTP from any machine."""

from typing import Annotated, Any

import typer

from modelyard.console.client import Server, segment
from modelyard.console.connection import connected
from modelyard.console.outcomes import tell_outcome
from modelyard.console.plan_tables import plan_sentences, plans_table, versions_of, versions_table
from modelyard.console.screens import screen

app = typer.Typer(
    help="List, read and execute plans for many versions on the server at MODELYARD_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(help="The plan's id.", metavar="ID")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is done.")]


@app.command("list")
def list_plans(
    policy: Annotated[str | None, typer.Option(help="Only those of a policy.", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List plans, newest first."""
    with connected() as server:
        answer = server.get("/plans", {"policy": policy, "max_results": limit})
    if as_json:
        print(answer.text)
        return
    screen().print(plans_table(answer.document()["plans"]))


@app.command()
def show(
    plan_id: Id,
    kept: Annotated[
        bool | None, typer.Option("--kept/--touched", help="Only the versions that it keeps, or that it touches.")
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="Only done, skipped or failed versions.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a plan with the versions that it has looked at."""
    with connected() as server:
        answer = server.get(f"/plans/{segment(plan_id)}")
        if as_json:
            print(answer.text)
            return
        tell_plan(
            server, answer.document()["plan"], {"kept": None if kept is None else str(kept).lower(), "outcome": outcome}
        )


@app.command()
def execute(
    plan_id: Id,
    digest: Annotated[str, typer.Option(help="The digest of the plan that you have read.", metavar="DIGEST")],
    wait: Wait = True,
) -> None:
    """Do what a plan says, without the versions that have changed too much since it was made."""
    with connected() as server:
        plan = server.post(f"/plans/{segment(plan_id)}/execute", {"digest": digest}).document()["plan"]
        tell_execution(server, plan, wait=wait)


def tell_plan(server: Server, plan: dict[str, Any], query: dict[str, Any] | None = None) -> None:
    """Print what a plan would do, and the versions that it has looked at."""
    out = screen()
    for sentence in plan_sentences(plan):
        out.print(sentence, soft_wrap=True)
    versions = list(versions_of(server, plan, query or {}))
    if versions:
        out.print(versions_table(versions))


def tell_execution(server: Server, plan: dict[str, Any], *, wait: bool) -> None:
    """Wait for the job that executes a plan, and print what it left alone. Exits with 1 unless it succeeded."""
    tell_outcome(server, server.get(f"/jobs/{plan['execute_job_id'] or plan['plan_job_id']}"), wait=wait)
    if not wait:
        return
    left = [version for outcome in ("skipped", "failed") for version in versions_of(server, plan, {"outcome": outcome})]
    if left:
        screen().print(versions_table(left))
