"""What lies in a version: its folders, its files as far as they can be shown, what its MLmodel file says."""

from dataclasses import dataclass
from typing import Final

from modelyard.errors import Damaged, InvalidState, NotFound
from modelyard.registry.downloads import ManagedFiles
from modelyard.rules.sources import MODEL_FILE
from modelyard.storage.manifest import ManifestFile
from modelyard.web.api.version_files import locate, managed_files_of, read_index
from modelyard.web.file_index import FileIndex
from modelyard.web.site import site
from modelyard.web.ui.model_file import MAX_BYTES, ModelFile, read_model_file

PREVIEW_BYTES: Final = 256 * 1024
IMAGE_BYTES: Final = 8 << 20
# Entries of one folder on a page; a folder of a hundred thousand would be a page of tens of megabytes.
MOST_ENTRIES: Final = 500
# What an image begins with -> its type. SVG is missing on purpose: it can hold scripts.
_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
_LOADS_CODE: Final = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".pt", ".pth", ".bin")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a folder; a folder counts the files below it and adds up their sizes."""

    name: str
    path: str
    is_folder: bool
    size_bytes: int
    digest: str = ""
    files: int = 0


@dataclass(frozen=True, slots=True)
class Folder:
    """A page of a folder's entries, folders first; `more` are left out before the next page."""

    path: str
    entries: list[Entry]
    total: int
    following: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """A file as far as it can be shown: `text`, or an image of the type `image`, or neither; `cut` if longer."""

    path: str
    size_bytes: int
    digest: str
    text: str | None = None
    image: str = ""
    cut: bool = False
    loads_code: bool = False


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there are no files to show, in words for a person."""

    title: str
    text: str


def open_files(name: str, number: int) -> tuple[ManagedFiles, FileIndex] | Absence:
    """Return a version's files, or why there are none to show."""
    try:
        files = managed_files_of(name, number)
        return files, read_index(files)
    except InvalidState as error:
        return Absence("No files to show", error.message)
    except Damaged as error:
        return Absence("The list of files is damaged", error.message)


def folder_of(index: FileIndex, path: str, start: int = 0) -> Folder:
    """Return the entries of a folder ("" for the root). Raises NotFound."""
    entries = index.folders.get(path)
    if entries is None and path:
        raise NotFound(f"This version holds no file or folder {path[:300]!r}.")
    ordered = sorted(entries or (), key=lambda entry: (entry.size_bytes is not None, entry.name))
    shown = ordered[start : start + MOST_ENTRIES]
    prefix = f"{path}/" if path else ""
    within = _below(index, {f"{prefix}{entry.name}" for entry in shown if entry.size_bytes is None}, prefix)
    return Folder(
        path=path,
        entries=[_entry(index, prefix + entry.name, entry.name, entry.size_bytes is None, within) for entry in shown],
        total=len(ordered),
        following=start + MOST_ENTRIES if len(ordered) > start + MOST_ENTRIES else None,
    )


def preview_of(files: ManagedFiles, index: FileIndex, path: str) -> Preview:
    """Return how a file is shown. Raises NotFound; Damaged for bytes that are known to be wrong."""
    file = index.files[path]
    loads_code = path.lower().endswith(_LOADS_CODE)
    beginning = first_bytes(files, file, PREVIEW_BYTES)
    image = image_type(beginning)
    if image:
        return Preview(path, file.size_bytes, file.digest, image=image if file.size_bytes <= IMAGE_BYTES else "")
    text = _text(beginning, whole=len(beginning) == file.size_bytes)
    return Preview(
        path,
        file.size_bytes,
        file.digest,
        text=text,
        cut=len(beginning) < file.size_bytes,
        loads_code=loads_code and text is None,
    )


def model_file_of(files: ManagedFiles, index: FileIndex) -> tuple[ModelFile, str]:
    """Return what the MLmodel file at the root says, and its text as far as it is shown."""
    file = index.files.get(MODEL_FILE)
    if file is None:
        return ModelFile(problem="This version has no MLmodel file at its root."), ""
    content = first_bytes(files, file, MAX_BYTES)
    text = _text(content, whole=len(content) == file.size_bytes) or ""
    if file.size_bytes > MAX_BYTES:
        return ModelFile(problem="The MLmodel file is too large to be read here; download it."), text
    return read_model_file(content), text


def first_bytes(files: ManagedFiles, file: ManifestFile, count: int) -> bytes:
    """Return the beginning of a stored file. Raises NotFound, Damaged."""
    blob = locate(files, file.digest)
    with site().store.open_blob(blob.digest, blob.gen, blob.size_bytes) as opened:
        return b"".join(opened.pieces(0, min(count, file.size_bytes)))


def image_type(beginning: bytes) -> str:
    """Return the type of an image by its first bytes, "" for anything else, whatever its name says."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES if beginning.startswith(magic)), "")


def _entry(index: FileIndex, path: str, name: str, is_folder: bool, within: dict[str, tuple[int, int]]) -> Entry:
    if is_folder:
        count, size_bytes = within.get(path, (0, 0))
        return Entry(name, path, True, size_bytes, files=count)
    file = index.files[path]
    return Entry(name, path, False, file.size_bytes, digest=file.digest)


def _below(index: FileIndex, folders: set[str], prefix: str) -> dict[str, tuple[int, int]]:
    """Return folder -> how many files lie below it at any depth, and their size."""
    found: dict[str, tuple[int, int]] = {}
    if not folders:
        return found
    for path, file in index.files.items():
        if not path.startswith(prefix):
            continue
        folder = prefix + path[len(prefix) :].partition("/")[0]
        if folder in folders:
            count, size_bytes = found.get(folder, (0, 0))
            found[folder] = count + 1, size_bytes + file.size_bytes
    return found


def _text(content: bytes, *, whole: bool) -> str | None:
    """Return bytes as text; None for what is none."""
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        # A character may be cut where the preview ends.
        if not whole and error.start >= len(content) - 3:
            return content[: error.start].decode()
        return None
