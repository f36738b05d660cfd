"""Moments as people write them."""

from datetime import UTC, datetime

import pytest

from modelyard.console.moments import parse_moment
from modelyard.errors import InvalidValue

NOW_MS = 1795608000000  # 2026-11-25 12:00 UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", "2026-11-25T10:00+00:00"),
        (" 30 m ", "2026-11-25T11:30+00:00"),
        ("7d", "2026-11-18T12:00+00:00"),
        ("45s", "2026-11-25T11:59:15+00:00"),
        ("2026-11-25T17:00Z", "2026-11-25T17:00+00:00"),
        ("2026-11-25T17:00+01:00", "2026-11-25T16:00+00:00"),
        ("1795608000000", "2026-11-25T12:00+00:00"),
    ],
)
def test_a_moment_is_a_date_or_how_long_ago(text, moment):
    found = datetime.fromtimestamp(parse_moment(text, now_ms=NOW_MS) / 1000, UTC)

    assert found == datetime.fromisoformat(moment)


def test_a_date_without_a_zone_means_this_machine():
    midnight = datetime(2026, 11, 25).astimezone()

    assert parse_moment("2026-11-25", now_ms=NOW_MS) == midnight.timestamp() * 1000


@pytest.mark.parametrize("text", ["", "yesterday", "2 weeks", "-2h", "2026-13-01", "99999999d9", "0001-01-01"])
def test_what_is_no_moment_is_refused_with_right_ones(text):
    with pytest.raises(InvalidValue, match="cannot be read; expected such as 2h"):
        parse_moment(text, now_ms=NOW_MS)
