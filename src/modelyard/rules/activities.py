"""What can happen to a model or a version, as the activity feed names it. No I/O."""

from enum import StrEnum


class ActivityType(StrEnum):
    """The first block are words of the wire (contracts/databricks.md 1.4), the others are ours."""

    REQUESTED_TRANSITION = "REQUESTED_TRANSITION"
    APPROVED_REQUEST = "APPROVED_REQUEST"
    REJECTED_REQUEST = "REJECTED_REQUEST"
    CANCELLED_REQUEST = "CANCELLED_REQUEST"
    APPLIED_TRANSITION = "APPLIED_TRANSITION"
    SYSTEM_TRANSITION = "SYSTEM_TRANSITION"
    NEW_COMMENT = "NEW_COMMENT"

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


# What a version's feed shows to clients of the wire.
WORKFLOW = (
    ActivityType.REQUESTED_TRANSITION,
    ActivityType.APPROVED_REQUEST,
    ActivityType.REJECTED_REQUEST,
    ActivityType.CANCELLED_REQUEST,
    ActivityType.APPLIED_TRANSITION,
    ActivityType.SYSTEM_TRANSITION,
    ActivityType.NEW_COMMENT,
)


class AvailableAction(StrEnum):
    """What somebody who looks at an activity may do about it."""

    APPROVE = "APPROVE_TRANSITION_REQUEST"
    REJECT = "REJECT_TRANSITION_REQUEST"
    CANCEL = "CANCEL_TRANSITION_REQUEST"
    EDIT_COMMENT = "EDIT_COMMENT"
    DELETE_COMMENT = "DELETE_COMMENT"
