"""A folder of a tracking server's artifact store as a tree of files, fetched through its artifact proxy."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import urllib3

from modelyard.errors import NotFound, SourceUnreadable
from modelyard.rules.sources import shown
from modelyard.storage.tracking import TrackingServer, answering
from modelyard.storage.tree import FileEntry, Inventory, Limits


class TrackingTree:
    """The files below `path` of the artifact store, "" for its root.

    The proxy tells neither times nor digests, so a file can never be recognized as unchanged by a later attempt.
    """

    at_hand = False

    def __init__(self, server: TrackingServer, path: str, limits: Limits) -> None:
        self._server = server
        self._path = path
        self._limits = limits
        self._origin = f"mlflow-artifacts:/{path}"

    def entries(self) -> list[FileEntry]:
        """List folder by folder; a server that invents folders without end meets the limits on depth and number."""
        inventory = Inventory(self._limits, self._origin)
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            inventory.enter(folder)
            for name, size_bytes in self._list_folder(folder):
                path = f"{folder}/{name}" if folder else name
                if size_bytes is None:
                    waiting.append(path)
                else:
                    inventory.add(FileEntry(path, size_bytes, 0, 0, ""))
        return inventory.finish()

    @contextmanager
    def open(self, entry: FileEntry) -> Iterator["TrackingReader"]:
        """Fetch one listed file."""
        shown_path = f"{entry.path!r} in {self._origin}"
        with ExitStack() as stack:
            try:
                response = stack.enter_context(self._server.open_artifact(self._inside(entry.path)))
            except NotFound as error:
                raise SourceUnreadable(f"{shown_path} vanished while it was copied.") from error
            reader = TrackingReader(response, entry, shown_path)
            yield reader
            reader.verify()

    def close(self) -> None:
        """Nothing to give back: the connections are the server's."""

    def _list_folder(self, folder: str) -> list[tuple[str, int | None]]:
        """Return (name, size in bytes) of each entry, None as the size of a folder."""
        try:
            listing = self._server.list_artifacts(self._inside(folder))
        except NotFound as error:
            raise SourceUnreadable(f"{self._origin} cannot be listed. {error.message}") from error
        found: dict[str, int | None] = {}
        for item in listing:
            name, size_bytes = self._vetted(item, folder)
            if name in found:
                raise SourceUnreadable(f"The tracking server lists {shown(name)} twice in {self._origin}/{folder}.")
            found[name] = size_bytes
        return list(found.items())

    def _vetted(self, item: object, folder: str) -> tuple[str, int | None]:
        """Check one entry of a listing: a base name, and a size for a file."""
        details = item if isinstance(item, dict) else {}
        name = details.get("path")
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
            raise SourceUnreadable(
                f"The tracking server lists {shown(str(name))} in {self._origin}/{folder}, which is no file name."
            )
        if details.get("is_dir") is True:
            return name, None
        # An empty file comes without a size: MLflow leaves out zeros.
        size_bytes = details.get("file_size", 0)
        if isinstance(size_bytes, str) and size_bytes.isascii() and size_bytes.isdigit():
            size_bytes = int(size_bytes)
        if not isinstance(size_bytes, int) or isinstance(size_bytes, bool) or size_bytes < 0:
            raise SourceUnreadable(f"The tracking server gives {shown(name)} the size {shown(str(size_bytes))}.")
        return name, size_bytes

    def _inside(self, path: str) -> str:
        return "/".join(part for part in (self._path, path) if part)


class TrackingReader:
    """The body of one file, never more and in the end never less than was listed."""

    def __init__(self, response: urllib3.BaseHTTPResponse, entry: FileEntry, shown_path: str) -> None:
        self._response = response
        self._left_bytes = entry.size_bytes
        self._entry = entry
        self._shown = shown_path
        announced = response.headers.get("Content-Length")
        if announced is not None and announced != str(entry.size_bytes):
            raise self._wrong_size(f"{shown(announced)} bytes")

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, b"" at the end."""
        # One byte more than is due shows a body that goes on.
        with answering():
            piece = self._response.read(min(size, self._left_bytes + 1))
        if len(piece) > self._left_bytes:
            raise self._wrong_size("more")
        self._left_bytes -= len(piece)
        return piece

    def verify(self) -> None:
        """Raise SourceUnreadable unless every listed byte came."""
        if self._left_bytes:
            raise self._wrong_size(f"{self._entry.size_bytes - self._left_bytes} bytes")

    def _wrong_size(self, found: str) -> SourceUnreadable:
        return SourceUnreadable(
            f"{self._shown} was listed with {self._entry.size_bytes} bytes, but the tracking server sends {found}. "
            "Register it again when it is at rest."
        )
