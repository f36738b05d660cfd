"""What can happen to a model or a version, as the activity feed names it. No I/O."""

from enum import StrEnum


class ActivityType(StrEnum):
    """The transitions are words of the wire (contracts/databricks.md 1.4), the others are ours."""

    APPLIED_TRANSITION = "APPLIED_TRANSITION"
    SYSTEM_TRANSITION = "SYSTEM_TRANSITION"

    CREATED_MODEL = "CREATED_MODEL"
    UPDATED_MODEL = "UPDATED_MODEL"
    RENAMED_MODEL = "RENAMED_MODEL"
    DELETED_MODEL = "DELETED_MODEL"
    RESTORED_MODEL = "RESTORED_MODEL"
    CREATED_VERSION = "CREATED_VERSION"
    UPDATED_VERSION = "UPDATED_VERSION"
    DELETED_VERSION = "DELETED_VERSION"
    RESTORED_VERSION = "RESTORED_VERSION"
    PURGED_VERSION = "PURGED_VERSION"

    # Of a model, or of the version that the activity names.
    SET_TAG = "SET_TAG"
    DELETED_TAG = "DELETED_TAG"
    SET_ALIAS = "SET_ALIAS"
    DELETED_ALIAS = "DELETED_ALIAS"
