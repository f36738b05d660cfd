"""Indexes that find what is in the trash, which blobs are damaged, and which were verified longest ago.

Revision: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add indexes only."""
    for table in ("registered_models", "model_versions"):
        op.create_index(
            f"ix_{table}_trash",
            table,
            ["deleted_at_ms"],
            unique=False,
            sqlite_where=sa.text("deleted_at_ms IS NOT NULL"),
            postgresql_where=sa.text("deleted_at_ms IS NOT NULL"),
        )
    op.create_index("ix_blobs_state_verified", "blobs", ["state", "verified_at_ms"], unique=False)
    op.create_index(
        "ix_blobs_broken",
        "blobs",
        ["digest"],
        unique=False,
        sqlite_where=sa.text("broken_at_ms IS NOT NULL"),
        postgresql_where=sa.text("broken_at_ms IS NOT NULL"),
    )
