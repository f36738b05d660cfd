"""The speed of a running job, and what metrics need to count attempts once.

Revision: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that may be empty, so that workers of the release before can go on."""
    op.add_column("jobs", sa.Column("bytes_per_s", sa.BigInteger(), nullable=True))
    op.create_index("ix_jobs_kind", "jobs", ["kind", "status"], unique=False)
    op.add_column("job_attempts", sa.Column("counted_at_ms", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_job_attempts_uncounted",
        "job_attempts",
        ["job_id", "attempt"],
        unique=False,
        sqlite_where=sa.text("counted_at_ms IS NULL"),
        postgresql_where=sa.text("counted_at_ms IS NULL"),
    )
