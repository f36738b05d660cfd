"""Attempts, logs, schedules and counters of jobs.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the history of jobs. The table `jobs` itself only gains indexes."""
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("labels", sa.String(length=120), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_counters")),
    )
    op.create_table(
        "job_attempts",
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('SUCCEEDED', 'FAILED', 'CANCELLED', 'RETRIED', 'RELEASED', 'LOST')",
            name=op.f("ck_job_attempts_outcome"),
        ),
        sa.CheckConstraint("(ended_at_ms IS NULL) = (outcome IS NULL)", name=op.f("ck_job_attempts_ended_has_outcome")),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("pk_job_attempts")),
    )
    op.create_table(
        "job_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_log_job", "job_log", ["job_id", "id"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column(
            "name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("rule", sa.String(length=8), nullable=False),
        sa.Column("expression", sa.String(length=200), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_slot_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("rule IN ('cron', 'every')", name=op.f("ck_schedules_rule")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("name", name=op.f("uq_schedules_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_schedules_public_id")),
    )
    op.create_index(
        "ix_schedules_due",
        "schedules",
        ["next_at_ms"],
        unique=False,
        sqlite_where=sa.text("enabled"),
        postgresql_where=sa.text("enabled"),
    )
    op.create_index(
        "ix_jobs_finished",
        "jobs",
        ["finished_at_ms"],
        unique=False,
        sqlite_where=sa.text("finished_at_ms IS NOT NULL"),
        postgresql_where=sa.text("finished_at_ms IS NOT NULL"),
    )
    op.create_index("ix_jobs_status", "jobs", ["status", "id"], unique=False)
