"""One supervisor keeps its parts alive, stops them in order, and takes them along when it is killed."""

import contextlib
import os
import signal
import threading

import psutil
import pytest
from urllib3.exceptions import HTTPError

from tests.processes.trees import PARTS, Tree
from tests.waiting import wait_until


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_child_is_back_by_itself(tree: Tree, part: str):
    killed = tree.pid(part)

    os.kill(killed, signal.SIGKILL)

    wait_until(lambda: tree.pid(part) != killed)
    assert '"reason":"killed by SIGKILL"' in tree.log.read_text()


def test_after_all_children_were_killed_the_system_works_again(tree: Tree):
    for pid in tree.pids().values():
        os.kill(pid, signal.SIGKILL)

    tree.ask("/quick/1/copy")

    # The first message may have gone to the old broker's heir before the worker came; a sweep would ring again.
    wait_until(lambda: tree.ask("/quick/2/copy") and (tree.folder / "quick-2").exists(), within_s=10)


def test_a_child_that_keeps_dying_is_started_more_and_more_rarely(tree: Tree):
    for _ in range(3):
        pid = tree.pid("web-1")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: tree.pid("web-1") != pid)

    log = tree.log.read_text()
    assert [f'"delay_s":{delay}' in log for delay in (0.1, 0.2, 0.4)] == [True, True, True]


def test_requests_survive_the_death_of_a_web_process(tree: Tree):
    answers: list[int] = []
    killed = tree.pid("web-1")

    for number in range(40):
        if number == 10:
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not _is_alive(killed))
        answers.append(tree.ask())

    assert len(answers) == 40


def test_nothing_stays_alive_after_the_supervisor_was_killed(tree: Tree):
    everybody = tree.everybody()
    assert len(everybody) >= 7  # broker, worker, its three children, two web processes

    tree.stop(signal.SIGKILL)

    wait_until(lambda: not any(_is_alive(process.pid) for process in everybody))


def test_an_idle_system_stops_without_its_grace_and_leaves_nothing(start_tree):
    tree = start_tree(drain_s=600)
    everybody = tree.everybody()

    status = tree.stop()

    assert status == 0
    assert not any(_is_alive(process.pid) for process in everybody)


def test_a_stop_waits_for_the_job_and_ends_the_broker_last(tree: Tree):
    tree.ask("/patient/1/copy")
    tree.wait_for("patient-1.started")

    status = tree.stop()

    assert status == 0
    assert (tree.folder / "patient-1.released").exists()
    assert "Cannot connect" not in tree.log.read_text()


def test_a_request_that_never_ends_is_cut_after_the_grace(tree: Tree):
    stalled = threading.Thread(target=_ask_in_vain, args=(tree,))
    stalled.start()
    tree.wait_for("stalled")

    status = tree.stop(within_s=10)

    stalled.join()
    assert status == 0
    assert '"sent":"SIGQUIT"' in tree.log.read_text()


def test_a_second_interrupt_ends_everything_at_once(start_tree):
    tree = start_tree(drain_s=600)
    tree.ask("/stubborn/1/copy")
    tree.wait_for("stubborn-1.started")
    everybody = tree.everybody()
    tree.process.send_signal(signal.SIGINT)
    wait_until(lambda: not _is_alive(tree.pid("web-1")))

    status = tree.stop(signal.SIGINT)

    assert status == 0
    assert not any(_is_alive(process.pid) for process in everybody)


def test_children_are_out_of_reach_of_the_terminal(tree: Tree):
    groups = {os.getpgid(pid) for pid in tree.pids().values()}

    assert os.getpgid(tree.process.pid) not in groups
    assert len(groups) == len(PARTS)


def _is_alive(pid: int) -> bool:
    try:
        # Orphans become zombies where nobody plays init, as in many containers.
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _ask_in_vain(tree: Tree) -> None:
    with contextlib.suppress(HTTPError):
        tree.ask("/stall")
