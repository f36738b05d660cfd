"""A running `small_system.py`, as tests see it: pids by part, requests, signals, what is left afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import urllib3

from tests.servers import start_leashed
from tests.waiting import PATIENCE, wait_until

PROGRAM = Path(__file__).with_name("small_system.py")
PARTS = ("broker", "worker", "web-1", "web-2")


class Tree:
    """A supervisor with its parts; `settings` are MODELYARD_ variables."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.log = folder / "log"
        own = {f"MODELYARD_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {"PATH": os.environ["PATH"]} | own
        command = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", str(PROGRAM), str(folder)]
        self.process: subprocess.Popen[bytes] = start_leashed(command, self.log, environment=environment)
        wait_until((folder / "worker-ready.pid").exists, within_s=20, what=f"the tree (log: {self.log})")
        self.url = wait_until(lambda: self.text("url"))
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def text(self, name: str) -> str:
        """Return what a part has written, "" before it has."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def pid(self, part: str) -> int:
        """Return the pid of the part that runs now or ran last."""
        return int(self.text(f"{part}.pid"))

    def pids(self) -> dict[str, int]:
        """Return every part's pid."""
        return {part: self.pid(part) for part in PARTS}

    def ask(self, path: str = "/") -> int:
        """Send one request on a connection of its own; return the pid that answered."""
        return int(self._http.request("GET", self.url + path, headers={"Connection": "close"}).data)

    def wait_for(self, name: str) -> None:
        """Wait until a toy task has left its mark."""
        wait_until((self.folder / name).exists, what=f"{name} (log: {self.log})")

    def everybody(self) -> list[psutil.Process]:
        """Return every process of the tree but the supervisor."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = 15) -> int:
        """Signal the supervisor and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE * within_s)

    def remove(self) -> None:
        """End whatever still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._http.clear()
