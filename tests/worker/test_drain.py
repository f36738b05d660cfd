"""A worker that is asked to stop gives its jobs back first, and does not linger when it has none."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.processes.trees import Tree
from tests.waiting import wait_until


@pytest.fixture
def start_tree(tmp_path: Path) -> Iterator[Callable[..., Tree]]:
    trees: list[Tree] = []

    def start(**settings: object) -> Tree:
        trees.append(Tree(tmp_path, **settings))
        return trees[-1]

    yield start
    for tree in trees:
        tree.remove()


def test_the_flag_raised_in_one_process_is_seen_in_another():
    program = """
import os
from modelyard.worker.drain import DrainFlag
flag = DrainFlag()
before = flag.requested()
child = os.fork()
if child == 0:
    flag.request()
    os._exit(0)
os.waitpid(child, 0)
print(before, flag.requested())
"""

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.split() == ["False", "True"]


def test_an_idle_worker_leaves_at_once_with_its_children(start_tree):
    tree = start_tree(drain_s=600)
    worker = psutil.Process(tree.pid("worker"))
    children = worker.children()

    worker.terminate()

    wait_until(lambda: tree.pid("worker") != worker.pid)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_busy_child_sees_the_flag_and_releases_its_job(start_tree):
    tree = start_tree(drain_s=600)
    tree.ask("/patient/1/copy")
    tree.wait_for("patient-1.started")

    os.kill(tree.pid("worker"), signal.SIGTERM)

    tree.wait_for("patient-1.released")


def test_a_job_that_does_not_look_is_ended_after_the_grace(start_tree):
    tree = start_tree(drain_s=0.5)
    tree.ask("/stubborn/1/copy")
    tree.wait_for("stubborn-1.started")
    worker = tree.pid("worker")

    os.kill(worker, signal.SIGTERM)

    tree.wait_for("stubborn-1.ended")
    wait_until(lambda: tree.pid("worker") != worker)
    assert "the grace is over" in tree.log.read_text()


def test_a_worker_without_a_broker_still_stops_at_once(start_tree):
    tree = start_tree(drain_s=600)
    worker = tree.pid("worker")
    os.kill(tree.pid("broker"), signal.SIGSTOP)

    os.kill(worker, signal.SIGTERM)

    wait_until(lambda: tree.pid("worker") != worker)
