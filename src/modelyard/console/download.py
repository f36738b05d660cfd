"""`modelyard download`: the files of a version fetched over HTTP, every digest compared, cut-off ones continued."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from modelyard.console.client import Server, ServerAway, ServerFailed
from modelyard.console.download_folder import Arrival, DownloadFolder
from modelyard.console.targets import Target
from modelyard.storage.manifest import BrokenManifest, ManifestFile, build_manifest

AT_ONCE = 8
TRIES = 5
_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a version, and where on the server they lie: a path that ends without a slash."""

    files: list[ManifestFile]
    path: str

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


def list_files(server: Server, target: Target) -> Listing:
    """Return the files of a version as the server lists them; the list itself has a digest, which is compared.

    Raises ServerFailed for a list that is no list of a version's files: paths that lead elsewhere, digests that are
    none.
    """
    try:
        return _list_files(server, target)
    except (BrokenManifest, KeyError, TypeError, ValueError) as error:
        raise ServerFailed(f"The server's list of files cannot be used: {error}.") from error


def _list_files(server: Server, target: Target) -> Listing:
    files: list[ManifestFile] = []
    page: dict[str, Any] = {"next_page_token": None}
    while "next_page_token" in page:
        page = server.get(f"{target.path}/files", {"page_token": page["next_page_token"]}).document()
        listed = page["files"]
        files += [ManifestFile(str(file["path"]), int(file["size_bytes"]), str(file["sha256"])) for file in listed]
    if build_manifest(files).digest != page["manifest_sha256"]:
        raise ServerFailed("The server's list of files does not have the digest that the version has.")
    path = urlsplit(str(page["artifact_uri"])).path
    # The address of this very server goes before, whatever it calls itself: tokens go nowhere else.
    return Listing(files, path[path.find("/api/2.0/") :])


def download(
    server: Server, listing: Listing, folder: DownloadFolder, *, resume: bool, on_piece: Callable[[int], None]
) -> int:
    """Fetch every file into `folder`; return how many bytes were fetched. `on_piece` is called from several threads.

    Raises ServerAway, ServerFailed, CannotWrite; a later run with `resume` goes on from there.
    """
    wanted: dict[str, list[ManifestFile]] = defaultdict(list)
    for file in listing.files:
        wanted[file.digest].append(file)
    fetch = _Fetch(server, listing.path, folder, resume, on_piece)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            fetched = sum(pool.map(fetch.get, wanted.values()))
        except BaseException:
            fetch.stopped = True
            raise
    folder.finish()
    return fetched


@dataclass(slots=True)
class _Fetch:
    server: Server
    path: str
    folder: DownloadFolder
    resume: bool
    on_piece: Callable[[int], None]
    stopped: bool = False

    def get(self, same: list[ManifestFile]) -> int:
        """Fetch one file of those that have the same bytes, and give it all of their names; return bytes fetched."""
        missing = [file for file in same if not (self.resume and self.folder.holds(file, self.on_piece))]
        if not missing or self.stopped:
            return 0
        file = missing[0]
        with self.folder.arriving(file.digest) as arrival:
            fetched = self._fetch(file, arrival)
        if not self.stopped:
            self.folder.place(file.digest, [each.path for each in missing])
        return fetched

    def _fetch(self, file: ManifestFile, arrival: Arrival) -> int:
        """Fetch until every byte is right; what has arrived before is not fetched again, unless it was wrong."""
        fetched = 0
        self.on_piece(arrival.size_bytes)
        for attempt in range(TRIES):
            if arrival.size_bytes >= file.size_bytes and arrival.digest != file.digest:
                arrival.forget()
            try:
                for size_bytes in self._receive(file, arrival):
                    fetched += size_bytes
            except ServerAway:
                if attempt == TRIES - 1:
                    raise
                time.sleep(min(_LONGEST_PAUSE_S, 0.2 * 2**attempt))
            if self.stopped or (arrival.size_bytes == file.size_bytes and arrival.digest == file.digest):
                return fetched
        raise ServerFailed(f"The server does not send {file.path!r} as it is listed: the digests differ.")

    def _receive(self, file: ManifestFile, arrival: Arrival) -> Iterator[int]:
        """Take what is missing of a file, and yield the size of each piece."""
        if arrival.size_bytes == file.size_bytes:
            return
        headers = {}
        if arrival.size_bytes:
            headers = {"Range": f"bytes={arrival.size_bytes}-", "If-Range": f'"{file.digest}"'}
        with self.server.stream(f"{self.path}/{quote(file.path)}", headers) as answer:
            if not answer.is_partial:
                arrival.forget()
            for piece in answer.pieces():
                if self.stopped:
                    return
                if arrival.size_bytes + len(piece) > file.size_bytes:
                    raise ServerFailed(f"The server sends more bytes for {file.path!r} than it lists.")
                arrival.add(piece)
                self.on_piece(len(piece))
                yield len(piece)
