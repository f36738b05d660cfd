"""The tables.

Enums are text with a check constraint, times are epoch milliseconds from `now_ms()`, public ids are 32 hex digits.
Columns that could not be filled in later stand here from the first migration (design/architecture.md).
"""

from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from modelyard.database.clock import now_ms
from modelyard.rules.jobs import FINAL, OPEN, AttemptOutcome, JobStatus
from modelyard.rules.permissions import Level
from modelyard.rules.plans import Outcome, PlanAction, PlanStatus
from modelyard.rules.policies import Mode
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope
from modelyard.rules.transition_requests import RequestStatus

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)

# SQLite gives out ids by itself only for columns that are exactly INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")
# Names sort by code point on both databases; a locale's order would break keyset pages and the clients' tie-breaks.
Name = String(256).with_variant(String(256, collation="C"), "postgresql")
TagKey = String(250).with_variant(String(250, collation="C"), "postgresql")
AliasName = String(255).with_variant(String(255, collation="C"), "postgresql")
# Folding the case of a letter can make three of it.
FoldedName = String(768).with_variant(String(768, collation="C"), "postgresql")
DIGEST_CHARACTERS = 64
# So much of a tag's value is indexed; PostgreSQL refuses to index long ones.
VALUE_START_CHARACTERS = 64
AUDIT_DAYS = 365


class Table(SQLModel):
    """Base of all tables; their metadata is ours, not SQLModel's global one."""

    metadata = metadata


def public_id() -> str:
    """Return a new public id: 32 lower-case hex digits."""
    return uuid4().hex


def _row_id() -> Any:
    return Field(default=None, sa_type=RowId, primary_key=True)


def _moment(*, index: bool = False) -> Any:
    """A time that the database fills in when the row is inserted."""
    return Field(default=None, sa_type=BigInteger, index=index, nullable=False, sa_column_kwargs={"default": now_ms()})


def _time(default: int | None = None) -> Any:
    return Field(default=default, sa_type=BigInteger, nullable=default is None)


def _one_of(column: str, *values: str, name: str | None = None) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name or column)


def _where(condition: str) -> dict[str, Any]:
    clause: ColumnElement[bool] = text(condition)  # type: ignore[assignment]
    return {"sqlite_where": clause, "postgresql_where": clause}


def _value_index(table: str) -> Index:
    """An index that finds tags by their key and the beginning of their value."""
    return Index(f"ix_{table}_value", "key", text(f"substr(value, 1, {VALUE_START_CHARACTERS})"))


class Registry(Table, table=True):
    """The one row that says which registry this database holds, and with which key it signs."""

    __tablename__ = "registry"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True)
    registry_id: str = Field(default_factory=public_id, max_length=32)
    secret_key_fingerprint: str | None = Field(default=None, max_length=64)
    created_at_ms: int = _moment()
    # What the audit log's trigger refuses to delete is younger than this.
    audit_days: int = Field(default=AUDIT_DAYS, nullable=False, sa_column_kwargs={"server_default": str(AUDIT_DAYS)})


class Principal(Table, table=True):
    """A user, group or service principal. A deleted one stays, without rights, since its name stands in the history.

    `folded` is the name for comparisons. `builtin` ones were entered by a migration and cannot be changed.
    """

    __tablename__ = "principals"
    __table_args__ = (
        UniqueConstraint("kind", "folded"),
        _one_of("kind", *PrincipalKind),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    kind: str = Field(max_length=20)
    name: str = Field(sa_type=Name, nullable=False)
    folded: str = Field(sa_type=FoldedName, nullable=False)
    display_name: str = Field(default="", max_length=256)
    # What an identity provider calls it (SCIM's externalId).
    external_id: str = Field(default="", max_length=256)
    builtin: bool = False
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()
    disabled_at_ms: int | None = _time()
    deleted_at_ms: int | None = _time()


class GroupMember(Table, table=True):
    """A user or service principal in a group. Groups hold no groups."""

    __tablename__ = "group_members"
    __table_args__ = (Index("ix_group_members_member", "member_id", "group_id"),)

    group_id: int = Field(sa_type=RowId, primary_key=True, foreign_key="principals.id")
    member_id: int = Field(sa_type=RowId, primary_key=True, foreign_key="principals.id")


class Token(Table, table=True):
    """A personal access token: its digest and what limits it. Revoked ones stay, since the audit log names them."""

    __tablename__ = "tokens"
    __table_args__ = (
        _one_of("scope", *Scope),
        _one_of("highest_stage", *Stage),
        Index("ix_tokens_principal", "principal_id", "id"),
    )

    id: int = _row_id()
    public_id: str = Field(max_length=16, unique=True)
    digest: str = Field(max_length=DIGEST_CHARACTERS)
    principal_id: int = Field(sa_type=RowId, foreign_key="principals.id")
    comment: str = Field(default="", max_length=256)
    scope: str = Field(max_length=8)
    models: list[str] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    highest_stage: str | None = Field(default=None, max_length=16)
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()
    expires_at_ms: int = Field(sa_type=BigInteger)
    last_used_at_ms: int | None = _time()
    revoked_at_ms: int | None = _time()
    revoked_by: str | None = Field(default=None, max_length=256)


class Grant(Table, table=True):
    """The level that a principal holds on a model; without a model it is the root's, which every model inherits."""

    __tablename__ = "grants"
    __table_args__ = (
        _one_of("level", *Level),
        Index("one_grant_a_model", "model_id", "principal_id", unique=True, **_where("model_id IS NOT NULL")),
        Index("one_grant_on_root", "principal_id", unique=True, **_where("model_id IS NULL")),
        Index("ix_grants_principal", "principal_id", "model_id", "level"),
    )

    id: int = _row_id()
    model_id: int | None = Field(default=None, sa_type=RowId, foreign_key="registered_models.id", ondelete="CASCADE")
    principal_id: int = Field(sa_type=RowId, foreign_key="principals.id")
    level: str = Field(max_length=40)


class RegisteredModel(Table, table=True):
    """A name under which versions are registered. Deleted models stay, invisible, until they are purged."""

    __tablename__ = "registered_models"
    __table_args__ = (
        Index("one_living_name", "name", unique=True, **_where("deleted_at_ms IS NULL")),
        Index("ix_registered_models_updated", "updated_at_ms", "name", **_where("deleted_at_ms IS NULL")),
        Index("ix_registered_models_trash", "deleted_at_ms", **_where("deleted_at_ms IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    public_id: str = Field(default_factory=public_id, max_length=32, unique=True)
    name: str = Field(sa_type=Name, nullable=False)
    description: str = Field(default="", sa_type=Text)
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()
    updated_at_ms: int = _moment()
    # Numbers are given out from here, so that purging a version frees none.
    next_version: int = 1
    # Moves with every visible change; live pages ask for it.
    change_counter: int = Field(default=0, sa_type=BigInteger)
    deleted_at_ms: int | None = _time()
    deleted_by: str | None = Field(default=None, max_length=256)
    purging_at_ms: int | None = _time()


class FormerName(Table, table=True):
    """A name that a model had before; pages redirect from it while no living model bears it."""

    __tablename__ = "former_names"

    id: int = _row_id()
    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id", index=True)
    name: str = Field(sa_type=Name, nullable=False, index=True)
    renamed_at_ms: int = _moment()


class ModelVersion(Table, table=True):
    """One registered version. `status` says whether its bytes are safe, `stage` what it is used for."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("model_id", "version"),
        _one_of("stage", "None", "Staging", "Production", "Archived"),
        _one_of("status", "PENDING_REGISTRATION", "READY", "FAILED_REGISTRATION"),
        _one_of("registration_mode", "copy", "reference"),
        # Only READY versions enter a stage, and only they are ever looked for by it.
        Index(
            "ix_model_versions_stage",
            "model_id",
            "stage",
            "version",
            **_where("status = 'READY' AND deleted_at_ms IS NULL"),
        ),
        Index("ix_model_versions_updated", "updated_at_ms", "model_id", "version", **_where("deleted_at_ms IS NULL")),
        Index("ix_model_versions_created", "created_at_ms", **_where("deleted_at_ms IS NULL")),
        Index("ix_model_versions_run_id", "run_id", **_where("deleted_at_ms IS NULL")),
        Index("ix_model_versions_pending", "id", **_where("status = 'PENDING_REGISTRATION'")),
        Index("ix_model_versions_trash", "deleted_at_ms", **_where("deleted_at_ms IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    public_id: str = Field(default_factory=public_id, max_length=32, unique=True)
    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id")
    version: int
    stage: str = Field(default="None", max_length=16)
    status: str = Field(default="PENDING_REGISTRATION", max_length=24)
    status_message: str = Field(default="", sa_type=Text)
    description: str = Field(default="", sa_type=Text)
    source: str = Field(sa_type=Text)
    run_id: str = Field(default="", max_length=256)
    run_link: str = Field(default="", max_length=2048)
    # MLflow's id of a logged model ("m-..."), not one of ours.
    logged_model_id: str = Field(default="", max_length=256)
    registration_mode: str = Field(default="copy", max_length=16)
    manifest_digest: str | None = Field(
        default=None, max_length=DIGEST_CHARACTERS, foreign_key="manifests.digest", index=True
    )
    size_bytes: int | None = _time()
    file_count: int | None = None
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()
    updated_at_ms: int = _moment()
    stage_changed_at_ms: int = _moment()
    last_downloaded_at_ms: int | None = _time()
    deleted_at_ms: int | None = _time()
    deleted_by: str | None = Field(default=None, max_length=256)
    purging_at_ms: int | None = _time()


class RegisteredModelTag(Table, table=True):
    """A tag of a model. The id keeps the order of first insertion, which clients rely on."""

    __tablename__ = "registered_model_tags"
    __table_args__ = (UniqueConstraint("model_id", "key"), _value_index("registered_model_tags"))

    id: int = _row_id()
    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id")
    key: str = Field(sa_type=TagKey, nullable=False)
    value: str = Field(sa_type=Text)


class RegisteredModelAlias(Table, table=True):
    """A name that points to one version of a model until it is moved or its version is deleted."""

    __tablename__ = "registered_model_aliases"
    __table_args__ = (Index("ix_registered_model_aliases_version", "version_id"),)

    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id", primary_key=True, ondelete="CASCADE")
    alias: str = Field(sa_type=AliasName, primary_key=True)
    version_id: int = Field(sa_type=RowId, foreign_key="model_versions.id", ondelete="CASCADE")


class ModelVersionTag(Table, table=True):
    """A tag of a version, in order of first insertion."""

    __tablename__ = "model_version_tags"
    __table_args__ = (UniqueConstraint("version_id", "key"), _value_index("model_version_tags"))

    id: int = _row_id()
    version_id: int = Field(sa_type=RowId, foreign_key="model_versions.id")
    key: str = Field(sa_type=TagKey, nullable=False)
    value: str = Field(sa_type=Text)


class Activity(Table, table=True):
    """What happened to a model or version, and who did it. Comments and transition requests will stand here too."""

    __tablename__ = "activities"
    __table_args__ = (
        # A repeated archive job writes nothing twice.
        UniqueConstraint("job_id", "version_id"),
        Index("ix_activities_model", "model_id", "id"),
        Index("ix_activities_version", "version_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id")
    version_id: int | None = Field(default=None, sa_type=RowId, foreign_key="model_versions.id")
    activity_type: str = Field(max_length=40)
    actor: str = Field(max_length=256)
    created_at_ms: int = _moment()
    updated_at_ms: int = _moment()
    from_stage: str | None = Field(default=None, max_length=16)
    to_stage: str | None = Field(default=None, max_length=16)
    comment: str = Field(default="", sa_type=Text)
    system_comment: str = Field(default="", sa_type=Text)
    job_id: int | None = Field(default=None, sa_type=RowId)


class TransitionRequest(Table, table=True):
    """A person's wish to move a version; its id is that of the activity REQUESTED_TRANSITION, which tells the rest.

    One person holds at most one open request for a stage of a version.
    """

    __tablename__ = "transition_requests"
    __table_args__ = (
        _one_of("to_stage", *Stage),
        _one_of("status", *RequestStatus),
        Index("one_open_request", "version_id", "to_stage", "requested_by", unique=True, **_where("status = 'OPEN'")),
    )

    id: int = Field(sa_type=RowId, primary_key=True, foreign_key="activities.id", ondelete="CASCADE")
    version_id: int = Field(sa_type=RowId, foreign_key="model_versions.id", ondelete="CASCADE")
    to_stage: str = Field(max_length=16)
    requested_by: str = Field(max_length=256)
    status: str = Field(default=RequestStatus.OPEN, max_length=10)
    # The activity that closed it; NULL too when its version was archived by a promotion that was none itself.
    closed_by_id: int | None = Field(default=None, sa_type=RowId)


class VersionFollower(Table, table=True):
    """Somebody who hears of what happens to a version, having commented on it, moved it or asked to."""

    __tablename__ = "version_followers"

    version_id: int = Field(sa_type=RowId, primary_key=True, foreign_key="model_versions.id", ondelete="CASCADE")
    follower: str = Field(max_length=256, primary_key=True)
    since_ms: int = _moment()


class OutboxEvent(Table, table=True):
    """Something that the world outside may hear of, written with the change itself and delivered afterwards."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        # A repeated archive job announces nothing twice.
        UniqueConstraint("job_id", "version_id"),
        Index("ix_outbox_events_created", "created_at_ms"),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    event: str = Field(max_length=60)
    # No foreign keys: what is told stays told when the model is gone.
    model_id: int = Field(sa_type=RowId)
    version_id: int | None = Field(default=None, sa_type=RowId)
    actor: str = Field(max_length=256)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    job_id: int | None = Field(default=None, sa_type=RowId)
    created_at_ms: int = _moment()


class AuditEntry(Table, table=True):
    """A change, and who made it. The database itself refuses to alter a row, or to delete one before its time."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_model", "model_id", "id"),
        Index("ix_audit_log_actor", "actor", "id"),
        Index("ix_audit_log_at", "at_ms"),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    at_ms: int = _moment()
    actor: str = Field(max_length=256)
    token_id: str | None = Field(default=None, max_length=16)
    address: str = Field(default="", max_length=100)
    request_id: str = Field(default="", max_length=64)
    action: str = Field(max_length=40)
    # No foreign keys: the log outlives what it tells of.
    model_id: int | None = Field(default=None, sa_type=RowId)
    model_name: str | None = Field(default=None, sa_type=Name)
    version: int | None = None
    # The user, group, service principal or token that a change was about.
    principal: str | None = Field(default=None, max_length=300)
    before: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    after: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))


class IdempotencyKey(Table, table=True):
    """What a create under an `Idempotency-Key` made, so that its repeat answers the same object (24 h)."""

    __tablename__ = "idempotency_keys"

    actor: str = Field(max_length=256, primary_key=True)
    key: str = Field(max_length=256, primary_key=True)
    route: str = Field(max_length=128)
    body_sha256: str = Field(max_length=64)
    object_id: str = Field(max_length=64)
    created_at_ms: int = _moment(index=True)


class Job(Table, table=True):
    """One piece of background work; the row is the truth, a message only a bell. See design/jobs.md.

    Altered by ADD COLUMN only: Alembic's batch mode would drop AUTOINCREMENT and its counter, and an id given out
    twice lets the owner of an old job finish a new one.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        _one_of("status", *JobStatus),
        CheckConstraint("(status = 'RUNNING') = (lease_until_ms IS NOT NULL)", name="running_has_lease"),
        # A finished job keeps its worker: whoever did not hear of its own commit knows it by that.
        CheckConstraint("status <> 'RUNNING' OR worker IS NOT NULL", name="running_has_worker"),
        CheckConstraint(
            f"(status IN ({', '.join(repr(str(s)) for s in sorted(FINAL))})) = (finished_at_ms IS NOT NULL)",
            name="final_has_finish",
        ),
        Index("one_running_per_subject", "subject", unique=True, **_where("status = 'RUNNING'")),
        Index("ix_jobs_wake", "wake_at_ms", **_where("status = 'QUEUED'")),
        Index("ix_jobs_lease", "lease_until_ms", **_where("status = 'RUNNING'")),
        Index(
            "ix_jobs_open_subject",
            "subject",
            "id",
            **_where(f"status IN ({', '.join(repr(str(s)) for s in sorted(OPEN))})"),
        ),
        Index("ix_jobs_model", "model_id", "id"),
        Index("ix_jobs_status", "status", "id"),
        Index("ix_jobs_kind", "kind", "status"),
        Index("ix_jobs_finished", "finished_at_ms", **_where("finished_at_ms IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
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
    run_after_ms: int = _moment()
    wake_at_ms: int = _moment()
    wakes: int = 0
    lease_until_ms: int | None = _time()
    cancel_requested: bool = False
    cancelled_by: str | None = Field(default=None, max_length=256)
    step: str = Field(default="", max_length=200)
    items_done: int = Field(default=0, sa_type=BigInteger)
    items_total: int = Field(default=0, sa_type=BigInteger)
    bytes_done: int = Field(default=0, sa_type=BigInteger)
    bytes_total: int = Field(default=0, sa_type=BigInteger)
    # A moving average of the attempt that runs; NULL before it has copied anything.
    bytes_per_s: int | None = _time()
    error_code: str | None = Field(default=None, max_length=40)
    status_message: str | None = Field(default=None, sa_type=Text)
    requested_by: str = Field(max_length=256)
    created_at_ms: int = _moment()
    started_at_ms: int | None = _time()
    finished_at_ms: int | None = _time()


class JobAttempt(Table, table=True):
    """One attempt of a job: who ran it, from when to when, and how it ended. Open while `ended_at_ms` is NULL."""

    __tablename__ = "job_attempts"
    __table_args__ = (
        _one_of("outcome", *AttemptOutcome),
        CheckConstraint("(ended_at_ms IS NULL) = (outcome IS NULL)", name="ended_has_outcome"),
        Index("ix_job_attempts_uncounted", "job_id", "attempt", **_where("counted_at_ms IS NULL")),
    )

    job_id: int = Field(sa_type=RowId, primary_key=True)
    attempt: int = Field(primary_key=True)
    worker: str = Field(max_length=200)
    started_at_ms: int = _moment()
    ended_at_ms: int | None = _time()
    outcome: str | None = Field(default=None, max_length=12)
    error_code: str | None = Field(default=None, max_length=40)
    status_message: str | None = Field(default=None, sa_type=Text)
    # When the figures of this attempt were added to `counters`; until then metrics read them here.
    counted_at_ms: int | None = _time()


class JobLogLine(Table, table=True):
    """One line of a job's log, in the order of writing; readers follow it by id."""

    __tablename__ = "job_log"
    __table_args__ = (Index("ix_job_log_job", "job_id", "id"), {"sqlite_autoincrement": True})

    id: int = _row_id()
    job_id: int = Field(sa_type=RowId)
    attempt: int
    at_ms: int = _moment()
    level: str = Field(max_length=10)
    line: str = Field(sa_type=Text)


class Schedule(Table, table=True):
    """Work that comes again: a cron line or an interval, in a time zone. A change raises `revision`."""

    __tablename__ = "schedules"
    __table_args__ = (
        _one_of("rule", "cron", "every"),
        Index("ix_schedules_due", "next_at_ms", **_where("enabled")),
    )

    id: int = _row_id()
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
    last_slot_ms: int | None = _time()
    last_job_id: int | None = Field(default=None, sa_type=RowId)
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()


class Policy(Table, table=True):
    """What the registry archives or deletes by itself. When it runs stands in its schedule."""

    __tablename__ = "policies"
    __table_args__ = (_one_of("mode", *Mode),)

    id: int = _row_id()
    public_id: str = Field(default_factory=public_id, max_length=32, unique=True)
    name: str = Field(sa_type=Name, nullable=False, unique=True)
    action: str = Field(max_length=16)
    # `rules/policies.Conditions` as JSON.
    conditions: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    mode: str = Field(max_length=8)
    max_percent: int
    max_versions: int
    schedule_id: int = Field(sa_type=RowId, foreign_key="schedules.id", unique=True)
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()


class Plan(Table, table=True):
    """A list of versions with what is to be done to them, made by somebody or by a policy, and what came of it."""

    __tablename__ = "plans"
    __table_args__ = (
        _one_of("action", *PlanAction),
        _one_of("status", *(status for status in PlanStatus if status is not PlanStatus.EXPIRED)),
        CheckConstraint(
            "status <> 'READY' OR (digest IS NOT NULL AND expires_at_ms IS NOT NULL)", name="ready_is_sealed"
        ),
        Index("ix_plans_policy", "policy_id", "id"),
        Index("ix_plans_created", "created_at_ms"),
        {"sqlite_autoincrement": True},
    )

    id: int = _row_id()
    public_id: str = Field(default_factory=public_id, max_length=32, unique=True)
    action: str = Field(max_length=16)
    status: str = Field(default=PlanStatus.PLANNING, max_length=12)
    status_message: str = Field(default="", sa_type=Text)
    # `rules/plans.Rule` and `registry/candidates.Selection` as JSON: a policy that is edited changes no plan.
    rule: dict[str, Any] = Field(sa_type=JSON)
    selection: dict[str, Any] = Field(sa_type=JSON)
    policy_id: int | None = Field(default=None, sa_type=RowId)
    policy_name: str | None = Field(default=None, sa_type=Name)
    # Whoever asked for it wanted it executed as soon as it is made.
    then_execute: bool = False
    digest: str | None = Field(default=None, max_length=DIGEST_CHARACTERS)
    versions: int = 0
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    freed_bytes: int | None = _time()
    kept: int = 0
    left_out: int = 0
    # By which token, and what that took away: of whoever made it, then of whoever had it executed. None for nothing.
    token_id: str | None = Field(default=None, max_length=16)
    limits: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    # Row id of a model and number of a version: all up to here has been looked at.
    looked_at: list[int] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    # All living versions of the models that a policy is about; what its cap is a share of.
    living: int | None = None
    done: int = 0
    skipped: int = 0
    failed: int = 0
    plan_job_id: int | None = Field(default=None, sa_type=RowId, unique=True)
    execute_job_id: int | None = Field(default=None, sa_type=RowId, unique=True)
    created_by: str = Field(max_length=256)
    created_at_ms: int = _moment()
    expires_at_ms: int | None = _time()
    executed_by: str | None = Field(default=None, max_length=256)
    executed_at_ms: int | None = _time()
    finished_at_ms: int | None = _time()


class PlanItem(Table, table=True):
    """A version of a plan: what is to be done to it, or the reason why nothing is, and what came of it.

    It names version and model as they were, since both may be purged while the plan is kept.
    """

    __tablename__ = "plan_items"
    __table_args__ = (
        _one_of("outcome", *Outcome),
        Index("ix_plan_items_waiting", "plan_id", "position", **_where("reason IS NULL AND outcome IS NULL")),
    )

    plan_id: int = Field(sa_type=RowId, foreign_key="plans.id", primary_key=True, ondelete="CASCADE")
    position: int = Field(primary_key=True)
    version_id: int = Field(sa_type=RowId)
    version_public_id: str = Field(max_length=32)
    model_id: int = Field(sa_type=RowId)
    model_name: str = Field(sa_type=Name, nullable=False)
    version: int
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    # Why the plan leaves the version alone.
    reason: str | None = Field(default=None, max_length=24)
    outcome: str | None = Field(default=None, max_length=8)
    # Why it was skipped or failed when the plan was executed.
    outcome_reason: str | None = Field(default=None, max_length=24)
    message: str = Field(default="", sa_type=Text)


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
    started_at_ms: int = _moment()
    seen_at_ms: int = _moment(index=True)


class Blob(Table, table=True):
    """Bytes in the store, by SHA-256. A blob that comes back after a collection gets the next generation's file."""

    __tablename__ = "blobs"
    __table_args__ = (
        UniqueConstraint("digest", "state"),
        _one_of("state", "live", "deleting", "gone"),
        Index("ix_blobs_state_touched", "state", "touched_at_ms"),
        Index("ix_blobs_state_verified", "state", "verified_at_ms"),
        Index("ix_blobs_broken", "digest", **_where("broken_at_ms IS NOT NULL")),
    )

    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    gen: int = 0
    size_bytes: int = Field(sa_type=BigInteger)
    state: str = Field(default="live", max_length=8)
    touched_at_ms: int = _moment()
    verified_at_ms: int | None = _time()
    broken_at_ms: int | None = _time()


def _reference_to_blob() -> tuple[Any, ...]:
    """Constraints that make a reference and the collector's mark collide in the database, in either order.

    A plain foreign key does not: on PostgreSQL a promotion and a collector passed each other (design/storage.md).
    """
    return (
        CheckConstraint("state = 'live'", name="live"),
        ForeignKeyConstraint(["digest", "state"], ["blobs.digest", "blobs.state"]),
    )


class Manifest(Table, table=True):
    """A list of files with their digests, itself a blob of this digest; equal files give an equal manifest."""

    __tablename__ = "manifests"

    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    file_count: int
    size_bytes: int = Field(sa_type=BigInteger)
    created_at_ms: int = _moment()


class ManifestBlob(Table, table=True):
    """A blob that a manifest refers to, its own included. Written once, together with the manifest."""

    __tablename__ = "manifest_blobs"
    __table_args__ = (*_reference_to_blob(), Index("ix_manifest_blobs_blob", "digest", "state"))

    manifest_digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True, foreign_key="manifests.digest")
    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    state: str = Field(default="live", max_length=8)


class BlobLease(Table, table=True):
    """A blob that an attempt of a job holds until it ends. Attempt 0 belongs to the job itself (uploads)."""

    __tablename__ = "blob_leases"
    __table_args__ = (*_reference_to_blob(), Index("ix_blob_leases_blob", "digest", "state"))

    job_id: int = Field(sa_type=RowId, primary_key=True)
    attempt: int = Field(primary_key=True)
    digest: str = Field(max_length=DIGEST_CHARACTERS, primary_key=True)
    state: str = Field(default="live", max_length=8)


class Upload(Table, table=True):
    """A file in the landing zone, held until it is registered or expires. `path` has single slashes."""

    __tablename__ = "uploads"
    __table_args__ = (
        *_reference_to_blob(),
        UniqueConstraint("actor", "path"),
        Index("ix_uploads_blob", "digest", "state"),
        Index("ix_uploads_expires", "expires_at_ms"),
    )

    id: int = _row_id()
    actor: str = Field(max_length=256)
    path: str = Field(sa_type=String(1024).with_variant(String(1024, collation="C"), "postgresql"))
    digest: str = Field(max_length=DIGEST_CHARACTERS)
    size_bytes: int = Field(sa_type=BigInteger)
    state: str = Field(default="live", max_length=8)
    expires_at_ms: int = Field(sa_type=BigInteger)


class JobFile(Table, table=True):
    """A file that a job has stored: a retry need not read it again while its origin has not changed."""

    __tablename__ = "job_files"

    job_id: int = Field(sa_type=RowId, primary_key=True)
    path: str = Field(sa_type=String(1024).with_variant(String(1024, collation="C"), "postgresql"), primary_key=True)
    size_bytes: int = Field(sa_type=BigInteger)
    mtime_ns: int = Field(default=0, sa_type=BigInteger)
    ctime_ns: int = Field(default=0, sa_type=BigInteger)
    inode_or_etag: str = Field(default="", max_length=256)
    digest: str = Field(max_length=DIGEST_CHARACTERS)
