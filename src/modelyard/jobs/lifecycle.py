"""The life of a job: guarded UPDATEs that move it, each counted, each naming its owner.

    enqueue -> QUEUED -claim-> RUNNING -finish-> SUCCEEDED
                 ^                |-----fail---> FAILED
                 |                `-----cancel-> CANCELLED
                 `--give_back (temporary failure, release on drain, reap of a lost worker)

`attempt` never falls, and (attempt, worker) is the fencing token: the attempt alone is not unique after a restored
backup. `now` is always the database's clock, never a bound value. Source: design/jobs.md, "The statements".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, Update, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from modelyard.database.session import autocommit, repeat_conflicts, statements, transaction
from modelyard.errors import ClaimLost
from modelyard.jobs.attempts import LogLine, begin_attempt, end_attempt, write_lines
from modelyard.jobs.guards import Claim, claim_of, jobs, lock_registry_rows, me
from modelyard.jobs.queue import JobQueue
from modelyard.jobs.statements import ACKNOWLEDGE, BEAT, CANCEL, CLAIM, END, GIVE_BACK, OUTCOME, REAP, RELEASE, RETRY
from modelyard.rules.jobs import FINAL, OPEN, AttemptOutcome, JobKind, JobStatus, clip_message

NOTHING: Mapping[str, Any] = MappingProxyType({})
# What a cancelled job and its version show when there was nothing left to change.
NOTHING_LEFT = "What the job worked on was deleted."


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """What the effects are told: an attempt of `claim` ended and left the job in `status`.

    `status` is final, or QUEUED when the job will be tried again. `result` is what the work returned, for SUCCEEDED.
    """

    claim: Claim
    status: JobStatus
    message: str = ""
    result: Any = None


# Changes the registry in the transaction that ends the attempt. False says that there was nothing left to change
# (the version is deleted): the job is then CANCELLED.
Effects = Callable[[Session, EndedAttempt], bool]


# Prepares the registry for another try, in the transaction that queues the job again. Raises InvalidState when there is
# nothing left to work on.
RetryEffects = Callable[[Session, Claim], None]


def _nothing_to_prepare(session: Session, claim: Claim) -> None:
    """The retry effect of jobs that touch no registry."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The moves of jobs in one process: its engine, its queue, the registry's effects and the length of a lease."""

    engine: Engine
    queue: JobQueue
    effects: Effects
    lease_ms: int
    retry_effects: RetryEffects = _nothing_to_prepare
    # How far SQLite's file clock, shared by processes of one machine, may lag behind a busy write lock.
    slack_ms: int = field(init=False)

    def __post_init__(self) -> None:
        slack = self.lease_ms // 3 if self.engine.dialect.name == "sqlite" else 0
        object.__setattr__(self, "slack_ms", slack)

    @property
    def terms(self) -> dict[str, int]:
        """What the statements ask that judge a lease: its length and the slack, in milliseconds."""
        return {"lease_ms": self.lease_ms, "slack_ms": self.slack_ms}

    def claim(self, job_id: int, worker: str) -> Claim | None:
        """Take a waiting job: RUNNING, one attempt charged, a lease. None when it is somebody else's, or not now."""
        try:
            return repeat_conflicts(lambda: self._claim(job_id, worker))
        except IntegrityError as error:
            # Another of the subject began in the same moment: on PostgreSQL the order of ids is not that of commits.
            if _is_subject_taken(error):
                return None
            raise

    def _claim(self, job_id: int, worker: str) -> Claim | None:
        with statements(self.engine) as connection:
            asked = {"its_job": job_id, "worker": worker, "lease_ms": self.lease_ms}
            row = connection.execute(CLAIM, asked).one_or_none()
            if row is None:
                return None
            claim = claim_of(row)
            begin_attempt(connection, claim)
            return claim

    def heartbeat(self, claim: Claim, progress: dict[str, Any], said: Sequence[LogLine] = ()) -> bool:
        """Extend the lease, write `progress` (columns of `jobs`) and return whether somebody wants to cancel.

        What the work `said` goes into the job's log. Raises ClaimLost when the job is not ours any more: stop, touch
        nothing.
        """
        if said:
            with transaction(self.engine) as session:
                wanted = self._beat(session, claim, progress)
                write_lines(session, claim, said)
            return wanted
        with autocommit(self.engine) as connection:
            return self._beat(connection, claim, progress)

    def _beat(self, session: Session | Connection, claim: Claim, progress: dict[str, Any]) -> bool:
        row = session.execute(BEAT, {**progress, **me(claim), "lease_ms": self.lease_ms}).one_or_none()
        if row is None:
            raise ClaimLost(claim.job_id, claim.attempt)
        return bool(row.cancel_requested)

    def finish(
        self, claim: Claim, result: Any, said: Sequence[LogLine] = (), progress: Mapping[str, Any] = NOTHING
    ) -> JobStatus:
        """End the job SUCCEEDED together with its effect; CANCELLED when the effect found nothing to change.

        `progress` is the last word on it: the beat that would have told of the last files never comes.
        """
        return repeat_conflicts(lambda: self._finish(claim, result, said, progress))

    def _finish(self, claim: Claim, result: Any, said: Sequence[LogLine], progress: Mapping[str, Any]) -> JobStatus:
        with transaction(self.engine) as session:
            self._end(session, claim, JobStatus.SUCCEEDED, None, "", said, progress)
            if self.effects(session, EndedAttempt(claim, JobStatus.SUCCEEDED, result=result)):
                return JobStatus.SUCCEEDED
            session.execute(
                update(jobs)
                .where(jobs.c.id == claim.job_id)
                .values(status=JobStatus.CANCELLED, status_message=NOTHING_LEFT)
            )
            end_attempt(session, claim, AttemptOutcome.CANCELLED, None, NOTHING_LEFT)
            return JobStatus.CANCELLED

    def fail(self, claim: Claim, error_code: str, message: str, said: Sequence[LogLine] = ()) -> JobStatus:
        """End the job FAILED with a reason that a person can act on, together with its effect."""
        return repeat_conflicts(lambda: self._end_with(claim, JobStatus.FAILED, error_code, message, said))

    def acknowledge_cancel(self, claim: Claim, said: Sequence[LogLine] = ()) -> JobStatus:
        """End a running job that somebody cancelled."""
        return repeat_conflicts(lambda: self._end_with(claim, JobStatus.CANCELLED, None, None, said))

    def _end_with(
        self,
        claim: Claim,
        status: JobStatus,
        error_code: str | None,
        message: str | None,
        said: Sequence[LogLine],
    ) -> JobStatus:
        with transaction(self.engine) as session:
            written = self._end(session, claim, status, error_code, message, said)
            self.effects(session, EndedAttempt(claim, status, message=written))
        return status

    def _end(
        self,
        session: Session,
        claim: Claim,
        status: JobStatus,
        error_code: str | None,
        message: str | None,
        said: Sequence[LogLine],
        progress: Mapping[str, Any] = NOTHING,
    ) -> str:
        """End the job and return the message as it was written; without one it names who cancelled."""
        lock_registry_rows(session, claim.model_id, claim.version_id)
        told = {"status": status, "error_code": error_code, **progress, **me(claim)}
        if message is None:
            row = session.execute(ACKNOWLEDGE, told).one_or_none()
        else:
            row = session.execute(END, {"status_message": clip_message(message), **told}).one_or_none()
        if row is None:
            raise ClaimLost(claim.job_id, claim.attempt)
        write_lines(session, claim, said)
        end_attempt(session, claim, AttemptOutcome(status), error_code, row.status_message)
        self.queue.wake_next(session, claim.subject)
        return str(row.status_message)

    def give_back(
        self, claim: Claim, *, delay_ms: int, error_code: str, message: str, said: Sequence[LogLine] = ()
    ) -> JobStatus:
        """Return a job after a temporary failure: QUEUED with a delay, or FAILED when its attempts are used up."""
        back = _Return(AttemptOutcome.RETRIED, delay_ms, error_code, clip_message(message), said)
        return repeat_conflicts(lambda: self._return_job(claim, back, GIVE_BACK))

    def release(self, claim: Claim, said: Sequence[LogLine] = ()) -> JobStatus:
        """Return a job because this worker stops: QUEUED at once, one more attempt granted (up to a bound)."""
        message = "The worker stopped; waiting for another."
        back = _Return(AttemptOutcome.RELEASED, 0, "worker_stopped", message, said)
        return repeat_conflicts(lambda: self._return_job(claim, back, RELEASE))

    def reap(self, claim: Claim, *, delay_ms: int) -> JobStatus | None:
        """Take a job from a worker whose lease ran out. None when it came back to life, or another sweep has it."""
        message = "The worker that ran this job was lost."
        back = _Return(AttemptOutcome.LOST, delay_ms, "worker_lost", message)
        try:
            return repeat_conflicts(lambda: self._return_job(claim, back, REAP, self.terms))
        except ClaimLost:
            return None

    def _return_job(
        self, claim: Claim, back: "_Return", statement: Update, terms: Mapping[str, int] = NOTHING
    ) -> JobStatus:
        reaping = statement is REAP
        with transaction(self.engine) as session:
            lock_registry_rows(session, claim.model_id, claim.version_id)
            if reaping and not _lock_unless_busy(session, claim.job_id):
                raise ClaimLost(claim.job_id, claim.attempt)
            asked = {"delay_ms": back.delay_ms, "error_code": back.error_code, "message": back.message}
            row = session.execute(statement, {**asked, **terms, **me(claim)}).one_or_none()
            if row is None:
                raise ClaimLost(claim.job_id, claim.attempt)
            status = JobStatus(row.status)
            write_lines(session, claim, back.said)
            waits = status is JobStatus.QUEUED
            outcome = back.outcome if waits or reaping else AttemptOutcome(status)
            end_attempt(session, claim, outcome, back.error_code, row.status_message)
            self.effects(session, EndedAttempt(claim, status, message=row.status_message))
            if status in FINAL:
                self.queue.wake_next(session, claim.subject)
            elif back.delay_ms == 0:
                self.queue.ring_after_commit(session, claim.kind, row.queue, claim.job_id)
            return status

    def cancel(self, session: Session, job_id: int, *, by: str) -> JobStatus | None:
        """Cancel a job inside the caller's transaction: at once while it waits, by a flag while it runs.

        The caller has locked the model's and the version's row. Returns CANCELLED or RUNNING (flag set; its worker
        acknowledges), None when the job had already ended.
        """
        asked = {"its_job": job_id, "by": by, "message": f"Cancelled by {by}."}
        row = session.execute(CANCEL, asked).one_or_none()
        if row is None:
            return None
        status = JobStatus(row.status)
        if status == JobStatus.CANCELLED:
            claim = claim_of(row)
            self.effects(session, EndedAttempt(claim, status, message=row.status_message))
            self.queue.wake_next(session, claim.subject)
        return status

    def retry(self, session: Session, job_id: int) -> JobStatus | None:
        """Queue a job again that FAILED or was CANCELLED, inside the caller's transaction; its history is kept.

        The caller has locked the model's and the version's row. Returns the status that it had, None when it is not
        over or SUCCEEDED. Raises what the kind's retry effect raises when there is nothing left to work on.
        """
        before = session.execute(select(jobs.c.status).where(jobs.c.id == job_id).with_for_update()).scalar()
        asked = {"its_job": job_id, "grace_ms": self.queue.grace_ms, "attempts": self.queue.attempts}
        row = session.execute(RETRY, asked).one_or_none()
        if row is None:
            return None
        self.retry_effects(session, claim_of(row))
        self.queue.ring_after_commit(session, row.kind, row.queue, job_id)
        return JobStatus(before or JobStatus.FAILED)

    def cancel_open_jobs(self, session: Session, version_ids: list[int], *, by: str) -> None:
        """Cancel every open job of these versions inside the caller's transaction; for deletes.

        Jobs of kinds that this release does not know are left to the one that does.
        """
        open_jobs = select(jobs.c.id).where(
            jobs.c.version_id.in_(version_ids), jobs.c.status.in_(OPEN), jobs.c.kind.in_(list(JobKind))
        )
        for job_id in session.scalars(open_jobs.order_by(jobs.c.id)).all():
            self.cancel(session, job_id, by=by)


def outcome_of(engine: Engine, claim: Claim) -> JobStatus | None:
    """Return where this attempt stands now, for a worker that did not hear of its own commit.

    None when the row is another's by now.
    """
    with autocommit(engine) as connection:
        row = connection.execute(OUTCOME, me(claim)).one_or_none()
    return None if row is None else JobStatus(row.status)


@dataclass(frozen=True, slots=True)
class _Return:
    """Why a job goes back to the queue, and when it may be claimed again."""

    outcome: AttemptOutcome
    delay_ms: int
    error_code: str
    message: str
    said: Sequence[LogLine] = ()


def _lock_unless_busy(session: Session, job_id: int) -> bool:
    if session.get_bind().dialect.name == "sqlite":
        return True
    found = session.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update(skip_locked=True))
    return found.one_or_none() is not None


def _is_subject_taken(error: IntegrityError) -> bool:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    # PostgreSQL names the index; SQLite says only the column.
    return constraint == "one_running_per_subject" or "UNIQUE constraint failed: jobs.subject" in str(error.orig)
