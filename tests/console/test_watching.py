"""What is seen of a job that is watched: a bar on a terminal, lines elsewhere. The width of the screen is fixed."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from modelyard.console import watching
from modelyard.console.client import Server
from modelyard.console.watching import Bar, Lines, watch
from tests.console.served import ServedYard
from tests.console.test_job_commands import at_work
from tests.console.test_job_tables import job


def terminal() -> Console:
    return Console(file=StringIO(), width=120, force_terminal=True, color_system=None, highlight=False)


def pipe() -> Console:
    return Console(file=StringIO(), width=120, highlight=False)


def seen(out: Console) -> str:
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def test_the_bar_tells_step_amounts_speed_and_time_left():
    out = terminal()

    with Bar(out) as bar:
        bar.show(job())

    assert "Copying" in seen(out)
    assert "3 of 12 files, 1.2 GB of 4.0 GB, 120.0 MB/s, 23 s left" in seen(out)
    assert "━" in seen(out)


def test_the_bar_tells_the_attempt_when_it_is_not_the_first():
    out = terminal()

    with Bar(out) as bar:
        bar.show(job(attempt=3))

    assert "Copying (attempt 3)" in seen(out)


def test_the_bar_says_what_a_waiting_job_waits_for():
    out = terminal()
    nothing: dict[str, Any] = {"items_total": 0, "bytes_total": 0, "items_done": 0, "bytes_done": 0}

    with Bar(out) as bar:
        bar.show(job(status="QUEUED", progress=nothing))

    assert "Waiting for a worker" in seen(out)


def test_lines_are_printed_when_something_begins():
    out = pipe()

    with Lines(out) as lines:
        for shown in (
            job(status="QUEUED"),
            job(),
            job(progress={"items_done": 4}),
            job(attempt=2),
            job(status="FAILED"),
        ):
            lines.show(shown)

    amounts = "3 of 12 files, 1.2 GB of 4.0 GB, 120.0 MB/s, 23 s left"
    assert seen(out).splitlines() == [
        "QUEUED (attempt 1) Waiting for a worker",
        f"RUNNING (attempt 1) Copying: {amounts}",
        f"RUNNING (attempt 2) Copying: {amounts}",
    ]


def test_a_step_that_takes_long_is_told_again_now_and_then(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "_STEP_S", 0.0)
    out = pipe()

    with Lines(out) as lines:
        lines.show(job())
        lines.show(job(progress={"items_done": 4}))

    assert "4 of 12 files" in seen(out).splitlines()[1]


@pytest.mark.parametrize("out", [terminal(), pipe()], ids=["terminal", "pipe"])
def test_a_job_is_watched_to_its_end_with_its_log(served: ServedYard, out: Console):
    served.yard.register("fraud")
    (waiting,) = served.yard.jobs()

    with at_work(served):
        ended = watch(Server(served.url, None), waiting.id, out=out, errors=pipe())

    assert ended["status"] == "SUCCEEDED"
    assert "Attempt 1 copies" in seen(out)
    assert "Stored 1 files" in seen(out)
    assert seen(out).splitlines()[-1].endswith(f"Job {waiting.id} SUCCEEDED")
