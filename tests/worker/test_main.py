"""The start of a worker's processes: one that cannot start ends, and says whose fault that is."""

import subprocess
import sys

import pytest

START = """
from sqlalchemy.exc import OperationalError, ProgrammingError
from modelyard.worker.main import _start_or_exit
def start():
    raise {error}("SELECT", {{}}, Exception("the reason"))
_start_or_exit(start)
print("went on")
"""


@pytest.mark.parametrize(
    ("error", "said", "defect"),
    [
        ("OperationalError", "the database does not answer; this process of the worker ends", False),
        ("ProgrammingError", "this process of the worker cannot start", True),
    ],
)
def test_a_process_that_cannot_start_ends_and_says_why(error: str, said: str, defect: bool) -> None:
    command = [sys.executable, "-c", START.format(error=error)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    told = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert said in told
    assert "the reason" in told
    assert ("ProgrammingError" in told) is defect
