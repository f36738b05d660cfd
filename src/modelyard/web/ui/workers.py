"""Workers and queues: who is there to work, what they do, what waits."""

from typing import Any

from flask import Response

from modelyard.database.session import reading
from modelyard.registry import workforce as registry
from modelyard.rules.jobs import JobStatus
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import seq_of
from modelyard.web.ui.frame import fragment, page, unchanged
from modelyard.web.ui.words import address

_REFRESHED_S = 5


def show() -> Response:
    """Show the workers and the queues."""
    return page("workers.html", title="Workers", section="workers", **_find())


def live() -> Response:
    """Show them again if anything moved."""
    found = _find()
    return unchanged(found["seq"]) or fragment("_workers.html", **found)


def _find() -> dict[str, Any]:
    with reading(site().engine) as session:
        workers = registry.seen_workers(session, current_actor(), sweep_ms=site().sweep_ms)
        loads = registry.queue_loads(session, sweep_ms=site().sweep_ms)
        ended = registry.ended_last_hour(session)
    queues = [
        {
            "load": load,
            "queued": load.jobs[JobStatus.QUEUED],
            "running": load.jobs[JobStatus.RUNNING],
            "succeeded": ended[load.queue, JobStatus.SUCCEEDED],
            "failed": ended[load.queue, JobStatus.FAILED],
        }
        for load in loads
    ]
    states = [(seen.worker.name, seen.alive, seen.running, seen.worker.seen_at_ms) for seen in workers]
    figures = [(one["queued"], one["running"], one["succeeded"], one["failed"]) for one in queues]
    return {
        "workers": workers,
        "queues": queues,
        "here": address("ui", "workers"),
        "seq": seq_of(states, figures),
        "seconds": _REFRESHED_S,
    }
