"""Reading slowly on purpose."""

import pytest

from modelyard.storage.pace import Pace


class Clock:
    """A clock that only sleeping and reading move."""

    def __init__(self):
        self.now_s = 100.0
        self.slept_s = 0.0

    def read(self):
        return self.now_s

    def sleep(self, span_s):
        self.slept_s += span_s
        self.now_s += span_s


@pytest.fixture
def clock():
    return Clock()


def pace_of(clock, bytes_per_s):
    return Pace(bytes_per_s, clock.read, clock.sleep)


def test_reading_keeps_to_the_limit(clock):
    pace = pace_of(clock, 1000)

    for _ in range(10):
        pace.rest(500, lambda: None)

    assert clock.now_s - 100 == pytest.approx(4.5)  # Nothing is owed before the first piece was read.


def test_time_that_reading_took_counts(clock):
    pace = pace_of(clock, 1000)

    for _ in range(10):
        clock.now_s += 0.4
        pace.rest(500, lambda: None)

    assert clock.now_s - 100 == pytest.approx(0.4 + 9 * 0.5)


def test_time_that_was_not_used_is_not_saved_up(clock):
    pace = pace_of(clock, 1000)
    pace.rest(500, lambda: None)
    clock.now_s += 3600

    for _ in range(3):
        pace.rest(500, lambda: None)

    assert clock.slept_s == pytest.approx(1.0)


def test_while_it_rests_it_lets_others_know_and_they_may_stop_it(clock):
    pace = pace_of(clock, 1000)
    calls = []
    pace.rest(1, lambda: None)

    def stop():
        calls.append(clock.slept_s)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pace.rest(10_000, stop)

    assert calls == [0.5, 1.0, 1.5]


def test_no_limit_is_no_rest(clock):
    pace_of(clock, 0).rest(1 << 40, lambda: None)

    assert clock.slept_s == 0
