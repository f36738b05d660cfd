"""Those who refer to a blob and those who collect it, in the same moment: real threads on both databases.

Each test here stands for a fault that was reproduced with another design (design/storage.md).
"""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import insert, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from modelyard.database.json_rows import written
from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.errors import ModelyardError
from modelyard.registry import blobs, collection
from modelyard.registry.registration import NewVersion, origin_of
from modelyard.rules.versions import RegistrationMode
from tests.registry.desks import MANIFEST, Desk
from tests.threads import at_once, no_conflicts, somebody_waits
from tests.waiting import wait_until

A = "b" * 64
ROUNDS = 25
WRITERS = 8
FILES = 30


def store(desk: Desk, *digests: str) -> None:
    with transaction(desk.engine) as session:
        blobs.make_live(session, dict.fromkeys(digests, 5), trust_ms=1000)


def lease(session: Session) -> bool:
    blobs.lease(session, [A], job_id=1, attempt=1)
    return True


def mark(session: Session) -> bool:
    return bool(collection.begin_deleting(session, [A], grace_ms=0))


def state(desk: Desk) -> tuple[str, int]:
    with reading(desk.engine) as session:
        held = len(session.execute(select(blobs.blob_leases)).all())
        return session.execute(select(blobs.blobs.c.state).where(blobs.blobs.c.digest == A)).scalar_one(), held


def one_behind_the_other(
    desk: Desk, first: Callable[[Session], object], second: Callable[[Session], object]
) -> tuple[object, object]:
    """Begin `second` while the transaction of `first` is open; return what each answered or was refused by."""
    answers: list[object] = []

    def come_late() -> None:
        try:
            with transaction(desk.engine) as session:
                answers.append(second(session))
        except (IntegrityError, ModelyardError) as refusal:
            answers.append(refusal)

    late = threading.Thread(target=come_late)
    with transaction(desk.engine) as session:
        answer = first(session)
        late.start()
        wait_until(lambda: somebody_waits(desk.engine), what="the second behind the first")
    late.join(30)
    assert not late.is_alive()
    return answer, answers[0]


def test_a_collector_that_meets_an_open_lease_waits_and_leaves_the_blob(desk: Desk) -> None:
    store(desk, A)

    assert one_behind_the_other(desk, lease, mark) == (True, False)
    assert state(desk) == ("live", 1)


def test_a_lease_that_meets_an_open_mark_waits_and_is_refused(desk: Desk) -> None:
    store(desk, A)

    marked, refused = one_behind_the_other(desk, mark, lease)

    assert marked is True
    assert isinstance(refused, IntegrityError)
    assert state(desk) == ("deleting", 0)


def test_two_who_refer_to_one_blob_and_touch_it_do_not_wait_for_each_other(desk: Desk) -> None:
    """As two registrations do that end at once and share a file: each refers to it, and then lets its lease go."""
    store(desk, A)
    referred = threading.Barrier(2, timeout=30)

    def end(job_id: int) -> Callable[[], object]:
        def refer_and_touch() -> object:
            with transaction(desk.engine) as session:
                blobs.lease(session, [A], job_id=job_id, attempt=1)
                if desk.engine.dialect.name == "postgresql":  # SQLite lets one come after the other.
                    referred.wait()
                return blobs.touch(session, [A])

        return refer_and_touch

    with no_conflicts(desk.engine):
        assert at_once(end(1), end(2)) == [1, 1]


@pytest.fixture
def lone(desk: Desk) -> Desk:
    """A desk whose only version with a manifest may lose it, as a purge does; A is a blob of that manifest."""
    desk.model()
    desk.ready()
    store(desk, A, MANIFEST)
    with transaction(desk.engine) as session:
        rows = [{"manifest_digest": MANIFEST, "digest": digest} for digest in (A, MANIFEST)]
        session.execute(insert(blobs.manifest_blobs), rows)
    return desk


def promote(desk: Desk, session: Session) -> object:
    wish = NewVersion(name="m", source="models:/m/1")
    origin = origin_of(wish, mode=RegistrationMode.COPY, vet=lambda _source: None)
    return desk.create(session, wish, origin).manifest_digest


def test_a_promotion_and_a_collector_never_pass_each_other(lone: Desk) -> None:
    def collect(session: Session) -> bool:
        return collection.remove_manifest(session, MANIFEST, [])

    promoted, collected = one_behind_the_other(lone, lambda session: promote(lone, session), collect)

    assert (promoted, collected) == (MANIFEST, False)
    with reading(lone.engine) as session:
        assert collection.blobs_of_manifest(session, MANIFEST) == [MANIFEST, A]
        assert not collection.unreferenced_blobs(session, after="", grace_ms=0, limit=10)


def test_of_many_first_writes_of_the_same_blobs_none_is_refused(desk: Desk) -> None:
    enter, _ = blobs._entering(desk.engine.dialect.name)

    def write(digests: list[str]) -> Callable[[], object]:
        def write_them() -> None:
            with transaction(desk.engine) as session:
                session.execute(enter, {"rows": written((digest, 5) for digest in digests)})

        return write_them

    def make_live(digests: list[str]) -> Callable[[], object]:
        def make_them_live() -> object:
            with transaction(desk.engine) as session:
                return blobs.make_live(session, dict.fromkeys(digests, 5), trust_ms=1000)

        return lambda: repeat_conflicts(make_them_live)

    for number in range(ROUNDS):
        digests = [f"{number:032x}{place:032x}" for place in range(FILES)]
        assert at_once(*(write(digests) for _ in range(WRITERS))) == [None] * WRITERS
        answers = at_once(*(make_live(digests) for _ in range(WRITERS)))

        assert answers == [{digest: blobs.LiveBlob(gen=0, recheck=True) for digest in digests}] * WRITERS


def test_whatever_refers_to_a_blob_is_found_by_an_index(desk: Desk) -> None:
    """Else each upsert of a known blob, and each mark of a collector, reads whole tables."""
    looked_up = [
        (table.name, tuple(key.column_keys))
        for table in metadata.tables.values()
        for key in table.foreign_key_constraints
        if key.referred_table.name in ("blobs", "manifests")
    ]
    found = inspect(desk.engine)

    assert {name for name, _ in looked_up} >= {"manifest_blobs", "blob_leases", "uploads", "model_versions"}
    for name, columns in looked_up:
        indexed = [index["column_names"] for index in found.get_indexes(name)]
        indexed.append(found.get_pk_constraint(name)["constrained_columns"])
        assert any(tuple(keys[: len(columns)]) == columns for keys in indexed), (name, columns)
