"""A whole Modelyard, started as a user starts it: `modelyard up` on a home of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3

from tests.servers import free_port, start_leashed
from tests.waiting import PATIENCE, wait_until

START_S = 30
STOP_S = 45 * PATIENCE


class System:
    """A running `modelyard up`. `settings` are its MODELYARD_ variables, without the prefix and in small letters.

    `variables` are others of its environment.
    """

    def __init__(self, folder: Path, *, variables: Mapping[str, str] | None = None, **settings: object) -> None:
        self.variables = dict(variables or {})
        self.folder = folder
        self.home = folder / "home"
        self.log = folder / "up.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"home": self.home, "port": self.port, "log_format": "json"} | settings
        self.token = str(settings.get("admin_token", "any"))
        self.process: subprocess.Popen[bytes] | None = None
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(60))

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.launch()
        wait_until(self._is_ready, within_s=START_S, what=f"`modelyard up` (log: {self.log})")

    def launch(self) -> None:
        """Start it and do not wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "modelyard", "up"]
        self.process = start_leashed(command, self.log, environment=self.environment())

    def stop(self) -> None:
        """Stop it with TERM and wait; without effect when it does not run.

        Raises AssertionError with the log when it did not end in time or not with status 0.
        """
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            status = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"`modelyard up` did not stop within {STOP_S} s:\n{self.log_text()}") from None
        finally:
            self._http.clear()
        assert status == 0, f"`modelyard up` ended with status {status}:\n{self.log_text()}"

    def kill(self) -> None:
        """Kill the supervisor; its children have to notice by themselves."""
        assert self.process is not None, "The system is not running."
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def environment(self) -> dict[str, str]:
        """Return the environment that it runs in: nothing of the caller's but PATH."""
        own = {f"MODELYARD_{name.upper()}": str(value) for name, value in self.settings.items()}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.variables | own

    def log_text(self) -> str:
        """Return everything that it has logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def request(self, method: str, path: str, body: object = None, **fields: str) -> urllib3.BaseHTTPResponse:
        """Send one request as the administrator; `fields` go into the query string."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = self.url + path
        if body is not None:
            return self._http.request(method, url, json=body, headers=headers)
        return self._http.request_encode_url(method, url, fields=fields, headers=headers)

    def call(self, method: str, route: str, body: object = None, **fields: str) -> Any:
        """Call `/api/2.0/mlflow/ROUTE` and return its JSON.

        Raises AssertionError with the answer unless its status is 200.
        """
        answer = self.request(method, f"/api/2.0/mlflow/{route}", body, **fields)
        assert answer.status == 200, f"{method} {route}: {answer.status} {answer.data.decode(errors='replace')}"
        return json.loads(answer.data)

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"`modelyard up` ended at its start:\n{self.log_text()}")
        try:
            return self.request("GET", "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False
