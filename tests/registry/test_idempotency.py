"""Idempotency keys."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest

from modelyard.database.session import transaction
from modelyard.errors import InvalidValue
from modelyard.registry.access import Actor
from modelyard.registry.idempotency import KEPT_MS, KeyedRequest, claim_key
from tests.registry.desks import ANN, Desk

REQUEST = KeyedRequest("key", "route", "0" * 64)


def claim(desk: Desk, request: KeyedRequest = REQUEST, *, new_id: str = "new", actor: Actor = ANN) -> str | None:
    with transaction(desk.engine) as session:
        return claim_key(session, actor, request, new_id=new_id)


def test_a_repeated_request_learns_what_the_first_one_made(desk: Desk) -> None:
    first = claim(desk, new_id="a")
    second = claim(desk, new_id="b")

    assert (first, second) == (None, "a")


@pytest.mark.parametrize("other", [KeyedRequest("key", "other", "0" * 64), KeyedRequest("key", "route", "1" * 64)])
def test_a_key_belongs_to_one_request(desk: Desk, other: KeyedRequest) -> None:
    claim(desk)

    with pytest.raises(InvalidValue, match="another request"):
        claim(desk, other)


def test_keys_are_each_actors_own(desk: Desk) -> None:
    claim(desk, new_id="a")

    assert claim(desk, new_id="b", actor=Actor("bob")) is None


def test_a_key_is_forgotten_after_a_day(desk: Desk, set_clock: Callable[[int], None]) -> None:
    claim(desk, new_id="a")

    set_clock(KEPT_MS - 60_000)
    kept = claim(desk, new_id="b")
    set_clock(KEPT_MS + 60_000)
    forgotten = claim(desk, new_id="c")

    assert (kept, forgotten) == ("a", None)


def test_what_failed_leaves_its_key_free(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        claim_key(session, ANN, REQUEST, new_id="a")
        session.rollback()

    assert claim(desk, new_id="b") is None


def test_of_two_requests_at_once_the_second_learns_of_the_first(desk: Desk) -> None:
    barrier, answers = Barrier(2), []

    def ask(new_id: str) -> None:
        barrier.wait()
        answers.append((new_id, claim(desk, new_id=new_id)))

    threads = [Thread(target=ask, args=(new_id,)) for new_id in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = [new_id for new_id, earlier in answers if earlier is None]
    assert [earlier for new_id, earlier in answers if new_id != winner] == [winner]


@pytest.mark.parametrize("key", ["", "k" * 256, "a\nb", "ä"])
def test_a_key_is_short_and_printable(key: str) -> None:
    with pytest.raises(InvalidValue, match="Idempotency-Key"):
        KeyedRequest(key, "route", "0" * 64)
