"""Manifests: the list of a version's files as an OCI image manifest.

Canonical JSON without times, names of models or sources: the same files give the same bytes and so the same digest.
Source: OCI image specification 1.1, "Guidelines for Artifact Usage".
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.modelyard.model.v1"
_FILE_MEDIA_TYPE = "application/octet-stream"
_TITLE = "org.opencontainers.image.title"
_EMPTY_CONFIG = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:" + hashlib.sha256(b"{}").hexdigest(),
    "size": 2,
    "data": "e30=",
}
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BrokenManifest(ValueError):
    """Bytes that are no manifest of ours. They were verified by digest before, so this is a bug, not bad input."""


@dataclass(frozen=True, slots=True, order=True)
class ManifestFile:
    """One file of a version: relative path with slashes, size, SHA-256 as 64 lowercase hex digits."""

    path: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's bytes and their own digest, 64 lowercase hex digits."""

    content: bytes
    digest: str


def build_manifest(files: Iterable[ManifestFile]) -> Manifest:
    """Return the manifest of `files`, in whatever order they come. Raises BrokenManifest for a path that is no path."""
    ordered = sorted(files)
    _check(ordered)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": _EMPTY_CONFIG,
        "layers": [
            {
                "mediaType": _FILE_MEDIA_TYPE,
                "digest": f"sha256:{file.digest}",
                "size": file.size_bytes,
                "annotations": {_TITLE: file.path},
            }
            for file in ordered
        ],
    }
    content = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return Manifest(content, hashlib.sha256(content).hexdigest())


def parse_manifest(content: bytes) -> list[ManifestFile]:
    """Return the files that a manifest lists, sorted by path. Raises BrokenManifest."""
    try:
        document = json.loads(content)
        if document["mediaType"] != MANIFEST_MEDIA_TYPE or document["artifactType"] != ARTIFACT_TYPE:
            raise BrokenManifest("not a manifest of Modelyard")
        files = [
            ManifestFile(layer["annotations"][_TITLE], layer["size"], layer["digest"].removeprefix("sha256:"))
            for layer in document["layers"]
        ]
        _check(files)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BrokenManifest(str(error)) from error
    return files


def _check(files: list[ManifestFile]) -> None:
    """Raise BrokenManifest unless the files are sorted, their paths distinct and relative, digests and sizes sound."""
    previous = ""
    for file in files:
        if file.path <= previous:
            raise BrokenManifest(f"{file.path!r} is out of order or there twice")
        if any(part in ("", ".", "..") for part in file.path.split("/")) or "\0" in file.path:
            raise BrokenManifest(f"{file.path!r} is no relative path")
        if not _DIGEST.fullmatch(file.digest) or isinstance(file.size_bytes, bool) or file.size_bytes < 0:
            raise BrokenManifest(f"{file.path!r} has a bad digest or size")
        previous = file.path
