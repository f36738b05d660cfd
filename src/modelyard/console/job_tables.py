"""Jobs as people read them: a table of many, the whole story of one, and where one stands in a few words.

A job is what the API answers: its JSON, with every key there. Source: `web/api/job_answers.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from modelyard.console.screens import printable
from modelyard.rules.jobs import FINAL
from modelyard.storage import sizes

Job: TypeAlias = Mapping[str, Any]

_STYLES = {"QUEUED": "yellow", "RUNNING": "cyan", "SUCCEEDED": "green", "FAILED": "bold red", "CANCELLED": "magenta"}
_LEVELS = {"step": "bold", "warning": "yellow", "error": "bold red"}


def is_over(job: Job) -> bool:
    """Whether a job has ended; only an operator's retry moves it then."""
    return job["status"] in FINAL


def job_table(jobs: Sequence[Job], *, width: int) -> Table:
    """Return a row for each job, in the order given; a screen of less than `_WIDE` columns shows the first things."""
    table = _table()
    columns = _COLUMNS if width >= _WIDE else [column for column in _COLUMNS if column[0] in _NARROW]
    for name, _ in columns:
        table.add_column(name, no_wrap=True, justify="right" if name in ("ID", "TOOK") else "left")
    # The only column that gives way; each row stays one line.
    table.add_column("WHERE IT STANDS")
    for job in jobs:
        where = Text(printable(standing(job)), no_wrap=True, overflow="ellipsis")
        table.add_row(*(shown(job) for _, shown in columns), where)
    return table


def job_details(job: Job) -> RenderableType:
    """Return everything about one job: its attempts, and the steps of the last one."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(job):
        facts.add_row(name, value if isinstance(value, Text) else Text(printable(value)))
    if not job["attempts"]:
        return facts
    parts: list[RenderableType] = [facts, "", attempts_table(job["attempts"])]
    if steps := job["attempts"][-1]["steps"]:
        parts += ["", steps_table(steps)]
    return Group(*parts)


def attempts_table(attempts: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row for each attempt, oldest first."""
    table = _table()
    for name in ("ATTEMPT", "BEGAN", "TOOK", "OUTCOME", "WORKER", "MESSAGE"):
        table.add_column(name, no_wrap=name not in ("WORKER", "MESSAGE"), overflow="fold")
    for attempt in attempts:
        began_ms, ended_ms = attempt["started_at_ms"], attempt["ended_at_ms"]
        table.add_row(
            str(attempt["attempt"]),
            written_time(began_ms),
            written_span((ended_ms - began_ms) / 1000) if ended_ms is not None else "",
            printable(attempt["outcome"] or "under way"),
            printable(attempt["worker"]),
            printable(attempt["status_message"] or ""),
        )
    return table


def steps_table(steps: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row for each step of an attempt, the first one first."""
    table = _table()
    for name in ("STEP", "BEGAN", "TOOK"):
        table.add_column(name)
    for step in steps:
        began_ms, ended_ms = step["started_at_ms"], step["ended_at_ms"]
        took = written_span((ended_ms - began_ms) / 1000) if ended_ms is not None else "under way"
        table.add_row(printable(step["step"]), written_time(began_ms), took)
    return table


def log_text(line: Mapping[str, Any]) -> Text:
    """Return one line of a job's log, given as the API's JSON line."""
    at, level = written_time(line["at_ms"]), str(line["level"])
    told = f"{at} [{line['attempt']}] {level.upper():<5} {printable(line['line'])}"
    return Text(told, _LEVELS.get(level, ""))


def standing(job: Job) -> str:
    """Return in a few words what a job does, waits for, or how it ended."""
    if job["status"] == "RUNNING":
        cancelling = f" (cancelling, asked by {job['cancelled_by']})" if job["cancel_requested"] else ""
        return progress_text(job) + cancelling
    return job["status_message"] or ("" if is_over(job) else "Waiting for a worker")


def progress_text(job: Job) -> str:
    """Return the step of a running job, how far it is, how fast and how long yet."""
    progress = job["progress"]
    parts = [progress["step"] or "Starting"]
    parts += [amounts] if (amounts := amounts_text(job)) else []
    return ": ".join(parts)


def amounts_text(job: Job) -> str:
    """Return how much of a job is done, as "3 of 12 files, 1.2 GB of 4.0 GB, 120.0 MB/s, 23 s left"."""
    progress = job["progress"]
    parts = []
    if progress["items_total"]:
        parts.append(f"{progress['items_done']} of {progress['items_total']} files")
    elif progress["items_done"]:
        parts.append(f"{progress['items_done']} done")
    if progress["bytes_total"]:
        parts.append(f"{sizes.written(progress['bytes_done'])} of {sizes.written(progress['bytes_total'])}")
    if job["status"] == "RUNNING" and progress["bytes_per_s"]:
        parts.append(f"{sizes.written(progress['bytes_per_s'])}/s")
    if job["status"] == "RUNNING" and progress["left_s"] is not None:
        parts.append(f"{written_span(progress['left_s'])} left")
    return ", ".join(parts)


def outcome_text(job: Job) -> str:
    """Return how a job ended, or where it stands, as one sentence."""
    reason = f": {job['status_message']}" if job["status_message"] else ""
    return printable(f"Job {job['id']} {job['status']}{reason}")


def written_time(moment_ms: int | None) -> str:
    """Return a moment as the clock on the reader's wall shows it; "" for None."""
    if moment_ms is None:
        return ""
    return datetime.fromtimestamp(moment_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def written_span(seconds: float) -> str:
    """Return a length of time such as "0.4 s", "9 s", "4 min 10 s" or "3 h 5 min"."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def _status(job: Job) -> Text:
    return Text(job["status"], _STYLES.get(job["status"], ""))


def _model(job: Job) -> str:
    if job["model"] is None:
        return ""
    return printable(job["model"] if job["version"] is None else f"{job['model']}/{job['version']}")


def _took(job: Job) -> str:
    began_ms, ended_ms = job["started_at_ms"], job["finished_at_ms"]
    return "" if began_ms is None or ended_ms is None else written_span((ended_ms - began_ms) / 1000)


_COLUMNS: Sequence[tuple[str, Callable[[Job], RenderableType]]] = (
    ("ID", lambda job: str(job["id"])),
    ("KIND", lambda job: printable(job["kind"])),
    ("MODEL", _model),
    ("STATUS", _status),
    ("TRY", lambda job: f"{job['attempt']}/{job['max_attempts']}"),
    ("BY", lambda job: printable(job["requested_by"])),
    ("CREATED", lambda job: written_time(job["created_at_ms"])),
    ("TOOK", _took),
)
_NARROW = ("ID", "KIND", "MODEL", "STATUS")
_WIDE = 110


def _facts(job: Job) -> list[tuple[str, str | Text]]:
    facts: list[tuple[str, str | Text]] = [
        ("job", str(job["id"])),
        ("kind", f"{job['kind']} (queue {job['queue']})"),
        ("model", _model(job)),
        ("status", _status(job)),
        ("message", job["status_message"] or ""),
        ("error code", job["error_code"] or ""),
        ("progress", progress_text(job) if job["progress"]["step"] else ""),
        ("attempts", f"{job['attempt']} of at most {job['max_attempts']}"),
        ("worker", job["worker"] or ""),
        ("requested by", job["requested_by"]),
        ("cancelled by", job["cancelled_by"] or ""),
        ("created", written_time(job["created_at_ms"])),
        ("not before", written_time(job["run_after_ms"]) if job["status"] == "QUEUED" else ""),
        ("started", written_time(job["started_at_ms"])),
        ("finished", written_time(job["finished_at_ms"])),
    ]
    facts += [(f"argument {name}", str(value)) for name, value in job["arguments"].items()]
    return [(name, value) for name, value in facts if str(value)]
