"""What jobs ought to do, in plain Python: the model that the state machine holds against the database.

It knows no SQL, no threads and one clock, and it keeps what no row tells: which claim is truly the last one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from modelyard.jobs.guards import Claim
from modelyard.jobs.lifecycle import NOTHING_LEFT
from modelyard.rules.jobs import FINAL, MAX_GRANTED_RELEASES, OPEN, RULES, AttemptOutcome, JobKind, JobStatus

LEASE_MS = 30_000
GRACE_MS = 5_000
ATTEMPTS = 3
MINUTE_MS = 60_000
FEW = 10
CANCELLED = "Cancelled by ann."


@dataclass(frozen=True, repr=False)
class Belief:
    """A claim as its worker remembers it. `serial` counts claims over all jobs, and is never given out twice."""

    claim: Claim
    serial: int

    def __repr__(self) -> str:
        return f"<{self.serial}: job {self.claim.job_id}, attempt {self.claim.attempt}, {self.claim.worker}>"


@dataclass
class Version:
    """A registered version: PENDING while its registration is open."""

    id: int
    model: int
    status: str = "PENDING_REGISTRATION"
    deleted: bool = False


@dataclass(repr=False)
class Work:
    """A job. `last` is the ghost: the true last claim. `outcomes` has an entry for each attempt, None while it runs."""

    id: int
    kind: JobKind
    subject: str | None
    version: Version | None
    run_after_ms: int
    wake_at_ms: int
    status: JobStatus = JobStatus.QUEUED
    attempt: int = 0
    max_attempts: int = ATTEMPTS
    releases: int = 0
    cancel_requested: bool = False
    wakes: int = 0
    lease_until_ms: int | None = None
    worker: str | None = None
    error_code: str | None = None
    message: str | None = None
    last: Belief | None = None
    outcomes: list[str | None] = field(default_factory=list)
    leased: set[tuple[int, str]] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"<job {self.id}, {self.kind}: {self.status}, attempt {self.attempt} of {self.max_attempts}>"

    @property
    def final(self) -> bool:
        """Whether it is over."""
        return self.status in FINAL

    @property
    def running(self) -> bool:
        """Whether somebody owns it."""
        return self.status is JobStatus.RUNNING


@dataclass
class World:
    """Every job and version, and the rings that were asked for since `rings` was last emptied.

    `changes` maps a living model -> how often its versions changed: each effect counts once.
    """

    now_ms: int
    slack_ms: int
    works: dict[int, Work] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    changes: dict[int, int] = field(default_factory=dict)
    rings: list[int] = field(default_factory=list)
    _serials: int = 0

    def register(self, version_id: int, model: int) -> Version:
        """Add a version, which is a change of its model."""
        self.versions[version_id] = Version(version_id, model)
        self.changes[model] += 1
        return self.versions[version_id]

    def enqueue(self, job_id: int, kind: JobKind, subject: str | None, version: Version | None) -> Work:
        """Add a job; a worker is rung."""
        work = Work(job_id, kind, subject, version, self.now_ms, self.now_ms + GRACE_MS)
        self.works[job_id] = work
        self.rings.append(job_id)
        return work

    def may_claim(self, work: Work) -> bool:
        """Whether a job may begin now."""
        ahead = any(
            other.running or (other.status is JobStatus.QUEUED and other.id < work.id) for other in self._others(work)
        )
        return work.status is JobStatus.QUEUED and work.run_after_ms <= self.now_ms and not ahead

    def claim(self, work: Work, claim: Claim) -> Belief:
        """Note that a job was claimed."""
        self._serials += 1
        work.last = Belief(claim, self._serials)
        work.status, work.attempt, work.worker = JobStatus.RUNNING, work.attempt + 1, claim.worker
        work.lease_until_ms, work.error_code, work.message = self.now_ms + LEASE_MS, None, None
        work.outcomes.append(None)
        return work.last

    def owns(self, belief: Belief) -> bool:
        """Whether a worker is right to believe that it runs its job."""
        work = self.works[belief.claim.job_id]
        return work.running and work.last == belief

    def overdue(self, work: Work) -> bool:
        """Whether a sweep may take a job back."""
        lease = work.lease_until_ms
        return lease is not None and (lease < self.now_ms - self.slack_ms or lease > self.now_ms + 2 * LEASE_MS)

    def heartbeat(self, work: Work) -> None:
        """Renew a lease."""
        work.lease_until_ms = self.now_ms + LEASE_MS

    def end(self, work: Work, status: JobStatus, error_code: str | None = None, message: str = "") -> JobStatus:
        """End a running job, with its effect; return the status that it ends with."""
        if status is JobStatus.SUCCEEDED and not self._succeed(work):
            status, message = JobStatus.CANCELLED, NOTHING_LEFT
        elif status is not JobStatus.SUCCEEDED:
            self._fail_version(work)
        self._close(work, status, status, error_code, message)
        return status

    def give_back(
        self, work: Work, outcome: AttemptOutcome, *, error_code: str, message: str, delay_ms: int, grant: bool = False
    ) -> JobStatus:
        """Return a running job to the queue, or end it; return the status that it has then."""
        if grant and work.releases < MAX_GRANTED_RELEASES:
            work.releases, work.max_attempts = work.releases + 1, work.max_attempts + 1
        work.run_after_ms = work.wake_at_ms = self.now_ms + delay_ms
        work.worker, work.wakes = None, 0
        status = JobStatus.QUEUED
        if work.cancel_requested:
            status, message = JobStatus.CANCELLED, CANCELLED
        elif work.attempt >= work.max_attempts:
            status = JobStatus.FAILED
        kept = status is JobStatus.QUEUED or outcome is AttemptOutcome.LOST
        if status in FINAL:
            self._fail_version(work)
        self._close(work, status, outcome if kept else status, error_code, message)
        if status is JobStatus.QUEUED and delay_ms == 0:
            self.rings.append(work.id)
        return status

    def cancel(self, work: Work) -> JobStatus | None:
        """Cancel a job: at once while it waits, by a flag while it runs."""
        if work.status not in OPEN:
            return None
        work.cancel_requested = True
        if work.status is JobStatus.QUEUED:
            self._fail_version(work)
            self._close(work, JobStatus.CANCELLED, None, work.error_code, CANCELLED)
        return work.status

    def may_retry(self, work: Work) -> bool:
        """Whether there is something left to try again."""
        version = work.version
        if work.kind is not JobKind.REGISTER_VERSION or version is None:
            return True
        return version.status == "FAILED_REGISTRATION" and not version.deleted

    def retry(self, work: Work) -> JobStatus | None:
        """Queue a job again that failed or was cancelled."""
        if work.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
            return None
        before, work.status = work.status, JobStatus.QUEUED
        work.cancel_requested, work.error_code, work.message = False, None, None
        work.releases, work.wakes, work.max_attempts = 0, 0, work.attempt + ATTEMPTS
        work.run_after_ms, work.wake_at_ms = self.now_ms, self.now_ms + GRACE_MS
        if work.kind is JobKind.REGISTER_VERSION and work.version is not None:
            self._move_version(work.version, "PENDING_REGISTRATION")
        self.rings.append(work.id)
        return before

    def ring(self, depth: int) -> list[int]:
        """Ring as a sweep does that found `depth` messages in each queue; return the jobs rung."""
        rung = []
        for queue in ("fast", "copy"):
            due = [work for work in self.works.values() if RULES[work.kind].queue == queue and self._due(work)]
            due.sort(key=lambda work: (work.wake_at_ms, work.id))
            if depth:
                due = [work for work in due if self.now_ms - work.wake_at_ms > MINUTE_MS][:FEW]
            rung += due
        for work in rung:
            pause = min(GRACE_MS * 2**work.wakes, MINUTE_MS) if work.wakes < 5 else MINUTE_MS
            work.wake_at_ms, work.wakes = self.now_ms + pause, work.wakes + 1
        return [work.id for work in rung]

    def _due(self, work: Work) -> bool:
        return self.may_claim(work) and work.wake_at_ms <= self.now_ms

    def delete_model(self, model: int) -> None:
        """Delete a model with its versions; what they wait for is cancelled."""
        pending = [v.id for v in self.versions.values() if v.model == model and v.status == "PENDING_REGISTRATION"]
        waiting = [work for work in self.works.values() if work.version is not None and work.version.id in pending]
        del self.changes[model]
        for work in sorted(waiting, key=lambda work: work.id):
            self.cancel(work)
        for version in self.versions.values():
            version.deleted = version.deleted or version.model == model

    def _succeed(self, work: Work) -> bool:
        version = work.version
        if work.kind is not JobKind.REGISTER_VERSION or version is None:
            return True
        self._move_version(version, "FAILED_REGISTRATION" if version.deleted else "READY")
        return not version.deleted

    def _fail_version(self, work: Work) -> None:
        if work.kind is JobKind.REGISTER_VERSION and work.version is not None:
            self._move_version(work.version, "FAILED_REGISTRATION")

    def _move_version(self, version: Version, status: str) -> None:
        version.status = status
        if version.model in self.changes:
            self.changes[version.model] += 1

    def _close(self, work: Work, status: JobStatus, outcome: str | None, error_code: str | None, message: str) -> None:
        if work.running:
            work.outcomes[-1] = outcome
        work.leased = {lease for lease in work.leased if lease[0] not in (work.attempt, 0 if status in FINAL else None)}
        work.status, work.lease_until_ms = status, None
        work.error_code, work.message = error_code, message
        if work.final:
            self._wake_next(work)

    def _wake_next(self, ended: Work) -> None:
        waiting = [work for work in self._others(ended) if work.status is JobStatus.QUEUED]
        if waiting:
            oldest = min(waiting, key=lambda work: work.id)
            oldest.wake_at_ms, oldest.wakes = max(oldest.run_after_ms, self.now_ms + GRACE_MS), 0
            self.rings.append(oldest.id)

    def _others(self, work: Work) -> Iterator[Work]:
        """Yield the other jobs of a job's subject."""
        for other in self.works.values():
            if other is not work and work.subject is not None and other.subject == work.subject:
                yield other
