"""How a worker's processes hang together: its sweep and the rest live and end as one."""

import signal
import subprocess
import sys

PROGRAM = """
import threading
from types import SimpleNamespace
from modelyard.jobs.sweep import Sweep
from modelyard.worker.assembly import sweep_for_ever

def defect():
    raise TypeError("a defect")

sweep = Sweep(SimpleNamespace(), SimpleNamespace(), period_s=0.01, chores=[defect])
threading.Thread(target=sweep_for_ever, args=[sweep], daemon=True).start()
threading.Event().wait(60)
"""


def test_a_worker_whose_sweep_broke_stops_and_says_why():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == -signal.SIGTERM
    assert "the sweep has ended" in ended.stdout
    assert "a defect" in ended.stdout + ended.stderr
