"""Policies, and plans of what is done to many versions."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, Text
from sqlmodel import Field

from modelyard.database.columns import (
    DIGEST_CHARACTERS,
    Name,
    RowId,
    Table,
    moment,
    one_of,
    public_id,
    row_id,
    time,
    where,
)
from modelyard.rules.plans import Outcome, PlanAction, PlanStatus
from modelyard.rules.policies import Mode


class Policy(Table, table=True):
    """What the registry archives or deletes by itself. When it runs stands in its schedule."""

    __tablename__ = "policies"
    __table_args__ = (one_of("mode", *Mode),)

    id: int = row_id()
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
    created_at_ms: int = moment()


class Plan(Table, table=True):
    """A list of versions with what is to be done to them, made by somebody or by a policy, and what came of it."""

    __tablename__ = "plans"
    __table_args__ = (
        one_of("action", *PlanAction),
        one_of("status", *(status for status in PlanStatus if status is not PlanStatus.EXPIRED)),
        CheckConstraint(
            "status <> 'READY' OR (digest IS NOT NULL AND expires_at_ms IS NOT NULL)", name="ready_is_sealed"
        ),
        Index("ix_plans_policy", "policy_id", "id"),
        Index("ix_plans_created", "created_at_ms"),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
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
    freed_bytes: int | None = time()
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
    created_at_ms: int = moment()
    expires_at_ms: int | None = time()
    executed_by: str | None = Field(default=None, max_length=256)
    executed_at_ms: int | None = time()
    finished_at_ms: int | None = time()


class PlanItem(Table, table=True):
    """A version of a plan: what is to be done to it, or the reason why nothing is, and what came of it.

    It names version and model as they were, since both may be purged while the plan is kept.
    """

    __tablename__ = "plan_items"
    __table_args__ = (
        one_of("outcome", *Outcome),
        Index("ix_plan_items_waiting", "plan_id", "position", **where("reason IS NULL AND outcome IS NULL")),
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
