"""What browser tests put into a running registry, by its API."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.holding_still import hold_still
from tests.systems import System
from tests.waiting import wait_until

MLMODEL = """flavors:
  python_function:
    loader_module: mlflow.sklearn
    python_version: 3.11.2
  sklearn:
    pickled_model: model.pkl
    sklearn_version: 1.8.0
mlflow_version: 3.1.0
signature:
  inputs: '[{"name": "wind", "type": "double"}, {"name": "temp", "type": "double", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: '[{"name": "horizon", "type": "long", "default": 24}]'
"""


# A copy is held once so much of it is staged, of so much: on the fastest disk it is still under way by then.
HELD_AT_BYTES, HELD_COPY_BYTES = 16_000_000, 600_000_000


class Registry:
    """A running system, and a hand that fills it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.url = system.url
        self._made = 0

    def new_name(self, stem: str = "model") -> str:
        """Return a name that no test of this module has used."""
        self._made += 1
        return f"{stem}-{self._made}"

    def folder(self, name: str = "plain", **files: bytes) -> Path:
        """Write a folder that may be registered."""
        folder = self.system.folder / "sources" / name
        content = {"MLmodel": MLMODEL.encode(), "model.pkl": b"\x80\x04\x00", "requirements.txt": b"numpy==2.1\n"}
        for path, data in {**content, **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    @contextmanager
    def held_copy(self) -> Iterator[str]:
        """Register version 1 of a new model and hold its worker's child in the midst of the copy; yield the name.

        A page can then be looked at for as long as its test needs, whatever the disk's speed; afterwards the child
        goes on. The block must be done within a lease (MODELYARD_LEASE_S), or a sweep takes the job from the child.
        """
        # A fast disk may be done before the child is held; then the next copy is tried.
        name, held = wait_until(self._begin_held_copy, within_s=60, what="a copy that is held while it is under way")
        try:
            yield name
        finally:
            with suppress(ProcessLookupError):
                os.kill(held, signal.SIGCONT)

    def _begin_held_copy(self) -> tuple[str, int] | None:
        """Begin a copy and hold its child; return the model's name and the pid, None when the copy was over before."""
        name = self.model()
        # Random bytes: nothing of them is stored yet, so that they must be copied.
        source = self.folder(self.new_name("large"), **{"weights.bin": os.urandom(HELD_COPY_BYTES)})
        self.system.call("POST", "model-versions/create", {"name": name, "source": str(source)})
        wait_until(lambda: self._is_staging() or self._is_over(name), within_s=30, what="a copy under way")
        running = self.native("GET", "/api/v1/jobs", model=name, status="RUNNING")["jobs"]
        if not running:
            return None
        held = int(running[0]["worker"].split(":")[1])
        self._hold(held)
        if self._is_over(name):
            os.kill(held, signal.SIGCONT)
            return None
        return name, held

    def _is_over(self, name: str) -> bool:
        return self.status(name, "1") != "PENDING_REGISTRATION"

    def _is_staging(self) -> bool:
        """Whether a good piece of some file lies in the store's staging area."""
        for path in self.system.home.glob("store/ingest/*/*"):
            with suppress(FileNotFoundError):
                if path.stat().st_size > HELD_AT_BYTES:
                    return True
        return False

    def _hold(self, child: int) -> None:
        """Stop a process that runs a job, at a moment when it does not write to the database."""

        def is_held() -> bool:
            hold_still(child)
            with closing(sqlite3.connect(self.system.home / "modelyard.db", timeout=0.2)) as database:
                try:
                    database.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    # Held while it held the lock, it would hold up everybody.
                    os.kill(child, signal.SIGCONT)
                    return False
                return True

        wait_until(is_held, what="a child that holds no lock")

    def broken_folder(self) -> Path:
        """Write a folder that cannot be registered: it holds a symbolic link."""
        folder = self.folder(self.new_name("broken"))
        (folder / "link").symlink_to("/etc/hostname")
        return folder

    def model(self, name: str | None = None, **fields: Any) -> str:
        """Create a model; return its name."""
        name = name or self.new_name()
        self.system.call("POST", "registered-models/create", {"name": name, **fields})
        return name

    def version(self, name: str, *, source: Path | None = None, stage: str | None = None, **fields: Any) -> str:
        """Register a version; unless it fails wait until it is READY, and move it to `stage`; return its number."""
        body = {"name": name, "source": str(source or self.folder()), **fields}
        number = str(self.system.call("POST", "model-versions/create", body)["model_version"]["version"])
        wait_until(lambda: self.status(name, number) != "PENDING_REGISTRATION", within_s=20, what="the registration")
        if stage:
            self.move(name, number, stage)
        return number

    def native(self, method: str, path: str, body: dict[str, Any] | None = None, **fields: str) -> dict[str, Any]:
        """Call a route of the native API, with `fields` in the query string; return its JSON."""
        answer = self.system.request(method, path, body, **fields)
        assert answer.status == 200, answer.data
        found: dict[str, Any] = answer.json()
        return found

    def move(self, name: str, number: str, stage: str) -> None:
        """Move a version to a stage."""
        self.system.call("POST", "model-versions/transition-stage", {"name": name, "version": number, "stage": stage})

    def shown(self, name: str, number: str) -> dict[str, Any]:
        """Return a version as clients see it."""
        found: dict[str, Any] = self.system.call("GET", "model-versions/get", name=name, version=number)
        version: dict[str, Any] = found["model_version"]
        return version

    def status(self, name: str, number: str) -> str:
        """Return a version's status."""
        return str(self.shown(name, number)["status"])

    def stage(self, name: str, number: str) -> str:
        """Return a version's stage."""
        return str(self.shown(name, number)["current_stage"])


def path_of(name: str, number: str | None = None, rest: str = "") -> str:
    """Return the address of a model's or a version's page."""
    model = f"/models/{quote(name, safe='')}"
    return f"{model}/versions/{number}{rest}" if number is not None else model + rest
