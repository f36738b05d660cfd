"""Where the attacks take place: a web process, a worker, a tracking server that may lie, a bucket on a bad line."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.bucket import Bucket
from modelyard.storage.local_tree import LocalTree
from tests.storage.cloud.faulty_proxy import FaultyProxy
from tests.storage.far_server import FarServer
from tests.web.yards import Yard

MODEL_ID = "m-" + "0" * 32
CONTENT = bytes(range(256)) * 40


@dataclass(frozen=True)
class Outcome:
    """What an attack got: an HTTP status or a version's status, and the words."""

    status: str
    words: str


@dataclass
class Scene:
    """A yard whose only source root is `sources`, with the model folder `model` in it and a secret beside it."""

    yard: Yard
    folder: Path
    far: FarServer
    line: FaultyProxy
    bucket: BucketFolder
    patch: pytest.MonkeyPatch
    numbers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sources = self.folder / "sources"
        self.outside = self.folder / "outside"
        self.outside.mkdir()
        (self.outside / "MLmodel").write_text("the secret")
        self.model = self.yard.model_folder(**{"data/weights": CONTENT})
        for name, content in {"MLmodel": b"flavors: {}\n", "data/weights": CONTENT}.items():
            self.far.files[f"1/model/{name}"] = content

    def register_bucket(self) -> Outcome:
        """Fill the folder of the bucket with a model, and register it."""
        bucket = Bucket(self.bucket)
        for path in self.model.rglob("*"):
            if path.is_file():
                bucket.put(self.bucket.key(str(path.relative_to(self.model))), path.read_bytes())
        return self.register(self.bucket)

    def register(self, source: object) -> Outcome:
        """Try to register a source, let the worker do what it would, and say how far it came."""
        self.yard.send("POST", "registered-models/create", {"name": "m"})
        answer = self.yard.send("POST", "model-versions/create", {"name": "m", "source": str(source)})
        document = answer.get_json()
        if answer.status_code != 200:
            return Outcome(str(answer.status_code), document["message"])
        self.yard.work()
        version = self.yard.version(number=document["model_version"]["version"])
        return Outcome(version["status"], version.get("status_message", ""))

    def register_tracked(self) -> Outcome:
        """Register the model that the tracking server keeps, whatever it says of it."""
        return self.register("mlflow-artifacts:/1/model")

    def register_logged(self, artifact_uri: str) -> Outcome:
        """Register a logged model that the tracking server says lies at `artifact_uri`."""
        self.far.logged_model(MODEL_ID, artifact_uri)
        return self.register(f"models:/{MODEL_ID}")

    def after_listing(self, change: Callable[[], object]) -> None:
        """Let `change` happen between the listing of a folder and the opening of its files."""
        real = LocalTree.entries

        def entries(tree: LocalTree) -> Any:
            found = real(tree)
            change()
            return found

        self.patch.setattr(LocalTree, "entries", entries)

    def swap(self, path: Path, target: Path) -> None:
        """Put a link to `target` in the place of `path`."""
        os.rename(path, self.folder / "moved away")
        path.symlink_to(target)

    def get(self, path: str, **options: Any) -> Outcome:
        """Ask for a path of the server."""
        return self.ask("GET", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> Outcome:
        """Send a request and return its refusal."""
        answer = self.yard.send(method, path, **options)
        document = answer.get_json(silent=True) or {}
        return Outcome(str(answer.status_code), document.get("message", answer.get_data(as_text=True)))

    def ready(self) -> str:
        """Make version 1 READY and return the path of its files."""
        assert self.register(self.model).status == "READY"
        uri = self.yard.call("GET", "model-versions/get-download-uri", name="m", version="1")["artifact_uri"]
        return str(uri).removeprefix(self.yard.runtime.public_url)

    def link(self, path: str = "MLmodel") -> str:
        """Return a signed link to a file of version 1."""
        answer = self.yard.call("GET", "model-versions/get-signed-download-uri", name="m", version="1", path=path)
        return str(answer["signed_uri"]).removeprefix(self.yard.runtime.public_url)
