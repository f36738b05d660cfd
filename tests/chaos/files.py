"""Whether the bytes are right: what clients download, and what lies in the store."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import urllib3
from sqlalchemy import select

from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.jobs.guards import versions
from modelyard.storage.manifest import parse_manifest
from modelyard.storage.store import blob_name
from tests.chaos.clients import Registration
from tests.chaos.house import House

blobs = metadata.tables["blobs"]
manifest_blobs = metadata.tables["manifest_blobs"]

PIECE_BYTES = 1 << 20


def wrong_downloads(house: House, ready: list[Registration]) -> list[str]:
    """Download every file of these versions as a client does; return what differs from the source, a line each."""
    http = urllib3.PoolManager(retries=False, timeout=30, maxsize=4)
    with ThreadPoolExecutor(4) as pool:
        found = [line for lines in pool.map(lambda wish: _compare(house, http, wish), ready) for line in lines]
    http.clear()
    return found


def _compare(house: House, http: urllib3.PoolManager, wish: Registration) -> list[str]:
    which = f"{wish.model} version {wish.version}"
    asked = {"name": wish.model, "version": str(wish.version)}
    answer = http.request("GET", f"{house.urls[-1]}/api/2.0/mlflow/model-versions/get-download-uri", fields=asked)
    if answer.status != 200:
        return [f"{which} cannot be downloaded: {answer.status} {answer.data.decode(errors='replace')[:200]}"]
    root = house.urls[-1] + urlsplit(json.loads(answer.data)["artifact_uri"]).path
    found = {path: _digest(http.request("GET", f"{root}/{path}", preload_content=False)) for path in wish.source.files}
    return [
        f"{which}: {path} has {found[path]}, its source {digest}"
        for path, digest in wish.source.files.items()
        if found[path] != digest
    ]


def _digest(answer: urllib3.BaseHTTPResponse) -> str:
    digest = hashlib.sha256()
    for piece in answer.stream(PIECE_BYTES):
        digest.update(piece)
    answer.release_conn()
    return digest.hexdigest() if answer.status == 200 else f"status {answer.status}"


def broken_manifests(house: House) -> list[str]:
    """Return what is missing or wrong behind the manifests of READY versions: invariant 6, a line each."""
    with autocommit(house.engine) as connection:
        digests = connection.scalars(
            select(versions.c.manifest_digest).where(versions.c.status == "READY").distinct()
        ).all()
        generations = {row.digest: row.gen for row in connection.execute(select(blobs).where(blobs.c.state == "live"))}
        references = {(row.manifest_digest, row.digest) for row in connection.execute(select(manifest_blobs))}
    wrong = [f"6: the blob {digest} holds other bytes" for digest in _spoilt_blobs(house, generations)]
    for manifest in digests:
        wrong += [f"6: {line}" for line in _broken_manifest(house, manifest, generations, references)]
    return wrong


def _broken_manifest(
    house: House, manifest: str | None, generations: dict[str, int], references: set[tuple[str, str]]
) -> Iterator[str]:
    if manifest is None or manifest not in generations:
        yield f"READY with the manifest {manifest}, which is no live blob"
        return
    content = (house.store / blob_name(manifest, generations[manifest])).read_bytes()
    for digest in {manifest, *(file.digest for file in parse_manifest(content))}:
        if digest not in generations:
            yield f"the manifest {manifest} names {digest}, which is no live blob"
        elif (manifest, digest) not in references:
            yield f"the manifest {manifest} names {digest}, but no reference holds it"


def _spoilt_blobs(house: House, generations: dict[str, int]) -> list[str]:
    def is_right(item: tuple[str, int]) -> bool:
        try:
            with (house.store / blob_name(*item)).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == item[0]
        except FileNotFoundError:
            return False

    # A blob of an attempt that was lost may have a row and no file; only what a manifest refers to must be there.
    with autocommit(house.engine) as connection:
        held = set(connection.scalars(select(manifest_blobs.c.digest).distinct()))
    items = sorted(item for item in generations.items() if item[0] in held)
    with ThreadPoolExecutor(4) as pool:
        return [item[0] for item, right in zip(items, pool.map(is_right, items), strict=True) if not right]
