"""The home folder belongs to one `up` at a time, and what is wrong with it is said in one line."""

import os
import stat
import sys

import pytest

from modelyard.errors import ConfigurationError
from modelyard.processes.home import own_home
from tests.servers import start_leashed
from tests.waiting import wait_until

HOLD = (
    "import pathlib, sys, time; from modelyard.processes.home import own_home\n"
    "with own_home(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


def test_an_absent_home_is_made_for_its_owner_alone(tmp_path):
    with own_home(tmp_path / "a" / "b"):
        mode = stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode)

    assert mode == 0o700


def test_a_second_up_on_the_same_home_names_the_first(tmp_path):
    process = start_leashed([sys.executable, "-c", HOLD, str(tmp_path)], tmp_path.with_suffix(".log"))
    wait_until(lambda: "held" in tmp_path.with_suffix(".log").read_text())

    with pytest.raises(ConfigurationError, match=rf"\(process {process.pid}\) runs on .*MODELYARD_HOME"):
        own_home(tmp_path).__enter__()

    process.kill()
    process.wait()


def test_the_lock_falls_with_a_killed_process(tmp_path):
    process = start_leashed([sys.executable, "-c", HOLD, str(tmp_path)], tmp_path.with_suffix(".log"))
    wait_until(lambda: "held" in tmp_path.with_suffix(".log").read_text())
    process.kill()
    process.wait()

    with own_home(tmp_path):
        assert (tmp_path / "up.lock").read_text().strip() == str(os.getpid())


@pytest.mark.parametrize("obstacle", ["a file in its place", "a folder that is none"])
def test_a_home_that_cannot_be_written_says_what_to_do(tmp_path, obstacle):
    file = tmp_path / "file"
    file.touch()
    home = file if obstacle == "a file in its place" else file / "home"

    with pytest.raises(ConfigurationError, match=r"Cannot write to the home folder .*MODELYARD_HOME"):
        own_home(home).__enter__()
