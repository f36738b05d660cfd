"""When a schedule is due, over time zones, gaps and folds; and what cannot be a rule."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InvalidValue
from modelyard.rules.schedules import Rule, RuleKind

BERLIN = "Europe/Berlin"
# The weekends around which the clocks of these zones are put forward and back in 2026.
CHANGES_MS = [1774746000000, 1792886400000, 1775322000000, 1793512800000]
ZONES = ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
LINES = ["30 2 * * *", "0,30 2 * * *", "59 1 * * *", "*/20 * * * *", "15 * * * *", "0 3 * * SUN", "45 1 L * *"]


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    """Return a local time, such as "2026-03-29 02:30", in epoch milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


def cron(expression: str, zone: str = "UTC") -> Rule:
    return Rule(RuleKind.CRON, expression, zone)


@pytest.mark.parametrize(
    ("rule", "moment_ms", "following_ms"),
    [
        (cron("30 2 * * *"), at("2026-11-25 02:29"), at("2026-11-25 02:30")),
        (cron("30 2 * * *"), at("2026-11-25 02:30"), at("2026-11-26 02:30")),
        (cron("30 2 * * *", BERLIN), at("2026-11-25 02:00"), at("2026-11-26 02:30", BERLIN)),
        (cron("0 0 29 2 *"), at("2026-01-01 00:00"), at("2028-02-29 00:00")),
        (Rule(RuleKind.EVERY, "3600"), at("2026-11-25 10:00"), at("2026-11-25 11:00")),
        (Rule(RuleKind.EVERY, "3600"), at("2026-11-25 10:00") - 1, at("2026-11-25 10:00")),
    ],
)
def test_the_next_slot_is_the_first_after_a_moment(rule, moment_ms, following_ms):
    assert rule.next_after(moment_ms) == following_ms


@pytest.mark.parametrize(
    ("rule", "moment_ms", "latest_ms"),
    [
        (cron("30 2 * * *"), at("2026-11-25 02:30"), at("2026-11-25 02:30")),
        (cron("30 2 * * *"), at("2026-11-25 02:29"), at("2026-11-24 02:30")),
        (Rule(RuleKind.EVERY, "3600"), at("2026-11-25 10:59"), at("2026-11-25 10:00")),
    ],
)
def test_missed_slots_fold_into_the_last_one_before_a_moment(rule, moment_ms, latest_ms):
    assert rule.latest_until(moment_ms) == latest_ms


def test_a_time_that_spring_skips_is_due_once_right_after_the_gap():
    rule = cron("30 2 * * *", BERLIN)

    after_the_gap = rule.next_after(at("2026-03-29 01:59", BERLIN))

    assert after_the_gap == at("2026-03-29 03:00", BERLIN)
    assert rule.next_after(after_the_gap) == at("2026-03-30 02:30", BERLIN)


def test_a_time_that_autumn_repeats_is_due_once():
    rule = cron("30 2 * * *", BERLIN)

    first = rule.next_after(at("2026-10-25 01:00", BERLIN))

    assert first == at("2026-10-25 02:30", BERLIN, fold=0)
    assert rule.next_after(at("2026-10-25 02:15", BERLIN, fold=1)) == at("2026-10-26 02:30", BERLIN)


@given(
    st.sampled_from(LINES),
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES_MS),
    st.integers(min_value=-172_800_000, max_value=172_800_000),
)
def test_looking_ahead_and_looking_back_see_the_same_slots(line, zone, change_ms, offset_ms):
    rule, moment_ms = cron(line, zone), change_ms + offset_ms

    following, latest = rule.next_after(moment_ms), rule.latest_until(moment_ms)

    assert latest <= moment_ms < following
    assert rule.next_after(latest) == following
    assert rule.latest_until(following) == following
    assert rule.latest_until(following - 1) == latest


@pytest.mark.parametrize(
    ("kind", "expression", "told"),
    [
        (RuleKind.CRON, "30 2 * *", "expression '30 2 * *' is no cron line: it has 4 fields"),
        (RuleKind.CRON, "@daily", "'30 2 * * *'"),
        (RuleKind.CRON, "61 * * * *", "expression '61 * * * *' is no cron line: Bad minute"),
        (RuleKind.CRON, "0 0 30 2 *", "Bad day-of-month"),
        (RuleKind.CRON, "1," * 100 + "1 * * * *", "at most 200"),
        (RuleKind.CRON, "", "0 fields"),
        (RuleKind.EVERY, "hourly", "expression 'hourly' is no interval; expected whole seconds"),
        (RuleKind.EVERY, "9", "from 10 to"),
        (RuleKind.EVERY, "-3600", "such as '3600'"),
        (RuleKind.EVERY, "9" * 500, "is no interval"),
        (RuleKind.EVERY, "٣٦٠٠", "is no interval"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_with_a_right_example(kind, expression, told):
    with pytest.raises(InvalidValue) as refused:
        Rule(kind, expression)

    assert told in refused.value.message
    assert "expression" in refused.value.message


@pytest.mark.parametrize(
    "zone", ["Berlin", "", "Europe", "localtime", "../etc/passwd", "/etc/passwd", "\0", "x" * 5000]
)
def test_an_unknown_time_zone_is_refused_with_a_right_example(zone):
    with pytest.raises(InvalidValue, match=r"The time_zone .* is not known; expected a name such as 'Europe/Berlin'"):
        cron("30 2 * * *", zone)


def test_a_cron_line_that_no_date_satisfies_is_refused():
    never = cron("0 0 */30 2 MON#5")

    with pytest.raises(InvalidValue, match="does not come within fifty years"):
        never.next_after(at("2026-11-25 00:00"))
    assert never.latest_until(at("2026-11-25 00:00")) == 0
