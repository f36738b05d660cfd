"""What a version says of itself while it is being registered."""

from typing import Any

import pytest

from modelyard.rules.progress import OpenJob, pending_message


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
