"""The page of one job: where it stands, its attempts, its log as it grows; cancel and retry."""

from typing import Any

import orjson
from flask import Response

from modelyard.database.session import reading, transaction
from modelyard.errors import InvalidState, InvalidValue
from modelyard.registry import job_changes
from modelyard.registry import jobs as registry
from modelyard.web.api.job_answers import log_as_text
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui import job_words
from modelyard.web.ui.asked import seq_of, typed
from modelyard.web.ui.frame import fragment, go, page, unchanged
from modelyard.web.ui.words import address

_BUSY_S, _QUEUED_S = 1, 5
# What the page shows of a log; the file has all of it.
_SHOWN_LINES = 500
_MOST_LINES = 100_000


def show(job_id: int) -> Response:
    """Show a job with its attempts and the end of its log."""
    found = _find(job_id)
    view = found["job"]
    return page("job.html", title=f"{view.title}, job {job_id}", section="jobs", **found)


def live(job_id: int) -> Response:
    """Show the same again if it has moved; the last time when it is over."""
    found = _find(job_id)
    return unchanged(found["seq"]) or fragment("_job.html", **found)


def log_text(job_id: int) -> Response:
    """Give the whole log as a file."""
    with reading(site().engine) as session:
        registry.read_job(session, current_actor(), job_id)
        text = log_as_text(registry.log_lines(session, job_id, after=0, limit=_MOST_LINES))
    answer = Response(text, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="job-{job_id}.txt"'
    return answer


def cancel(job_id: int) -> Response:
    """Cancel a job."""
    return _change(job_id, job_changes.cancel_job, "The job is being cancelled.")


def retry(job_id: int) -> Response:
    """Have a job tried again."""
    return _change(job_id, job_changes.retry_job, "The job was queued again.")


def _change(job_id: int, change: Any, notice: str) -> Response:
    try:
        with transaction(site().engine) as session:
            change(session, current_actor(), job_id, lifecycle=site().lifecycle)
    except (InvalidState, InvalidValue) as error:
        # Its worker was faster: the page that comes next shows what became of it.
        notice = error.message
    back = typed("back")
    return go(back if _is_own(back) else address("jobs", job_id), notice)


def _is_own(back: str) -> bool:
    """Whether an address leads to a page of ours, and nowhere else."""
    return back.startswith(("/jobs", "/models/")) and "\\" not in back


def _find(job_id: int) -> dict[str, Any]:
    with reading(site().engine) as session:
        shown = registry.read_job(session, current_actor(), job_id)
        view = job_words.view(shown)
        attempts = list(registry.attempts_of(session, job_id))
        lines = registry.last_log_lines(session, job_id, limit=_SHOWN_LINES)
    seconds = 0 if not view.is_open else _BUSY_S if view.state in ("running", "cancelling") else _QUEUED_S
    return {
        "job": view,
        "attempts": attempts,
        "lines": lines,
        "cut": len(lines) == _SHOWN_LINES,
        "arguments": orjson.dumps(shown.job.arguments, option=orjson.OPT_INDENT_2).decode(),
        "here": address("ui", "jobs", job_id),
        "seq": seq_of(job_words.seq_of_job(shown.job), view.state, lines[-1].id if lines else 0),
        "seconds": seconds,
        "say": f"Job {job_id} {view.state}",
    }
