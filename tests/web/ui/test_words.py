"""How values are written."""

import pytest

from modelyard.web.ui.charts import sparkline
from modelyard.web.ui.words import address, initials, one_line, size, span, web_link, when

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 31, "x" * 31),
        ("x" * 32, "x" * 32),
        ("x" * 33, "x" * 31 + "…"),
        ("0123456789\nnext line", "0123456789…"),
        ("  padded  ", "padded"),
        ("", ""),
        ("\n\n", ""),
    ],
)
def test_a_description_is_at_most_32_characters_or_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert len(one_line(text)) <= 32


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "—"), (0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (5_012_884_221, "5.0 GB"), (500_600, "501 KB")],
)
def test_sizes_have_a_unit(count: int | None, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "—"),
        (400, "0.4 s"),
        (27_000, "27 s"),
        (125_000, "2 m 05 s"),
        (3_600_000, "1 h 00 m"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_spans_have_a_unit(milliseconds: int | None, shown: str) -> None:
    assert span(milliseconds) == shown


@pytest.mark.parametrize(
    ("ago_ms", "shown"),
    [
        (0, "just now"),
        (40_000, "40 seconds ago"),
        (60_000, "1 minute ago"),
        (7_200_000, "2 hours ago"),
        (-120_000, "in 2 minutes"),
    ],
)
def test_near_moments_are_told_from_now(ago_ms: int, shown: str) -> None:
    assert when(NOW - ago_ms, NOW) == shown


def test_far_moments_are_dates_whatever_their_year() -> None:
    assert when(NOW - 90_000_000_000, NOW) == "9 Mar 2024, 16:00"
    assert when(10**18, NOW).startswith("31 Dec 9999")


def test_addresses_encode_each_segment_whole() -> None:
    assert address("models", "a b?c#d%25é", "versions", 1) == "/models/a%20b%3Fc%23d%2525%C3%A9/versions/1"
    assert address("models", q="", sort=None, after="x y") == "/models?after=x+y"


@pytest.mark.parametrize(
    ("text", "leads"), [("https://x", True), ("javascript:alert(1)", False), ("data:x", False), ("", False)]
)
def test_only_web_addresses_become_links(text: str, leads: bool) -> None:
    assert bool(web_link(text)) is leads


@pytest.mark.parametrize(("name", "shown"), [("amira.khan@grid.example", "AK"), ("local", "L"), ("-", "?")])
def test_people_have_initials(name: str, shown: str) -> None:
    assert initials(name) == shown


def test_a_sparkline_stays_within_its_picture() -> None:
    points = [tuple(map(float, point.split(","))) for point in sparkline([0, 5, 10], 84, 24).split()]

    assert points == [(0.0, 22.0), (42.0, 12.0), (84.0, 2.0)]
    assert sparkline([], 84, 24) == ""
