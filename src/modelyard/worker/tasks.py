"""Celery's names for the kinds of jobs, and the work behind each: kind -> work.

One of the three tables in which a kind stands. A task passes on a job's number; names are written out, so that moving
code orphans no message.
"""

from collections.abc import Callable

from celery import Celery

from modelyard.rules.jobs import RULES, JobKind, task_name
from modelyard.worker import runner
from modelyard.worker.archival import archive_versions
from modelyard.worker.beliefs import Beliefs
from modelyard.worker.context import Context, Work
from modelyard.worker.probe import probe
from modelyard.worker.pruning import prune_jobs
from modelyard.worker.registration import register_version

# The heartbeat ends a job at its limit in an orderly way; Celery kills a child that did not come to that.
HARD_LIMIT_AFTER_S = 60

WORK: dict[JobKind, Work] = {
    JobKind.REGISTER_VERSION: register_version,
    JobKind.ARCHIVE_VERSIONS: archive_versions,
    JobKind.PRUNE_JOBS: prune_jobs,
    JobKind.PROBE: probe,
}


def register_tasks(app: Celery, context: Callable[[], Context], beliefs: Beliefs, after: Callable[[], None]) -> None:
    """Give `app` a task for each kind; `context` answers this child's parts once it has been forked.

    `after` is called when a job has ended.
    """
    for kind, work in WORK.items():
        app.task(name=task_name(kind), ignore_result=True, time_limit=RULES[kind].time_limit_s + HARD_LIMIT_AFTER_S)(
            _task_of(work, context, beliefs, after)
        )


def _task_of(
    work: Work, context: Callable[[], Context], beliefs: Beliefs, after: Callable[[], None]
) -> Callable[[int], None]:
    def run_job(job_id: int) -> None:
        runner.run(context(), work, job_id, beliefs)
        after()

    return run_job
