"""Plans and what came of them, and the policies that make them.

Revision: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables only."""
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("selection", sa.JSON(), nullable=False),
        sa.Column("policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "policy_name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("then_execute", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("freed_bytes", sa.BigInteger(), nullable=True),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.String(length=16), nullable=True),
        sa.Column("limits", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("looked_at", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("living", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("plan_job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("execute_job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("executed_by", sa.String(length=256), nullable=True),
        sa.Column("executed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("action IN ('archive', 'delete', 'restore', 'verify', 'tag')", name=op.f("ck_plans_action")),
        sa.CheckConstraint(
            "status <> 'READY' OR (digest IS NOT NULL AND expires_at_ms IS NOT NULL)",
            name=op.f("ck_plans_ready_is_sealed"),
        ),
        sa.CheckConstraint(
            "status IN ('PLANNING', 'READY', 'EXECUTING', 'EXECUTED', 'FAILED', 'CANCELLED')",
            name=op.f("ck_plans_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("execute_job_id", name=op.f("uq_plans_execute_job_id")),
        sa.UniqueConstraint("plan_job_id", name=op.f("uq_plans_plan_job_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_plans_public_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_plans_created", "plans", ["created_at_ms"], unique=False)
    op.create_index("ix_plans_policy", "plans", ["policy_id", "id"], unique=False)
    op.create_table(
        "plan_items",
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_public_id", sa.String(length=32), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "model_name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=True),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.Column("outcome_reason", sa.String(length=24), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'skipped', 'failed')", name=op.f("ck_plan_items_outcome")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_items_plan_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "position", name=op.f("pk_plan_items")),
    )
    op.create_index(
        "ix_plan_items_waiting",
        "plan_items",
        ["plan_id", "position"],
        unique=False,
        sqlite_where=sa.text("reason IS NULL AND outcome IS NULL"),
        postgresql_where=sa.text("reason IS NULL AND outcome IS NULL"),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column(
            "name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("max_percent", sa.Integer(), nullable=False),
        sa.Column("max_versions", sa.Integer(), nullable=False),
        sa.Column("schedule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('propose', 'apply')", name=op.f("ck_policies_mode")),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_policies_schedule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("name", name=op.f("uq_policies_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_policies_public_id")),
        sa.UniqueConstraint("schedule_id", name=op.f("uq_policies_schedule_id")),
    )
