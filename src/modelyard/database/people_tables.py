"""People, groups and programs, their tokens, and what they may do."""

from sqlalchemy import JSON, BigInteger, Index, UniqueConstraint
from sqlmodel import Field

from modelyard.database.columns import (
    DIGEST_CHARACTERS,
    FoldedName,
    Name,
    RowId,
    Table,
    moment,
    one_of,
    row_id,
    time,
    where,
)
from modelyard.rules.permissions import Level
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope


class Principal(Table, table=True):
    """A user, group or service principal. A deleted one stays, without rights, since its name stands in the history.

    `folded` is the name for comparisons. `builtin` ones were entered by a migration and cannot be changed.
    """

    __tablename__ = "principals"
    __table_args__ = (
        UniqueConstraint("kind", "folded"),
        one_of("kind", *PrincipalKind),
        {"sqlite_autoincrement": True},
    )

    id: int = row_id()
    kind: str = Field(max_length=20)
    name: str = Field(sa_type=Name, nullable=False)
    folded: str = Field(sa_type=FoldedName, nullable=False)
    display_name: str = Field(default="", max_length=256)
    # What an identity provider calls it (SCIM's externalId).
    external_id: str = Field(default="", max_length=256)
    builtin: bool = False
    created_by: str = Field(max_length=256)
    created_at_ms: int = moment()
    disabled_at_ms: int | None = time()
    deleted_at_ms: int | None = time()


class GroupMember(Table, table=True):
    """A user or service principal in a group. Groups hold no groups."""

    __tablename__ = "group_members"
    __table_args__ = (Index("ix_group_members_member", "member_id", "group_id"),)

    group_id: int = Field(sa_type=RowId, primary_key=True, foreign_key="principals.id")
    member_id: int = Field(sa_type=RowId, primary_key=True, foreign_key="principals.id")


class Token(Table, table=True):
    """A personal access token: its digest and what limits it. Revoked ones stay, since the audit log names them."""

    __tablename__ = "tokens"
    __table_args__ = (
        one_of("scope", *Scope),
        one_of("highest_stage", *Stage),
        Index("ix_tokens_principal", "principal_id", "id"),
    )

    id: int = row_id()
    public_id: str = Field(max_length=16, unique=True)
    digest: str = Field(max_length=DIGEST_CHARACTERS)
    principal_id: int = Field(sa_type=RowId, foreign_key="principals.id")
    comment: str = Field(default="", max_length=256)
    scope: str = Field(max_length=8)
    models: list[str] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    highest_stage: str | None = Field(default=None, max_length=16)
    created_by: str = Field(max_length=256)
    created_at_ms: int = moment()
    expires_at_ms: int = Field(sa_type=BigInteger)
    last_used_at_ms: int | None = time()
    revoked_at_ms: int | None = time()
    revoked_by: str | None = Field(default=None, max_length=256)


class Grant(Table, table=True):
    """The level that a principal holds on a model; without a model it is the root's, which every model inherits."""

    __tablename__ = "grants"
    __table_args__ = (
        one_of("level", *Level),
        Index("one_grant_a_model", "model_id", "principal_id", unique=True, **where("model_id IS NOT NULL")),
        Index("one_grant_on_root", "principal_id", unique=True, **where("model_id IS NULL")),
        Index("ix_grants_principal", "principal_id", "model_id", "level"),
    )

    id: int = row_id()
    model_id: int | None = Field(default=None, sa_type=RowId, foreign_key="registered_models.id", ondelete="CASCADE")
    principal_id: int = Field(sa_type=RowId, foreign_key="principals.id")
    level: str = Field(max_length=40)
