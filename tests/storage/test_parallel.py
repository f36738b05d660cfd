"""Work in a few threads: answers in order, the leader's pulse, and everybody stopped by the first error."""

import threading

import pytest

from modelyard.storage.parallel import Crew, Stopped


def nothing():
    """A pulse that nobody feels."""


@pytest.mark.parametrize("threads", [1, 4])
def test_answers_come_in_the_order_of_the_items(threads):
    with Crew(threads) as crew:
        assert crew.each(lambda number: number * 2, range(100), nothing) == list(range(0, 200, 2))


def test_several_are_at_work_at_once():
    together = threading.Barrier(3, timeout=10)

    with Crew(3) as crew:
        crew.each(lambda _item: together.wait(), range(3), nothing)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_error_is_what_the_caller_gets(threads):
    def fail(number):
        raise KeyError(number)

    with Crew(threads) as crew, pytest.raises(KeyError):
        crew.each(fail, range(100), nothing)


def test_an_error_stops_the_work_of_the_others():
    begun = threading.Barrier(2, timeout=10)

    def work(item, crew):
        begun.wait()
        if item == "bad":
            raise KeyError(item)
        while True:
            crew.check()

    with Crew(2) as crew, pytest.raises(KeyError):
        crew.each(lambda item: work(item, crew), ["bad", "endless"], nothing)


def test_what_the_pulse_raises_ends_the_work():
    stopped = []

    def work(_item, crew):
        try:
            while True:
                crew.check()
        except Stopped:
            stopped.append(True)
            raise

    def drain():
        raise InterruptedError

    with Crew(2) as crew, pytest.raises(InterruptedError):
        crew.each(lambda item: work(item, crew), range(2), drain)

    assert stopped == [True, True]
