"""A running system with one model, and large folders to register as versions of it."""

import subprocess
import time
from pathlib import Path

from tests.systems import System
from tests.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
READY_S = 1800


class Bench:
    """A running system, and one model of it to which versions are added."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.sources = folder / "sources"
        self.sources.mkdir(parents=True, exist_ok=True)
        self.system = System(folder, source_roots=self.sources, log_level="warning", create_wait_s=0, **settings)

    def __enter__(self) -> "Bench":
        self.system.start()
        self.system.call("POST", "registered-models/create", {"name": "bench"})
        small = self.model("warm", 3, KIB)
        self.register(small)  # The first one loads what the worker needs.
        return self

    def __exit__(self, *_: object) -> None:
        self.system.stop()

    def model(self, name: str, files: int, size_bytes: int) -> Path:
        """Write a model of files that are all different, flushed to the disk, and return its folder."""
        folder = self.sources / name
        (folder / "data").mkdir(parents=True)
        (folder / "MLmodel").write_text("flavors: {}\n")
        block = random_block()
        for number in range(files):
            with (folder / "data" / f"{number:05}").open("wb") as file:
                file.write(f"{name} {number}".encode().ljust(64))
                for start in range(64, size_bytes, len(block)):
                    file.write(block[: size_bytes - start])
        sync(folder)
        return folder

    def register(self, source: object) -> float:
        """Register a version and return the seconds until it is READY."""
        began_s = time.perf_counter()
        answer = self.system.call("POST", "model-versions/create", {"name": "bench", "source": str(source)})
        self.wait(str(answer["model_version"]["version"]))
        return time.perf_counter() - began_s

    def wait(self, number: str) -> None:
        """Wait until a version is READY."""

        def is_ready() -> bool:
            found = self.system.call("GET", "model-versions/get", name="bench", version=number)["model_version"]
            assert found["status"] != "FAILED_REGISTRATION", found["status_message"]
            return bool(found["status"] == "READY")

        wait_until(is_ready, within_s=READY_S, what="READY")

    def files_url(self, number: str) -> str:
        """Return the address of a version's files."""
        answer = self.system.call("GET", "model-versions/get-download-uri", name="bench", version=number)
        return str(answer["artifact_uri"])

    def newest(self) -> str:
        """Return the number of the newest version."""
        found = self.system.call("GET", "model-versions/search", filter="name='bench'", max_results="1")
        return str(found["model_versions"][0]["version"])


def sync(folder: Path) -> None:
    """Wait until the file system of `folder` has everything on its disk."""
    subprocess.run(["sync", "-f", str(folder)], check=True)


def random_block() -> bytes:
    """Return a mebibyte that compresses badly."""
    with open("/dev/urandom", "rb") as random:
        return random.read(MIB)
