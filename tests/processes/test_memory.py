"""Memory that was freed and does not come back."""

import subprocess
import sys

import pytest

# The first large piece is what glibc learns from.
PROGRAM = """
import os, psutil
from modelyard.processes.memory import return_large_pieces
return_large_pieces()
held = psutil.Process().memory_info().rss
for _ in range(4):
    b"x" * (15 << 20)
print((psutil.Process().memory_info().rss - held) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps large pieces")
def test_a_large_body_that_was_freed_is_given_back_to_the_system() -> None:
    kept_mib = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout

    assert int(kept_mib) < 5
