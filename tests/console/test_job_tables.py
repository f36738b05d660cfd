"""Jobs as people read them. The width of the screen is fixed."""

import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from modelyard.console.job_tables import amounts_text, job_details, job_table, log_text, outcome_text, standing
from modelyard.console.job_tables import written_span as span

NOON_MS = 1795608000000


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock on the wall is Greenwich's."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def job(**changes: Any) -> dict[str, Any]:
    """Return a job as the API shows it: a copy that runs."""
    progress = {"step": "Copying", "items_done": 3, "items_total": 12, "bytes_done": 1_200_000_000}
    progress |= {"bytes_total": 4_000_000_000, "bytes_per_s": 120_000_000, "left_s": 23}
    shown = {
        "id": 7,
        "kind": "register_version",
        "queue": "copy",
        "status": "RUNNING",
        "status_message": "",
        "error_code": None,
        "attempt": 1,
        "max_attempts": 5,
        "model": "fraud",
        "version": 3,
        "requested_by": "ann",
        "cancel_requested": False,
        "cancelled_by": None,
        "progress": progress | changes.pop("progress", {}),
        "worker": "host:12:11:abc",
        "run_after_ms": NOON_MS,
        "created_at_ms": NOON_MS,
        "started_at_ms": NOON_MS,
        "finished_at_ms": None,
        "arguments": {"source": "/data/fraud"},
        "attempts": [],
    }
    return shown | changes


def printed(shown: RenderableType, width: int = 140) -> str:
    out = StringIO()
    Console(file=out, width=width, highlight=False).print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_jobs_are_a_table_with_a_line_each():
    failed = job(id=6, status="FAILED", status_message="Disk full.", finished_at_ms=NOON_MS + 90_000, model=None)
    jobs = [job(progress={"bytes_total": 0, "bytes_per_s": None, "left_s": None}), failed]

    assert printed(job_table(jobs, width=140)).splitlines() == [
        "ID  KIND              MODEL    STATUS   TRY  BY   CREATED                    TOOK  WHERE IT STANDS",
        " 7  register_version  fraud/3  RUNNING  1/5  ann  2026-11-25 12:00:00              Copying: 3 of 12 files",
        " 6  register_version           FAILED   1/5  ann  2026-11-25 12:00:00  1 min 30 s  Disk full.",
    ]


def test_a_screen_that_is_too_narrow_cuts_the_message_and_keeps_each_job_on_its_line():
    failed = job(status="FAILED", status_message="The source is gone. " * 20)

    wide, narrow = (printed(job_table([failed], width=width), width).splitlines() for width in (120, 80))

    assert (len(wide), len(narrow)) == (2, 2)
    assert "2026-11-25 12:00:00" in wide[1]
    assert narrow[1].startswith(" 7  register_version  fraud/3  FAILED  The source is gone.")
    assert narrow[1].endswith("…")


def test_the_story_of_a_job_has_its_arguments_and_attempts():
    attempt = {"attempt": 1, "worker": "host:12:11:abc", "started_at_ms": NOON_MS, "ended_at_ms": NOON_MS + 5000}
    attempt |= {"outcome": "LOST", "error_code": "worker_lost", "status_message": "The worker was lost.", "steps": []}
    opening = {"step": "Opening the source", "started_at_ms": NOON_MS, "ended_at_ms": NOON_MS + 300}
    steps = [opening, {"step": "Copying", "started_at_ms": NOON_MS + 300, "ended_at_ms": None}]
    under_way = {**attempt, "attempt": 2, "ended_at_ms": None, "outcome": None, "status_message": "", "steps": steps}

    told = printed(job_details(job(attempt=2, attempts=[attempt, under_way])))

    assert "kind             register_version (queue copy)" in told
    assert "argument source  /data/fraud" in told
    assert "1        2026-11-25 12:00:00  5 s   LOST       host:12:11:abc  The worker was lost." in told
    assert "2        2026-11-25 12:00:00        under way  host:12:11:abc" in told
    assert "Opening the source  2026-11-25 12:00:00  0.3 s" in told
    assert "Copying             2026-11-25 12:00:00  under way" in told


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (job(), "Copying: 3 of 12 files, 1.2 GB of 4.0 GB, 120.0 MB/s, 23 s left"),
        (job(progress={"bytes_per_s": None, "left_s": None}), "Copying: 3 of 12 files, 1.2 GB of 4.0 GB"),
        (job(progress={"step": "", "items_total": 0, "items_done": 0, "bytes_total": 0, "left_s": None,
                       "bytes_per_s": None}), "Starting"),
        (job(cancel_requested=True, cancelled_by="bob", progress={"items_total": 0, "bytes_total": 0, "items_done": 4,
                                                                  "left_s": None, "bytes_per_s": None}),
         "Copying: 4 done (cancelling, asked by bob)"),
        (job(status="QUEUED"), "Waiting for a worker"),
        (job(status="QUEUED", status_message="The worker stopped; waiting for another."),
         "The worker stopped; waiting for another."),
        (job(status="SUCCEEDED"), ""),
    ],
)  # fmt: skip
def test_where_a_job_stands_is_said_in_a_few_words(shown, told):
    assert standing(shown) == told


def test_what_has_ended_has_neither_speed_nor_time_left():
    assert amounts_text(job(status="FAILED")) == "3 of 12 files, 1.2 GB of 4.0 GB"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (0.44, "0.4 s"), (9, "9 s"), (23.4, "23 s"), (250, "4 min 10 s"), (11_100, "3 h 5 min")],
)
def test_a_span_is_written_in_its_own_unit(seconds, told):
    assert span(seconds) == told


def test_nothing_that_a_server_sends_reaches_the_terminal_as_a_command():
    evil = "\x1b]0;gotcha\x07\x1b[2J\r\nfake line"
    line = {"at_ms": NOON_MS, "attempt": 1, "level": "error", "line": evil}

    shown = [outcome_text(job(status="FAILED", status_message=evil)), log_text(line).plain]
    shown += [printed(job_table([job(status="FAILED", status_message=evil, requested_by=evil)], width=1000), 1000)]

    assert [text for text in shown if "\x1b" in text or "\r" in text or "\x07" in text] == []
    assert "\\x1b[2J" in shown[0]
