"""What browser tests put into a running registry, by its API."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

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

    def large_folder(self, size_bytes: int) -> Path:
        """Write a folder whose copy takes a moment: random bytes, which are nowhere stored yet."""
        return self.folder(self.new_name("large"), **{"weights.bin": os.urandom(size_bytes)})

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

    def native(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call a route of the native API; return its JSON."""
        answer = self.system.request(method, path, body)
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
