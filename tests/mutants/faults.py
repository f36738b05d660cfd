"""The faults that are planted: what somebody might write in good faith, and what the tests must not let pass."""

from tests.mutants.plan_faults import PLAN_FAULTS
from tests.mutants.planting import Fault

GUARDS, LIFECYCLE, QUEUE, SWEEP = "jobs/guards.py", "jobs/lifecycle.py", "jobs/queue.py", "jobs/sweep.py"
STATEMENTS = "jobs/statements.py"
MODEL_VERSIONS, APPENDING = "registry/model_versions.py", "database/appending.py"
EFFECTS, HEART, RUNNER, PRUNING = "registry/job_effects.py", "worker/heart.py", "worker/runner.py", "worker/pruning.py"

ZOMBIES = ("tests/jobs/test_zombies.py",)
MOVES = ("tests/jobs/test_lifecycle.py",)
SUBJECTS = ("tests/jobs/test_subjects.py",)
RETRY = ("tests/jobs/test_retry.py",)
COLLISIONS = ("tests/registry/test_collisions.py", "tests/jobs/test_collisions.py")
SWEEPS = ("tests/jobs/test_sweep.py",)
APPENDED = ("tests/database/test_appending.py",)
REGISTRY = ("tests/registry/test_job_effects.py",)
HEARTS = ("tests/worker/test_heart.py",)
RUNS = ("tests/worker/test_runner.py",)

_ANYBODY_S = 'jobs.c.id == bindparam("my_job"), jobs.c.status == JobStatus.RUNNING'

OWNERS = [
    Fault(
        "owner: the attempt is not asked for", GUARDS, '    jobs.c.attempt == bindparam("my_attempt"),\n', "", ZOMBIES
    ),
    Fault("owner: the worker is not asked for", GUARDS, '    jobs.c.worker == bindparam("my_worker"),\n', "", ZOMBIES),
    Fault(
        "owner: whether it still runs is not asked for",
        GUARDS,
        '    jobs.c.worker == bindparam("my_worker"),\n    jobs.c.status == JobStatus.RUNNING,\n',
        '    jobs.c.worker == bindparam("my_worker"),\n',
        ZOMBIES,
    ),
    Fault(
        "owner: a heartbeat writes progress for anybody",
        STATEMENTS,
        "update(jobs).where(*MINE).values(lease_until_ms=now_ms()",
        f"update(jobs).where({_ANYBODY_S}).values(lease_until_ms=now_ms()",
        ZOMBIES,
    ),
    Fault(
        "owner: anybody may end a job",
        STATEMENTS,
        "update(jobs).where(*MINE).values(lease_until_ms=null(), finished_at_ms",
        f"update(jobs).where({_ANYBODY_S}).values(lease_until_ms=null(), finished_at_ms",
        ZOMBIES,
    ),
    Fault(
        "owner: anybody may give a job back",
        STATEMENTS,
        "        .where(*MINE, *guards)\n",
        f"        .where({_ANYBODY_S}, *guards)\n",
        ZOMBIES,
    ),
    Fault(
        "owner: the work's own transactions do not ask for it",
        GUARDS,
        "update(jobs).where(*MINE).values(attempt=jobs.c.attempt)",
        f"update(jobs).where({_ANYBODY_S}).values(attempt=jobs.c.attempt)",
        ZOMBIES,
    ),
    Fault(
        "owner: the outcome of another is taken for one's own",
        STATEMENTS,
        ', jobs.c.attempt == bindparam("my_attempt"), jobs.c.worker == bindparam("my_worker")',
        ', jobs.c.attempt == bindparam("my_attempt")',
        MOVES,
    ),
]

CLAIMS = [
    Fault("claim: every attempt is the first", STATEMENTS, "attempt=jobs.c.attempt + 1,", "attempt=1,", MOVES),
    Fault(
        "claim: gives credit for one more attempt",
        STATEMENTS,
        "        attempt=jobs.c.attempt + 1,\n",
        "        attempt=jobs.c.attempt + 1,\n        max_attempts=jobs.c.max_attempts + 1,\n",
        MOVES,
    ),
    Fault(
        "claim: the subject is no lock",
        GUARDS,
        "jobs.c.run_after_ms <= now_ms(), ~ahead",
        "jobs.c.run_after_ms <= now_ms()",
        SUBJECTS,
    ),
    Fault(
        "claim: a younger job may overtake",
        GUARDS,
        "or_(other.c.status == JobStatus.RUNNING, other.c.id < jobs.c.id)",
        "or_(other.c.status == JobStatus.RUNNING, other.c.id < 0)",
        SUBJECTS,
    ),
    Fault("claim: a delay is not waited out", GUARDS, "jobs.c.run_after_ms <= now_ms(), ~ahead", "~ahead", MOVES),
    Fault("claim: any kind will do", GUARDS, "waits, jobs.c.kind.in_(KNOWN_KINDS), ", "waits, ", MOVES),
    Fault(
        "claim: the database lets two of a subject run",
        "database/migrations/versions/0001_first_schema.py",
        '        ["subject"],\n        unique=True,\n',
        '        ["subject"],\n        unique=False,\n',
        ("tests/jobs/test_rows.py",),
    ),
]

ENQUEUING = [
    Fault(
        "enqueue: rings before the commit",
        QUEUE,
        "after_commit(session, partial(self.ring, kind, queue, job_id))",
        "self.ring(kind, queue, job_id)",
        MOVES,
    ),
    Fault("enqueue: the dedupe key is dropped", QUEUE, '"dedupe_key": dedupe_key,', '"dedupe_key": None,', MOVES),
    Fault(
        "schedule: an edit meanwhile is not seen",
        "jobs/schedules.py",
        "            schedules.c.revision == row.revision,\n",
        "",
        ("tests/jobs/test_slots.py",),
    ),
]

ENDS = [
    Fault(
        "end: the effect has a transaction of its own",
        LIFECYCLE,
        '            self._end(session, claim, JobStatus.SUCCEEDED, None, "", said, progress)\n',
        '            self._end(session, claim, JobStatus.SUCCEEDED, None, "", said, progress)\n'
        "        with transaction(self.engine) as session:\n",
        REGISTRY,
    ),
    Fault(
        "end: leases are not dropped",
        EFFECTS,
        "    blobs.drop_leases(session, job_id=claim.job_id, attempt=claim.attempt, final=ended.status in FINAL)\n",
        "",
        REGISTRY,
    ),
    Fault(
        "end: the job's own leases go with an attempt", EFFECTS, "final=ended.status in FINAL)", "final=True)", REGISTRY
    ),
    Fault(
        "end: a deleted version becomes READY",
        EFFECTS,
        '        versions.c.deleted_at_ms.is_(None),\n        status="READY",\n',
        '        status="READY",\n',
        REGISTRY,
    ),
    Fault(
        "end: a job is locked before its model",
        LIFECYCLE,
        "        lock_registry_rows(session, claim.model_id, claim.version_id)\n        told = {",
        "        told = {",
        COLLISIONS,
    ),
    Fault(
        "end: the next of the subject is not rung",
        LIFECYCLE,
        "        self.queue.wake_next(session, claim.subject)\n        return str(row.status_message)\n",
        "        return str(row.status_message)\n",
        SUBJECTS,
    ),
    Fault(
        "end: the next is not rung behind a last loss",
        LIFECYCLE,
        "            if status in FINAL:\n"
        "                self.queue.wake_next(session, claim.subject)\n"
        "            elif",
        "            if",
        SUBJECTS,
    ),
    Fault("end: the rings of the next stay rare", QUEUE, "else_=soon), wakes=0)", "else_=soon))", SUBJECTS),
    Fault(
        "end: its attempt is left open",
        LIFECYCLE,
        "        end_attempt(session, claim, AttemptOutcome(status), error_code, row.status_message)\n",
        "",
        ("tests/jobs/test_history.py",),
    ),
]

RETURNS = [
    Fault(
        "reap: the lease is not looked at again",
        STATEMENTS,
        "_return(OVERDUE, granted=0)",
        "_return(granted=0)",
        MOVES,
    ),
    Fault(
        "reap: a clock that fell back is not noticed",
        STATEMENTS,
        "now_ms() - _SLACK_MS, jobs.c.lease_until_ms > now_ms() + 2 * _LEASE_MS\n",
        "now_ms() - _SLACK_MS\n",
        MOVES,
    ),
    Fault(
        "release: lowers the attempt",
        STATEMENTS,
        "            max_attempts=jobs.c.max_attempts + granted,\n",
        "            attempt=jobs.c.attempt - granted,\n",
        MOVES,
    ),
    Fault(
        "release: grants without a bound",
        STATEMENTS,
        "_GRANT = case((jobs.c.releases < MAX_GRANTED_RELEASES, 1), else_=0)",
        "_GRANT = 1",
        MOVES,
    ),
    Fault(
        "release: the granted attempt is not compared with",
        STATEMENTS,
        "used_up = jobs.c.attempt >= jobs.c.max_attempts + granted",
        "used_up = jobs.c.attempt >= jobs.c.max_attempts",
        MOVES,
    ),
    Fault(
        "give back: a cancelled job waits again",
        STATEMENTS,
        "                (jobs.c.cancel_requested, JobStatus.CANCELLED.value),\n",
        "",
        ("tests/jobs/test_cancel.py",),
    ),
    Fault(
        "cancel: in two steps",
        LIFECYCLE,
        '        asked = {"its_job": job_id, "by": by,',
        "        waiting = jobs.c.status == JobStatus.QUEUED\n"
        "        looked = update(jobs).where(jobs.c.id == job_id, waiting).values(wakes=0)\n"
        "        if session.execute(looked).rowcount == 0:\n"
        "            flag = update(jobs).where(jobs.c.id == job_id, jobs.c.status == JobStatus.RUNNING)\n"
        "            moved = session.execute(flag.values(cancel_requested=True, cancelled_by=by))\n"
        "            return JobStatus.RUNNING if moved.rowcount else None\n"
        '        asked = {"its_job": job_id, "by": by,',
        ("tests/jobs/test_collisions.py",),
    ),
    Fault(
        "cancel: the next of the subject is not rung",
        LIFECYCLE,
        "row.status_message))\n            self.queue.wake_next(session, claim.subject)\n        return status\n",
        "row.status_message))\n        return status\n",
        SUBJECTS,
    ),
    Fault("retry: keeps the flag of the cancel", STATEMENTS, "        cancel_requested=false(),\n", "", RETRY),
    Fault(
        "retry: gives no new attempts",
        STATEMENTS,
        '        max_attempts=jobs.c.attempt + bindparam("attempts", type_=jobs.c.max_attempts.type),\n',
        "",
        RETRY,
    ),
    Fault(
        "retry: of whatever is over",
        STATEMENTS,
        "jobs.c.status.in_([JobStatus.FAILED, JobStatus.CANCELLED])",
        "jobs.c.status.in_([JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.SUCCEEDED])",
        RETRY,
    ),
]

SWEEPING = [
    Fault("sweep: floods a busy queue", SWEEP, "due = rows if depth == 0 else", "due = rows if True else", SWEEPS),
    Fault(
        "sweep: rings again at once",
        SWEEP,
        "values(wake_at_ms=now_ms() + pause,",
        "values(wake_at_ms=now_ms(),",
        SWEEPS,
    ),
    Fault("sweep: judges others when it was starved", SWEEP, "may_judge = rested and time", "may_judge = time", SWEEPS),
    Fault(
        "sweep: one bad row ends it",
        SWEEP,
        "        if is_outage(error):\n            raise\n        log.exc",
        "        raise\n        log.exc",
        SWEEPS,
    ),
    Fault(
        "sweep: a child that runs another's job is left alone",
        "worker/beliefs.py",
        "if now_s - since_s >= self.lease_s:",
        "if now_s < since_s:",
        ("tests/worker/test_beliefs.py",),
    ),
    Fault(
        "prune: what was retried meanwhile is deleted",
        PRUNING,
        "jobs.c.id.in_(job_ids), _may_go(context)",
        "jobs.c.id.in_(job_ids)",
        ("tests/worker/test_pruning.py",),
    ),
]

RUNNING = [
    Fault(
        "work: does not stop at 0.8 of its lease", HEART, "if self._lost or self._too_old():", "if self._lost:", HEARTS
    ),
    Fault("work: may stand still for ever", HEART, "        self._end_if_stalled()\n", "", HEARTS),
    Fault(
        "work: its heart beats on after its end",
        HEART,
        "        self.pacemaker.end()\n",
        "        pass\n",
        HEARTS,
    ),
    Fault(
        "work: its end does not wait for a beat under way",
        "worker/pacemaker.py",
        "        with self._calling:\n            # Whoever",
        "        if True:\n            # Whoever",
        ("tests/worker/test_pacemaker.py",),
    ),
    Fault(
        "work: has no limit of time", HEART, "- self.claimed_s > self.time_limit_s:", "- self.claimed_s > 1e9:", HEARTS
    ),
    Fault(
        "work: an outage of the database fails the job",
        RUNNER,
        '        if is_outage(error):\n            log.warning("the database does not answer; the lease decides"',
        '        if False:\n            log.warning("the database does not answer; the lease decides"',
        RUNS,
    ),
    Fault(
        "work: a commit that was not heard is given up",
        RUNNER,
        "if not is_outage(error) or time.monotonic() > give_up_s:",
        "if True:",
        RUNS,
    ),
    Fault(
        "work: wrong arguments are not looked at",
        RUNNER,
        "        check_arguments(JobKind(claim.kind), claim.arguments)\n",
        "",
        RUNS,
    ),
]

CHANGING = [
    Fault(
        "change: only the model is locked, not its version",
        MODEL_VERSIONS,
        "with_for_update(of=(RegisteredModel, ModelVersion))",
        "with_for_update(of=(RegisteredModel,))",
        COLLISIONS,
    ),
    Fault(
        "change: rows of a table are written as parts of their own",
        APPENDING,
        "        other_kind = any(kind.table is known.table and kind != known for known in together)\n",
        "        other_kind = False\n",
        APPENDED,
    ),
    Fault(
        "change: what a savepoint takes back is written all the same",
        APPENDING,
        "    if session.in_nested_transaction():\n",
        "    if False:\n",
        APPENDED,
    ),
    Fault(
        "change: nothing is written at the end",
        "database/session.py",
        "                write_appended(session)\n",
        "                pass\n",
        APPENDED,
    ),
]

FAULTS = [*OWNERS, *CLAIMS, *ENQUEUING, *ENDS, *RETURNS, *SWEEPING, *RUNNING, *CHANGING, *PLAN_FAULTS]
