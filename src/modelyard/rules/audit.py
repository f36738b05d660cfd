"""What can stand in the audit log: the changes that somebody makes. No I/O."""

from enum import StrEnum


class Action(StrEnum):
    """The words of Databricks' audit service where it has one (contracts/databricks.md 3), else ours."""

    CREATE_MODEL = "createRegisteredModel"
    UPDATE_MODEL = "updateRegisteredModel"
    RENAME_MODEL = "renameRegisteredModel"
    DELETE_MODEL = "deleteRegisteredModel"
    RESTORE_MODEL = "restoreRegisteredModel"
    PURGE_MODEL = "purgeRegisteredModel"
    SET_MODEL_TAG = "setRegisteredModelTag"
    DELETE_MODEL_TAG = "deleteRegisteredModelTag"
    SET_ALIAS = "setRegisteredModelAlias"
    DELETE_ALIAS = "deleteRegisteredModelAlias"
    CHANGE_PERMISSIONS = "changeRegisteredModelAcl"

    CREATE_VERSION = "createModelVersion"
    FINISH_VERSION = "finishCreateModelVersionAsync"
    UPDATE_VERSION = "updateModelVersion"
    DELETE_VERSION = "deleteModelVersion"
    RESTORE_VERSION = "restoreModelVersion"
    PURGE_VERSION = "purgeModelVersion"
    REPAIR_VERSION = "repairModelVersion"
    MATERIALIZE_VERSION = "materializeModelVersion"
    FINISH_PURGE = "finishPurgeAsync"
    SET_VERSION_TAG = "setModelVersionTag"
    DELETE_VERSION_TAG = "deleteModelVersionTag"
    TRANSITION = "transitionModelVersionStage"

    CREATE_REQUEST = "createTransitionRequest"
    APPROVE_REQUEST = "approveTransitionRequest"
    REJECT_REQUEST = "rejectTransitionRequest"
    CANCEL_REQUEST = "deleteTransitionRequest"
    CREATE_COMMENT = "createComment"
    UPDATE_COMMENT = "updateComment"
    DELETE_COMMENT = "deleteComment"

    CREATE_PRINCIPAL = "createPrincipal"
    UPDATE_PRINCIPAL = "updatePrincipal"
    DELETE_PRINCIPAL = "deletePrincipal"
    CHANGE_MEMBERS = "changeGroupMembers"
    CREATE_TOKEN = "createToken"  # noqa: S105 - the name of an action.
    UPDATE_TOKEN = "updateToken"  # noqa: S105
    REVOKE_TOKEN = "revokeToken"  # noqa: S105

    CANCEL_JOB = "cancelJob"
    RETRY_JOB = "retryJob"
    CHANGE_SCHEDULE = "changeSchedule"
    CREATE_POLICY = "createPolicy"
    CHANGE_POLICY = "changePolicy"
    RUN_POLICY = "runPolicy"
    EXECUTE_PLAN = "executePlan"
    COLLECT = "collectStore"
    PRUNE_AUDIT = "pruneAuditLog"
    CHANGE_RETENTION = "changeAuditRetention"
