"""The first schema.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of the foundation."""
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("touched_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("verified_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("broken_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('live', 'deleting', 'gone')", name=op.f("ck_blobs_state")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
        sa.UniqueConstraint("digest", "state", name=op.f("uq_blobs_digest_state")),
    )
    op.create_index("ix_blobs_state_touched", "blobs", ["state", "touched_at_ms"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at_ms"), "idempotency_keys", ["created_at_ms"], unique=False)
    op.create_table(
        "job_files",
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "path",
            sa.String(length=1024).with_variant(sa.String(length=1024, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode_or_etag", sa.String(length=256), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "path", name=op.f("pk_job_files")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=True),
        sa.Column("dedupe_key", sa.String(length=200), nullable=True),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("releases", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("run_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("wake_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("wakes", sa.Integer(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("cancelled_by", sa.String(length=256), nullable=True),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("items_done", sa.BigInteger(), nullable=False),
        sa.Column("items_total", sa.BigInteger(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status = 'RUNNING') = (lease_until_ms IS NOT NULL)", name=op.f("ck_jobs_running_has_lease")
        ),
        sa.CheckConstraint(
            "(status IN ('CANCELLED', 'FAILED', 'SUCCEEDED')) = (finished_at_ms IS NOT NULL)",
            name=op.f("ck_jobs_final_has_finish"),
        ),
        sa.CheckConstraint("status <> 'RUNNING' OR worker IS NOT NULL", name=op.f("ck_jobs_running_has_worker")),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')", name=op.f("ck_jobs_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_jobs_dedupe_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_jobs_lease",
        "jobs",
        ["lease_until_ms"],
        unique=False,
        sqlite_where=sa.text("status = 'RUNNING'"),
        postgresql_where=sa.text("status = 'RUNNING'"),
    )
    op.create_index("ix_jobs_model", "jobs", ["model_id", "id"], unique=False)
    op.create_index(
        "ix_jobs_open_subject",
        "jobs",
        ["subject", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('QUEUED', 'RUNNING')"),
        postgresql_where=sa.text("status IN ('QUEUED', 'RUNNING')"),
    )
    op.create_index(
        "ix_jobs_wake",
        "jobs",
        ["wake_at_ms"],
        unique=False,
        sqlite_where=sa.text("status = 'QUEUED'"),
        postgresql_where=sa.text("status = 'QUEUED'"),
    )
    op.create_index(
        "one_running_per_subject",
        "jobs",
        ["subject"],
        unique=True,
        sqlite_where=sa.text("status = 'RUNNING'"),
        postgresql_where=sa.text("status = 'RUNNING'"),
    )
    op.create_table(
        "manifests",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_manifests")),
    )
    op.create_table(
        "registered_models",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column(
            "name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_version", sa.Integer(), nullable=False),
        sa.Column("change_counter", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("deleted_by", sa.String(length=256), nullable=True),
        sa.Column("purging_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_models")),
        sa.UniqueConstraint("public_id", name=op.f("uq_registered_models_public_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_registered_models_updated",
        "registered_models",
        ["updated_at_ms", "name"],
        unique=False,
        sqlite_where=sa.text("deleted_at_ms IS NULL"),
        postgresql_where=sa.text("deleted_at_ms IS NULL"),
    )
    op.create_index(
        "one_living_name",
        "registered_models",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at_ms IS NULL"),
        postgresql_where=sa.text("deleted_at_ms IS NULL"),
    )
    op.create_table(
        "registry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("registry_id", sa.String(length=32), nullable=False),
        sa.Column("secret_key_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_registry_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry")),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", sa.String(length=200), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("software_version", sa.String(length=40), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_index(op.f("ix_workers_seen_at_ms"), "workers", ["seen_at_ms"], unique=False)
    op.create_table(
        "blob_leases",
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.CheckConstraint("state = 'live'", name=op.f("ck_blob_leases_live")),
        sa.ForeignKeyConstraint(
            ["digest", "state"], ["blobs.digest", "blobs.state"], name=op.f("fk_blob_leases_digest_state")
        ),
        sa.PrimaryKeyConstraint("job_id", "attempt", "digest", name=op.f("pk_blob_leases")),
    )
    op.create_index("ix_blob_leases_blob", "blob_leases", ["digest", "state"], unique=False)
    op.create_table(
        "former_names",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "name",
            sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("renamed_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["registered_models.id"], name=op.f("fk_former_names_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_names")),
    )
    op.create_index(op.f("ix_former_names_model_id"), "former_names", ["model_id"], unique=False)
    op.create_index(op.f("ix_former_names_name"), "former_names", ["name"], unique=False)
    op.create_table(
        "manifest_blobs",
        sa.Column("manifest_digest", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.CheckConstraint("state = 'live'", name=op.f("ck_manifest_blobs_live")),
        sa.ForeignKeyConstraint(
            ["digest", "state"], ["blobs.digest", "blobs.state"], name=op.f("fk_manifest_blobs_digest_state")
        ),
        sa.ForeignKeyConstraint(
            ["manifest_digest"], ["manifests.digest"], name=op.f("fk_manifest_blobs_manifest_digest")
        ),
        sa.PrimaryKeyConstraint("manifest_digest", "digest", name=op.f("pk_manifest_blobs")),
    )
    op.create_index("ix_manifest_blobs_blob", "manifest_blobs", ["digest", "state"], unique=False)
    op.create_table(
        "model_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=256), nullable=False),
        sa.Column("run_link", sa.String(length=2048), nullable=False),
        sa.Column("logged_model_id", sa.String(length=256), nullable=False),
        sa.Column("registration_mode", sa.String(length=16), nullable=False),
        sa.Column("manifest_digest", sa.String(length=64), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("file_count", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("stage_changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_downloaded_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("deleted_by", sa.String(length=256), nullable=True),
        sa.Column("purging_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "registration_mode IN ('copy', 'reference')", name=op.f("ck_model_versions_registration_mode")
        ),
        sa.CheckConstraint(
            "stage IN ('None', 'Staging', 'Production', 'Archived')", name=op.f("ck_model_versions_stage")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING_REGISTRATION', 'READY', 'FAILED_REGISTRATION')", name=op.f("ck_model_versions_status")
        ),
        sa.ForeignKeyConstraint(
            ["manifest_digest"], ["manifests.digest"], name=op.f("fk_model_versions_manifest_digest")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["registered_models.id"], name=op.f("fk_model_versions_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        sa.UniqueConstraint("model_id", "version", name=op.f("uq_model_versions_model_id_version")),
        sa.UniqueConstraint("public_id", name=op.f("uq_model_versions_public_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_model_versions_manifest_digest"), "model_versions", ["manifest_digest"], unique=False)
    op.create_index(
        "ix_model_versions_pending",
        "model_versions",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status = 'PENDING_REGISTRATION'"),
        postgresql_where=sa.text("status = 'PENDING_REGISTRATION'"),
    )
    op.create_index(
        "ix_model_versions_run_id",
        "model_versions",
        ["run_id"],
        unique=False,
        sqlite_where=sa.text("run_id <> '' AND deleted_at_ms IS NULL"),
        postgresql_where=sa.text("run_id <> '' AND deleted_at_ms IS NULL"),
    )
    op.create_index(
        "ix_model_versions_stage",
        "model_versions",
        ["model_id", "stage", "version"],
        unique=False,
        sqlite_where=sa.text("deleted_at_ms IS NULL"),
        postgresql_where=sa.text("deleted_at_ms IS NULL"),
    )
    op.create_index(
        "ix_model_versions_updated",
        "model_versions",
        ["updated_at_ms", "model_id", "version"],
        unique=False,
        sqlite_where=sa.text("deleted_at_ms IS NULL"),
        postgresql_where=sa.text("deleted_at_ms IS NULL"),
    )
    op.create_table(
        "registered_model_tags",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "key",
            sa.String(length=250).with_variant(sa.String(length=250, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["registered_models.id"], name=op.f("fk_registered_model_tags_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_model_tags")),
        sa.UniqueConstraint("model_id", "key", name=op.f("uq_registered_model_tags_model_id_key")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column(
            "path",
            sa.String(length=1024).with_variant(sa.String(length=1024, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state = 'live'", name=op.f("ck_uploads_live")),
        sa.ForeignKeyConstraint(
            ["digest", "state"], ["blobs.digest", "blobs.state"], name=op.f("fk_uploads_digest_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("actor", "path", name=op.f("uq_uploads_actor_path")),
    )
    op.create_index("ix_uploads_blob", "uploads", ["digest", "state"], unique=False)
    op.create_index("ix_uploads_expires", "uploads", ["expires_at_ms"], unique=False)
    op.create_table(
        "activities",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("activity_type", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("from_stage", sa.String(length=16), nullable=True),
        sa.Column("to_stage", sa.String(length=16), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("system_comment", sa.Text(), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["registered_models.id"], name=op.f("fk_activities_model_id")),
        sa.ForeignKeyConstraint(["version_id"], ["model_versions.id"], name=op.f("fk_activities_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
        sa.UniqueConstraint("job_id", "version_id", name=op.f("uq_activities_job_id_version_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activities_model", "activities", ["model_id", "id"], unique=False)
    op.create_index("ix_activities_version", "activities", ["version_id", "id"], unique=False)
    op.create_table(
        "model_version_tags",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "key",
            sa.String(length=250).with_variant(sa.String(length=250, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_versions.id"], name=op.f("fk_model_version_tags_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version_tags")),
        sa.UniqueConstraint("version_id", "key", name=op.f("uq_model_version_tags_version_id_key")),
    )
