"""Asking again while a server is away: once it was reached, until the time is over."""

import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from modelyard.console.client import ServerAway, ServerRefused
from modelyard.console.following import OutOfTime, Patience


def answers(*given: Any) -> Callable[[], Any]:
    """Return a question that is answered so, one answer a time; errors are raised."""
    left = list(given)

    def question() -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return question


def patience(**options: Any) -> Patience:
    return Patience(Console(file=StringIO(), width=200), sleep=lambda pause_s: None, **options)


def told(asked: Patience) -> list[str]:
    assert isinstance(asked.errors.file, StringIO)
    return asked.errors.file.getvalue().splitlines()


def test_each_outage_is_told_once_and_so_is_its_end():
    asked, away = patience(), ServerAway("The server is away.")
    question = answers(1, away, away, 2, away, 3)

    assert [asked.ask(question) for _ in range(3)] == [1, 2, 3]

    outage = "modelyard: The server is away. Trying again; the job goes on without it."
    assert told(asked) == [outage, "modelyard: the server answers again."] * 2


def test_a_server_that_was_never_reached_is_not_asked_again():
    asked = patience()

    with pytest.raises(ServerAway):
        asked.ask(answers(ServerAway("The server is away."), 1))
    assert told(asked) == []


def test_what_the_server_refuses_is_not_asked_again():
    with pytest.raises(ServerRefused):
        patience().ask(answers(ServerRefused("Job 7 not found."), 1))


def test_an_outage_ends_with_the_time_that_was_given():
    asked = patience(deadline_s=time.monotonic() + 3600)
    asked.ask(answers(1))
    asked.deadline_s = time.monotonic()

    with pytest.raises(OutOfTime):
        asked.ask(answers(ServerAway("The server is away."), 2))


def test_a_pause_is_never_longer_than_the_time_that_is_left():
    pauses: list[float] = []
    asked = Patience(Console(file=StringIO()), deadline_s=time.monotonic() + 1, sleep=pauses.append)

    asked.pause(60)

    assert 0 < pauses[0] <= 1
