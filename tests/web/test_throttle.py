"""The limit on guessing."""

import pytest

from modelyard.errors import LimitReached
from modelyard.web.throttle import MOST_KEYS, Throttle


class Clock:
    """A clock that stands still until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_whoever_guesses_too_often_waits_until_the_window_is_over(clock: Clock) -> None:
    throttle = Throttle(most=3, window_s=60, clock=clock)
    for guess in "abc":
        throttle.check(["here"])
        throttle.failed(["here"], guess)

    clock.now_s = 59
    with pytest.raises(LimitReached) as refused:
        throttle.check(["here"])
    clock.now_s = 60
    throttle.check(["here"])

    assert refused.value.retry_after_s == 2


def test_the_same_wrong_token_again_is_no_new_guess(clock: Clock) -> None:
    throttle = Throttle(most=2, clock=clock)

    for _ in range(10):
        throttle.failed(["here"], "a")

    throttle.check(["here"])


def test_one_key_does_not_wait_for_another(clock: Clock) -> None:
    throttle = Throttle(most=1, clock=clock)

    throttle.failed(["here", "account ann"], "a")

    throttle.check(["there", "account bob"])
    with pytest.raises(LimitReached):
        throttle.check(["there", "account ann"])


def test_made_up_addresses_fill_no_memory(clock: Clock) -> None:
    throttle = Throttle(most=1, clock=clock)

    for number in range(MOST_KEYS + 10):
        throttle.failed([str(number)], "a")

    assert len(throttle._guesses) == MOST_KEYS
    throttle.check(["0"])
