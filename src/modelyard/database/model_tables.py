"""Registered models and their versions, with tags and aliases."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field

from modelyard.database.columns import (
    AUDIT_DAYS,
    DIGEST_CHARACTERS,
    AliasName,
    Name,
    RowId,
    Table,
    TagKey,
    moment,
    one_of,
    public_id,
    row_id,
    time,
    value_index,
    where,
)


class Registry(Table, table=True):
    """The one row that says which registry this database holds, and with which key it signs."""

    __tablename__ = "registry"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True)
    registry_id: str = Field(default_factory=public_id, max_length=32)
    secret_key_fingerprint: str | None = Field(default=None, max_length=64)
    created_at_ms: int = moment()
    # What the audit log's trigger refuses to delete is younger than this.
    audit_days: int = Field(default=AUDIT_DAYS, nullable=False, sa_column_kwargs={"server_default": str(AUDIT_DAYS)})


class RegisteredModel(Table, table=True):
    """A name under which versions are registered. Deleted models stay, invisible, until they are purged."""

    __tablename__ = "registered_models"
    __table_args__ = (
        Index("one_living_name", "name", unique=True, **where("deleted_at_ms IS NULL")),
        Index("ix_registered_models_updated", "updated_at_ms", "name", **where("deleted_at_ms IS NULL")),
        Index("ix_registered_models_trash", "deleted_at_ms", **where("deleted_at_ms IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
    public_id: str = Field(default_factory=public_id, max_length=32, unique=True)
    name: str = Field(sa_type=Name, nullable=False)
    description: str = Field(default="", sa_type=Text)
    created_by: str = Field(max_length=256)
    created_at_ms: int = moment()
    updated_at_ms: int = moment()
    # Numbers are given out from here, so that purging a version frees none.
    next_version: int = 1
    # Moves with every visible change; live pages ask for it.
    change_counter: int = Field(default=0, sa_type=BigInteger)
    deleted_at_ms: int | None = time()
    deleted_by: str | None = Field(default=None, max_length=256)
    purging_at_ms: int | None = time()


class FormerName(Table, table=True):
    """A name that a model had before; pages redirect from it while no living model bears it."""

    __tablename__ = "former_names"

    id: int = row_id()
    model_id: int = Field(sa_type=RowId, foreign_key="registered_models.id", index=True)
    name: str = Field(sa_type=Name, nullable=False, index=True)
    renamed_at_ms: int = moment()


class ModelVersion(Table, table=True):
    """One registered version. `status` says whether its bytes are safe, `stage` what it is used for."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("model_id", "version"),
        one_of("stage", "None", "Staging", "Production", "Archived"),
        one_of("status", "PENDING_REGISTRATION", "READY", "FAILED_REGISTRATION"),
        one_of("registration_mode", "copy", "reference"),
        # Only READY versions enter a stage, and only they are ever looked for by it.
        Index(
            "ix_model_versions_stage",
            "model_id",
            "stage",
            "version",
            **where("status = 'READY' AND deleted_at_ms IS NULL"),
        ),
        Index("ix_model_versions_updated", "updated_at_ms", "model_id", "version", **where("deleted_at_ms IS NULL")),
        Index("ix_model_versions_created", "created_at_ms", **where("deleted_at_ms IS NULL")),
        Index("ix_model_versions_run_id", "run_id", **where("deleted_at_ms IS NULL")),
        Index("ix_model_versions_pending", "id", **where("status = 'PENDING_REGISTRATION'")),
        Index("ix_model_versions_trash", "deleted_at_ms", **where("deleted_at_ms IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
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
    size_bytes: int | None = time()
    file_count: int | None = None
    created_by: str = Field(max_length=256)
    created_at_ms: int = moment()
    updated_at_ms: int = moment()
    stage_changed_at_ms: int = moment()
    last_downloaded_at_ms: int | None = time()
    deleted_at_ms: int | None = time()
    deleted_by: str | None = Field(default=None, max_length=256)
    purging_at_ms: int | None = time()


class RegisteredModelTag(Table, table=True):
    """A tag of a model. The id keeps the order of first insertion, which clients rely on."""

    __tablename__ = "registered_model_tags"
    __table_args__ = (UniqueConstraint("model_id", "key"), value_index("registered_model_tags"))

    id: int = row_id()
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
    __table_args__ = (UniqueConstraint("version_id", "key"), value_index("model_version_tags"))

    id: int = row_id()
    version_id: int = Field(sa_type=RowId, foreign_key="model_versions.id")
    key: str = Field(sa_type=TagKey, nullable=False)
    value: str = Field(sa_type=Text)
