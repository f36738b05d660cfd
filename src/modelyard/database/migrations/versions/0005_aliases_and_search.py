"""Aliases, and the indexes of the searches.

Revision: 0005
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the aliases, and let every search that clients repeat find its rows by an index."""
    op.create_table(
        "registered_model_aliases",
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "alias",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["registered_models.id"],
            name=op.f("fk_registered_model_aliases_model_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["model_versions.id"],
            name=op.f("fk_registered_model_aliases_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_id", "alias", name=op.f("pk_registered_model_aliases")),
    )
    op.create_index("ix_registered_model_aliases_version", "registered_model_aliases", ["version_id"])

    # Only READY versions enter a stage, and only they are ever looked for by it.
    op.drop_index("ix_model_versions_stage", "model_versions")
    _create_partial_index(
        "ix_model_versions_stage", ["model_id", "stage", "version"], "status = 'READY' AND deleted_at_ms IS NULL"
    )
    # A bound value cannot be proven to differ from '', so SQLite never used the index that left '' out.
    op.drop_index("ix_model_versions_run_id", "model_versions")
    _create_partial_index("ix_model_versions_run_id", ["run_id"], "deleted_at_ms IS NULL")
    _create_partial_index("ix_model_versions_created", ["created_at_ms"], "deleted_at_ms IS NULL")

    for table in ("registered_model_tags", "model_version_tags"):
        op.create_index(f"ix_{table}_value", table, ["key", sa.text("substr(value, 1, 64)")])


def _create_partial_index(name: str, columns: list[str], condition: str) -> None:
    op.create_index(
        name, "model_versions", columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )
