"""The ledger of a copy: rows around each batch that count only while the job is ours."""

from collections.abc import Callable

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from modelyard.errors import ClaimLost, TemporaryFailure
from modelyard.storage.copying import StoredFile
from modelyard.storage.tree import FileEntry
from modelyard.worker.ledger import JobLedger
from tests.worker.conftest import House

A, B = "a" * 64, "b" * 64
MOVES: dict[str, Callable[[JobLedger], object]] = {
    "record": lambda ledger: ledger.record([stored("one", A)]),
    "known files": lambda ledger: ledger.known_files(),
    "settle": lambda ledger: ledger.settle([A]),
}


def stored(path: str, digest: str) -> StoredFile:
    return StoredFile(digest=digest, size_bytes=5, entry=FileEntry(path, 5, 1, 1, "inode"))


@pytest.fixture
def ledger(house: House) -> JobLedger:
    """The ledger of a second attempt; the first one has stored the file `one`."""
    return begin_again(house, house.register("/x").id)


def begin_again(house: House, job_id: int) -> JobLedger:
    lifecycle = house.context.lifecycle
    first = lifecycle.claim(job_id, "w1")
    assert first is not None
    JobLedger(house.context, first).record([stored("one", A)])
    lifecycle.release(first)
    second = lifecycle.claim(job_id, "w2")
    assert second is not None
    return JobLedger(house.context, second)


def leased(house: House) -> set[tuple[int, str]]:
    return {(row.attempt, row.digest) for row in house.rows("blob_leases")}


def test_a_batch_is_live_and_leased_by_its_attempt(house, ledger):
    placements = ledger.record([stored("one", A), stored("two", B)])

    assert {digest: placement.gen for digest, placement in placements.items()} == {A: 0, B: 0}
    assert leased(house) == {(2, A), (2, B)}


def test_a_second_attempt_knows_what_the_first_stored_and_holds_it(house, ledger):
    known = ledger.known_files()

    assert {path: file.digest for path, file in known.items()} == {"one": A}
    assert leased(house) == {(2, A)}


def test_what_is_settled_is_held_and_nothing_else(house, ledger):
    ledger.record([stored("one", A), stored("two", B)])

    ledger.settle([B])

    assert leased(house) == {(2, B)}


def test_a_blob_that_a_collector_took_is_a_temporary_failure(ledger):
    with pytest.raises(TemporaryFailure, match="collected"):
        ledger.settle([A, B])


@pytest.mark.parametrize("move", MOVES)
def test_a_worker_that_lost_its_claim_enters_nothing(house, ledger, move):
    house.context.lifecycle.release(ledger.claim)
    before = [house.rows(table) for table in ("blobs", "blob_leases", "job_files")]

    with pytest.raises(ClaimLost):
        MOVES[move](ledger)

    assert [house.rows(table) for table in ("blobs", "blob_leases", "job_files")] == before


class Deadlock(Exception):
    """What PostgreSQL raises when two transactions wait for each other."""

    sqlstate = "40P01"


@pytest.mark.parametrize("move", MOVES)
def test_a_deadlock_is_nobody_s_failure_and_is_tried_again(house, ledger, move):
    ledger.record([stored("one", A)])
    raised: list[str] = []

    def meet_another(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE blobs") or (move == "record" and statement.startswith("INSERT INTO blobs")):
            raised.append(statement)
            if len(raised) == 1:
                raise OperationalError(statement, {}, Deadlock())

    event.listen(house.engine, "before_cursor_execute", meet_another)
    MOVES[move](ledger)

    assert raised
    assert leased(house) == {(2, A)}
