"""Plans: what may be done to many versions at once, which of them are touched, and why the others are not. No I/O.

Nothing that archives or deletes ever touches a version in Staging or Production, nor one that is pinned, has an alias
or is asked for by an open transition request. None of this can be configured.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from modelyard.errors import InvalidState
from modelyard.rules.stages import IN_USE, Stage
from modelyard.rules.tags import check_tag
from modelyard.rules.versions import VersionStatus

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
# A person looks at the plan at once; what a policy proposes may wait for somebody's holidays.
LIFE_MS = DAY_MS
PROPOSAL_LIFE_MS = 14 * DAY_MS
# So many versions are planned within the request; more are a job.
PLANNED_AT_ONCE = 500
MAX_LISTED = 500

# A version that bears this tag, or whose model does, is kept whatever a plan's conditions say.
PIN_TAG = "modelyard.keep"
PINNED = "true"


class PlanAction(StrEnum):
    """What a plan does to each of its versions."""

    ARCHIVE = "archive"
    DELETE = "delete"
    RESTORE = "restore"
    VERIFY = "verify"
    TAG = "tag"


class PlanStatus(StrEnum):
    """Where a plan stands. EXPIRED is never stored: it is READY beyond its time."""

    PLANNING = "PLANNING"
    READY = "READY"
    EXECUTING = "EXECUTING"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Outcome(StrEnum):
    """What became of a version of a plan that was executed."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class KeepReason(StrEnum):
    """Why a version is left alone."""

    GONE = "gone"
    DELETED = "deleted"
    NOT_IN_TRASH = "not_in_trash"
    MODEL_IN_TRASH = "model_in_trash"
    PURGING = "purging"
    FORBIDDEN = "forbidden"
    IN_USE = "in_use"
    ARCHIVED = "archived"
    OTHER_STAGE = "other_stage"
    NOT_READY = "not_ready"
    PENDING = "pending"
    PINNED = "pinned"
    ALIASED = "aliased"
    REQUESTED = "requested"
    NEWEST = "newest"
    TOO_YOUNG = "too_young"
    MOVED_LATELY = "moved_lately"
    DOWNLOADED_LATELY = "downloaded_lately"
    WITHOUT_FILES = "without_files"
    TAGGED = "tagged"
    REFUSED = "refused"


WORDS: Mapping[KeepReason, str] = {
    KeepReason.GONE: "It was purged.",
    KeepReason.DELETED: "It was deleted.",
    KeepReason.NOT_IN_TRASH: "It is not in the trash.",
    KeepReason.MODEL_IN_TRASH: "Its model is in the trash; restore that first.",
    KeepReason.PURGING: "It is being purged.",
    KeepReason.FORBIDDEN: "Whoever executes the plan may not do this with its model.",
    KeepReason.IN_USE: "It is in Staging or Production.",
    KeepReason.ARCHIVED: "It is archived already.",
    KeepReason.OTHER_STAGE: "It is in another stage than the plan is about.",
    KeepReason.NOT_READY: "It is not READY.",
    KeepReason.PENDING: "It is being registered.",
    KeepReason.PINNED: f"It or its model is pinned by the tag {PIN_TAG}.",
    KeepReason.ALIASED: "An alias points to it.",
    KeepReason.REQUESTED: "A transition request for it is open.",
    KeepReason.NEWEST: "It is among the newest that are kept.",
    KeepReason.TOO_YOUNG: "It was registered too lately.",
    KeepReason.MOVED_LATELY: "It entered its stage too lately.",
    KeepReason.DOWNLOADED_LATELY: "It was downloaded too lately.",
    KeepReason.WITHOUT_FILES: "It has no stored files.",
    KeepReason.TAGGED: "It bears this tag with this value already.",
    KeepReason.REFUSED: "The registry refused it.",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a plan does, and to which of the versions that it looks at.

    `stage` is the only stage that the plan is about, None for any; the days are the least that must have passed;
    `keep_newest` of each model's READY versions in `stage` are kept. `tag_key` and `tag_value` are what TAG sets.
    """

    action: PlanAction
    stage: Stage | None = None
    registered_days: int = 0
    moved_days: int = 0
    downloaded_days: int = 0
    keep_newest: int = 0
    tag_key: str = ""
    tag_value: str = ""

    def __post_init__(self) -> None:
        if self.action is PlanAction.TAG:
            check_tag(self.tag_key, self.tag_value)

    def as_json(self) -> dict[str, Any]:
        """Return what a row holds of this rule."""
        return asdict(self)


def rule_of(written: Mapping[str, Any]) -> Rule:
    """Return the rule that a row holds, whatever a later release may have added to it."""
    known = {field.name: written[field.name] for field in fields(Rule) if field.name in written}
    stage = known.get("stage")
    return Rule(**{**known, "action": PlanAction(known["action"]), "stage": Stage(stage) if stage else None})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a version when a plan looks at it.

    `newest` says that it is among those that the rule keeps, `stored` that it has files of its own in the store,
    `tagged` that it bears the rule's tag with the rule's value, `permitted` that the actor may do this.
    """

    stage: Stage
    status: VersionStatus
    created_at_ms: int
    stage_changed_at_ms: int
    last_downloaded_at_ms: int | None = None
    deleted: bool = False
    model_deleted: bool = False
    purging: bool = False
    pinned: bool = False
    aliased: bool = False
    requested: bool = False
    newest: bool = False
    stored: bool = True
    tagged: bool = False
    permitted: bool = True


def why_not(rule: Rule, facts: Facts | None, now_ms: int) -> KeepReason | None:
    """Return why a plan leaves a version alone, None when it does not. `facts` is None for one that is gone."""
    if facts is None:
        return KeepReason.GONE
    if rule.action is PlanAction.RESTORE:
        return _why_not_restored(facts)
    if facts.deleted or facts.model_deleted:
        return KeepReason.DELETED
    if not facts.permitted:
        return KeepReason.FORBIDDEN
    if rule.stage is not None and facts.stage is not rule.stage:
        return KeepReason.IN_USE if facts.stage in IN_USE else KeepReason.OTHER_STAGE
    match rule.action:
        case PlanAction.ARCHIVE | PlanAction.DELETE:
            return _why_protected(rule, facts) or _why_too_early(rule, facts, now_ms)
        case PlanAction.VERIFY:
            return None if facts.stored else KeepReason.WITHOUT_FILES
        case PlanAction.TAG:
            return KeepReason.TAGGED if facts.tagged else None


def _why_not_restored(facts: Facts) -> KeepReason | None:
    if facts.model_deleted:
        return KeepReason.MODEL_IN_TRASH
    if not facts.deleted:
        return KeepReason.NOT_IN_TRASH
    if not facts.permitted:
        return KeepReason.FORBIDDEN
    return KeepReason.PURGING if facts.purging else None


def _why_protected(rule: Rule, facts: Facts) -> KeepReason | None:
    """Return what protects a version from being archived or deleted, whatever the rule says."""
    if facts.stage in IN_USE:
        return KeepReason.IN_USE
    if facts.pinned:
        return KeepReason.PINNED
    if facts.aliased:
        return KeepReason.ALIASED
    if facts.requested:
        return KeepReason.REQUESTED
    if rule.action is PlanAction.DELETE:
        return KeepReason.PENDING if facts.status is VersionStatus.PENDING else None
    if facts.stage is Stage.ARCHIVED:
        return KeepReason.ARCHIVED
    return None if facts.status is VersionStatus.READY else KeepReason.NOT_READY


def _why_too_early(rule: Rule, facts: Facts, now_ms: int) -> KeepReason | None:
    if facts.newest:
        return KeepReason.NEWEST
    if facts.created_at_ms > now_ms - rule.registered_days * DAY_MS:
        return KeepReason.TOO_YOUNG
    if facts.stage_changed_at_ms > now_ms - rule.moved_days * DAY_MS:
        return KeepReason.MOVED_LATELY
    # What nobody ever downloaded has waited since its registration.
    if (facts.last_downloaded_at_ms or facts.created_at_ms) > now_ms - rule.downloaded_days * DAY_MS:
        return KeepReason.DOWNLOADED_LATELY if facts.last_downloaded_at_ms else KeepReason.TOO_YOUNG
    return None


def digest_of(rule: Rule, version_ids: Iterable[str]) -> str:
    """Return the SHA-256 that stands for a plan: what is done, and the public ids of its versions in their order."""
    digest = hashlib.sha256(json.dumps(rule.as_json(), sort_keys=True).encode())
    for version_id in version_ids:
        digest.update(f"\n{version_id}".encode())
    return digest.hexdigest()


def shown_status(status: str, *, expires_at_ms: int | None, now_ms: int) -> PlanStatus:
    """Return the status that a plan is shown with."""
    expired = status == PlanStatus.READY and expires_at_ms is not None and expires_at_ms <= now_ms
    return PlanStatus.EXPIRED if expired else PlanStatus(status)


_NOT_NOW: Mapping[PlanStatus, str] = {
    PlanStatus.PLANNING: "is still being made. Wait until it is READY",
    PlanStatus.EXECUTING: "is being executed already",
    PlanStatus.EXECUTED: "was executed already. Make a new one",
    PlanStatus.FAILED: "FAILED. Retry its job, or make a new one",
    PlanStatus.CANCELLED: "was cancelled. Retry its job, or make a new one",
    PlanStatus.EXPIRED: "has expired: the registry may have changed too much since. Make a new one",
}


def check_executable(status: PlanStatus, *, digest: str | None, given: str) -> None:
    """Raise InvalidState unless a plan may be executed by somebody who has read the plan with the digest `given`."""
    if status is not PlanStatus.READY:
        raise InvalidState(f"This plan {_NOT_NOW[status]}.")
    if given != digest:
        raise InvalidState(
            "The digest is not this plan's: what you have read is another list. Read the plan again, and give its own."
        )
