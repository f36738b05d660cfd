"""The faults that design/storage.md marks with `!`: each was reproduced once, and has a test that shows it mended.

- Without an index on (digest, state), an upsert of a known blob scans the table:
  `..._finds_its_references_by_an_index`.
- On PostgreSQL a promotion and a collector passed each other: `..._collide_in_either_order` and
  `..._never_both_succeed`.
- No fence can stop an unlink: test_collecting.py, `test_a_collector_that_was_paused_before_its_unlink_...`.
- PostgreSQL refused concurrent first writes: `..._write_the_same_blobs_for_the_first_time_...`.
- A registration of good bytes became READY on rotten ones: test_registration.py, `test_rotten_bytes_are_healed_...`.
- A live row may lack its file after a crash between row and link: `..._between_row_and_file_...` and
  `..._vanished_before_ready_...`.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, insert, inspect
from sqlalchemy.exc import IntegrityError

from modelyard.database.session import repeat_conflicts, transaction
from modelyard.errors import ClaimLost
from modelyard.registry import blobs, collection
from modelyard.rules.jobs import JobStatus
from modelyard.storage.local_ingest import LocalBatch
from tests.waiting import wait_until

DIGEST = "d" * 64
MANIFEST = "a" * 64


@pytest.fixture
def stored(engine):
    """A database with one live blob that nobody refers to, and a manifest."""
    with transaction(engine) as session:
        session.execute(insert(blobs.blobs).values(digest=DIGEST, size_bytes=1, touched_at_ms=1))
        session.execute(insert(blobs.manifests).values(digest=MANIFEST, file_count=1, size_bytes=1))
    return engine


def refer(session):
    session.execute(insert(blobs.manifest_blobs).values(manifest_digest=MANIFEST, digest=DIGEST))


def mark(session):
    return collection.begin_deleting(session, [DIGEST], grace_ms=0)


def test_an_upsert_of_a_known_blob_finds_its_references_by_an_index(engine):
    inspector = inspect(engine)

    for table in collection.REFERENCES:
        leading = [index["column_names"][:2] for index in inspector.get_indexes(table.name)]
        assert ["digest", "state"] in leading, table.name
    assert ["manifest_digest"] in [index["column_names"] for index in inspector.get_indexes("model_versions")]


def test_a_reference_and_a_collectors_mark_collide_in_either_order(stored):
    with transaction(stored) as session:
        refer(session)
    with transaction(stored) as session:
        assert mark(session) == []

    with transaction(stored) as session:
        session.execute(blobs.manifest_blobs.delete())
    with transaction(stored) as session:
        assert len(mark(session)) == 1
    with pytest.raises(IntegrityError), transaction(stored) as session:
        refer(session)


@pytest.mark.parametrize("reference_first", [True, False])
def test_a_promotion_and_a_collector_in_the_same_moment_never_both_succeed(stored, reference_first):
    first, second = (refer, mark) if reference_first else (mark, refer)
    began = threading.Event()
    event.listen(stored, "begin", lambda _connection: began.set())

    def do_second():
        with transaction(stored) as session:
            return second(session)

    with ThreadPoolExecutor(1) as pool:
        with transaction(stored) as session:
            first(session)
            began.clear()
            late = pool.submit(do_second)
            if stored.dialect.name == "postgresql":
                wait_until(began.is_set)
        if reference_first:
            assert late.result() == []
        else:
            with pytest.raises(IntegrityError):
                late.result()


def test_processes_that_write_the_same_blobs_for_the_first_time_are_not_refused(engine):
    threads, rounds = 4, 10
    start = threading.Barrier(threads)

    def write(_thread):
        for number in range(rounds):
            sizes = {f"{number:032x}{blob:032x}": 1 for blob in range(20)}
            start.wait(30)

            def once(sizes=sizes):
                with transaction(engine) as session:
                    return blobs.make_live(session, sizes, trust_ms=1)

            assert {blob.gen for blob in repeat_conflicts(once).values()} == {0}

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(threads)))


def test_a_crash_between_row_and_file_leaves_nothing_that_a_later_registration_could_believe(house, monkeypatch):
    def die(_batch, _placements, _on_piece):
        raise ClaimLost(0, 0)

    with monkeypatch.context() as patch:
        patch.setattr(LocalBatch, "place", die)
        house.run(house.register(house.model_folder(a=b"bytes")))
    assert {row.state for row in house.rows("blobs")} == {"live"}
    assert list(house.store.list_blobs()) == []

    assert house.run(house.register(house.model_folder(a=b"bytes"), number=2)) is JobStatus.SUCCEEDED
    assert house.files_of(2)["a"] == b"bytes"


def test_a_file_that_vanished_before_ready_is_stored_again_by_the_next_attempt(house, monkeypatch):
    place = LocalBatch.place

    def place_and_lose(batch, placements, on_piece):
        proven = place(batch, placements, on_piece)
        for digest, placement in placements.items():
            house.store.remove_blob(digest, placement.gen)
        return proven

    job = house.register(house.model_folder(a=b"bytes"))
    with monkeypatch.context() as patch:
        patch.setattr(LocalBatch, "place", place_and_lose)
        assert house.run(job) is JobStatus.QUEUED
    house.queue_again(job)

    assert house.run(job) is JobStatus.SUCCEEDED
    assert house.files_of(1)["a"] == b"bytes"
