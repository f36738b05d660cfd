"""How fast a copy is, how long it still takes, and what a version says of itself meanwhile."""

from typing import Any

import pytest

from modelyard.rules.progress import SPEED_MEMORY_S, OpenJob, Speed, left_s, pending_message


def job(status: str, **changes: Any) -> OpenJob:
    values: dict[str, Any] = {
        "status": status,
        "waits_ms": 0,
        "attempt": 0,
        "step": "",
        "items_done": 0,
        "items_total": 0,
        "bytes_done": 0,
        "bytes_total": 0,
        "status_message": "",
    }
    return OpenJob(**(values | changes))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (job("QUEUED"), "Waiting for a worker"),
        (job("QUEUED", attempt=1, status_message="The worker stopped."), "Waiting for a worker. The worker stopped."),
        (job("QUEUED", attempt=1, waits_ms=14_200, status_message="Disk full."), "Retrying in 15 s: Disk full."),
        (job("QUEUED", attempt=1, waits_ms=240_000, status_message="Away."), "Retrying in 4 min: Away."),
        (job("RUNNING", attempt=1, step="Opening the source"), "Opening the source"),
        (job("RUNNING"), "Copying"),
        (
            job("RUNNING", items_done=3, items_total=12, bytes_done=1_200_000_000, bytes_total=4_000_000_000),
            "Copying: 3 of 12 files, 1.2 of 4.0 GB",
        ),
        (
            job("RUNNING", items_done=1, items_total=2, bytes_done=5, bytes_total=900),
            "Copying: 1 of 2 files, 5 of 900 bytes",
        ),
        (job("RUNNING", items_done=0, items_total=2), "Copying: 0 of 2 files"),
        (
            job("RUNNING", items_done=1, items_total=1, bytes_done=10**16, bytes_total=10**16),
            "Copying: 1 of 1 files, 10000.0 of 10000.0 TB",
        ),
    ],
)
def test_a_pending_version_says_where_it_stands(found: OpenJob, message: str) -> None:
    assert pending_message(found) == message


def speed_after(*spans: tuple[int, float]) -> int | None:
    """Return the speed after `spans`, each of so many bytes in so many seconds."""
    speed = Speed()
    for moved_bytes, span_s in spans:
        speed = speed.after(moved_bytes, span_s)
    return speed.bytes_per_s


@pytest.mark.parametrize(
    ("spans", "bytes_per_s"),
    [
        ([], None),
        ([(0, 0.0)], None),
        ([(300, 1.0)], 300),
        ([(0, 1.0)], 0),
        ([(100, 1.0)] * 50, 100),
        ([(700, 7.0), (100, 1.0)], 100),
        # However the same bytes are cut into spans, the speed is the same.
        ([(100, 1.0)] * 4 + [(400, 4.0)], 100),
        ([(1 << 50, 0.001)], 1_125_899_906_842_624_000),
    ],
)
def test_a_speed_is_told_from_the_first_moment(spans: list[tuple[int, float]], bytes_per_s: int | None) -> None:
    assert speed_after(*spans) == bytes_per_s


def test_what_is_copied_now_counts_more_than_what_was_copied_before() -> None:
    slower = speed_after(*[(1000, 1.0)] * 60, *[(100, 1.0)] * int(SPEED_MEMORY_S))

    assert slower is not None
    assert 100 < slower < 550


def test_a_copy_that_stands_still_grows_slower_and_slower() -> None:
    speeds = [speed_after((1000, 1.0), *[(0, 7.5)] * beats) for beats in range(6)]

    assert speeds == sorted(speeds, reverse=True, key=lambda speed: speed or 0)
    assert speeds[-1] == pytest.approx(0, abs=80)


@pytest.mark.parametrize(
    ("bytes_done", "bytes_total", "bytes_per_s", "seconds"),
    [
        (0, 1000, 100, 10),
        (950, 1000, 100, 1),
        (1000, 1000, 100, 0),
        # A file that grew while it was copied.
        (1200, 1000, 100, 0),
        (0, 1000, None, None),
        (0, 1000, 0, None),
        (0, 0, 100, None),
    ],
)
def test_the_time_left_follows_from_the_speed(
    bytes_done: int, bytes_total: int, bytes_per_s: int | None, seconds: int | None
) -> None:
    assert left_s(bytes_done=bytes_done, bytes_total=bytes_total, bytes_per_s=bytes_per_s) == seconds
