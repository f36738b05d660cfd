"""Background work: jobs with their history, schedules, and the workers that do them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, Text
from sqlmodel import Field

from modelyard.database.columns import Name, RowId, Table, moment, one_of, public_id, row_id, time, where
from modelyard.rules.jobs import FINAL, OPEN, AttemptOutcome, JobStatus


class Job(Table, table=True):
    """One piece of background work; the row is the truth, a message only a bell. See design/jobs.md.

    Altered by ADD COLUMN only: Alembic's batch mode would drop AUTOINCREMENT and its counter, and an id given out
    twice lets the owner of an old job finish a new one.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("status", *JobStatus),
        CheckConstraint("(status = 'RUNNING') = (lease_until_ms IS NOT NULL)", name="running_has_lease"),
        # A finished job keeps its worker: whoever did not hear of its own commit knows it by that.
        CheckConstraint("status <> 'RUNNING' OR worker IS NOT NULL", name="running_has_worker"),
        CheckConstraint(
            f"(status IN ({', '.join(repr(str(s)) for s in sorted(FINAL))})) = (finished_at_ms IS NOT NULL)",
            name="final_has_finish",
        ),
        Index("one_running_per_subject", "subject", unique=True, **where("status = 'RUNNING'")),
        Index("ix_jobs_wake", "wake_at_ms", **where("status = 'QUEUED'")),
        Index("ix_jobs_lease", "lease_until_ms", **where("status = 'RUNNING'")),
        Index(
            "ix_jobs_open_subject",
            "subject",
            "id",
            **where(f"status IN ({', '.join(repr(str(s)) for s in sorted(OPEN))})"),
        ),
        Index("ix_jobs_model", "model_id", "id"),
        Index("ix_jobs_status", "status", "id"),
        Index("ix_jobs_kind", "kind", "status"),
        Index("ix_jobs_finished", "finished_at_ms", **where("finished_at_ms IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
    kind: str = Field(max_length=40)
    queue: str = Field(max_length=40)
    arguments: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    subject: str | None = Field(default=None, max_length=128)
    dedupe_key: str | None = Field(default=None, max_length=200, unique=True)
    model_id: int | None = Field(default=None, sa_type=RowId)
    version_id: int | None = Field(default=None, sa_type=RowId)
    status: str = Field(default=JobStatus.QUEUED, max_length=12)
    attempt: int = 0
    max_attempts: int
    releases: int = 0
    worker: str | None = Field(default=None, max_length=200)
    run_after_ms: int = moment()
    wake_at_ms: int = moment()
    wakes: int = 0
    lease_until_ms: int | None = time()
    cancel_requested: bool = False
    cancelled_by: str | None = Field(default=None, max_length=256)
    step: str = Field(default="", max_length=200)
    items_done: int = Field(default=0, sa_type=BigInteger)
    items_total: int = Field(default=0, sa_type=BigInteger)
    bytes_done: int = Field(default=0, sa_type=BigInteger)
    bytes_total: int = Field(default=0, sa_type=BigInteger)
    # A moving average of the attempt that runs; NULL before it has copied anything.
    bytes_per_s: int | None = time()
    error_code: str | None = Field(default=None, max_length=40)
    status_message: str | None = Field(default=None, sa_type=Text)
    requested_by: str = Field(max_length=256)
    created_at_ms: int = moment()
    started_at_ms: int | None = time()
    finished_at_ms: int | None = time()


class JobAttempt(Table, table=True):
    """One attempt of a job: who ran it, from when to when, and how it ended. Open while `ended_at_ms` is NULL."""

    __tablename__ = "job_attempts"
    __table_args__ = (
        one_of("outcome", *AttemptOutcome),
        CheckConstraint("(ended_at_ms IS NULL) = (outcome IS NULL)", name="ended_has_outcome"),
        Index("ix_job_attempts_uncounted", "job_id", "attempt", **where("counted_at_ms IS NULL")),
    )

    job_id: int = Field(sa_type=RowId, primary_key=True)
    attempt: int = Field(primary_key=True)
    worker: str = Field(max_length=200)
    started_at_ms: int = moment()
    ended_at_ms: int | None = time()
    outcome: str | None = Field(default=None, max_length=12)
    error_code: str | None = Field(default=None, max_length=40)
    status_message: str | None = Field(default=None, sa_type=Text)
    # When the figures of this attempt were added to `counters`; until then metrics read them here.
    counted_at_ms: int | None = time()


class JobLogLine(Table, table=True):
    """One line of a job's log, in the order of writing; readers follow it by id."""

    __tablename__ = "job_log"
    __table_args__ = (Index("ix_job_log_job", "job_id", "id"), {"sqlite_autoincrement": True})

    id: int = row_id()
    job_id: int = Field(sa_type=RowId)
    attempt: int
    at_ms: int = moment()
    level: str = Field(max_length=10)
    line: str = Field(sa_type=Text)


class Schedule(Table, table=True):
    """Work that comes again: a cron line or an interval, in a time zone. A change raises `revision`."""

    __tablename__ = "schedules"
    __table_args__ = (
        one_of("rule", "cron", "every"),
        Index("ix_schedules_due", "next_at_ms", **where("enabled")),
    )

    id: int = row_id()
    public_id: str = Field(default_factory=public_id, max_length=32, unique=True)
    name: str = Field(sa_type=Name, nullable=False, unique=True)
    kind: str = Field(max_length=40)
    arguments: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    rule: str = Field(max_length=8)
    # A cron line of five fields, or a number of seconds.
    expression: str = Field(max_length=200)
    time_zone: str = Field(default="UTC", max_length=64)
    enabled: bool = True
    revision: int = 1
    next_at_ms: int = Field(sa_type=BigInteger)
    last_slot_ms: int | None = time()
    last_job_id: int | None = Field(default=None, sa_type=RowId)
    created_by: str = Field(max_length=256)
    created_at_ms: int = moment()


class Counter(Table, table=True):
    """A figure of `/metrics` that only grows, whichever process counts it."""

    __tablename__ = "counters"

    name: str = Field(max_length=60, primary_key=True)
    # Label values, separated by commas, in the order that the metric names its labels.
    labels: str = Field(default="", max_length=120, primary_key=True)
    value: float = 0


class Worker(Table, table=True):
    """A worker's main process, as its sweep last reported it; `/readyz` and people read it."""

    __tablename__ = "workers"

    name: str = Field(max_length=200, primary_key=True)
    host: str = Field(max_length=200)
    pid: int
    queues: str = Field(max_length=200)
    concurrency: int
    software_version: str = Field(max_length=40)
    started_at_ms: int = moment()
    seen_at_ms: int = moment(index=True)
