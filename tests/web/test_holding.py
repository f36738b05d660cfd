"""Holding an answer back."""

import time
from threading import Event, Thread

import pytest
from sqlalchemy.exc import OperationalError

from modelyard.web.holding import Holding


def test_what_has_ended_at_the_first_look_is_answered_at_once() -> None:
    began_s = time.monotonic()

    assert Holding(wait_s=60, places=1).until(lambda: True)

    assert time.monotonic() - began_s < 30


def test_an_end_is_noticed_soon_and_by_few_looks() -> None:
    looks, end_s = [], time.monotonic() + 0.3

    def ended() -> bool:
        looks.append(time.monotonic())
        return looks[-1] >= end_s

    assert Holding(wait_s=60, places=1).until(ended)

    assert looks[-1] - end_s < 30
    assert len(looks) < 100


def test_what_does_not_end_in_time_is_not_waited_for() -> None:
    began_s = time.monotonic()

    assert not Holding(wait_s=0.2, places=1).until(lambda: False)

    assert 0.15 < time.monotonic() - began_s < 30


def test_beyond_the_places_nobody_is_held() -> None:
    holding, inside, leave = Holding(wait_s=5, places=1), Event(), Event()

    def ended() -> bool:
        inside.set()
        return leave.wait(5)

    holder = Thread(target=holding.until, args=(ended,))
    holder.start()
    assert inside.wait(5)

    assert not holding.until(lambda: True)
    leave.set()
    holder.join()
    assert holding.until(lambda: True)


def test_a_database_that_fails_ends_the_holding_without_an_error() -> None:
    def ended() -> bool:
        raise OperationalError("SELECT", {}, Exception("gone"))

    holding = Holding(wait_s=5, places=1)

    assert not holding.until(ended)
    assert holding.until(lambda: True)


@pytest.mark.parametrize("wait_s", [0, -1])
def test_holding_can_be_switched_off(wait_s: float) -> None:
    assert not Holding(wait_s=wait_s, places=1).until(lambda: True)
