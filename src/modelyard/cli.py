"""The `modelyard` command: starts things and holds no rules.

The only module that imports inside functions, so that each process loads only what it runs.
"""

import gc
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.main import get_command

from modelyard import __version__
from modelyard.errors import ModelyardError
from modelyard.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

# Groups of commands with a module of their own, which is loaded when one of them is called.
_GROUPS = {
    "bulk": "modelyard.console.bulk_commands",
    "job": "modelyard.console.job_commands",
    "plan": "modelyard.console.plan_commands",
    "policy": "modelyard.console.policy_commands",
    "schedule": "modelyard.console.schedule_commands",
    "store": "modelyard.console.store_commands",
    "trash": "modelyard.console.trash_commands",
    "user": "modelyard.console.user_commands",
    "group": "modelyard.console.group_commands",
    "token": "modelyard.console.token_commands",
    "audit": "modelyard.console.audit_commands",
}


class _Commands(TyperGroup):
    """The commands of this module, and the groups."""

    # `Any`, since Typer keeps the types of its contexts and commands to itself.
    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _GROUPS:
            return super().get_command(ctx, cmd_name)
        group = get_command(import_module(_GROUPS[cmd_name]).app)
        group.name = cmd_name
        return group


app = typer.Typer(
    name="modelyard",
    cls=_Commands,
    help="A self-hosted model registry. Settings are read from MODELYARD_* variables: `modelyard settings` lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; what we can explain is one line on stderr and exit status 2."""
    try:
        app()
    except ModelyardError as error:
        print(f"modelyard: {error.message}", file=sys.stderr)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def up() -> None:
    """Start everything on this machine: broker, workers and web server, data under MODELYARD_HOME."""
    settings = _start()
    # Importing makes many objects and no garbage. The supervisor enables it again; a fifth of the start is saved.
    gc.disable()
    from modelyard.processes.beginning import begin

    with begin(settings, _upgrade) as beginning:
        from modelyard.processes.up import up as run_up

        sys.exit(run_up(settings, beginning))


@app.command()
def web() -> None:
    """Serve HTTP alone, beside a database, a broker and workers of your own."""
    from modelyard.processes.preflight import check_start
    from modelyard.processes.web import run_web

    settings = _start()
    check_start(settings)
    sys.exit(run_web(settings))


@app.command()
def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Jobs done at once, each in a child process.")] = 2,
    queues: Annotated[
        str, typer.Option(help="Queues to work on, comma-separated: `fast` (short jobs), `copy` (bytes).")
    ] = "fast,copy",
) -> None:
    """Do the jobs of some queues; any number may run, on any machine that reaches database, broker and store."""
    from modelyard.processes.preflight import check_start
    from modelyard.worker.main import run_worker, worker_hooks

    settings = _start()
    check_start(settings)
    names = [name.strip() for name in queues.split(",") if name.strip()]
    hooks = worker_hooks(settings, queues=names, concurrency=concurrency)
    sys.exit(run_worker(settings, queues=names, concurrency=concurrency, hooks=hooks))


@app.command()
def beat() -> None:
    """Sweep without working: reap lost jobs, fire schedules, ring for what waits. Every worker does it too."""
    from modelyard.processes.beat import run_beat
    from modelyard.processes.preflight import check_start

    settings = _start()
    check_start(settings)
    run_beat(settings)


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema. Run it once before the new processes start."""
    from modelyard.processes.upgrading import bring_up_to_date

    bring_up_to_date(_start(), _upgrade)
    print("The database's schema is up to date.")


@app.command()
def demo() -> None:
    """Show the life of a model version on a throw-away home; leaves nothing behind."""
    from modelyard.processes.demo import run_demo

    sys.exit(run_demo())


@app.command()
def health(
    part: Annotated[Literal["web", "worker"], typer.Argument(help="Which of them this container runs.")],
) -> None:
    """Exit with 0 while the web server or worker of this container is well; for its health check."""
    from modelyard.processes.health import web_answers, worker_reports

    is_well = {"web": web_answers, "worker": worker_reports}[part]
    sys.exit(0 if is_well(load_settings()) else 1)


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file of the store, and compare its digest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look for what must not be in database and store, say what repairs it; exits with 1 when something is wrong."""
    from modelyard.console.doctor_report import run_doctor

    sys.exit(run_doctor(_start(log_level="error"), deep=deep, as_json=as_json))


@app.command("login-link")
def login_link(
    name: Annotated[str, typer.Argument(help="Who signs in: a user, or `admin`.")] = "admin",
) -> None:
    """Print an address that signs a browser in, once."""
    from modelyard.console import login_link as link

    print(link.told(link.login_link(load_settings(), name)))


@app.command()
def download(
    version: Annotated[str, typer.Argument(help="NAME/VERSION, such as house-prices/3.", metavar="VERSION")],
    folder: Annotated[Path, typer.Argument(help="Folder for the files; made where it is missing.", metavar="DIR")],
    resume: Annotated[
        bool, typer.Option("--resume", help="DIR may hold something: keep what is right there, replace the rest.")
    ] = False,
) -> None:
    """Fetch the files of a version from the server at MODELYARD_URL, and compare every digest."""
    from modelyard.console.download_command import run_download

    sys.exit(run_download(version, folder, resume=resume))


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="Name of the model.", metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is only shown.")] = False,
    comment: Annotated[str, typer.Option(help="Stands in the activity of each version.")] = "",
) -> None:
    """Return the versions to Production that were there before its last change, on the server at MODELYARD_URL."""
    from modelyard.console.rollback_command import run_rollback

    run_rollback(name, yes=yes, comment=comment)


@app.command()
def settings() -> None:
    """Print the reference of all settings as Markdown."""
    from modelyard.processes.settings_page import settings_page

    print(settings_page(), end="")


@app.command(hidden=True)
def part(name: str) -> None:
    """Be one child of `modelyard up`, where the system cannot fork it."""
    from modelyard.processes.children import live_spawned
    from modelyard.processes.up import run_part

    live_spawned(run_part(_start(), name))


def _start(log_level: str | None = None) -> Settings:
    """Read the settings and open the logs; `log_level` goes before the setting."""
    from modelyard.processes import logs

    settings = load_settings()
    as_json = {"json": True, "console": False}.get(settings.log_format)
    logs.configure(level=log_level or settings.log_level, json=as_json, secrets=logs.secrets_of(settings))
    return settings


def _upgrade(engine: "Engine") -> bool:
    # Alembic costs 90 ms and 10 MiB, so it is loaded only when something is to be applied.
    from modelyard.database.migrations.apply import upgrade

    return upgrade(engine)
