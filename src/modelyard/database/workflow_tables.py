"""What happened to versions, who wished for it, and what is told of it; rows are only added."""

from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Field

from modelyard.database.columns import Name, RowId, Table, moment, one_of, row_id, where
from modelyard.rules.stages import Stage
from modelyard.rules.transition_requests import RequestStatus


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

    id: int = row_id()
    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id")
    version_id: int | None = Field(default=None, sa_type=RowId, foreign_key="model_versions.id")
    activity_type: str = Field(max_length=40)
    actor: str = Field(max_length=256)
    created_at_ms: int = moment()
    updated_at_ms: int = moment()
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
        one_of("to_stage", *Stage),
        one_of("status", *RequestStatus),
        Index("one_open_request", "version_id", "to_stage", "requested_by", unique=True, **where("status = 'OPEN'")),
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
    since_ms: int = moment()


class OutboxEvent(Table, table=True):
    """Something that the world outside may hear of, written with the change itself and delivered afterwards."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        # A repeated archive job announces nothing twice.
        UniqueConstraint("job_id", "version_id"),
        Index("ix_outbox_events_created", "created_at_ms"),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
    event: str = Field(max_length=60)
    # No foreign keys: what is told stays told when the model is gone.
    model_id: int = Field(sa_type=RowId)
    version_id: int | None = Field(default=None, sa_type=RowId)
    actor: str = Field(max_length=256)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    job_id: int | None = Field(default=None, sa_type=RowId)
    created_at_ms: int = moment()


class AuditEntry(Table, table=True):
    """A change, and who made it. The database itself refuses to alter a row, or to delete one before its time."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_model", "model_id", "id"),
        Index("ix_audit_log_actor", "actor", "id"),
        Index("ix_audit_log_at", "at_ms"),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
    at_ms: int = moment()
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
    created_at_ms: int = moment(index=True)
