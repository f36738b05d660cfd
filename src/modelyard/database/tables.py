"""All tables, gathered from the modules in which they stand, a subject each.

Columns that could not be filled in later stand here from the first migration (design/architecture.md).
"""

from modelyard.database.columns import (
    AUDIT_DAYS,
    DIGEST_CHARACTERS,
    NAMES,
    VALUE_START_CHARACTERS,
    AliasName,
    FoldedName,
    Name,
    RowId,
    Table,
    TagKey,
    metadata,
    public_id,
)
from modelyard.database.job_tables import Counter, Job, JobAttempt, JobLogLine, Schedule, Worker
from modelyard.database.model_tables import (
    FormerName,
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
    Registry,
)
from modelyard.database.people_tables import Grant, GroupMember, Principal, Token
from modelyard.database.plan_tables import Plan, PlanItem, Policy
from modelyard.database.store_tables import Blob, BlobLease, JobFile, Manifest, ManifestBlob, Upload
from modelyard.database.workflow_tables import (
    Activity,
    AuditEntry,
    IdempotencyKey,
    OutboxEvent,
    TransitionRequest,
    VersionFollower,
)

__all__ = [
    "AUDIT_DAYS",
    "DIGEST_CHARACTERS",
    "NAMES",
    "VALUE_START_CHARACTERS",
    "Activity",
    "AliasName",
    "AuditEntry",
    "Blob",
    "BlobLease",
    "Counter",
    "FoldedName",
    "FormerName",
    "Grant",
    "GroupMember",
    "IdempotencyKey",
    "Job",
    "JobAttempt",
    "JobFile",
    "JobLogLine",
    "Manifest",
    "ManifestBlob",
    "ModelVersion",
    "ModelVersionTag",
    "Name",
    "OutboxEvent",
    "Plan",
    "PlanItem",
    "Policy",
    "Principal",
    "RegisteredModel",
    "RegisteredModelAlias",
    "RegisteredModelTag",
    "Registry",
    "RowId",
    "Schedule",
    "Table",
    "TagKey",
    "Token",
    "TransitionRequest",
    "Upload",
    "VersionFollower",
    "Worker",
    "metadata",
    "public_id",
]
