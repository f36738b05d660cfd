"""What a sweep does besides jobs: a worker says that it is there, and what nobody owns is cleared away."""

import os
from typing import Any

import pytest
from sqlalchemy import insert, update

from modelyard import __version__
from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.registry import blobs
from modelyard.worker.chores import Cleaning, Presence
from tests.worker.conftest import DAY_MS, House

HOUR_MS = DAY_MS // 24
DIGEST = "a" * 64

workers = metadata.tables["workers"]


def seen(house: House) -> dict[str, Any]:
    return {row.name: row for row in house.rows("workers")}


def test_a_worker_says_what_it_is_and_when_it_was_last_there(house, set_clock):
    presence = Presence(house.context, "host:1", ("fast", "copy"), 4)

    presence()
    first = seen(house)["host:1"]
    set_clock(5000)
    presence()

    again = seen(house)["host:1"]
    assert (first.queues, first.concurrency, first.software_version) == ("fast,copy", 4, __version__)
    assert first.pid == os.getpid()
    assert again.started_at_ms == first.started_at_ms
    assert again.seen_at_ms >= first.seen_at_ms + 5000


def test_a_worker_that_was_not_seen_for_an_hour_is_forgotten(house):
    Presence(house.context, "gone", ("fast",), 1)()
    Presence(house.context, "slow", ("fast",), 1)()
    with transaction(house.engine) as session:
        for name, age_ms in [("gone", HOUR_MS + 1000), ("slow", HOUR_MS - 60_000)]:
            session.execute(
                update(workers).where(workers.c.name == name).values(seen_at_ms=workers.c.seen_at_ms - age_ms)
            )

    Presence(house.context, "here", ("fast",), 1)()

    assert set(seen(house)) == {"here", "slow"}


@pytest.fixture
def left_behind(house: House) -> None:
    """An old idempotency key and a new one, an upload that has expired and one that has not, a lost folder."""
    keys = metadata.tables["idempotency_keys"]
    row = {"actor": "ann", "route": "r", "body_sha256": "x", "object_id": "1"}
    with transaction(house.engine) as session:
        session.execute(insert(keys).values(row | {"key": "new"}))
        session.execute(insert(keys).values(row | {"key": "old", "created_at_ms": 1}))
        blobs.make_live(session, {DIGEST: 5}, trust_ms=1)
        for path, hours in [("expired", -1), ("waits", 1)]:
            blobs.record_upload(session, actor_name="ann", path=path, digest=DIGEST, size_bytes=5, hours=hours)
    (house.store.root / "ingest" / "99-1-00000000").mkdir()


@pytest.mark.usefixtures("left_behind")
def test_what_is_over_is_cleared_away(house):
    Cleaning(house.context)()

    assert [row.key for row in house.rows("idempotency_keys")] == ["new"]
    assert [row.path for row in house.rows("uploads")] == ["waits"]
    assert house.store.list_staging() == []


@pytest.mark.usefixtures("left_behind")
@pytest.mark.parametrize(("rounds", "cleaned"), [(11, False), (12, True)])
def test_it_is_cleared_away_every_twelfth_round(house, rounds, cleaned):
    cleaning = Cleaning(house.context, every=12, _rounds=1)

    for _ in range(rounds):
        cleaning()

    assert (house.store.list_staging() == []) is cleaned


@pytest.mark.parametrize(
    ("name", "age_s", "kept"),
    [
        # An upload through the web belongs to a request, which no row tells of: a day.
        ("0-0-00000000", 0, True),
        ("0-0-00000000", DAY_MS // 1000 + 60, False),
        ("99-1-00000000", 0, False),
        ("not one of ours", 10 * DAY_MS // 1000, True),
    ],
)
def test_a_staging_folder_is_removed_when_nobody_owns_it(house, name, age_s, kept):
    folder = house.store.root / "ingest" / name
    folder.mkdir()
    changed = folder.stat().st_mtime - age_s
    os.utime(folder, (changed, changed))

    Cleaning(house.context)()

    assert folder.exists() is kept
