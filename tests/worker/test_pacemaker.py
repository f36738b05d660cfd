"""The thread from which hearts beat: it stays from job to job, and never calls for one that has ended."""

import threading
import time

import pytest

from modelyard.worker import pacemaker as pacemaker_module
from modelyard.worker.pacemaker import Pacemaker
from tests.waiting import wait_until

EVERY_S = 0.005


def test_it_calls_until_the_end_and_then_no_more():
    calls: list[str] = []
    pacemaker = Pacemaker()

    pacemaker.begin(lambda: calls.append("first"), EVERY_S)
    wait_until(lambda: len(calls) > 2)
    pacemaker.end()
    ended_at = len(calls)
    time.sleep(10 * EVERY_S)

    assert len(calls) == ended_at


def test_one_thread_serves_job_after_job():
    pacemaker = Pacemaker()
    threads: set[threading.Thread] = set()

    for _ in range(3):
        called = threading.Event()

        def call(called: threading.Event = called) -> None:
            threads.add(threading.current_thread())
            called.set()

        pacemaker.begin(call, EVERY_S)
        assert called.wait(10)
        pacemaker.end()

    assert len(threads) == 1


def test_the_end_waits_for_a_call_under_way():
    pacemaker = Pacemaker()
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        entered.set()
        leave.wait(10)
        left.set()

    pacemaker.begin(call, EVERY_S)
    assert entered.wait(10)
    ending = threading.Thread(target=pacemaker.end)
    ending.start()
    ending.join(10 * EVERY_S)
    assert ending.is_alive()
    leave.set()
    ending.join(10)

    assert left.is_set()
    assert not ending.is_alive()


def test_idle_it_lets_its_thread_go_and_takes_another_for_the_next_job(monkeypatch):
    monkeypatch.setattr(pacemaker_module, "_IDLE_S", 2 * EVERY_S)
    pacemaker, called = Pacemaker(), threading.Event()
    threads: list[threading.Thread] = []
    pacemaker.begin(lambda: threads.append(threading.current_thread()), EVERY_S)
    wait_until(lambda: threads)
    pacemaker.end()
    threads[0].join(10)
    assert not threads[0].is_alive()

    pacemaker.begin(called.set, EVERY_S)

    assert called.wait(10)
    pacemaker.end()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_call_that_raises_costs_its_own_job_alone():
    pacemaker, called = Pacemaker(), threading.Event()
    broken: list[threading.Thread] = []

    def call() -> None:
        broken.append(threading.current_thread())
        raise ZeroDivisionError

    pacemaker.begin(call, EVERY_S)
    wait_until(lambda: broken)
    # At once, while the thread of the call may still be ending.
    pacemaker.end()

    pacemaker.begin(called.set, EVERY_S)

    assert called.wait(10)
    pacemaker.end()
    # What it raised is told when it ends: let that be within this test.
    broken[0].join(10)
    assert not broken[0].is_alive()
