"""The list of jobs: how the work goes, what runs, waits and has failed."""

from collections.abc import Callable
from typing import Any

from flask import Response

from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.errors import InvalidState, InvalidValue, NotFound, PermissionDenied
from modelyard.registry import job_changes
from modelyard.registry import jobs as registry
from modelyard.registry.job_figures import JobFigures, job_figures
from modelyard.registry.jobs import JobFilter
from modelyard.registry.workforce import seen_workers
from modelyard.rules.counts import counted
from modelyard.rules.jobs import FINAL, JobKind, JobStatus
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui import job_words
from modelyard.web.ui.asked import (
    chosen,
    numbers,
    page_size,
    place,
    queries,
    query,
    sealed_place,
    seq_of,
    typed,
    typed_all,
)
from modelyard.web.ui.charts import sparkline
from modelyard.web.ui.frame import fragment, go, page, sheet, unchanged
from modelyard.web.ui.words import address

# Tab -> the statuses that it shows.
_TABS = {
    "": (),
    "running": (JobStatus.RUNNING,),
    "queued": (JobStatus.QUEUED,),
    "failed": (JobStatus.FAILED,),
    "succeeded": (JobStatus.SUCCEEDED,),
    "cancelled": (JobStatus.CANCELLED,),
}
_BUSY_S, _QUIET_S = 1, 5
# As many as the longest page of the list shows.
_MOST_TICKED = 100
_SPARK_WIDTH, _SPARK_HEIGHT = 84, 24


def show() -> Response:
    """Show jobs, newest first, with the figures of the last day."""
    return page("jobs.html", title="Jobs", section="jobs", **_find())


def live() -> Response:
    """Show the same again if anything moved."""
    found = _find()
    return unchanged(found["seq"]) or fragment("_jobs.html", **found)


def confirm_retry() -> Response:
    """Say how many failed jobs would be tried again, by kind."""
    given = {name: query(name) for name in ("kind", "model", "actor")}
    with reading(site().engine) as session:
        job_ids = job_changes.failed_jobs(session, current_actor(), _failed(given))
    return _confirm("retry_jobs.html", "Retry failed jobs", "/jobs/retry", job_ids, given=given)


def retry_failed() -> Response:
    """Have every failed job tried again that the list's filters mean, each in a transaction of its own."""
    given = {name: typed(name) for name in ("kind", "model", "actor")}
    with reading(site().engine) as session:
        job_ids = job_changes.failed_jobs(session, current_actor(), _failed(given))
    retried = sum(_is_changed(job_changes.retry_job, job_id) for job_id in job_ids)
    left = len(job_ids) - retried
    refused = f"; {counted(left, 'job')} cannot be tried again" if left else ""
    return go("/jobs", f"{counted(retried, 'job')} queued again{refused}.")


def confirm_cancel() -> Response:
    """Say how many of the ticked jobs would be cancelled, by kind; those that are over are not."""
    ticked = numbers(queries("job"), most=_MOST_TICKED)
    return _confirm("cancel_jobs.html", "Cancel jobs", "/jobs/cancel", _open_among(ticked))


def cancel_selected() -> Response:
    """Cancel the jobs of the form, each in a transaction of its own."""
    job_ids = numbers(typed_all("job"), most=_MOST_TICKED)
    cancelled = sum(_is_changed(job_changes.cancel_job, job_id) for job_id in job_ids)
    left = len(job_ids) - cancelled
    refused = f"; {counted(left, 'job')} had ended or may not be cancelled by you" if left else ""
    return go("/jobs", f"{counted(cancelled, 'job')} being cancelled{refused}.")


def _confirm(template: str, title: str, action: str, job_ids: list[int], **given: Any) -> Response:
    with reading(site().engine) as session:
        kinds = [(job_words.title_of(kind), count) for kind, count in registry.count_kinds(session, job_ids)]
    return sheet(
        template, title=title, section="jobs", action=action, back="/jobs", job_ids=job_ids, kinds=kinds, **given
    )


def _open_among(job_ids: list[int]) -> list[int]:
    """Return those of the jobs that the caller sees and that are not over."""
    found = []
    with reading(site().engine) as session:
        for job_id in job_ids:
            try:
                job = registry.read_job(session, current_actor(), job_id).job
            except (NotFound, PermissionDenied):
                continue
            if job.status not in FINAL:
                found.append(job_id)
    return found


def _is_changed(change: Callable[..., None], job_id: int) -> bool:
    def once() -> None:
        with transaction(site().engine) as session:
            change(session, current_actor(), job_id, lifecycle=site().lifecycle)

    try:
        repeat_conflicts(once)
    except (InvalidState, InvalidValue, NotFound, PermissionDenied):
        return False
    return True


def _find() -> dict[str, Any]:
    tab, kind, limit = chosen("status", _TABS), chosen("kind", list(JobKind)), page_size()
    model, actor = query("model").strip(), query("actor").strip()
    wanted = JobFilter(statuses=_TABS[tab], kinds=_some(kind), model=model or None, actor=actor or None)
    question = seq_of("jobs", wanted)
    last = place(question)
    with reading(site().engine) as session:
        found = registry.list_jobs(
            session, current_actor(), wanted, limit=limit, before_id=int(str(last[0])) if last else None
        )
        figures = job_figures(session, current_actor())
        workers = seen_workers(session, current_actor(), sweep_ms=site().sweep_ms)
    slots = sum(seen.worker.concurrency for seen in workers if seen.alive)
    here = {"status": tab, "kind": kind, "model": model, "actor": actor, "size": limit if limit != 25 else ""}
    after = sealed_place(question, found.last)
    return {
        "jobs": [job_words.view(job) for job in found.rows],
        "figures": figures,
        "spark": sparkline(figures.by_hour, _SPARK_WIDTH, _SPARK_HEIGHT),
        "slots": slots,
        "absent": not slots,
        "tab": tab,
        "tabs": [(key, key.capitalize() or "All", address("jobs", **{**here, "status": key})) for key in _TABS],
        "kind": kind,
        "kinds": [(one.value, job_words.title_of(one)) for one in JobKind],
        "model": model,
        "asker": actor,
        "first": address("jobs", **here) if last else "",
        "following": address("jobs", **here, after=after) if after else "",
        "here": address("ui", "jobs", **here, after=query("after")),
        "seq": seq_of([job_words.seq_of_job(job.job) for job in found.rows], _still(figures), slots),
        "seconds": _BUSY_S if figures.running else _QUIET_S,
    }


def _still(figures: JobFigures) -> tuple[object, ...]:
    """Return the figures without their clocks, which alone are no reason to send a page again."""
    waits_s = (figures.oldest_wait_ms or 0) // 5000
    return figures.running, figures.queued, figures.failed, figures.succeeded, figures.finished, waits_s


def _failed(given: dict[str, str]) -> JobFilter:
    return JobFilter(kinds=_some(given["kind"]), model=given["model"] or None, actor=given["actor"] or None)


def _some(kind: str) -> tuple[str, ...]:
    return (kind,) if kind else ()
