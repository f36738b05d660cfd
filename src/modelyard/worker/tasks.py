"""Celery's names for the kinds of jobs, and the work behind each: kind -> work.

One of the three tables in which a kind stands. A task passes on a job's number; names are written out, so that moving
code orphans no message.
"""

from collections.abc import Callable
from typing import Any

from celery import Celery

from modelyard.jobs.guards import Claim
from modelyard.rules.jobs import RULES, JobKind, task_name
from modelyard.worker import runner
from modelyard.worker.archival import archive_versions
from modelyard.worker.audit_pruning import prune_audit
from modelyard.worker.beliefs import Beliefs
from modelyard.worker.collecting import collect
from modelyard.worker.context import Context, Pulse, Work
from modelyard.worker.planning import execute_plan, make_plan
from modelyard.worker.policy_runs import run_policy
from modelyard.worker.probe import probe
from modelyard.worker.pruning import prune_jobs
from modelyard.worker.purging import purge_model, purge_version
from modelyard.worker.registration import register_version
from modelyard.worker.repair import repair_version
from modelyard.worker.token_notices import note_expiring_tokens
from modelyard.worker.verification import verify_store, verify_version

# The heartbeat ends a job at its limit in an orderly way; Celery kills a child that did not come to that.
HARD_LIMIT_AFTER_S = 60

WORK: dict[JobKind, Work] = {
    JobKind.REGISTER_VERSION: register_version,
    JobKind.ARCHIVE_VERSIONS: archive_versions,
    JobKind.VERIFY_VERSION: verify_version,
    JobKind.VERIFY_STORE: verify_store,
    JobKind.REPAIR_VERSION: repair_version,
    # The same copy; only its end is another.
    JobKind.MATERIALIZE: register_version,
    JobKind.PURGE_VERSION: purge_version,
    JobKind.PURGE_MODEL: purge_model,
    JobKind.COLLECT: collect,
    JobKind.PRUNE_JOBS: prune_jobs,
    JobKind.PRUNE_AUDIT: prune_audit,
    JobKind.NOTE_EXPIRING_TOKENS: note_expiring_tokens,
    JobKind.MAKE_PLAN: make_plan,
    JobKind.EXECUTE_PLAN: execute_plan,
    JobKind.RUN_POLICY: run_policy,
    JobKind.PROBE: probe,
}


def register_tasks(app: Celery, context: Callable[[], Context], beliefs: Beliefs, after: Callable[[], None]) -> None:
    """Give `app` a task for each kind; `context` answers this child's parts once it has been forked.

    `after` is called when a job has ended.
    """
    for kind in WORK:
        limit_s = RULES[kind].time_limit_s + HARD_LIMIT_AFTER_S
        # Shared tasks would be entered into every other application of this process, too.
        register = app.task(name=task_name(kind), ignore_result=True, time_limit=limit_s, shared=False)
        register(_task_of(context, beliefs, after))


def _task_of(context: Callable[[], Context], beliefs: Beliefs, after: Callable[[], None]) -> Callable[[int], None]:
    def run_job(job_id: int) -> None:
        runner.run(context(), _work_of_its_kind, job_id, beliefs)
        after()

    return run_job


def _work_of_its_kind(context: Context, claim: Claim, pulse: Pulse) -> Any:
    """Do what the row says: after a backup was restored, a late message may name a job of another kind."""
    return WORK[JobKind(claim.kind)](context, claim, pulse)
