"""What people call a stored blob: the version that uses it and the path that it has there."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from modelyard.errors import NotFound, TemporaryFailure
from modelyard.registry import blobs
from modelyard.registry.integrity import Use
from modelyard.rules.counts import listed
from modelyard.storage.manifest import BrokenManifest, ManifestFile, parse_manifest
from modelyard.worker.context import Context
from modelyard.worker.fence import looked_up

_KEPT = 50


@dataclass(slots=True)
class FileNames:
    """Reads manifests and keeps the last few. A damaged manifest names nothing, and a file then has no path."""

    context: Context
    _kept: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def written(self, use: Use) -> str:
        """Return a blob's name, such as "house-prices/3: data/model.bin"."""
        paths = self._paths(use.manifest_digest).get(use.digest)
        if use.digest == use.manifest_digest:
            paths = ["the list of its files"]
        return f"{use.model_name}/{use.version}: {listed(paths, most=3) if paths else f'the blob {use.digest}'}"

    def _paths(self, manifest_digest: str) -> dict[str, list[str]]:
        if manifest_digest not in self._kept:
            if len(self._kept) == _KEPT:
                self._kept.clear()
            by_digest = defaultdict(list)
            for file in read_manifest(self.context, manifest_digest) or ():
                by_digest[file.digest].append(file.path)
            self._kept[manifest_digest] = dict(by_digest)
        return self._kept[manifest_digest]


def read_manifest(context: Context, digest: str) -> list[ManifestFile] | None:
    """Return the files that a manifest lists; None when it cannot be read as what it was."""
    gen = looked_up(context, lambda session: blobs.generations(session, [digest])).get(digest)
    if gen is None:
        return None
    try:
        with context.store.open_blob(digest, gen) as opened:
            content = b"".join(opened.pieces())
        return parse_manifest(content) if hashlib.sha256(content).hexdigest() == digest else None
    except (NotFound, TemporaryFailure, BrokenManifest, EOFError, OSError):
        return None
