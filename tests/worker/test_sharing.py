"""A short job never waits behind a copy, though one worker serves both queues."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard.jobs.broker import create_broker
from modelyard.worker.sharing import share_children
from tests.processes.trees import Tree
from tests.waiting import wait_until


@pytest.fixture
def start_tree(tmp_path: Path) -> Iterator[Callable[[], Tree]]:
    trees: list[Tree] = []

    def start() -> Tree:
        trees.append(Tree(tmp_path))
        return trees[-1]

    yield start
    for tree in trees:
        tree.remove()


@pytest.mark.parametrize(
    ("queues", "concurrency", "own"),
    [(["fast", "copy"], 3, ["fast"]), (["fast", "copy"], 1, ["fast", "copy"]), (["copy"], 3, ["copy"])],
)
def test_copies_have_a_channel_of_their_own_where_there_is_something_to_share(queues, concurrency, own):
    app = create_broker("redis://127.0.0.1:1/0")

    assert share_children(app, queues, concurrency) == own
    assert len(app.steps["consumer"]) == (1 if own != queues else 0)


def test_a_short_job_runs_beside_copies_that_would_take_every_child(start_tree):
    tree = start_tree()
    for number in (1, 2, 3, 4):
        tree.ask(f"/held/{number}/copy")
    tree.wait_for("held-2.started")

    tree.ask("/quick/1/fast")

    tree.wait_for("quick-1")
    assert not (tree.folder / "held-3.started").exists()


def test_a_waiting_copy_follows_the_one_that_ends(start_tree):
    tree = start_tree()
    for number in (1, 2, 3):
        tree.ask(f"/held/{number}/copy")
    tree.wait_for("held-2.started")

    (tree.folder / "free-1").touch()
    tree.wait_for("held-1.ended")

    tree.wait_for("held-3.started")


def test_a_waiting_copy_follows_one_whose_child_was_killed(start_tree):
    tree = start_tree()
    for number in (1, 2, 3):
        tree.ask(f"/held/{number}/copy")
    tree.wait_for("held-2.started")

    os.kill(int(tree.text("held-1.started")), signal.SIGKILL)

    tree.wait_for("held-3.started")


def test_copies_are_taken_again_after_the_broker_came_back(start_tree):
    tree = start_tree()
    broker = tree.pid("broker")
    os.kill(broker, signal.SIGKILL)
    wait_until(lambda: tree.pid("broker") != broker)

    # A message sent while the worker has not come back yet would wait for it.
    tree.ask("/held/1/copy")

    wait_until((tree.folder / "held-1.started").exists, within_s=10)
