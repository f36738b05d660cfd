"""Sources: what a client names when it registers a version, parsed and vetted as text. No I/O.

Source of the rules: contracts/mlflow.md 2.2 and 2.6, design/storage.md. Only the spelling is judged here. Whether
something lies there, and whether this installation may read it, is asked by `storage/opening.py`.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias
from urllib.parse import unquote

from modelyard.errors import SourceRefused
from modelyard.rules.buckets import BUCKET_SCHEMES, BucketFolder, parse_bucket_folder

MAX_SOURCE_CHARACTERS = 2048
UPLOAD_ZONE = "/databricks/mlflow/tmp-external-source"
# The databricks client writes this file beside the model; kept, it would give each upload a digest of its own.
DROPPED_AT_ROOT = frozenset({"registered_model_meta"})
MODEL_FILE = "MLmodel"
UPLOAD_HINT = 'With registry_uri="databricks" the client uploads the files itself.'

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOGGED_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_NOT_ENABLED = frozenset({"s3a", "abfs", "wasb", "wasbs", "r2", "b2", "hdfs", "http", "https", "ftp", "sftp"})
# Cc: control characters; Cs: halves of surrogate pairs; Zl, Zp: line ends that are no control characters.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class LocalPath:
    """An absolute folder on the worker's file system."""

    path: PurePosixPath


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A logged model of mlflow 3, known to a tracking server only: `m-` and 32 hex digits."""

    model_id: str


@dataclass(frozen=True, slots=True)
class RunPath:
    """A folder among the artifacts of a run; an empty `path` is the artifact root itself."""

    run_id: str
    path: str


@dataclass(frozen=True, slots=True)
class TrackingArtifacts:
    """A folder of the tracking server's artifact store, relative to its root."""

    path: str


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of this registry: exactly one of `version`, `stage`, `alias` is set.

    `stage` and `alias` are as written; `stage` may also be the word "latest" in any letter case, as in MLflow.
    """

    name: str
    version: int | None = None
    stage: str | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A folder of the upload area; `path` is relative to it, such as `<id>/model`."""

    path: str


Source: TypeAlias = LocalPath | LoggedModel | RunPath | TrackingArtifacts | BucketFolder | RegisteredVersion | Upload
# The sources whose bytes a worker still has to fetch.
CopiedSource: TypeAlias = LocalPath | LoggedModel | RunPath | TrackingArtifacts | BucketFolder


def parse_source(text: str) -> Source:
    """Return what `text` names. Raises SourceRefused for anything that this registry would not read."""
    _check_text(text)
    _check_characters(text)
    scheme, path = _split_scheme(text)
    _check_path(path)
    if scheme in BUCKET_SCHEMES:
        return _parse_bucket(scheme, path)
    match scheme:
        case "file":
            return LocalPath(PurePosixPath(path))
        case "models":
            return _parse_models(path)
        case "runs":
            run_id, *rest = _segments(path) or [""]
            if not run_id:
                raise SourceRefused("A runs:/ source names a run and a folder of it: runs:/RUN_ID/path.")
            return RunPath(run_id, "/".join(rest))
        case "mlflow-artifacts":
            segments = _segments(path)
            if not segments:
                raise SourceRefused("mlflow-artifacts:/ is a whole artifact store. Name the folder of a model in it.")
            return TrackingArtifacts("/".join(segments))
        case _:
            return Upload(upload_path(path))


def check_reference_source(text: str) -> None:
    """Vet a source that is only remembered (MODELYARD_REGISTRATION=reference), never read.

    Relative paths and unknown schemes pass, as MLflow takes them. Raises SourceRefused.
    """
    _check_text(text)
    _check_no_ascent(text.replace("\\", "/"))
    # A source is shown to every reader of the version.
    if re.match(r"[^/]*//[^/]*:[^/]*@", text):
        raise SourceRefused("The source holds a password. Remove it from the address.")


def upload_path(dbfs_path: str) -> str:
    """Return a DBFS path below the upload area relative to that area, doubled slashes merged.

    Clients write `/databricks/mlflow/tmp-external-source//<id>/...`, and proxies on the way may merge the slashes.
    Raises SourceRefused for a path elsewhere, for the area itself and for `..`.
    """
    _check_no_ascent(dbfs_path)
    segments = _segments(dbfs_path)
    zone = _segments(UPLOAD_ZONE)
    if not dbfs_path.startswith("/") or segments[: len(zone)] != zone or len(segments) == len(zone):
        raise SourceRefused(f"Of dbfs:/ only folders below dbfs:{UPLOAD_ZONE}/ are known here. {UPLOAD_HINT}")
    return "/".join(segments[len(zone) :])


def upload_folder(listing_paths: Iterable[str], source_path: str) -> str:
    """Return the uploaded folder that `source_path` means; both are relative to the upload area.

    For models:/ sources mlflow 3 uploads into the parent of the folder that it then names (contracts/mlflow.md 2.6).
    Raises SourceRefused when there are no files at either place.
    """
    uploaded = set(listing_paths)
    if any(path.startswith(f"{source_path}/") for path in uploaded):
        return source_path
    parent, _, _ = source_path.rpartition("/")
    if parent and f"{parent}/{MODEL_FILE}" in uploaded:
        return parent
    raise SourceRefused(f"Nothing was uploaded to dbfs:{UPLOAD_ZONE}/{source_path}. Upload the files, then register.")


def uploaded_files(listing_paths: Iterable[str], source_path: str) -> dict[str, str]:
    """Return path in the model -> path in the upload area, sorted, for the upload that `source_path` means.

    Raises SourceRefused when nothing was uploaded there.
    """
    listing = sorted(listing_paths)
    folder = upload_folder(listing, source_path) + "/"
    inside = {path.removeprefix(folder): path for path in listing if path.startswith(folder)}
    return {path: uploaded for path, uploaded in inside.items() if path not in DROPPED_AT_ROOT}


def shown(text: str) -> str:
    """Return `text` quoted for a message: control characters escaped, cut after 200 characters."""
    return repr(text if len(text) <= 200 else text[:199] + "…")


def _check_text(text: str) -> None:
    if not text or not text.strip():
        raise SourceRefused("The source is empty. Name the folder of a model, such as runs:/RUN_ID/model.")
    if len(text) > MAX_SOURCE_CHARACTERS:
        raise SourceRefused(f"The source has {len(text)} characters; at most {MAX_SOURCE_CHARACTERS} are allowed.")
    if text != text.strip():
        raise SourceRefused(f"The source {shown(text)} begins or ends with a blank. Remove it.")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise SourceRefused(f"The source {shown(text)} holds a control character. Remove it.")


def _check_characters(text: str) -> None:
    for character, meaning in (("\\", "a backslash"), ("?", "a query"), ("#", "a fragment"), (";", "a semicolon")):
        if character in text:
            # Not shown: a query is where signed addresses keep their signature.
            raise SourceRefused(f"The source holds {meaning} ({character!r}). Name the folder without it.")


def _split_scheme(text: str) -> tuple[str, str]:
    """Return the scheme in lower case ("file" for a bare path) and the absolute path behind it."""
    match = _SCHEME.match(text)
    scheme, rest = (match[1].lower(), text[match.end() :]) if match else ("file", text)
    if scheme in _NOT_ENABLED:
        # The text may hold credentials, so only its scheme is repeated.
        raise SourceRefused(f"{scheme}: sources are not enabled on this server. {UPLOAD_HINT}")
    if scheme not in {"file", "models", "runs", "mlflow-artifacts", "dbfs"} | BUCKET_SCHEMES:
        raise SourceRefused(
            f"Unknown kind of source: {shown(scheme)}. Known are absolute paths, file:///, models:/, runs:/, "
            f"mlflow-artifacts:/, s3://, gs://, abfss:// and uploads. {UPLOAD_HINT}"
        )
    if scheme in BUCKET_SCHEMES:
        if not rest.startswith("//") or rest.startswith("///"):
            raise SourceRefused(f"The source names no bucket. Write {scheme}://BUCKET/FOLDER.")
        return scheme, rest[1:]
    if rest.startswith("//"):
        if match is None or not rest.startswith("///"):
            raise SourceRefused(f"The source names a host where none belongs. Write {scheme}:/path.")
        rest = rest[2:]
    if not rest.startswith("/"):
        raise SourceRefused(f"The source {shown(text)} is relative. Give an absolute path. {UPLOAD_HINT}")
    return scheme, rest


def _check_path(path: str) -> None:
    if path.startswith("//"):
        raise SourceRefused(f"The path {shown(path)} begins with two slashes. Write one.")
    _check_no_ascent(path)
    if unquote(path) != path:
        raise SourceRefused(
            f"The path {shown(path)} holds percent-encoded characters. Write them plainly, or rename the folder."
        )


def _check_no_ascent(path: str) -> None:
    decoded = path
    # Encoded twice is an attempt to be decoded twice by whoever comes later.
    for _ in range(4):
        if ".." in decoded.replace("\\", "/").split("/") or "\0" in decoded:
            raise SourceRefused(f"The path {shown(path)} holds '..' or a NUL. Name the folder itself.")
        decoded = unquote(decoded)


def _parse_models(path: str) -> LoggedModel | RegisteredVersion:
    segments = _segments(path)
    if len(segments) == 1 and _LOGGED_MODEL_ID.fullmatch(segments[0]):
        return LoggedModel(segments[0])
    if len(segments) == 1 and "@" in segments[0]:
        name, _, alias = segments[0].rpartition("@")
        if name and alias:
            return RegisteredVersion(name, alias=alias)
    if len(segments) == 2:
        name, which = segments
        if which.isascii() and which.isdigit():
            return RegisteredVersion(name, version=int(which))
        return RegisteredVersion(name, stage=which)
    raise SourceRefused(
        f"Cannot read models:{shown(path)[1:-1]}. Write models:/NAME/VERSION, models:/NAME/STAGE, models:/NAME@ALIAS "
        "or models:/m-ID with 32 hex digits."
    )


def _parse_bucket(scheme: str, path: str) -> BucketFolder:
    """Return the folder that `path`, a slash, the bucket and what lies in it, means."""
    folder = parse_bucket_folder(f"{scheme}:/{path}")
    if not folder.path:
        raise SourceRefused(f"{folder} is a whole bucket. Name the folder of a model in it.")
    return folder


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment not in ("", ".")]
