"""What a policy may say, by tables: patterns, conditions, caps, and the sentence that tells them."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.plans import PlanAction
from modelyard.rules.policies import (
    Caps,
    Conditions,
    beyond_caps,
    check_caps,
    check_conditions,
    check_policy_name,
    in_words,
    matches,
    parse_mode,
    parse_policy_action,
    policy_rule,
)
from modelyard.rules.stages import Stage


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("", "anything", True),
        ("*", "anything", True),
        ("fraud", "fraud", True),
        ("fraud", "fraud-a", False),
        ("fraud-*", "fraud-a", True),
        ("fraud-*", "fraud-", True),
        ("fraud-*", "Fraud-a", False),
        ("*-eu", "fraud-eu", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcd", False),
        ("a.c", "abc", False),
        ("a?c", "abc", False),
        ("a_c", "abc", False),
        ("[a]*", "a", False),
        ("a*", "a\nb", True),
    ],
)
def test_what_a_pattern_fits(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        (Conditions(), "mean every version of every model"),
        (Conditions(models="**"), "mean every version of every model"),
        (Conditions(keep_newest=5), "mean every version of every model"),
        (Conditions(models="a/b"), r"Invalid pattern models 'a/b'.* A right one is 'fraud-\*'"),
        (Conditions(models=" "), "Invalid pattern models ' '"),
        (Conditions(models="a\0"), "NUL"),
        (Conditions(models="a" * 257), "257 characters"),
        (Conditions(tag_value="x"), "tag_value needs a tag_key, such as"),
        (Conditions(tag_key="a;b"), "Invalid tag key"),
        (
            Conditions(registered_days=-1),
            "Invalid registered_days -1; expected a whole number from 0 to 36500, such as 90",
        ),
        (Conditions(moved_days=40_000), "Invalid moved_days 40000"),
        (Conditions(downloaded_days=-1), "Invalid downloaded_days"),
        (Conditions(models="a", keep_newest=-1), "Invalid keep_newest -1; expected .* such as 5"),
    ],
)
def test_what_can_be_no_condition_is_refused_with_its_field(conditions: Conditions, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        check_conditions(conditions, everything=False)


@pytest.mark.parametrize(
    "conditions",
    [Conditions(models="fraud-*"), Conditions(tag_key="team", tag_value=""), Conditions(downloaded_days=1)],
)
def test_one_condition_is_enough(conditions: Conditions) -> None:
    check_conditions(conditions, everything=False)


def test_everything_is_meant_by_whoever_says_so() -> None:
    check_conditions(Conditions(), everything=True)


@pytest.mark.parametrize(
    ("caps", "field"),
    [
        (Caps(max_percent=0), "max_percent 0"),
        (Caps(max_percent=101), "max_percent 101"),
        (Caps(max_versions=0), "max_versions 0"),
        (Caps(max_versions=1_000_001), "max_versions 1000001"),
    ],
)
def test_caps_out_of_range_are_refused(caps: Caps, field: str) -> None:
    check_caps(Caps())

    with pytest.raises(InvalidValue, match=f"Invalid {field}; expected a whole number from 1 to"):
        check_caps(caps)


@pytest.mark.parametrize(
    ("touched", "living", "beyond"),
    [
        (0, 0, ""),
        (500, 2500, ""),
        (501, 10_000, "it would touch 501 versions, and at most 500"),
        (20, 100, ""),
        (21, 100, "it would touch 21 of 100 versions, and at most 20 %"),
        (1, 4, "it would touch 1 of 4 versions"),
        (1, 5, ""),
    ],
)
def test_a_run_within_its_caps_goes_on(touched: int, living: int, beyond: str) -> None:
    told = beyond_caps(Caps(), touched=touched, living=living)

    assert told.startswith(beyond)
    assert bool(told) is bool(beyond)


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "a" * 101, "ä"])
def test_what_is_no_policys_name(name: str) -> None:
    check_policy_name("archive-idle.2_b")

    with pytest.raises(InvalidValue, match="such as 'archive-idle'"):
        check_policy_name(name)


@pytest.mark.parametrize(("parse", "word"), [(parse_policy_action, "restore"), (parse_mode, "sometimes")])
def test_words_that_are_not_known_are_refused_with_those_that_are(parse: object, word: str) -> None:
    with pytest.raises(InvalidValue, match=f"{word}.; expected '"):
        parse(word)  # type: ignore[operator]


def test_a_policy_is_about_one_stage() -> None:
    conditions = Conditions(registered_days=1, moved_days=2, downloaded_days=3, keep_newest=4)

    archive = policy_rule(parse_policy_action("archive"), conditions)
    delete = policy_rule(PlanAction.DELETE, conditions)

    assert (archive.stage, delete.stage) == (Stage.NONE, Stage.ARCHIVED)
    assert (archive.registered_days, archive.moved_days, archive.downloaded_days, archive.keep_newest) == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("action", "conditions", "words"),
    [
        (
            PlanAction.ARCHIVE,
            Conditions(registered_days=90, moved_days=90, downloaded_days=90, keep_newest=5),
            "Archive None versions idle 90 days, keep newest 5",
        ),
        (PlanAction.DELETE, Conditions(moved_days=365), "Delete Archived versions archived 365 days ago"),
        (
            PlanAction.ARCHIVE,
            Conditions(models="fraud-*", tag_key="team", tag_value="a", registered_days=3, downloaded_days=2),
            "Archive None versions of fraud-* tagged team=a registered 3 days ago and downloaded 2 days ago",
        ),
        (PlanAction.ARCHIVE, Conditions(), "Archive None versions"),
    ],
)
def test_a_policy_in_words(action: PlanAction, conditions: Conditions, words: str) -> None:
    assert in_words(action, conditions) == words
