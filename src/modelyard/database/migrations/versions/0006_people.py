"""People, tokens, permissions, transition requests, the outbox and the audit log.

Revision: 0006
Revises: 0005
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SQLITE_NOW = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
_POSTGRESQL_NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
_RETENTION_MS = "COALESCE((SELECT audit_days FROM registry WHERE id = 1), 365) * 86400000::bigint"


def upgrade() -> None:
    """Add the tables, those principals that are always there, and the guards of the audit log."""
    _create_tables()
    _enter_builtin_principals()
    if op.get_bind().dialect.name == "sqlite":
        _guard_audit_log_on_sqlite()
    else:
        _guard_audit_log_on_postgresql()


def _create_tables() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("token_id", sa.String(length=16), nullable=True),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "model_name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("principal", sa.String(length=300), nullable=True),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_log_actor", "audit_log", ["actor", "id"], unique=False)
    op.create_index("ix_audit_log_at", "audit_log", ["at_ms"], unique=False)
    op.create_index("ix_audit_log_model", "audit_log", ["model_id", "id"], unique=False)
    op.create_table(
        "outbox_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_events")),
        sa.UniqueConstraint("job_id", "version_id", name=op.f("uq_outbox_events_job_id_version_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_events_created", "outbox_events", ["created_at_ms"], unique=False)
    op.create_table(
        "principals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "folded",
            sa.String(length=768).with_variant(sa.String(length=768, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("display_name", sa.String(length=256), nullable=False),
        sa.Column("external_id", sa.String(length=256), nullable=False),
        sa.Column("builtin", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('user', 'group', 'service_principal')", name=op.f("ck_principals_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principals")),
        sa.UniqueConstraint("kind", "folded", name=op.f("uq_principals_kind_folded")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("principal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("level", sa.String(length=40), nullable=False),
        sa.CheckConstraint(
            "level IN ('CAN_READ', 'CAN_EDIT', 'CAN_MANAGE_STAGING_VERSIONS', 'CAN_MANAGE_PRODUCTION_VERSIONS', "
            "'CAN_MANAGE')",
            name=op.f("ck_grants_level"),
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["registered_models.id"], name=op.f("fk_grants_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.id"], name=op.f("fk_grants_principal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_principal", "grants", ["principal_id", "model_id", "level"], unique=False)
    op.create_index(
        "one_grant_a_model",
        "grants",
        ["model_id", "principal_id"],
        unique=True,
        sqlite_where=sa.text("model_id IS NOT NULL"),
        postgresql_where=sa.text("model_id IS NOT NULL"),
    )
    op.create_index(
        "one_grant_on_root",
        "grants",
        ["principal_id"],
        unique=True,
        sqlite_where=sa.text("model_id IS NULL"),
        postgresql_where=sa.text("model_id IS NULL"),
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["principals.id"], name=op.f("fk_group_members_group_id")),
        sa.ForeignKeyConstraint(["member_id"], ["principals.id"], name=op.f("fk_group_members_member_id")),
        sa.PrimaryKeyConstraint("group_id", "member_id", name=op.f("pk_group_members")),
    )
    op.create_index("ix_group_members_member", "group_members", ["member_id", "group_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("principal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("comment", sa.String(length=256), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("models", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("highest_stage", sa.String(length=16), nullable=True),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.String(length=256), nullable=True),
        sa.CheckConstraint(
            "highest_stage IN ('None', 'Staging', 'Production', 'Archived')", name=op.f("ck_tokens_highest_stage")
        ),
        sa.CheckConstraint("scope IN ('read', 'write', 'admin')", name=op.f("ck_tokens_scope")),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.id"], name=op.f("fk_tokens_principal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tokens_public_id")),
    )
    op.create_index("ix_tokens_principal", "tokens", ["principal_id", "id"], unique=False)
    op.create_table(
        "version_followers",
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("follower", sa.String(length=256), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name=op.f("fk_version_followers_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "follower", name=op.f("pk_version_followers")),
    )
    op.create_table(
        "transition_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("to_stage", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("closed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint(
            "status IN ('OPEN', 'APPROVED', 'REJECTED', 'CANCELLED')", name=op.f("ck_transition_requests_status")
        ),
        sa.CheckConstraint(
            "to_stage IN ('None', 'Staging', 'Production', 'Archived')", name=op.f("ck_transition_requests_to_stage")
        ),
        sa.ForeignKeyConstraint(["id"], ["activities.id"], name=op.f("fk_transition_requests_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name=op.f("fk_transition_requests_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transition_requests")),
    )
    op.create_index(
        "one_open_request",
        "transition_requests",
        ["version_id", "to_stage", "requested_by"],
        unique=True,
        sqlite_where=sa.text("status = 'OPEN'"),
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.add_column("registry", sa.Column("audit_days", sa.Integer(), server_default="365", nullable=False))


def _enter_builtin_principals() -> None:
    """Enter the group of administrators, everybody without authentication, and the first administrator."""
    principals = sa.table(
        "principals",
        *(sa.column(name) for name in ("id", "kind", "name", "folded", "display_name", "external_id")),
        *(sa.column(name) for name in ("builtin", "created_by", "created_at_ms")),
    )
    rest = {
        "display_name": "",
        "external_id": "",
        "builtin": True,
        "created_by": "migration",
        "created_at_ms": int(time.time() * 1000),
    }
    named = [(1, "group", "admins"), (2, "user", "local"), (3, "user", "admin")]
    op.bulk_insert(
        principals, [{"id": number, "kind": kind, "name": name, "folded": name} | rest for number, kind, name in named]
    )
    members = sa.table("group_members", sa.column("group_id"), sa.column("member_id"))
    op.bulk_insert(members, [{"group_id": 1, "member_id": 2}, {"group_id": 1, "member_id": 3}])
    grants = sa.table("grants", sa.column("model_id"), sa.column("principal_id"), sa.column("level"))
    op.bulk_insert(grants, [{"model_id": None, "principal_id": 1, "level": "CAN_MANAGE"}])
    # Those that people enter are numbered from 100.
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE sqlite_sequence SET seq = 99 WHERE name = 'principals'")
    else:
        op.execute("SELECT setval(pg_get_serial_sequence('principals', 'id'), 99)")


def _guard_audit_log_on_sqlite() -> None:
    op.execute(
        "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN "
        "SELECT RAISE(ABORT, 'The audit log is append-only.'); END"
    )
    # INSERT OR REPLACE takes a row away without its DELETE trigger.
    op.execute(
        "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log "
        "WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) BEGIN "
        "SELECT RAISE(ABORT, 'The audit log is append-only.'); END"
    )
    retention = _RETENTION_MS.replace("::bigint", "")
    op.execute(
        "CREATE TRIGGER audit_log_no_early_delete BEFORE DELETE ON audit_log "
        f"WHEN OLD.at_ms > {_SQLITE_NOW} - {retention} BEGIN "
        "SELECT RAISE(ABORT, 'The audit log keeps this row for longer.'); END"
    )


def _guard_audit_log_on_postgresql() -> None:
    op.execute(
        f"""
        CREATE FUNCTION audit_log_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'DELETE' THEN
                RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'restrict_violation';
            END IF;
            IF OLD.at_ms > {_POSTGRESQL_NOW} - {_RETENTION_MS} THEN
                RAISE EXCEPTION 'The audit log keeps this row for longer.' USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN OLD;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_log_rows BEFORE UPDATE OR DELETE ON audit_log "
        "FOR EACH ROW EXECUTE FUNCTION audit_log_guard()"
    )
    op.execute(
        "CREATE TRIGGER audit_log_table BEFORE TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_guard()"
    )
