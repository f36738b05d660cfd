"""`modelyard policy`: what the registry archives and deletes by itself, over HTTP from any machine."""

from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from modelyard.console.client import Answer, Server, segment
from modelyard.console.connection import connected
from modelyard.console.job_tables import written_time
from modelyard.console.outcomes import tell_outcome
from modelyard.console.plan_commands import AsJson, Wait, tell_plan
from modelyard.console.plan_tables import plan_sentences, plans_table
from modelyard.console.screens import printable, screen
from modelyard.errors import InvalidValue

app = typer.Typer(
    help="Enter, read, run and pause the policies of the server at MODELYARD_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the policy.", metavar="NAME")]
Models = Annotated[
    str | None, typer.Option(help="Models whose names fit a pattern, such as 'fraud-*'.", metavar="PATTERN")
]
Tag = Annotated[str | None, typer.Option(help="Models that bear a tag.", metavar="KEY=VALUE")]
Registered = Annotated[
    int | None, typer.Option("--registered-days", help="Registered at least so long ago.", metavar="N")
]
Moved = Annotated[int | None, typer.Option("--moved-days", help="In its stage for at least so long.", metavar="N")]
Downloaded = Annotated[int | None, typer.Option("--downloaded-days", help="Not downloaded for so long.", metavar="N")]
Idle = Annotated[int | None, typer.Option("--idle-days", help="All three of these at once.", metavar="N")]
Keep = Annotated[int | None, typer.Option("--keep-newest", help="Keep so many of each model's newest.", metavar="N")]
All = Annotated[bool, typer.Option("--all", help="The conditions may mean every version.")]
Mode = Annotated[str | None, typer.Option(help="propose: somebody approves each plan; apply: it is done.")]
Percent = Annotated[int | None, typer.Option("--max-percent", help="Stop and ask beyond this share.", metavar="N")]
Most = Annotated[int | None, typer.Option("--max-versions", help="Stop and ask beyond so many.", metavar="N")]
Cron = Annotated[str | None, typer.Option(help="When it runs: a cron line, such as '0 4 * * 1'.", metavar="LINE")]
Every = Annotated[int | None, typer.Option(help="When it runs instead: each so many seconds.", metavar="SECONDS")]
Zone = Annotated[
    str | None, typer.Option("--time-zone", help="The cron line's, such as Europe/Berlin.", metavar="ZONE")
]


@app.command()
def create(
    name: Name,
    action: Annotated[
        Literal["archive", "delete"], typer.Option(help="Archive versions of stage None, or delete archived ones.")
    ],
    models: Models = None,
    tag: Tag = None,
    registered: Registered = None,
    moved: Moved = None,
    downloaded: Downloaded = None,
    idle: Idle = None,
    keep: Keep = None,
    everything: All = False,
    mode: Mode = None,
    percent: Percent = None,
    most: Most = None,
    cron: Cron = None,
    every: Every = None,
    time_zone: Zone = None,
    paused: Annotated[bool, typer.Option("--paused", help="Enter it, but do not let it run by itself.")] = False,
    as_json: AsJson = False,
) -> None:
    """Enter a policy."""
    said = _said(
        models, tag, registered, moved, downloaded, idle, keep, everything, mode, percent, most, cron, every, time_zone
    )
    with connected() as server:
        answer = server.post("/policies", {"name": name, "action": action, "enabled": not paused, **said})
    _tell(answer, as_json=as_json)


@app.command("set")
def change(
    name: Name,
    models: Models = None,
    tag: Tag = None,
    registered: Registered = None,
    moved: Moved = None,
    downloaded: Downloaded = None,
    idle: Idle = None,
    keep: Keep = None,
    everything: All = False,
    mode: Mode = None,
    percent: Percent = None,
    most: Most = None,
    cron: Cron = None,
    every: Every = None,
    time_zone: Zone = None,
    as_json: AsJson = False,
) -> None:
    """Change a policy; what is not named stays as it is."""
    said = _said(
        models, tag, registered, moved, downloaded, idle, keep, everything, mode, percent, most, cron, every, time_zone
    )
    _change(name, said, as_json=as_json)


@app.command("list")
def list_policies(as_json: AsJson = False) -> None:
    """List the policies by name."""
    with connected() as server:
        answer = server.get("/policies")
    if as_json:
        print(answer.text)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("NAME", "RULE", "MODE", "NEXT", "LAST", "VERSIONS"):
        table.add_column(heading, no_wrap=True)
    for policy in answer.document()["policies"]:
        last = policy["last_plan"]
        table.add_row(
            printable(policy["name"]),
            printable(policy["in_words"]),
            policy["mode"],
            written_time(policy["next_at_ms"]) if policy["enabled"] else "paused",
            written_time(last["created_at_ms"]) if last else "",
            f"{last['versions']} ({last['status']})" if last else "",
        )
    screen().print(table)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a policy, its schedule and the plan of its last run."""
    with connected() as server:
        answer = server.get(f"/policies/{segment(name)}")
    _tell(answer, as_json=as_json)


@app.command()
def plan(name: Name, wait: Wait = True) -> None:
    """Show what a policy would do now; its plan can be executed."""
    _run(name, "plan", wait=wait)


@app.command()
def run(name: Name, wait: Wait = True) -> None:
    """Run a policy now, as its schedule would."""
    _run(name, "run", wait=wait)


@app.command()
def pause(name: Name, as_json: AsJson = False) -> None:
    """Keep a policy from running by itself; a run under way goes on."""
    _change(name, {"enabled": False}, as_json=as_json)


@app.command()
def resume(name: Name, as_json: AsJson = False) -> None:
    """Let a policy run again, from its next slot on."""
    _change(name, {"enabled": True}, as_json=as_json)


@app.command()
def history(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what a policy has planned and done, newest first."""
    with connected() as server:
        answer = server.get(f"/policies/{segment(name)}/history", {"max_results": limit})
    if as_json:
        print(answer.text)
        return
    screen().print(plans_table(answer.document()["plans"]))


def _said(
    models: str | None,
    tag: str | None,
    registered: int | None,
    moved: int | None,
    downloaded: int | None,
    idle: int | None,
    keep: int | None,
    everything: bool,
    mode: str | None,
    percent: int | None,
    most: int | None,
    cron: str | None,
    every: int | None,
    time_zone: str | None,
) -> dict[str, Any]:
    """Return the body of a request for what the options say."""
    said: dict[str, Any] = {
        "models": models,
        "registered_days": idle if registered is None else registered,
        "moved_days": idle if moved is None else moved,
        "downloaded_days": idle if downloaded is None else downloaded,
        "keep_newest": keep,
        "all": everything or None,
        "mode": mode,
        "max_percent": percent,
        "max_versions": most,
        "cron": cron,
        "every_s": every,
        "time_zone": time_zone,
    }
    if tag is not None:
        key, equals, value = tag.partition("=")
        if not equals:
            raise InvalidValue(f"The tag {tag!r} has no value; write KEY=VALUE, such as team=fraud.")
        said |= {"tag_key": key, "tag_value": value}
    return {field: value for field, value in said.items() if value is not None}


def _change(name: str, change: dict[str, Any], *, as_json: bool) -> None:
    with connected() as server:
        answer = server.patch(f"/policies/{segment(name)}", change)
    _tell(answer, as_json=as_json)


def _run(name: str, what: str, *, wait: bool) -> None:
    with connected() as server:
        asked = server.post(f"/policies/{segment(name)}/{what}")
        tell_outcome(server, asked, wait=wait)
        if wait:
            tell_plan(server, _plan_of_job(server, name, asked.document()["job"]["id"]))


def _plan_of_job(server: Server, name: str, job_id: int) -> dict[str, Any]:
    runs = server.get(f"/policies/{segment(name)}/history", {"max_results": 100}).document()["plans"]
    found: dict[str, Any] = next(plan for plan in runs if plan["plan_job_id"] == job_id)
    return found


def _tell(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print(answer.text)
        return
    policy = answer.document()["policy"]
    out = screen()
    times = (
        f"every {policy['expression']} s"
        if policy["rule"] == "every"
        else f"cron '{policy['expression']}' {policy['time_zone']}"
    )
    due = f"next at {written_time(policy['next_at_ms'])}" if policy["enabled"] else "paused"
    out.print(printable(f"{policy['name']}: {policy['in_words']}."), soft_wrap=True)
    out.print(printable(f"Runs by {times}, {due}."), soft_wrap=True)
    caps = f"{policy['max_versions']} versions or {policy['max_percent']} %"
    out.print(f"Mode {policy['mode']}; beyond {caps} it stops and asks.", soft_wrap=True)
    if policy["last_plan"] is not None:
        for sentence in plan_sentences(policy["last_plan"]):
            out.print(sentence, soft_wrap=True)
