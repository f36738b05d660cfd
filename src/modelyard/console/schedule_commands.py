"""`modelyard schedule`: what the installation does by itself, and when, over HTTP from any machine."""

from typing import Annotated, Any

import typer
from rich.table import Table

from modelyard.console.client import Answer, segment
from modelyard.console.connection import connected
from modelyard.console.job_tables import written_time
from modelyard.console.screens import printable, screen
from modelyard.errors import InvalidValue

app = typer.Typer(
    help="List, enable, disable and edit the schedules of the server at MODELYARD_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the schedule.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List the schedules by name."""
    with connected() as server:
        answer = server.get("/schedules")
    if as_json:
        print(answer.text)
        return
    screen().print(_table(answer.document()["schedules"]))


@app.command()
def enable(name: Name, as_json: AsJson = False) -> None:
    """Let a schedule make jobs, from its next slot on; what was missed is not made up for."""
    _change(name, {"enabled": True}, as_json=as_json)


@app.command()
def disable(name: Name, as_json: AsJson = False) -> None:
    """Keep a schedule from making jobs. Those that it made go on."""
    _change(name, {"enabled": False}, as_json=as_json)


@app.command("set")
def set_rule(
    name: Name,
    cron: Annotated[str | None, typer.Option(help="A cron line, such as '30 2 * * *'.", metavar="LINE")] = None,
    every: Annotated[str | None, typer.Option(help="A period in seconds, such as 3600.", metavar="SECONDS")] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="The cron line's time zone, such as Europe/Berlin.", metavar="ZONE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change when a schedule is due; its next slot is the first one after now."""
    if cron is not None and every is not None:
        raise InvalidValue("A schedule follows one rule; give --cron or --every.")
    change = {"time_zone": time_zone} if time_zone is not None else {}
    change |= {"rule": "cron", "expression": cron} if cron is not None else {}
    change |= {"rule": "every", "expression": every} if every is not None else {}
    if not change:
        raise InvalidValue("Say what to change: --cron '30 2 * * *', --every 3600 or --time-zone Europe/Berlin.")
    _change(name, change, as_json=as_json)


def _change(name: str, change: dict[str, Any], *, as_json: bool) -> None:
    with connected() as server:
        answer: Answer = server.patch(f"/schedules/{segment(name)}", change)
    if as_json:
        print(answer.text)
        return
    schedule = answer.document()["schedule"]
    due = f"next at {written_time(schedule['next_at_ms'])}" if schedule["enabled"] else "disabled"
    screen().print(printable(f"{schedule['name']}: {_rule(schedule)}, {due}."), soft_wrap=True)


def _table(schedules: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("NAME", "KIND", "RULE", "ENABLED", "NEXT", "LAST SLOT", "LAST JOB"):
        table.add_column(heading, no_wrap=True)
    for schedule in schedules:
        table.add_row(
            printable(schedule["name"]),
            printable(schedule["kind"]),
            printable(_rule(schedule)),
            "yes" if schedule["enabled"] else "no",
            written_time(schedule["next_at_ms"]) if schedule["enabled"] else "",
            written_time(schedule["last_slot_ms"]),
            str(schedule["last_job_id"] or ""),
        )
    return table


def _rule(schedule: dict[str, Any]) -> str:
    if schedule["rule"] == "every":
        return f"every {schedule['expression']} s"
    return f"cron '{schedule['expression']}' {schedule['time_zone']}"
