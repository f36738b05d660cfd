"""Which versions a plan touches, by tables; and what may be executed."""

from dataclasses import replace

import pytest

from modelyard.errors import InvalidState, InvalidValue
from modelyard.rules.plans import (
    DAY_MS,
    Facts,
    KeepReason,
    PlanAction,
    PlanStatus,
    Rule,
    check_executable,
    digest_of,
    rule_of,
    shown_status,
    why_not,
)
from modelyard.rules.stages import Stage
from modelyard.rules.versions import VersionStatus

NOW = 1000 * DAY_MS
IDLE = Facts(Stage.NONE, VersionStatus.READY, created_at_ms=0, stage_changed_at_ms=0)
ARCHIVE, DELETE = Rule(PlanAction.ARCHIVE), Rule(PlanAction.DELETE)
RESTORE, VERIFY = Rule(PlanAction.RESTORE), Rule(PlanAction.VERIFY)
TAG = Rule(PlanAction.TAG, tag_key="team", tag_value="fraud")
PROTECTED = [
    ({"stage": Stage.STAGING}, KeepReason.IN_USE),
    ({"stage": Stage.PRODUCTION}, KeepReason.IN_USE),
    ({"pinned": True}, KeepReason.PINNED),
    ({"aliased": True}, KeepReason.ALIASED),
    ({"requested": True}, KeepReason.REQUESTED),
]


def facts(**changed: object) -> Facts:
    """Return what is known of a version that nothing protects, but for what was changed."""
    return replace(IDLE, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", [ARCHIVE, DELETE], ids=lambda rule: rule.action)
@pytest.mark.parametrize(("changed", "reason"), PROTECTED)
def test_what_is_never_archived_nor_deleted(rule: Rule, changed: dict[str, object], reason: KeepReason) -> None:
    assert why_not(rule, facts(**changed), NOW) is reason


@pytest.mark.parametrize("rule", [VERIFY, TAG], ids=lambda rule: rule.action)
@pytest.mark.parametrize(("changed", "reason"), PROTECTED)
def test_what_does_no_harm_is_done_to_any_version(rule: Rule, changed: dict[str, object], reason: KeepReason) -> None:
    assert why_not(rule, facts(**changed), NOW) is None


@pytest.mark.parametrize(
    ("rule", "changed", "reason"),
    [
        (ARCHIVE, {}, None),
        (ARCHIVE, {"stage": Stage.ARCHIVED}, KeepReason.ARCHIVED),
        (ARCHIVE, {"status": VersionStatus.FAILED}, KeepReason.NOT_READY),
        (ARCHIVE, {"status": VersionStatus.PENDING}, KeepReason.NOT_READY),
        (ARCHIVE, {"deleted": True}, KeepReason.DELETED),
        (ARCHIVE, {"model_deleted": True}, KeepReason.DELETED),
        (ARCHIVE, {"permitted": False}, KeepReason.FORBIDDEN),
        (ARCHIVE, {"permitted": False, "deleted": True}, KeepReason.DELETED),
        (DELETE, {}, None),
        (DELETE, {"stage": Stage.ARCHIVED}, None),
        (DELETE, {"status": VersionStatus.FAILED}, None),
        (DELETE, {"status": VersionStatus.PENDING}, KeepReason.PENDING),
        (RESTORE, {}, KeepReason.NOT_IN_TRASH),
        (RESTORE, {"deleted": True}, None),
        (RESTORE, {"deleted": True, "stage": Stage.PRODUCTION, "pinned": True}, None),
        (RESTORE, {"deleted": True, "purging": True}, KeepReason.PURGING),
        (RESTORE, {"deleted": True, "model_deleted": True}, KeepReason.MODEL_IN_TRASH),
        (RESTORE, {"deleted": True, "permitted": False}, KeepReason.FORBIDDEN),
        (VERIFY, {}, None),
        (VERIFY, {"stored": False}, KeepReason.WITHOUT_FILES),
        (VERIFY, {"deleted": True}, KeepReason.DELETED),
        (TAG, {}, None),
        (TAG, {"tagged": True}, KeepReason.TAGGED),
        (TAG, {"permitted": False}, KeepReason.FORBIDDEN),
    ],
)
def test_what_each_action_leaves_alone(rule: Rule, changed: dict[str, object], reason: KeepReason | None) -> None:
    assert why_not(rule, facts(**changed), NOW) is reason


@pytest.mark.parametrize("rule", [ARCHIVE, DELETE, RESTORE, VERIFY, TAG], ids=lambda rule: rule.action)
def test_what_was_purged_is_gone(rule: Rule) -> None:
    assert why_not(rule, None, NOW) is KeepReason.GONE


@pytest.mark.parametrize(
    ("rule", "changed", "reason"),
    [
        ({"stage": Stage.NONE}, {}, None),
        ({"stage": Stage.NONE}, {"stage": Stage.ARCHIVED}, KeepReason.OTHER_STAGE),
        ({"stage": Stage.NONE}, {"stage": Stage.STAGING}, KeepReason.IN_USE),
        ({"keep_newest": 5}, {"newest": True}, KeepReason.NEWEST),
        ({"registered_days": 90}, {"created_at_ms": NOW - 90 * DAY_MS}, None),
        ({"registered_days": 90}, {"created_at_ms": NOW - 90 * DAY_MS + 1}, KeepReason.TOO_YOUNG),
        ({"moved_days": 90}, {"stage_changed_at_ms": NOW - 90 * DAY_MS}, None),
        ({"moved_days": 90}, {"stage_changed_at_ms": NOW - 90 * DAY_MS + 1}, KeepReason.MOVED_LATELY),
        ({"downloaded_days": 90}, {"last_downloaded_at_ms": NOW - 90 * DAY_MS}, None),
        ({"downloaded_days": 90}, {"last_downloaded_at_ms": NOW - 90 * DAY_MS + 1}, KeepReason.DOWNLOADED_LATELY),
        ({"downloaded_days": 90}, {"created_at_ms": NOW - 90 * DAY_MS}, None),
        ({"downloaded_days": 90}, {"created_at_ms": NOW - 90 * DAY_MS + 1}, KeepReason.TOO_YOUNG),
        ({"registered_days": 90}, {"created_at_ms": NOW, "pinned": True}, KeepReason.PINNED),
    ],
)
def test_what_a_rule_keeps(rule: dict[str, object], changed: dict[str, object], reason: KeepReason | None) -> None:
    kept = why_not(replace(ARCHIVE, **rule), facts(**changed), NOW)  # type: ignore[arg-type]

    assert kept is reason


def test_a_rule_is_read_back_as_it_was_written() -> None:
    rule = Rule(PlanAction.DELETE, Stage.ARCHIVED, registered_days=3, keep_newest=2)

    assert rule_of(rule.as_json()) == rule
    assert rule_of({**TAG.as_json(), "of a later release": 1}) == TAG


def test_a_tag_that_nothing_may_bear_is_no_rule() -> None:
    with pytest.raises(InvalidValue, match="Invalid tag key"):
        Rule(PlanAction.TAG, tag_key="a;b")


def test_a_digest_stands_for_what_is_done_and_to_which_versions_in_their_order() -> None:
    digests = {
        digest_of(ARCHIVE, ["a", "b"]),
        digest_of(DELETE, ["a", "b"]),
        digest_of(ARCHIVE, ["b", "a"]),
        digest_of(ARCHIVE, ["a"]),
        digest_of(ARCHIVE, []),
        digest_of(TAG, ["a", "b"]),
        digest_of(replace(TAG, tag_value="churn"), ["a", "b"]),
    }

    assert len(digests) == 7
    assert digest_of(ARCHIVE, iter(["a", "b"])) in digests


@pytest.mark.parametrize(
    ("status", "expires_at_ms", "shown"),
    [
        ("READY", NOW + 1, PlanStatus.READY),
        ("READY", NOW, PlanStatus.EXPIRED),
        ("EXECUTED", NOW, PlanStatus.EXECUTED),
        ("PLANNING", None, PlanStatus.PLANNING),
    ],
)
def test_a_plan_expires_while_it_is_ready(status: str, expires_at_ms: int | None, shown: PlanStatus) -> None:
    assert shown_status(status, expires_at_ms=expires_at_ms, now_ms=NOW) is shown


@pytest.mark.parametrize("status", [status for status in PlanStatus if status is not PlanStatus.READY])
def test_only_a_ready_plan_is_executed(status: PlanStatus) -> None:
    with pytest.raises(InvalidState, match="This plan "):
        check_executable(status, digest="d", given="d")


def test_whoever_executes_a_plan_names_its_digest() -> None:
    check_executable(PlanStatus.READY, digest="d", given="d")

    with pytest.raises(InvalidState, match="Read the plan again"):
        check_executable(PlanStatus.READY, digest="d", given="e")
