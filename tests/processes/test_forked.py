"""Work that is done in a child: what it leaves here, and what it says when it fails."""

import os

import pytest

from modelyard.errors import ConfigurationError
from modelyard.processes.forked import Forked


def children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as listing:
        return listing.read().split()


def test_the_work_is_done_in_another_process_that_is_gone_afterwards(tmp_path):
    before = children()
    work = Forked(lambda: (tmp_path / "pid").write_text(str(os.getpid())))

    work.wait()
    work.wait()

    assert int((tmp_path / "pid").read_text()) != os.getpid()
    assert children() == before


def test_what_it_could_not_accept_is_raised_here():
    def refuse():
        raise ConfigurationError("The store belongs to another registry.")

    with pytest.raises(ConfigurationError, match="belongs to another registry"):
        Forked(refuse).wait()


def test_a_bug_in_it_is_shown_and_stops_the_start(capfd):
    def stumble():
        raise ZeroDivisionError("a bug")

    with pytest.raises(ConfigurationError, match="the lines above say why"):
        Forked(stumble).wait()

    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_work_that_nobody_waits_for_comes_to_its_end(tmp_path):
    before = children()

    def refuse():
        (tmp_path / "done").touch()
        raise ConfigurationError("Nobody reads this.")

    work = Forked(refuse)
    work.abandon()
    work.abandon()

    assert (tmp_path / "done").exists()
    assert children() == before
