"""Sources to be registered in a storm: models with random content whose digests are known, and some that must fail."""

import hashlib
import itertools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
BIG_FILES, BIG_FILE_BYTES = 4, 16 * MIB
BIG_MODELS: Final = 3


@dataclass(frozen=True)
class Source:
    """A folder to register. `files` maps path -> SHA-256; `doom` is what the reason must say if it has to fail."""

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    doom: str | None = None


class Sources:
    """Makes sources below `root`; threads may share it.

    The big ones are few and registered again and again, so that two jobs often store the same blobs at once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._numbers = itertools.count(1)
        self._big: list[Source] = []

    def make_big(self, rng: random.Random) -> None:
        """Write the big models; before anybody draws."""
        sizes = {f"part-{n}.bin": BIG_FILE_BYTES for n in range(BIG_FILES)}
        self._big = [self._write(rng, sizes) for _ in range(BIG_MODELS)]

    def draw(self, rng: random.Random) -> Source:
        """Return what a client registers next: mostly a small model, sometimes a big or a doomed one."""
        chance = rng.random()
        if chance < 0.06:
            return rng.choice(self._big)
        if chance < 0.14:
            return self._doomed(rng)
        return self.small(rng)

    def small(self, rng: random.Random) -> Source:
        """Return a new model of a few small files."""
        return self._write(rng, {f"data/{n}.bin": rng.randrange(1, 60_000) for n in range(rng.randrange(1, 5))})

    def _doomed(self, rng: random.Random) -> Source:
        folder = self._new_folder()
        doom, spoil = rng.choice(DOOMS)
        spoil(folder)
        return Source(folder, doom=doom)

    def _write(self, rng: random.Random, sizes: dict[str, int]) -> Source:
        folder = self._new_folder()
        files = {"MLmodel": _write_file(folder / "MLmodel", b"flavors: {}\n")}
        for path, size_bytes in sizes.items():
            files[path] = _write_file(folder / path, rng.randbytes(size_bytes))
        return Source(folder, files)

    def _new_folder(self) -> Path:
        return self.root / f"model-{next(self._numbers)}"


def _write_file(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _with_link(folder: Path) -> None:
    _write_file(folder / "MLmodel", b"flavors: {}\n")
    (folder / "weights.bin").symlink_to("/etc/hostname")


def _with_fifo(folder: Path) -> None:
    _write_file(folder / "MLmodel", b"flavors: {}\n")
    os.mkfifo(folder / "weights.bin")


def _without_model_file(folder: Path) -> None:
    _write_file(folder / "notes.txt", b"not a model\n")


def _missing(folder: Path) -> None:
    """Write nothing: the folder does not exist."""


DOOMS: Final[tuple[tuple[str, Callable[[Path], None]], ...]] = (
    ("is a symbolic link", _with_link),
    ("is a fifo", _with_fifo),
    ("no MLmodel at its root", _without_model_file),
    ("There is no", _missing),
)
